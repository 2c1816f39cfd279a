"""Manual scheduling, live: a person watches one training and raises or lowers the learning rate between epochs.

The person is a schedule like any other: after each epoch it is shown the validation loss and answers with a new rate.
What was done by hand comes out as a `piecewise` schedule, which repeats it to the last bit in any study.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, final

import numpy as np
import tomli_w

from sweep.errors import UsageError
from sweep.learning.configuration import LEARNING_RATE, Configuration
from sweep.learning.data.splits import prepare
from sweep.learning.hyper import Array, telling
from sweep.learning.schedules.base import Schedule, State
from sweep.learning.training.loop import train
from sweep.search.running import suitable
from sweep.search.study_file.spec import Spec

HELP = "Enter: one more epoch   5: five more   /2, *3: change the rate   =0.01: set it   q: end here"


class _Ended(Exception):
    """The person has seen enough."""


@dataclass
class Session:
    """One training under a person's hand.

    Attributes
    ----------
    base : float
        The learning rate at the start.
    losses : list of float
        Validation loss before training and after each epoch.
    boundaries, factors : list of float
        The changes made: after how many epochs, and the factor of the base rate from there on.
    """

    base: float
    epochs: int
    ask: Callable[[str], str]
    say: Callable[[str], None]
    losses: list[float] = field(default_factory=list)
    boundaries: list[float] = field(default_factory=list)
    factors: list[float] = field(default_factory=list)
    _free: int = 0  # epochs to go on without asking

    @property
    def factor(self) -> float:
        """The factor of the base rate that holds now."""
        return self.factors[-1] if self.factors else 1.0

    def turn(self, loss: float) -> float:
        """Show the person where the training is and return the factor of the base rate for the next epoch."""
        self.losses.append(loss)
        epoch = len(self.losses) - 1
        change = "" if epoch == 0 else f" ({loss - self.losses[-2]:+.4g})"
        self.say(f"epoch {epoch:3d}  rate {self.base * self.factor:.4g}  validation loss {loss:.4g}{change}")
        if epoch == self.epochs or not np.isfinite(loss):
            return self.factor
        if self._free > 0:
            self._free -= 1
            return self.factor
        while not self._answer(self.ask("> ").strip(), epoch):
            self.say(HELP)
        return self.factor

    def _answer(self, text: str, epoch: int) -> bool:
        """Act on one answer; whether the training may go on (by one epoch, when the rate was changed)."""
        if text == "q":
            raise _Ended
        if text in ("", "1") or (text.isdigit() and int(text) > 0):
            self._free = int(text or 1) - 1
            return True
        rate = self._rate(text)
        if rate is None:
            self.say(f"{text!r} is none of these, or not a rate above 0:")
            return False
        self.boundaries.append(float(epoch))
        self.factors.append(rate / self.base)
        return True

    def _rate(self, text: str) -> float | None:
        """The new rate that an answer means, or None if it means none."""
        try:
            number = float(text[1:])
        except ValueError:
            return None
        now = self.base * self.factor
        if text[0] == "/" and number == 0:
            return None
        rate = {"/": now / (number or 1), "*": now * number, "=": number}.get(text[0])
        return rate if rate is not None and LEARNING_RATE.domain.contains(rate) else None


def steer(spec: Spec, configuration: Configuration, ask: Callable[[str], str], say: Callable[[str], None]) -> Session:
    """Train one configuration of a study, its schedule being a person.

    Parameters
    ----------
    spec : Spec
        Gives the data, the network and the seed; one replicate is trained.
    configuration : Configuration
        Its own schedule is left aside.
    ask, say : callables
        To ask the person (raise EOFError: go on to the end without asking) and to show something.
    """
    settings = replace(spec.settings(), splits=1)  # the first one
    if settings.replicates != 1:
        raise UsageError("manual: study.replicates must be 1: a person can steer one training at a time")
    session = Session(configuration.learning_rate, settings.epochs, _until_end(ask), say)

    @final
    @dataclass(frozen=True)
    class ByHand(Schedule):
        """The person as a schedule: the state is the factor last given."""

        name: ClassVar[str] = "manual"

        def start(self, validation: Array, training: Array) -> State:
            return (np.full_like(validation, session.turn(float(validation[0, 0]))),)

        def observe(self, state: State, validation: Array, training: Array) -> State:
            return (np.full_like(state[0], session.turn(float(validation[0, 0]))),)

        def decay(self, time: Array, state: State) -> Array:
            return np.ones_like(time) * state[0]

    say(HELP)
    data = prepare(spec.source(), spec.study.seed)
    suitable.check(spec, data.facts)
    chosen = Configuration(configuration.learning_rate, configuration.optimizer, ByHand())
    try:
        train([chosen], data, settings, spec.study.seed)
    except (_Ended, KeyboardInterrupt):
        say("ended by hand")
    return session


def _until_end(ask: Callable[[str], str]) -> Callable[[str], str]:
    """Answer "go on" for ever once there is nobody left to ask."""

    def answer(prompt: str) -> str:
        try:
            return ask(prompt)
        except EOFError:
            return ""

    return answer


def epilogue(session: Session, configuration: Configuration) -> str:
    """The outcome in words, with the lines of a study file that repeat it."""
    optimizer = configuration.optimizer
    constants = telling(optimizer)
    search: dict[str, Any] = {"learning_rate": session.base, "optimizers": [optimizer.name], "schedules": ["constant"]}
    if constants:
        search["optimizer"] = {optimizer.name: constants}
    if session.boundaries:
        search["schedules"] = ["piecewise"]
        search["schedule"] = {"piecewise": {"boundaries": session.boundaries, "factors": session.factors}}
    end = (
        f"{len(session.losses) - 1} epochs, validation loss {session.losses[-1]:.4g}, lowest {min(session.losses):.4g}"
    )
    return f"{end}\nThe same in a study file, with splits = 1 under [study]:\n\n{tomli_w.dumps({'search': search})}"
