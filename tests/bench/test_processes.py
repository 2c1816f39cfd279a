from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from sweep.bench.processes import ONE_THREAD, Alone, Processes


@pytest.fixture(scope="module")
def process() -> Iterator[Alone]:
    alone = Alone()
    yield alone
    alone.close()


@pytest.mark.parametrize("name", ONE_THREAD)
def test_a_process_knows_that_it_has_one_thread_before_it_imports_anything(process: Alone, name: str) -> None:
    assert process.call(os.getenv, name) == ONE_THREAD[name]


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="processes cannot be bound to a core here")
def test_a_process_stays_on_one_core(process: Alone) -> None:
    assert len(process.call(os.sched_getaffinity, 0)) == 1


def test_calls_go_to_one_process_which_is_not_this_one(process: Alone) -> None:
    assert process.call(os.getpid) == process.call(os.getpid) != os.getpid()


def test_every_name_has_a_process_of_its_own() -> None:
    with Processes() as processes:
        assert processes.call("a", os.getpid) == processes.call("a", os.getpid) != processes.call("b", os.getpid)


def test_an_error_in_the_process_is_raised_here(process: Alone) -> None:
    with pytest.raises(FileNotFoundError):
        process.call(os.listdir, "/no such folder")
