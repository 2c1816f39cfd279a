"""What lines of code know: kinds and fields. What they do not know they name, and do not call the same mathematics."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pytest

from sweep.learning.configuration import Configuration
from sweep.learning.hyper import NOT_NEGATIVE, Array, Choices, Fixed, Scalar, flag, hyper, hyperparameters
from sweep.learning.optimizers.base import Optimizer
from sweep.learning.optimizers.rules import OPTIMIZERS, Adam, Momentum, Sgd
from sweep.learning.schedules.base import Schedule, State
from sweep.learning.schedules.formulas import SCHEDULES, Exponential, Join, Plateau
from sweep.parity.lines import LIBRARIES, Lines, lines
from sweep.parity.lines.formulas import FORMULAS, WARMUP
from sweep.parity.lines.plain import KINDS, PLATEAU
from tests.parity.settings import AT_WORK, TURNED, optimizers
from tests.parity.test_lines import FIRED, check


@dataclass(frozen=True)
class Newcomer(Schedule):
    """Its fields are called as others are that make a schedule stand still, and mean something else."""

    name: ClassVar[str] = "newcomer"

    drop: Scalar = hyper(1.0, "the epoch at which it falls", domain=NOT_NEGATIVE)
    end: Scalar = hyper(1.0, "how far it falls in the end: by all", domain=NOT_NEGATIVE)
    power: Scalar = hyper(0.0, "how softly", domain=NOT_NEGATIVE)

    def decay(self, time: Array, state: State) -> Array:
        return np.where(time < self.drop, 1.0, 1.0 - self.end)


@dataclass(frozen=True)
class Stranger(Optimizer):
    name: ClassVar[str] = "stranger"

    def coefficients(self, rate: Array, count: Array) -> tuple[Any, ...]:
        return (rate,)


@dataclass(frozen=True)
class Clipped(Stranger):
    """An optimizer that is known, with a field that is not."""

    limit: Scalar = hyper(1.0, "where the gradient is cut", domain=NOT_NEGATIVE, search=Choices((0.5, 1.0)))
    softly: Scalar = flag(False, "cut it softly")


@dataclass(frozen=True)
class Bumpy(Newcomer):
    """A schedule that is known, with a field that is not."""

    bump: Scalar = hyper(0.0, "how high", domain=NOT_NEGATIVE, search=Fixed(0.0))


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines are known for two of them."""
    tables: tuple[dict[Any, Any], dict[Any, Any]] = KINDS, FORMULAS
    monkeypatch.setitem(tables[0], Clipped, ("sgd", ()))
    monkeypatch.setitem(tables[1], Bumpy, (lambda rule, clock: "1.0", ("drop", "end", "power")))


def every(configuration: Configuration) -> list[Lines]:
    found = lines(configuration, 5)
    for entry in found:
        check(entry)
    return found


@pytest.mark.parametrize(
    "configuration",
    [
        Configuration(0.1, Stranger()),
        Configuration(0.1, Sgd(), Newcomer()),
        Configuration(0.1, Sgd(), Newcomer(drop=5.0, end=0.5, power=2.0)),
        Configuration(0.1, Momentum(), Join(parts=(Exponential(), Newcomer()), boundaries=(2.0,))),
    ],
    ids=lambda configuration: str(configuration.arm),
)
def test_what_is_not_known_gets_no_lines_but_a_note(configuration: Configuration) -> None:
    for entry in every(configuration):
        assert (entry.code, entry.exact) == ((), False)
        assert "stranger" in entry.notes[0] or configuration.schedule.name in entry.notes[0]


@pytest.mark.parametrize(
    ("configuration", "told"),
    [
        (Configuration(0.1, Clipped()), ["limit"]),  # searched: it says something, whatever its value
        (Configuration(0.1, Clipped(softly=True)), ["limit", "softly"]),
        (Configuration(0.1, Sgd(), Bumpy()), []),  # left at its neutral value
        (Configuration(0.1, Sgd(), Bumpy(bump=0.5)), ["bump"]),
        (Configuration(0.1, Clipped(), Bumpy(bump=0.5)), ["limit", "bump"]),
        (Configuration(0.1, Sgd(), Join(parts=(Bumpy(bump=0.5), Exponential()), boundaries=(2.0,))), ["bump"]),
    ],
    ids=str,
)
def test_a_field_that_is_not_known_is_named_and_the_lines_are_not_exact(
    configuration: Configuration, told: list[str]
) -> None:
    for entry in every(configuration):
        assert entry.code
        assert entry.exact == (not told)
        notes = [note.partition(": no lines for it are known here; it is left out.") for note in entry.notes]
        assert [name for name, said, _ in notes if said] == told


def fields(kind: type[Any]) -> set[str]:
    return {parameter.name for parameter in hyperparameters(kind)}


def test_no_field_of_ours_is_unknown_and_none_is_claimed_that_is_not_there() -> None:
    shared = fields(Sgd)
    assert {kind: fields(kind) for kind in OPTIMIZERS.values() if kind in KINDS} == {
        kind: {*own, *shared} for kind, (_, own) in KINDS.items() if kind is not Clipped
    }
    assert fields(Plateau) == {*PLATEAU, *WARMUP}
    for kind, (_, own) in FORMULAS.items():
        assert fields(kind) - {"bump"} == {*own, *WARMUP}, kind


IDLE = {"sgd": {"weight_decay_decoupled"}}  # the decay of the weights takes the same way in both modes


def turns(rule: Any) -> Iterator[tuple[str, Any]]:
    """The same with one field changed, each in turn."""
    for parameter in hyperparameters(rule):
        value = getattr(rule, parameter.name)
        if parameter.flag:
            turned: tuple[Any, ...] = (not value,)
        elif parameter.vector:
            turned = (tuple(each + 0.5 for each in value),)
        else:
            numbers = (TURNED.get(parameter.name, 0.75), 1.0, 3.0)
            turned = tuple(number for number in numbers if number != value and parameter.domain.contains(number))
        yield from ((parameter.name, replace(rule, **{parameter.name: each})) for each in turned)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("name", [name for name, kind in OPTIMIZERS.items() if kind in KINDS])
def test_every_field_that_is_claimed_of_an_optimizer_changes_lines_or_is_named(name: str, library: str) -> None:
    write, seen = LIBRARIES[library], set(IDLE.get(name, ()))
    for rule in optimizers(name, library):
        before = write(Configuration(0.1, rule, Exponential()), 5)
        for field, turned in turns(rule):
            after = write(Configuration(0.1, turned, Exponential()), 5)
            if before != after or any(field in note for note in after.notes):
                seen.add(field)
    assert seen == fields(OPTIMIZERS[name])


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("name", [*AT_WORK, "plateau"])
def test_every_field_that_is_claimed_of_a_schedule_changes_lines_or_is_named(name: str, library: str) -> None:
    write, seen = LIBRARIES[library], set()
    for rule in FIRED if name == "plateau" else AT_WORK[name]:
        for base in (rule, replace(rule, warmup=0.5)):
            before = write(Configuration(0.1, Adam(), base), 5)
            for field, turned in turns(base):
                after = write(Configuration(0.1, Adam(), turned), 5)
                if before != after:
                    seen.add(field)
    wanted = fields(SCHEDULES.get(name, Join))
    assert seen == (wanted - {"warmup_start"} if name == "plateau" else wanted)  # no library has its warm-up
