from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from sweep.door.signals import Stopper

NUMBERS = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in NUMBERS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def send(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", NUMBERS)
def test_the_first_signal_is_a_wish_that_is_announced(number: int) -> None:
    said: list[str] = []
    with Stopper(said.append) as stopper:
        assert not stopper.stopping()
        send(number)
        assert stopper.stopping()
        assert stopper.received == number
    assert len(said) == 1


@pytest.mark.parametrize("second", NUMBERS)
def test_the_second_signal_interrupts_and_the_first_decides_the_exit_code(second: int) -> None:
    with Stopper(lambda text: None) as stopper:
        send(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            send(second)
        assert stopper.received == signal.SIGTERM


def test_further_signals_do_not_disturb_the_cleaning_up(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    with Stopper(lambda text: None):
        send(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGINT)
        for _ in range(5):
            send(signal.SIGINT)
        now[0] = 1.5  # whoever still waits then means it
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGINT)
    send(signal.SIGINT)
    send(signal.SIGTERM)


def test_a_stream_that_is_gone_does_not_stop_the_stopping() -> None:
    def announce(text: str) -> None:
        raise BrokenPipeError

    with Stopper(announce) as stopper:
        send(signal.SIGINT)
        assert stopper.stopping()


def test_without_a_signal_everything_is_as_before() -> None:
    before = [signal.getsignal(number) for number in NUMBERS]
    with Stopper(lambda text: None):
        assert [signal.getsignal(number) for number in NUMBERS] != before
    assert [signal.getsignal(number) for number in NUMBERS] == before
