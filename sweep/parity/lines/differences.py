"""What several libraries do otherwise, in words: each says it where it is so, and all in the same sentence."""

from __future__ import annotations

from sweep.parity.lines.plain import Plain
from sweep.parity.lines.writing import Draft


def epsilon(draft: Draft, who: str, name: str, *, inside: bool) -> None:
    """It has epsilon, which it calls `name`, inside the root, or outside; the configuration has not."""
    place, nearest = ("inside", "the square") if inside else ("outside", "the root of epsilon")
    draft.differs(
        f"epsilon_inside = {_word(not inside)}: {who} adds epsilon {place} the root. Its {name} here is {nearest}: the "
        "divisors are equal where the cache is 0, and nowhere more than 1.42 times apart."
    )


def correction(draft: Draft, who: str, *, before: bool) -> None:
    """It adds epsilon before Adam's correction, or after it; the configuration does not."""
    place, size = ("before", "smaller") if before else ("after", "larger")
    draft.differs(
        f"epsilon_before_correction = {_word(not before)}: {who} adds epsilon {place} the correction: the first steps "
        f"are {size}."
    )


def rate(draft: Draft, who: str, *, inside: bool) -> None:
    """It has the rate in the velocity, or outside; the configuration has not."""
    place = "on the way into" if inside else "outside"
    draft.differs(
        f"rate_in_velocity = {_word(not inside)}: {who} multiplies by the rate {place} the velocity: after each change "
        "of the rate the next steps differ."
    )


def velocity(p: Plain, draft: Draft, whose: str) -> None:
    """Its Adagrad has no velocity, and its RMSprop none that looks ahead."""
    if p.kind == "adagrad" and p.momentum:
        draft.differs(
            f"momentum: {whose} Adagrad has no velocity: momentum, nesterov, dampening and rate_in_velocity are left "
            "out. The rate is multiplied by (1 - dampening) / (1 - momentum), to keep the pace."
        )
    if p.kind == "rmsprop" and p.nesterov:
        draft.differs(f"nesterov = true: {whose} RMSprop has plain momentum only.")


def batch(p: Plain, draft: Draft) -> None:
    """Leave a place for the size of the minibatches, where the weight decay is divided by it."""
    if p.over_batch:
        draft.write("batch = 1  # put the size of your minibatches here")
        draft.differs(
            "weight_decay_over_batch = true: set batch to the size of your minibatches: it is not known here."
        )


def _word(value: bool) -> str:
    return "true" if value else "false"
