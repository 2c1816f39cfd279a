"""The default configuration of an arm: what tuning is measured against."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from sweep.learning.configuration import Configuration
from sweep.learning.hyper import Choices, Fixed, Range, hyperparameters
from sweep.learning.optimizers import OPTIMIZERS
from sweep.learning.schedules import SCHEDULES, Piecewise
from sweep.search.finalists import DEFAULT, Finalist, default, with_defaults
from sweep.search.space import Arm, Space
from tests.studies import everything, laws, searches, tiny

# -------------------------------------------------------------------------------------------------------- the defaults


def some(space: Space, arm: Arm) -> Configuration:
    """Any configuration of an arm."""
    first = {Fixed: lambda s: s.value, Choices: lambda s: s.values[-1], Range: lambda s: s.high}
    values = {name: first[type(search)](search) for name, search in space.entries(arm).items()}
    return space.configuration({"optimizer": arm.optimizer, "schedule": arm.schedule, **values})


def test_the_default_of_every_arm_is_what_somebody_has_who_sets_nothing_but_the_duration() -> None:
    """Where a study of 40 epochs says nothing only the duration of schedules that have one is fixed: at 40."""
    space = everything().space()
    for arm in space.arms:
        found = default(space, arm, some(space, arm))
        duration = (
            {"duration": 40.0} if "duration" in {p.name for p in hyperparameters(SCHEDULES[arm.schedule])} else {}
        )
        assert found.learning_rate == 0.01
        assert found.optimizer == OPTIMIZERS[arm.optimizer]()
        assert found.schedule == SCHEDULES[arm.schedule](**duration)


@laws
@given(searches())
def test_a_default_keeps_what_is_fixed_and_has_else_what_is_declared(search: dict[str, Any]) -> None:
    space = tiny(search=search).space()
    for arm in space.arms:
        found = default(space, arm, some(space, arm))
        entries = space.entries(arm)
        rate = entries["learning_rate"]
        assert found.learning_rate == (rate.value if isinstance(rate, Fixed) else 0.01)
        for name, rule, kinds in (
            (arm.optimizer, found.optimizer, OPTIMIZERS),
            (arm.schedule, found.schedule, SCHEDULES),
        ):
            for parameter in hyperparameters(kinds[name]):
                declared, own = parameter.default, getattr(rule, parameter.name)
                if isinstance(declared, tuple):
                    for place, element in enumerate(own):
                        one = entries[f"{name}.{parameter.name}.{place + 1}"]
                        last = declared[min(place, len(declared) - 1)]
                        assert element == (one.value if isinstance(one, Fixed) else last)
                else:
                    one = entries[f"{name}.{parameter.name}"]
                    assert own == (one.value if isinstance(one, Fixed) else declared)


@pytest.mark.parametrize("length", [1, 2, 3, 12])
def test_a_list_longer_than_its_default_goes_on_with_the_last_element(length: int) -> None:
    lists = {"boundaries": [{"low": 1.0, "high": 40.0}] * length, "factors": [{"low": 0.01, "high": 1.0}] * length}
    space = tiny(search={"schedules": ["piecewise"], "schedule": {"piecewise": lists}}).space()
    arm = Arm("sgd", "piecewise")
    found = default(space, arm, some(space, arm)).schedule
    assert isinstance(found, Piecewise)
    assert found.boundaries == (10.0, 20.0, *[20.0] * 10)[:length]
    assert found.factors == (0.1, 0.01, *[0.01] * 10)[:length]


def test_every_tuned_finalist_is_followed_by_its_arms_default() -> None:
    space = everything().space()
    tuned = [Finalist(arm, n, some(space, arm)) for n, arm in enumerate(space.arms)]
    found = with_defaults(space, tuned)
    assert found[: len(tuned)] == tuned
    assert [each.arm for each in found[len(tuned) :]] == space.arms
    assert [each.kind for each in found] == ["tuned"] * len(tuned) + ["default"] * len(tuned)
    assert {each.number for each in found[len(tuned) :]} == {DEFAULT}
