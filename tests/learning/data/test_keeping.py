"""What is prepared is kept while it is small; of what is large, the newest alone."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from sweep.learning.data.keeping import LARGE, Keeping


@dataclass(frozen=True)
class Thing:
    """Something of a size."""

    name: str
    bytes: int


def making(size: int, most: int = 4) -> tuple[Keeping[[str], Thing], list[str]]:
    """A function that makes things of a size, and the names of those that it has made."""
    made: list[str] = []

    def make(name: str) -> Thing:
        made.append(name)
        return Thing(name, size)

    return Keeping(make, most), made


def test_small_ones_are_made_once_and_the_one_longest_unused_goes_first() -> None:
    make, made = making(1, most=2)
    assert make("a") is make("a")
    for name in ("b", "a", "c", "a", "b"):
        assert make(name).name == name
    assert made == ["a", "b", "c", "b"]


def test_the_newest_is_kept_however_large_it_is() -> None:
    make, made = making(100 * LARGE)
    assert make("a") is make("a")
    assert made == ["a"]


def test_a_large_one_is_let_go_before_the_next_is_made() -> None:
    kept: list[int] = []

    def make(name: str) -> Thing:
        kept.append(keeping.bytes)
        return Thing(name, LARGE + 1)

    keeping = Keeping(make)
    for name in "abc":
        keeping(name)
    assert kept == [0, 0, 0]
    assert keeping.bytes == LARGE + 1


@pytest.mark.parametrize(("size", "left"), [(LARGE // 4, 4), (LARGE // 2, 3), (LARGE, 2), (LARGE + 1, 1)])
def test_never_more_is_kept_than_is_large_and_one(size: int, left: int) -> None:
    make, _ = making(size)
    for name in "abcdefgh":
        make(name)
    assert make.bytes == left * size


def test_what_was_let_go_is_made_again() -> None:
    make, made = making(1)
    make("a")
    make.cache_clear()
    assert make.bytes == 0
    make("a")
    assert made == ["a", "a"]


def test_what_cannot_be_made_is_tried_again() -> None:
    tries = []

    def fail(name: str) -> Thing:
        tries.append(name)
        raise ValueError(name)

    keeping = Keeping(fail)
    for _ in range(2):
        with pytest.raises(ValueError, match="a"):
            keeping("a")
    assert tries == ["a", "a"]
