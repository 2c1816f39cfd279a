"""Schedules as formulas in the count of updates, as text: for what a library has no schedule of its own for.

The formulas are those of `sweep.learning.schedules.formulas`, with time in updates in place of epochs. Where a drop
falls on a whole number of updates they count in whole numbers, so that no rounding makes it late: compiled programs
turn a division by n into a product with 1/n, which is one update late for some n.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from sweep.learning.schedules.base import Annealed, Falling, Schedule
from sweep.learning.schedules.formulas import (
    FAR,
    Constant,
    Cosine,
    CosineRestarts,
    Exponential,
    InverseScaling,
    InverseTime,
    Join,
    Linear,
    Piecewise,
    Polynomial,
    Ramps,
    Step,
)
from sweep.parity.lines.units import DENOMINATORS, LARGEST, in_steps, reached, shown
from sweep.parity.lines.writing import number, product, tidy

NEVER = "False"


@dataclass(frozen=True)
class Dialect:
    """How a library writes what Python, or its arrays, have each in their own way.

    `count` is the whole number of updates so far, `time` the same as a float. `choose`, `as_float`, `table` and `tally`
    are templates. `eager`: both sides of a choice are worked out, so that neither may go out of bounds.
    """

    count: str = "count"
    time: str = "count"
    exp: str = "math.exp"
    cos: str = "math.cos"
    pi: str = "math.pi"
    least: str = "min"
    most: str = "max"
    choose: str = "(({yes}) if {condition} else ({no}))"
    as_float: str = "({})"
    table: str = "[{}]"
    tally: str = "sum({count} >= start for start in {table})"
    eager: bool = False


@dataclass
class Formula:
    """A factor as text: lines before the function, lines in it, and what it returns."""

    dialect: Dialect
    before: list[str] = field(default_factory=list)
    body: list[str] = field(default_factory=list)
    value: str = ""


def formula(schedule: Schedule, steps: int, dialect: Dialect, rate_decay: float = 0.0) -> Formula | None:
    """A schedule's factor, divided by what the optimizer's own decay makes of it; None if it is not known here."""
    found = Formula(dialect)
    try:
        text = _factor(schedule, Clock(found, steps))
    except KeyError:
        return None
    if rate_decay:
        text = f"({text}) / (1 + {number(rate_decay)} * {dialect.time})"
    found.value = tidy(text)
    return found


@dataclass(frozen=True)
class Clock:
    """Updates since a moment, as text; `waits`: it stands at 0 until then."""

    formula: Formula
    steps: int
    start: Fraction = Fraction(0)
    waits: bool = False

    @property
    def dialect(self) -> Dialect:
        """The language."""
        return self.formula.dialect

    def after(self, epochs: Any, *, waits: bool = False) -> Clock:
        """A clock that starts so many epochs after this one."""
        waits = self.waits or (bool(epochs) and (waits or self.dialect.eager))
        return replace(self, start=self.start + self.length(epochs), waits=waits)

    def length(self, epochs: Any) -> Fraction:
        """Epochs as updates."""
        return in_steps(epochs, self.steps)

    def before(self, epochs: Any, *, after: bool = False) -> str:
        """The condition that a moment of this clock has not come, or that it is not past."""
        first = reached(self.start + self.length(epochs), self.steps, after=after)
        return f"{self.dialect.count} < {shown(Fraction(first))}" if first > 0 else NEVER

    def now(self) -> str:
        """The updates since the start."""
        text = self.dialect.time
        if self.start:
            text = f"({text} - {shown(self.start)})"
        return self._held(text)

    def share(self, length: Fraction) -> str:
        """The updates since the start, over a length."""
        return f"{self.now()} / {shown(length)}"

    def periods(self, length: Fraction) -> str:
        """How many whole lengths have passed."""
        dividend, divisor = self._counted(length)
        return self.dialect.as_float.format(f"{dividend} // {divisor}")

    def begun(self, length: Fraction) -> str:
        """How many lengths have begun, the one that ends now being the last."""
        dividend, divisor = self._counted(length)
        return self.dialect.as_float.format(f"-(-{dividend} // {divisor})")

    def within(self, length: Fraction) -> str:
        """The share of the present length that has passed."""
        dividend, divisor = self._counted(length)
        return f"{self.dialect.as_float.format(f'{dividend} % {divisor}')} / {divisor}"

    def _counted(self, length: Fraction) -> tuple[str, str]:
        """The time and a length in whole numbers of some part of an update, if they are simple fractions."""
        parts = math.lcm(self.start.denominator, length.denominator)
        if parts > DENOMINATORS**2 or length * parts > LARGEST:
            return f"({self.now()})", number(float(length))
        text = self.dialect.count if parts == 1 else f"{parts} * {self.dialect.count}"
        if self.start:
            text = f"{text} - {self.start * parts}"
        return self._held(f"({text})"), str(length * parts)

    def _held(self, text: str) -> str:
        return f"{self.dialect.most}({text}, 0)" if self.waits else text


def _factor(schedule: Schedule, clock: Clock) -> str:
    """The factor, warm-up included. A KeyError: no formula is known."""
    write, _ = FORMULAS[type(schedule)]
    running = write(schedule, clock.after(schedule.warmup))
    if not schedule.warmup:
        return running
    rising = between(float(schedule.warmup_start), clock.share(clock.length(schedule.warmup)))
    return _choose(clock, clock.before(schedule.warmup), rising, running)


def _choose(clock: Clock, condition: str, yes: str, no: str) -> str:
    return no if condition == NEVER else clock.dialect.choose.format(condition=condition, yes=yes, no=no)


def times(factor: float, text: str) -> str:
    """A product, unless the factor is 1."""
    return f"({text})" if factor == 1.0 else f"{number(factor)} * ({text})"


def between(end: float, text: str) -> str:
    """From `end`, where the text is 0, to 1, where it is 1."""
    return text if end == 0.0 else f"{number(end)} + {times(product(1.0 - end), text)}"


def _constant(rule: Constant, clock: Clock) -> str:
    return "1"


def _falling(rule: Falling, clock: Clock, fall: Callable[[Clock], str]) -> str:
    text = fall(clock.after(rule.hold, waits=True))
    return f"{clock.dialect.most}({text}, {number(float(rule.floor))})" if rule.floor else text


def _step(rule: Step, clock: Clock) -> str:
    share = number(1.0 / float(rule.divisor))
    return _falling(rule, clock, lambda now: f"{share} ** {now.periods(now.length(rule.every))}")


def _exponential(rule: Exponential, clock: Clock) -> str:
    share = number(product(float(rule.rate) / clock.steps))
    return _falling(rule, clock, lambda now: f"{now.dialect.exp}(-{share} * {now.now()})")


def _inverse_time(rule: InverseTime, clock: Clock) -> str:
    def fall(now: Clock) -> str:
        if not rule.every:
            return f"1 / (1 + {number(product(float(rule.rate) / now.steps))} * {now.now()})"
        return (
            f"1 / (1 + {number(product(float(rule.rate), float(rule.every)))} * {now.periods(now.length(rule.every))})"
        )

    return _falling(rule, clock, fall)


def _inverse_scaling(rule: InverseScaling, clock: Clock) -> str:
    passed = times(float(rule.samples), clock.periods(Fraction(clock.steps)))
    return f"(1.0 + {passed}) ** -{number(float(rule.power))}"


def _piecewise(rule: Piecewise, clock: Clock) -> str:
    levels = (1.0, *rule.factors)
    text = number(float(levels[-1]))
    for boundary, level in zip(sorted(rule.boundaries, reverse=True), levels[-2::-1], strict=True):
        text = _choose(clock, clock.before(boundary, after=bool(rule.after)), number(float(level)), text)
    return text


def _ramps(rule: Ramps, clock: Clock) -> str:
    pieces, begin, level = [], 0.0, 1.0
    for end, goal in zip(sorted(float(time) for time in rule.times), rule.factors, strict=True):
        if end >= FAR:
            break
        if end > begin:
            share = clock.after(begin).share(clock.length(end - begin))
            if rule.cosine:
                share = f"0.5 * (1 - {clock.dialect.cos}({clock.dialect.pi} * {share}))"
            rise = float(goal) - level
            sloped = f"{number(level)} {'-' if rise < 0.0 else '+'} {times(abs(rise), share)}"
            pieces.append((clock.before(end), sloped if rise else number(level)))
        begin, level = end, float(goal)
    text = number(level)
    for condition, piece in reversed(pieces):
        text = _choose(clock, condition, piece, text)
    return text


def _left(rule: Annealed, clock: Clock) -> Fraction:
    """How many updates the way to the end takes."""
    return clock.length(rule.left())


def _progress(rule: Annealed, clock: Clock, *, endless: bool = False) -> str:
    """How much of the way has passed: from 0 to 1, or on and on."""
    left = _left(rule, clock)
    if not left:
        return _choose(clock, clock.before(rule.hold), "0.0", "1.0")
    share = clock.after(rule.hold, waits=True).share(left)
    return share if endless else f"{clock.dialect.least}({share}, 1)"


def _linear(rule: Linear, clock: Clock) -> str:
    rise = float(rule.end) - 1.0
    return f"1 {'-' if rise < 0.0 else '+'} {times(abs(rise), _progress(rule, clock))}"


def _polynomial(rule: Polynomial, clock: Clock) -> str:
    progress, left = _progress(rule, clock), _left(rule, clock)
    if rule.cycle and left:
        now = clock.after(rule.hold, waits=True)
        rounds = f"{clock.dialect.most}({now.begun(left)}, 1)"
        progress = f"{clock.dialect.least}({now.share(left)} / {rounds}, 1)"
    return between(float(rule.end), f"(1 - {progress}) ** {number(float(rule.power))}")


def _cosine(rule: Cosine, clock: Clock) -> str:
    shape = _half(clock, _progress(rule, clock, endless=bool(rule.bounce)))
    return between(float(rule.end), shape if rule.exponent == 1.0 else f"({shape}) ** {number(float(rule.exponent))}")


def _half(clock: Clock, progress: str) -> str:
    """Half a cosine, from 1 to 0."""
    return f"0.5 * (1 + {clock.dialect.cos}({clock.dialect.pi} * ({progress})))"


def _cosine_restarts(rule: CosineRestarts, clock: Clock) -> str:
    first, peak = clock.length(rule.first), float(rule.peak_factor)
    if rule.period_factor == 1.0:
        number_of_period, within = clock.periods(first), clock.within(first)
    else:
        number_of_period, within = _period(rule, clock, first)
    shape = _half(clock, within)
    if peak != 1.0:
        shape = f"{number(peak)} ** {number_of_period} * ({shape})"
    return between(float(rule.end), shape)


def _period(rule: CosineRestarts, clock: Clock, first: Fraction) -> tuple[str, str]:
    """Which period it is, found in a table of their starts, and how much of it has passed.

    A logarithm would do it, but its rounding is one update late at some restarts. The table ends where 32 bits do.
    """
    found, growth = clock.formula, float(rule.period_factor)
    which = len([line for line in found.before if " in range(" in line])
    table, n = f"starts{which or ''}", f"n{which or ''}"
    begin = f"{shown(first)} * ({number(growth)} ** {{n}} - 1)"
    if growth != 2.0:
        begin += f" / {number(growth - 1.0)}"
    periods = math.ceil(math.log1p(LARGEST * (growth - 1.0) / float(first)) / math.log(growth)) + 1
    starts = f"round({begin.format(n='n')}, 6) for n in range({periods})"
    found.before.append(f"{table} = {clock.dialect.table.format(starts)}")
    found.body.append(f"{n} = {tidy(clock.dialect.tally.format(count=clock.now(), table=table))} - 1")
    passed = f"({clock.now()} - {begin.format(n=n)})"
    return n, f"{passed} / ({shown(first)} * {number(growth)} ** {n})"


def _join(rule: Join, clock: Clock) -> str:
    scales = [float(scale) for scale in rule.scales or (1.0,) * len(rule.parts)]
    starts = (0.0, *rule.boundaries)
    texts = [times(s, _factor(part, clock.after(b))) for s, part, b in zip(scales, rule.parts, starts, strict=True)]
    text = texts[-1]
    for boundary, earlier in zip(reversed(rule.boundaries), texts[-2::-1], strict=True):
        text = _choose(clock, clock.before(boundary), earlier, text)
    return text


WARMUP = ("warmup", "warmup_start")  # which every schedule has
_FALLING = ("hold", "floor")
_ANNEALED = ("end", "duration", "hold")

# The formula of each kind, and which of its fields it uses up besides those of the warm-up.
FORMULAS: dict[type[Schedule], tuple[Callable[[Any, Clock], str], tuple[str, ...]]] = {
    Constant: (_constant, ()),
    Step: (_step, ("every", "divisor", *_FALLING)),
    Exponential: (_exponential, ("rate", *_FALLING)),
    InverseTime: (_inverse_time, ("rate", "every", *_FALLING)),
    InverseScaling: (_inverse_scaling, ("power", "samples")),
    Piecewise: (_piecewise, ("boundaries", "factors", "after")),
    Ramps: (_ramps, ("times", "factors", "cosine")),
    Linear: (_linear, _ANNEALED),
    Polynomial: (_polynomial, (*_ANNEALED, "power", "cycle")),
    Cosine: (_cosine, (*_ANNEALED, "exponent", "bounce")),
    CosineRestarts: (_cosine_restarts, ("first", "period_factor", "peak_factor", "end")),
    Join: (_join, ()),
}
