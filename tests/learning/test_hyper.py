from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.errors import UsageError
from sweep.learning.configuration import LEARNING_RATE
from sweep.learning.hyper import (
    FLAG,
    Choices,
    Domain,
    Fixed,
    Hyperparameter,
    Range,
    Search,
    hyperparameters,
    stack,
    telling,
)
from sweep.learning.optimizers.rules import OPTIMIZERS, AdaGrad, Momentum, Nesterov, RMSProp
from sweep.learning.schedules.formulas import SCHEDULES, Piecewise, Step
from tests.learning.strategies import constants

RULES: dict[str, type[Any]] = {**OPTIMIZERS, **SCHEDULES}
FIELDS = [(name, parameter) for name, kind in RULES.items() for parameter in hyperparameters(kind)]

every_rule = pytest.mark.parametrize("name", RULES)
every_field = pytest.mark.parametrize(("name", "parameter"), FIELDS, ids=[f"{n}.{p.name}" for n, p in FIELDS])
FLAGS = [(name, parameter) for name, parameter in FIELDS if parameter.flag]
every_flag = pytest.mark.parametrize(("name", "parameter"), FLAGS, ids=[f"{n}.{p.name}" for n, p in FLAGS])
numbers = st.floats(-3.0, 3.0)
domains = st.builds(
    lambda low, width, **how: Domain(low, low + width, **how),
    numbers, st.floats(0.1, 3.0), low_open=st.booleans(), high_open=st.booleans(), integer=st.booleans(),
)  # fmt: skip


# ----------------------------------------------------------------------------------------- every rule and every field


@every_rule
def test_a_rule_is_listed_under_its_own_name(name: str) -> None:
    assert RULES[name].name == name
    assert RULES[name]().name == name
    assert len(RULES) == len(OPTIMIZERS) + len(SCHEDULES)


@every_rule
def test_a_rule_is_a_record_that_does_not_change(name: str) -> None:
    kind = RULES[name]
    assert kind() == kind()
    assert hash(kind()) == hash(kind())
    with pytest.raises(dataclasses.FrozenInstanceError):
        kind().name = "other"


@every_rule
def test_every_field_of_a_rule_is_a_hyperparameter_in_its_order(name: str) -> None:
    kind = RULES[name]
    fields = [field.name for field in dataclasses.fields(kind)]
    assert [p.name for p in hyperparameters(kind)] == [p.name for p in hyperparameters(kind())] == fields


@every_field
def test_a_default_is_legal_and_what_it_is_for_is_said(name: str, parameter: Hyperparameter) -> None:
    parameter.check(name, parameter.default)
    assert getattr(RULES[name](), parameter.name) == parameter.default
    assert parameter.help
    assert "\n" not in parameter.help


@pytest.mark.parametrize(
    ("name", "parameter"), [*FIELDS, ("configuration", LEARNING_RATE)], ids=lambda x: getattr(x, "name", x)
)
def test_what_is_searched_is_legal_for_a_training_of_any_length(name: str, parameter: Hyperparameter) -> None:
    for epochs in (1, 2, 7, 30, 500):
        search = parameter.search.resolved(epochs)
        for value in ends(search):
            parameter.check(name, value)
        if isinstance(search, Range):
            assert search.low <= search.high
            assert search.low > 0 or not search.log
            assert not search.integer or search.low == int(search.low)


def ends(search: Search) -> tuple[float, ...]:
    if isinstance(search, Range):
        return search.low, search.high
    return search.values if isinstance(search, Choices) else (search.value,)


@every_field
def test_the_padding_of_a_vector_is_legal(name: str, parameter: Hyperparameter) -> None:
    if parameter.vector:
        parameter.check(name, (parameter.padding,))
    else:
        assert math.isnan(parameter.padding)


# ---------------------------------------------------------------------------------------------------------------- flags


@every_flag
def test_a_flag_may_be_true_or_false_1_or_0_and_is_kept_as_given(name: str, parameter: Hyperparameter) -> None:
    for value in (True, False, 1, 0, 1.0, 0.0, np.float64(1.0), np.int64(0)):
        rule, said = (RULES[name](**{parameter.name: given}) for given in (value, bool(value)))
        assert getattr(rule, parameter.name) is value
        assert rule == said
        assert hash(rule) == hash(said)


