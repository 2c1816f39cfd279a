"""Who represents each arm, who leads, and who is recommended: chosen by fresh validation parts, never by the test part.

Of an arm's two finalists, the tuned and the default one, the default represents it unless the tuned one is told from
it. The leader is the representative with the lowest risk (see `sweep.search.running.race`). Recommended is, of those
that are not told apart from the leader, the one with the fewest constants to set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sweep.learning.hyper import Array
from sweep.search.running import race
from sweep.search.running.finalists import Kind
from sweep.search.space.space import Arm

Who = tuple[Arm, Kind]


@dataclass(frozen=True, slots=True)
class Choice:
    """What the fresh validation parts say.

    Attributes
    ----------
    representatives : mapping
        Each arm's tuned or default configuration.
    leader : Arm
    recommended : Arm
    alike : tuple of Arm
        Those that are not told apart from the leader, itself among them.
    best_default : Arm, optional
        Whose default has the lowest risk.
    seeds : int
        How many the choice rests on.
    """

    representatives: Mapping[Arm, Kind]
    leader: Arm
    recommended: Arm
    alike: tuple[Arm, ...]
    best_default: Arm | None
    seeds: int

    @property
    def kind(self) -> Kind:
        """Whether what is recommended was tuned."""
        return self.representatives[self.recommended]


def choose(scores: Mapping[Who, Array], risk: Mapping[Who, float], constants: Mapping[Arm, int]) -> Choice:
    """Choose by paired scores.

    Parameters
    ----------
    scores : mapping
        Each finalist's objective on the validation parts, arrays of shape ``(seeds,)``; smaller is better.
    risk : mapping
        Each finalist's risk.
    constants : mapping
        How many constants there are to be set when an arm is tuned.
    """
    names = sorted(scores, key=lambda who: (str(who[0]), who[1]))
    to_set = {(arm, kind): constants[arm] if kind == "tuned" else 0 for arm, kind in names}

    def best(those: list[Who]) -> tuple[Who, list[Who]]:
        alike = race.not_told_apart({who: scores[who] for who in those}, {who: risk[who] for who in those})
        return race.simplest(alike, to_set, risk), alike

    arms = {arm: [who for who in names if who[0] == arm] for arm, _ in names}
    representatives = [best(own)[0] for own in arms.values()]
    recommended, alike = best(representatives)
    defaults = [who for who in names if who[1] == "default"]
    return Choice(
        dict(representatives),
        min(representatives, key=lambda who: risk[who])[0],
        recommended[0],
        tuple(arm for arm, _ in alike),
        min(defaults, key=lambda who: risk[who])[0] if defaults else None,
        len(scores[names[0]]),
    )
