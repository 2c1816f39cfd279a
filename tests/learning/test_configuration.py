from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given

from sweep.errors import UsageError
from sweep.learning.configuration import Configuration
from sweep.learning.hyper import hyperparameters
from sweep.learning.optimizers.rules import RMSProp, Sgd
from sweep.learning.schedules.formulas import Constant, Piecewise, Step
from tests.learning.strategies import configurations


@given(configuration=configurations)
def test_a_record_has_every_hyperparameter_once_and_only_plain_values(configuration: Configuration) -> None:
    record = configuration.record()
    expected = 3
    for prefix, rule in (("optimizer", configuration.optimizer), ("schedule", configuration.schedule)):
        assert record[prefix] == rule.name
        for parameter in hyperparameters(rule):
            value = getattr(rule, parameter.name)
            names = [f"{prefix}.{parameter.name}"]
            if parameter.vector:
                names = [f"{names[0]}.{i}" for i in range(1, len(value) + 1)]
            assert [record[name] for name in names] == list(value if parameter.vector else [value])
            expected += len(names)
    assert len(record) == expected
    assert all(isinstance(value, float | str) for value in record.values())


def test_a_vector_is_recorded_element_by_element() -> None:
    record = Configuration(0.1, Sgd(), Piecewise(boundaries=(2.0, 5.0), factors=(0.5, 0.1))).record()
    assert record["schedule.boundaries.2"] == 5.0
    assert record["schedule.factors.1"] == 0.5


def test_an_arm_is_an_optimizer_with_a_schedule() -> None:
    assert Configuration(0.1, RMSProp(), Step()).arm == "rmsprop x step"
    assert Configuration(0.1, Sgd()).arm == "sgd x constant"
    assert Configuration(0.1, Sgd()) == Configuration(0.1, Sgd(), Constant())


@pytest.mark.parametrize("rate", [0.0, -0.1, math.nan, math.inf, "0.1", None, True], ids=repr)
def test_a_learning_rate_that_is_no_positive_number_is_refused(rate: Any) -> None:
    with pytest.raises(UsageError, match=r"configuration\.learning_rate = "):
        Configuration(rate, Sgd())


@pytest.mark.parametrize("rules", [(Step(), Sgd()), (Sgd, Step()), ("sgd", Step()), (Sgd(), None)], ids=repr)
def test_an_optimizer_and_a_schedule_are_wanted_in_their_places(rules: Any) -> None:
    with pytest.raises(UsageError, match="configuration: needs an optimizer and a schedule, got"):
        Configuration(0.1, *rules)