@every_flag
def test_a_flag_becomes_a_column_of_ones_and_zeros(name: str, parameter: Hyperparameter) -> None:
    rules = [RULES[name](**{parameter.name: value}) for value in (True, 0, 1.0, False)]
    column = getattr(stack(rules), parameter.name)
    assert column.dtype == np.float64
    assert column.tolist() == [[1.0], [0.0], [1.0], [0.0]]


@every_flag
def test_what_is_no_flag_is_refused_by_field_value_and_rule(name: str, parameter: Hyperparameter) -> None:
    where = f"{name}.{parameter.name}"
    for value in (2, -1, 0.5, math.nan, math.inf, np.float32(0.1)):
        with pytest.raises(UsageError) as caught:
            RULES[name](**{parameter.name: value})
        assert str(caught.value) == f"{where} = {value}: must obey {parameter.name} = true or false"
    things: list[Any] = ["true", None, "1", {}, 1j]
    for thing in things:
        with pytest.raises(UsageError) as caught:
            RULES[name](**{parameter.name: thing})
        assert str(caught.value) == f"{where} = {thing!r}: must be true or false"


@every_flag
def test_a_flag_is_not_searched_unless_a_study_says_so_and_only_a_keyword(name: str, parameter: Hyperparameter) -> None:
    assert parameter.search == Fixed(parameter.default)  # type: ignore[arg-type]
    assert parameter.domain == FLAG
    assert parameter.domain.rule("x") == "x = true or false"
    (field,) = (f for f in dataclasses.fields(RULES[name]) if f.name == parameter.name)
    assert field.kw_only


@pytest.mark.parametrize("value", [True, False], ids=repr)
def test_true_and_false_are_no_numbers_where_a_number_is_wanted(value: bool) -> None:
    for name, parameter in FIELDS:
        if not parameter.flag:
            given = (value,) if parameter.vector else value
            with pytest.raises(UsageError, match=rf"{name}\.{parameter.name} = {value}: must be a number"):
                RULES[name](**{parameter.name: given})


@pytest.mark.parametrize("searched", [0.9, 0.5])
def test_what_is_worth_telling_is_what_is_searched_and_what_is_not_as_usual(searched: float) -> None:
    assert telling(Momentum(momentum=searched)) == {"momentum": searched}
    assert telling(Nesterov(momentum=searched, nesterov=0, weight_decay=0.5)) == {
        "momentum": searched, "nesterov": False, "weight_decay": 0.5,
    }  # fmt: skip
    assert telling(AdaGrad(epsilon_inside=1)) == {"epsilon": 1e-8, "initial_cache": 0.0, "epsilon_inside": True}


# -------------------------------------------------------------------------------------------------------------- domains


@given(domain=domains, value=numbers)
def test_a_domain_contains_what_its_rule_says(domain: Domain, value: float) -> None:
    text, _, whole = domain.rule("value").partition(", ")
    low, left, _, right, high = text.split()
    assert (left, right) == ("<" if domain.low_open else "<=", "<" if domain.high_open else "<=")
    # The rule is written with six digits.
    assert float(low) == pytest.approx(domain.low, rel=1e-5, abs=1e-12)
    assert float(high) == pytest.approx(domain.high, rel=1e-5, abs=1e-12)
    inside = domain.low < value < domain.high and (not whole or value == math.floor(value))
    on_an_end = value in (domain.low, domain.high)
    assert domain.contains(value) == inside or on_an_end


@given(domain=domains)
def test_an_end_belongs_to_a_domain_unless_it_is_open(domain: Domain) -> None:
    smooth = dataclasses.replace(domain, integer=False)
    assert smooth.contains(smooth.low) != smooth.low_open
    assert smooth.contains(smooth.high) != smooth.high_open


@given(domain=domains)
def test_nan_is_never_legal(domain: Domain) -> None:
    assert not domain.contains(math.nan)
    assert not Domain().contains(math.nan)


