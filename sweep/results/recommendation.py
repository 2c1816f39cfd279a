"""The recommendation: which configuration to use, how good it is, and whether tuning has paid.

Chosen by fresh validation parts (see `sweep.results.statistics.choice`); what is said of it here is measured on the
test part.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from sweep.learning.baselines import LINEAR, SAME
from sweep.learning.hyper import Array
from sweep.results.statistics.choice import Choice, Who
from sweep.results.statistics.summaries import Finding
from sweep.results.statistics.verdicts import Interval, interval, share
from sweep.search.running.finalists import Kind
from sweep.search.space.space import Arm

Paid = Literal["paid", "not paid", "undecided"]
OWN_DEFAULT, BEST_DEFAULT = "default of its arm", "best default"
MUCH_OPTIMISM = 0.5  # of the score: what the search has seen was that much lower
OFTEN_DIVERGED = 0.1  # of the trainings, at the high end of the interval, once one has


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What to use.

    Attributes
    ----------
    arm : Arm
    kind : str
        ``"tuned"`` or ``"default"``.
    score, error : Interval
        On the test part (the validation part, if there is none), mean over the seeds: the objective; and the share of
        wrong answers, or 1 less R2.
    beside : mapping
        What others have there more of the objective (`OWN_DEFAULT`, `BEST_DEFAULT`), or of loss or error alike
        (`LINEAR`, `SAME`), paired; above 0: the recommended one is better.
    best_default : Arm or None
    diverged : Interval
        In which share of its trainings it diverged, with an exact interval.
    alike : tuple of Arm
        Those not told apart from the leader.
    leader : Arm
    paid : str
        Whether tuning has: beside the best default.
    optimism : Interval or None
    trainings : int
    steps : int or None
        As many as the linear model was given, if that was fewer than usual.
    """

    arm: Arm
    kind: Kind
    score: Interval
    error: Interval
    beside: Mapping[str, Interval]
    best_default: Arm | None
    diverged: Interval
    alike: tuple[Arm, ...]
    leader: Arm
    paid: Paid
    optimism: Interval | None
    trainings: int
    steps: int | None = None

    @classmethod
    def of(
        cls, choice: Choice, scores: Mapping[Who, Array], rows: pd.DataFrame, errors: str,
        models: pd.DataFrame, metric: str, optimism: Interval | None,
    ) -> Recommendation:  # fmt: skip
        """Work it out.

        Parameters
        ----------
        choice : Choice
        scores : mapping
            The finalists' scores, paired by the seeds, each ``(seeds, 1)``.
        rows : DataFrame
            The finalists' rows.
        errors : str
            The column in which they have their error.
        models : DataFrame
            What scikit-learn's models have.
        metric : str
            What the scores are.
        optimism : Interval, optional
        """
        who = choice.recommended, choice.kind
        beside = {}
        others = {OWN_DEFAULT: choice.recommended, BEST_DEFAULT: choice.best_default}
        for name, arm in others.items():
            if arm is not None and (arm, "default") != who:
                beside[name] = interval((scores[arm, "default"] - scores[who])[:, 0])
        own = (rows["optimizer"] == who[0].optimizer) & (rows["schedule"] == who[0].schedule) & (rows["kind"] == who[1])
        rows = rows[own].sort_values("replicate").set_index("replicate")
        beside |= _models(rows, models, metric)
        failed = int((rows["state"] == "diverged").sum())
        return cls(
            *who, interval(scores[who][:, 0]), interval(_errors(rows, errors)), beside, choice.best_default,
            share(failed, len(rows)), choice.alike, choice.leader, _paid(choice, beside), optimism, len(rows),
            int(models["steps"].iloc[0]) if "steps" in models else None,
        )  # fmt: skip

    def findings(self) -> list[Finding]:
        """What to know before using it."""
        found = []
        if self.diverged.mean > 0 and self.diverged.high > OFTEN_DIVERGED:
            times = round(self.diverged.mean * self.trainings)
            ends = f"{100 * self.diverged.low:.0f} to {100 * self.diverged.high:.0f} %"
            evidence = f"the recommended configuration diverged in {times} of {self.trainings} trainings ({ends})"
            found.append(Finding("diverges", evidence, "lower the high end of search.learning_rate"))
        optimism = self.optimism
        if optimism and optimism.low > 0 and optimism.mean > MUCH_OPTIMISM * self.score.mean:
            seen = self.score.mean - optimism.mean
            evidence = f"the search saw {seen:.3g} where fresh seeds have {self.score.mean:.3g}: it was lucky"
            found.append(Finding("optimism", evidence, "raise splits under [study], and trust the verdict alone"))
        same = self.beside.get(SAME)
        if same is not None and same.low <= 0:
            evidence = "what is recommended is not told from always giving the same answer"
            found.append(Finding("no better than chance", evidence, "look at the data: is the target in them at all?"))
        linear = self.beside.get(LINEAR)
        if linear is not None and linear.high < 0:
            evidence = f"a linear model is better, by {-linear.mean:.3g} on average"
            found.append(Finding("linear is better", evidence, "use it, or other networks, other features, more data"))
        return found


def _errors(rows: pd.DataFrame, column: str) -> Array:
    """The errors with each seed; a diverged training has none, and counts as always wrong."""
    errors = rows[column].where(rows["state"] != "diverged", 1.0)
    return np.asarray(np.nan_to_num(errors.to_numpy(float), nan=1.0, posinf=1.0))


def _models(rows: pd.DataFrame, known: pd.DataFrame, metric: str) -> dict[str, Interval]:
    """How much more scikit-learn's models have of the objective, with the seeds that they were trained with."""
    found = {}
    for name in (LINEAR, SAME):
        models = known[known["name"] == name].set_index("replicate")
        if metric not in models:  # of a run from before it was measured
            continue
        theirs = models[metric].astype(float)
        both = theirs.index.intersection(rows.index)
        difference = (theirs[both] - rows.loc[both, "score"]).to_numpy(float)
        if len(both) > 1 and np.isfinite(difference).all():
            found[name] = interval(difference)
    return found


def _paid(choice: Choice, beside: Mapping[str, Interval]) -> Paid:
    """Whether tuning has paid: what is recommended was tuned, and is told from the best default."""
    if choice.kind == "default":
        return "not paid"
    gain = beside.get(BEST_DEFAULT)
    return "paid" if gain is not None and gain.low > 0 else "undecided"
