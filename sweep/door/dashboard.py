"""optuna-dashboard on a study's storage, for this machine only."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from sweep.errors import UsageError
from sweep.search.storage.storage import open_for_reading

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

HOST = "127.0.0.1"  # the dashboard has no password and can delete studies


class _Server(ThreadingMixIn, WSGIServer):
    """A thread a request: the browser asks for many things at once."""

    daemon_threads = True


class _Silent(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # the name is the base class's
        """Say nothing of requests."""


def application(storage: BaseStorage) -> Callable[..., Iterable[bytes]]:
    """The dashboard as a WSGI application that answers requests for data one at a time.

    It reads a study again when what it has is some seconds old. Of two requests that did so at once, the one that began
    first could end last, and everybody would see fewer trials than before; and a database would be read twice.
    """
    import optuna_dashboard

    answers: Callable[..., Iterable[bytes]] = optuna_dashboard.wsgi(storage)
    turn = threading.Lock()

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if not environ["PATH_INFO"].startswith("/api/"):
            return answers(environ, start_response)
        with turn:
            return answers(environ, start_response)

    return answer


def serve(address: str, port: int, announce: Callable[[str], None]) -> None:
    """Serve until interrupted.

    Parameters
    ----------
    address : str
        The storage: a journal file or a database URL.
    port : int
        0 takes any free one.
    announce : callable
        Told the URL once the server listens.
    """
    try:
        server = make_server(
            HOST, port, application(open_for_reading(address)), server_class=_Server, handler_class=_Silent
        )
    except OSError as error:
        raise UsageError(f"--port {port}: {error.strerror}: choose another port, or 0 for any free one") from error
    with server:
        announce(f"http://{HOST}:{server.server_port}/dashboard")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return