@given(domain=domains, values=st.lists(numbers, min_size=1, max_size=5))
def test_a_column_is_legal_when_every_number_is(domain: Domain, values: list[float]) -> None:
    assert domain.contains(np.array(values)[:, None]) == all(domain.contains(value) for value in values)


def test_a_rule_names_the_ends_that_there_are() -> None:
    assert Domain(low=0.0).rule("x") == "0 <= x"
    assert Domain(low=0.0, high_open=True).rule("x") == "0 <= x and finite"
    assert Domain(high=2.0, high_open=True).rule("x") == "x < 2"
    assert Domain(0.0, integer=True).rule("x") == "0 <= x, a whole number"


# --------------------------------------------------------------------------------------------------------------- ranges


def test_a_range_in_epochs_is_a_share_of_the_training() -> None:
    assert Range(0.05, 0.5, unit="epochs").resolved(30) == Range(1.5, 15.0)
    assert Range(0.05, 0.5, integer=True, unit="epochs").resolved(30) == Range(1.0, 15.0, integer=True)
    assert Fixed(1.0, unit="epochs").resolved(30) == Fixed(30.0)


def test_a_range_per_epoch_is_an_amount_over_the_training() -> None:
    assert Range(0.5, 10.0, log=True, unit="per epoch").resolved(5) == Range(0.1, 2.0, log=True)
    assert Fixed(3.0, unit="per epoch").resolved(6) == Fixed(0.5)


@given(low=st.floats(0.01, 1.0), more=st.floats(0.0, 1.0), epochs=st.integers(1, 100), integer=st.booleans())
def test_a_resolved_range_is_plain_and_stays_as_it_is(low: float, more: float, epochs: int, integer: bool) -> None:
    plain = Range(low, low + more, integer=integer, unit="epochs").resolved(epochs)
    assert plain.unit == ""
    assert plain.resolved(7) == plain
    assert not integer or 1 <= plain.low <= plain.high


def test_choices_are_plain_already() -> None:
    assert Choices((0.0, 1.0)).resolved(9) == Choices((0.0, 1.0))


# ---------------------------------------------------------------------------------------------------------------- stack


@every_rule
@given(data=st.data())
def test_a_stack_has_a_column_for_each_field_with_a_number_for_each_rule(name: str, data: st.DataObject) -> None:
    drawn = data.draw(st.lists(constants(RULES[name]), min_size=1, max_size=5))
    together = stack([RULES[name](**chosen) for chosen in drawn])
    assert type(together) is RULES[name]
    for parameter in hyperparameters(together):
        values, column = [chosen[parameter.name] for chosen in drawn], getattr(together, parameter.name)
        columns = column if parameter.vector else (column,)
        assert all(c.shape == (len(drawn), 1) and c.dtype == np.float64 for c in columns)
        for k, value in enumerate(values):
            elements = value if parameter.vector else (value,)
            padded = [*elements, *[parameter.padding] * (len(columns) - len(elements))]
            assert [c[k, 0] for c in columns] == padded


def test_a_stack_is_checked_like_a_record() -> None:
    with pytest.raises(UsageError, match=r"rmsprop\.decay"):
        RMSProp(decay=np.array([[0.5], [1.5]]))


@pytest.mark.parametrize("value", ["0.5", None, True, np.True_, [1.0], {}, 1j], ids=repr)
def test_what_is_not_a_number_is_refused(value: Any) -> None:
    with pytest.raises(UsageError, match=r"rmsprop\.decay = .*: must be (a|one) number"):
        RMSProp(decay=value)


@pytest.mark.parametrize("value", [3, np.float32(3), np.int64(3), np.array(3.0)], ids=repr)
def test_any_real_number_is_a_number(value: Any) -> None:
    assert Step(every=value).factor(3.0) == 0.5


def test_a_message_names_the_owner_the_field_the_value_and_the_rule() -> None:
    with pytest.raises(UsageError) as caught:
        RMSProp(decay=1.0)
    assert str(caught.value) == "rmsprop.decay = 1.0: must obey 0 <= decay < 1"
    with pytest.raises(UsageError) as caught:
        Piecewise(boundaries=(1.0, -2.0), factors=(0.5, 0.5))
    assert str(caught.value) == "piecewise.boundaries = -2.0: must obey 0 <= boundaries and finite"
