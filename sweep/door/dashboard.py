"""optuna-dashboard on a study's storage, for this machine only."""

from __future__ import annotations

from collections.abc import Callable
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from sweep.errors import UsageError
from sweep.search.storage import open_for_reading

HOST = "127.0.0.1"  # the dashboard has no password and can delete studies


class _Server(ThreadingMixIn, WSGIServer):
    """A thread a request: the browser asks for many things at once."""

    daemon_threads = True


class _Silent(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # the name is the base class's
        """Say nothing of requests."""


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
    import optuna_dashboard

    application = optuna_dashboard.wsgi(open_for_reading(address))
    try:
        server = make_server(HOST, port, application, server_class=_Server, handler_class=_Silent)
    except OSError as error:
        raise UsageError(f"--port {port}: {error.strerror}: choose another port, or 0 for any free one") from error
    with server:
        announce(f"http://{HOST}:{server.server_port}/dashboard")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return
