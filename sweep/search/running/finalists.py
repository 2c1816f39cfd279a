"""Candidates of the race and finalists of its last round, trained again on fresh seeds; the finalists are tested.

Only for the finalists is the test part opened. It stays what the study's seed made it; the rest is split anew for each
fresh seed, which also decides the initial weights and the minibatches. With one seed all have the same of all of these,
and are trained stacked: their scores are paired. The finalists are the best tuned configuration of each leading arm
and the arm's *default* one, so that what tuning has gained can be told.

The fresh seeds follow from the study's seed; a score depends on the configuration and the fresh seed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from sweep.learning.configuration import Configuration
from sweep.learning.network.metrics import metric_of
from sweep.learning.seeds import integer_seed
from sweep.search.running.loop import objective
from sweep.search.running.race import race_seed
from sweep.search.running.records import Curves
from sweep.search.running.workers import Finished, Handle, Job, Pool
from sweep.search.space.space import Arm
from sweep.search.study_file.spec import Spec

Kind = Literal["tuned", "default"]
Stage = Literal["race", "finalists"]
DEFAULT = -1  # in place of a trial's number


@dataclass(frozen=True, slots=True)
class Finalist:
    """A configuration to be judged: the trial `number` of its arm, or the arm's default."""

    arm: Arm
    number: int
    configuration: Configuration

    @property
    def kind(self) -> Kind:
        """Whether it was found by the search."""
        return "default" if self.number == DEFAULT else "tuned"


@dataclass(frozen=True, slots=True)
class Score:
    """What a candidate or a finalist reached with one fresh seed, the `replicate`-th.

    `score` is the study's objective on the test part (on the validation part, in the race, or if there is no test
    part); that of a diverged training is bad and finite, as in the search. `test` is what is measured on the test
    part, by the metrics' names; empty if nothing was.
    """

    finalist: Finalist
    replicate: int
    seed: int
    state: str
    score: float
    objective: float
    test: Mapping[str, float]
    curves: Curves


def fresh_seed(spec: Spec, replicate: int) -> int:
    """The seed of a replicate of the finalists."""
    return integer_seed(spec.study.seed, "finalists", replicate)


def seed_of(spec: Spec, stage: Stage, replicate: int) -> int:
    """The seed of a replicate of the finalists, or of a split of the race."""
    return fresh_seed(spec, replicate) if stage == "finalists" else race_seed(spec, replicate)


def train(
    spec: Spec,
    pool: Pool,
    missing: Mapping[int, Sequence[Finalist]],
    stopping: Callable[[], bool],
    rows: int | None = None,
    stage: Stage = "finalists",
) -> Iterator[list[Score]]:
    """Train finalists or candidates; yield the scores of one replicate after the other, in the order of `missing`.

    Parameters
    ----------
    spec : Spec
    pool : Pool
    missing : mapping
        Replicate to those of its finalists that have no score yet.
    stopping : callable
        When it says so, nothing more is begun.
    rows : int, optional
        How many to train at once at the most; a replicate of more is yielded in parts.
    stage : str
        Finalists are tested.

    Raises
    ------
    Lost
        A job cost several workers their lives.
    """
    waiting: deque[tuple[int, Sequence[Finalist], Handle]] = deque()
    left = _parts(missing, rows)
    ahead = pool.workers + 1
    while True:
        while len(waiting) < ahead and not stopping() and (part := next(left, None)) is not None:
            work = job(spec, *part, stage)
            pool.equip(work)
            waiting.append((*part, pool.submit(work)))
        if not waiting:
            return
        replicate, finalists, handle = waiting.popleft()
        yield scores(spec, replicate, finalists, handle.result(), stage)


def _parts(missing: Mapping[int, Sequence[Finalist]], rows: int | None) -> Iterator[tuple[int, Sequence[Finalist]]]:
    """Those of each replicate, in as few jobs as may be."""
    for replicate, finalists in missing.items():
        jobs = -(-len(finalists) // (rows or len(finalists)))
        for job_number in range(jobs):
            ends = (len(finalists) * (job_number + end) // jobs for end in (0, 1))
            yield replicate, finalists[slice(*ends)]


def job(spec: Spec, replicate: int, finalists: Sequence[Finalist], stage: Stage = "finalists") -> Job:
    """The training of some finalists or candidates with one fresh seed."""
    source = replace(spec.source(), test_seed=spec.study.seed)
    settings = replace(spec.settings(), replicates=1, splits=1)
    configurations = tuple(finalist.configuration for finalist in finalists)
    at, curve = spec.study.at if stage == "finalists" else None, spec.study.objective
    return Job(source, settings, seed_of(spec, stage, replicate), configurations, test=at, curve=curve)


def scores(
    spec: Spec, replicate: int, finalists: Sequence[Finalist], finished: Finished, stage: Stage = "finalists"
) -> list[Score]:
    """What a job gave."""
    seed = seed_of(spec, stage, replicate)
    training, test = finished.training, finished.test
    found = []
    for place, finalist in enumerate(finalists):
        curves, diverged_at = Curves.of(training, place), int(training.diverged_at[place])
        value = objective(spec, curves, diverged_at)
        state, tested = ("diverged", None) if diverged_at > 0 else ("complete", test)
        measured = {} if tested is None else {name: float(each[place, 0]) for name, each in tested.metrics.items()}
        score = measured.get(metric_of(spec.study.objective), value)
        found.append(Score(finalist, replicate, seed, state, score, value, measured, curves))
    return found
