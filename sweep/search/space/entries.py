"""One hyperparameter in a study file: a number, a list of choices, or a range; read, checked, and written back."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sweep.errors import Broken, Problem, unknown
from sweep.learning.hyper import Choices, Fixed, Hyperparameter, Range, Search, hyperparameters

Constants = Mapping[str, Search | tuple[Search, ...]]  # field -> where to search it; a tuple for a vector field

_RANGE_KEYS = ("low", "high", "log", "integer")
_FLAG_FORMS = "true, false or [false, true]"
_FORMS = "a number, a list of numbers, or {low = ..., high = ..., log = true}"


def parse_constants(where: str, kind: type, narrowed: Mapping[str, Any], epochs: int) -> Constants:
    """Where to search each constant of an optimizer or a schedule: as the study file says, else by its default.

    Raises
    ------
    Broken
        With the key path, the value and the rule.
    """
    declared = {p.name: p for p in hyperparameters(kind)}
    problems = Problems()
    for field in narrowed:
        if field not in declared:
            problems.add(Problem(unknown("key", field, declared), f"{where}.{field}"))
    found: dict[str, Search | tuple[Search, ...]] = {}
    for name, parameter in declared.items():
        with problems.gathered():
            found[name] = _constant(f"{where}.{name}", parameter, narrowed.get(name), epochs)
    lengths = {name: len(value) for name, value in found.items() if isinstance(value, tuple)}
    if len(set(lengths.values())) > 1:
        said = " and ".join(f"{name} has {length}" for name, length in lengths.items())
        problems.add(Problem(f"{said} elements: must be as many", where))
    problems.report()
    return found


class Problems:
    """Problems gathered, so that a reader hears of all mistakes at once."""

    def __init__(self) -> None:
        self._found: list[Problem] = []

    def add(self, *problems: Problem) -> None:
        """Note some."""
        self._found.extend(problems)

    @contextmanager
    def gathered(self) -> Iterator[None]:
        """Note what the block finds broken, and go on after it."""
        try:
            yield
        except Broken as error:
            self.add(*error.problems)

    def report(self) -> None:
        """Raise them all as one, if there are any."""
        if self._found:
            raise Broken(*self._found)


def _constant(key: str, parameter: Hyperparameter, given: Any, epochs: int) -> Search | tuple[Search, ...]:
    if parameter.vector:
        return _vector(key, parameter, given, epochs)
    return _default(parameter, epochs) if given is None else parse_entry(key, parameter, given)


def _vector(key: str, parameter: Hyperparameter, given: Any, epochs: int) -> tuple[Search, ...]:
    if given is None:
        assert isinstance(parameter.default, tuple)
        return (_default(parameter, epochs),) * len(parameter.default)
    if not isinstance(given, list) or not given:
        raise Broken(Problem(f"must be a list with one entry an element, each {_FORMS}", key, given))
    return tuple(parse_entry(f"{key}.{i}", parameter, element) for i, element in enumerate(given, start=1))


def _default(parameter: Hyperparameter, epochs: int) -> Search:
    search = parameter.search.resolved(epochs)
    return Fixed(search.low) if isinstance(search, Range) and search.low == search.high else search


def parse_entry(key: str, parameter: Hyperparameter, given: Any) -> Search:
    """Read one entry and check it against the hyperparameter's domain."""
    if isinstance(given, Range | Choices | Fixed):
        return given
    if isinstance(given, Mapping):
        return _range(key, parameter, given)
    if isinstance(given, list):
        for element in given:
            _legal(key, parameter, element)
        values = tuple(_plain(parameter, value) for value in given)
        if not given or len(set(values)) < len(given):  # also 1 and 1.0, and whole numbers that no float tells apart
            raise Broken(Problem("must be a list of different values, at least one", key, given))
        return Choices(values) if len(values) > 1 else Fixed(values[0])
    _legal(key, parameter, given)
    return Fixed(_plain(parameter, given))


def _plain(parameter: Hyperparameter, value: Any) -> float:
    """The value as the search space keeps it: a number, or true or false."""
    return bool(value) if parameter.flag else float(value)


def _range(key: str, parameter: Hyperparameter, given: Mapping[str, Any]) -> Search:
    if parameter.flag:
        raise Broken(Problem("must be true, false or [false, true]", key, dict(given)))
    for part in given:
        if part not in _RANGE_KEYS:
            raise Broken(Problem(unknown("key", part, _RANGE_KEYS), f"{key}.{part}"))
    for part in ("low", "high"):
        if part not in given:
            raise Broken(Problem(f"a range needs {part}", key))
        _legal(f"{key}.{part}", parameter, given[part])
    for part in ("log", "integer"):
        if not isinstance(given.get(part, False), bool):
            raise Broken(Problem("must be true or false", f"{key}.{part}", given[part]))
    low, high = given["low"], given["high"]
    log, integer = given.get("log", False), given.get("integer", parameter.domain.integer)
    if low > high:
        raise Broken(Problem(f"low = {low} is above high = {high}: must obey low <= high", key))
    if log and low <= 0:
        raise Broken(Problem("a range with log = true must begin above 0", f"{key}.low", low))
    if integer and (low != int(low) or high != int(high)):
        raise Broken(Problem(f"low = {low}, high = {high}: must be whole numbers", key))
    return Fixed(float(low)) if low == high else Range(float(low), float(high), log, integer)


def _legal(key: str, parameter: Hyperparameter, value: Any) -> None:
    if (isinstance(value, bool) and not parameter.flag) or not isinstance(value, int | float):
        raise Broken(Problem(f"must be {_FLAG_FORMS if parameter.flag else _FORMS}", key, value))
    if abs(value) > sys.float_info.max and isinstance(value, int):  # it cannot even be compared
        raise Broken(Problem(f"a whole number of {len(str(abs(value)))} digits: must be below 1e308", key))
    if not parameter.domain.contains(value):
        raise Broken(Problem(f"must obey {parameter.domain.rule(parameter.name)}", key, value))


def written(search: Search | tuple[Search, ...]) -> Any:
    """An entry as a study file writes it; the inverse of `parse_entry`."""
    match search:
        case tuple():
            return [written(element) for element in search]
        case Fixed(value):
            return value
        case Choices(values):
            return list(values)
        case Range(low, high, log, integer):
            return {"low": low, "high": high, "log": log, "integer": integer}
