"""The finalists: the best configuration of each leading arm, trained again on fresh seeds, and tested.

Only here is the test part opened. It stays what the study's seed made it; the rest is split anew for each fresh seed,
which also decides the initial weights and the minibatches. With one seed all finalists have the same of all of these,
and are trained stacked: their scores are paired. Beside each tuned configuration its arm's *default* one is trained:
every searched constant at its declared default, so that what tuning has gained can be told.

The fresh seeds follow from the study's seed; a finalist's score depends on its configuration and the fresh seed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from sweep.learning.configuration import LEARNING_RATE, Configuration, dotted
from sweep.learning.hyper import hyperparameters
from sweep.learning.streams import integer_seed
from sweep.search.records import Curves
from sweep.search.space import Arm, Space
from sweep.search.spec import Spec
from sweep.search.study import objective
from sweep.search.workers import Finished, Handle, Job, Pool

Kind = Literal["tuned", "default"]
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
    """What a finalist reached with one fresh seed, the `replicate`-th.

    `score` is the study's objective on the test part (on the validation part, if there is no test part); that of a
    diverged training is bad and finite, as in the search. `test_loss` and `test_error` are None if there is no such.
    """

    finalist: Finalist
    replicate: int
    seed: int
    state: str
    score: float
    objective: float
    test_loss: float | None
    test_error: float | None
    curves: Curves


def fresh_seed(spec: Spec, replicate: int) -> int:
    """The seed of a replicate."""
    return integer_seed(spec.study.seed, "finalists", replicate)


def with_defaults(space: Space, tuned: Sequence[Finalist]) -> list[Finalist]:
    """The tuned finalists, and the default one of each arm."""
    return [*tuned, *(Finalist(t.arm, DEFAULT, default(space, t.arm, t.configuration)) for t in tuned)]


def default(space: Space, arm: Arm, like: Configuration) -> Configuration:
    """An arm's configuration before any tuning: fixed numbers as the study has them, the others at their defaults.

    A default outside of what is searched is taken all the same: it is what somebody has who does not search. `like` is
    any configuration of the arm.
    """
    parameters: dict[str, Any] = {"optimizer": arm.optimizer, "schedule": arm.schedule}
    declared: dict[str, Any] = {"learning_rate": LEARNING_RATE.default}
    for name, rule in ((arm.optimizer, like.optimizer), (arm.schedule, like.schedule)):
        for parameter in hyperparameters(rule):
            declared |= dotted(f"{name}.{parameter.name}", parameter.default)
    for name in space.entries(arm):
        stem = name if name in declared else _last_element(name, declared)
        parameters[name] = declared[stem]
    return space.configuration(parameters)


def _last_element(name: str, declared: Mapping[str, Any]) -> str:
    """The last declared element of a list that the study made longer than its default."""
    stem, _, _ = name.rpartition(".")
    return max((known for known in declared if known.startswith(f"{stem}.")), key=lambda n: int(n.rpartition(".")[2]))


def train(
    spec: Spec,
    pool: Pool,
    missing: Mapping[int, Sequence[Finalist]],
    stopping: Callable[[], bool],
    rows: int | None = None,
) -> Iterator[list[Score]]:
    """Train finalists; yield the scores of one replicate after the other, in the order of `missing`.

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
            waiting.append((*part, pool.submit(job(spec, *part))))
        if not waiting:
            return
        replicate, finalists, handle = waiting.popleft()
        yield scores(spec, replicate, finalists, handle.result())


def _parts(missing: Mapping[int, Sequence[Finalist]], rows: int | None) -> Iterator[tuple[int, Sequence[Finalist]]]:
    """Those of each replicate, in as few jobs as may be."""
    for replicate, finalists in missing.items():
        jobs = -(-len(finalists) // (rows or len(finalists)))
        for job_number in range(jobs):
            ends = (len(finalists) * (job_number + end) // jobs for end in (0, 1))
            yield replicate, finalists[slice(*ends)]


def job(spec: Spec, replicate: int, finalists: Sequence[Finalist]) -> Job:
    """The training of some finalists with one fresh seed."""
    source = replace(spec.source(), test_seed=spec.study.seed)
    settings = replace(spec.settings(), replicates=1)
    configurations = tuple(finalist.configuration for finalist in finalists)
    at, curve = spec.study.at, spec.study.objective
    return Job(source, settings, fresh_seed(spec, replicate), configurations, test=at, curve=curve)


def scores(spec: Spec, replicate: int, finalists: Sequence[Finalist], finished: Finished) -> list[Score]:
    """What a job gave."""
    training, test = finished.training, finished.test
    found = []
    for place, finalist in enumerate(finalists):
        curves, diverged_at = Curves.of(training, place), int(training.diverged_at[place])
        value = objective(spec, curves, diverged_at)
        state, tested = ("diverged", None) if diverged_at > 0 else ("complete", test)
        loss, error = (None, None) if tested is None else (float(tested.loss[place, 0]), float(tested.error[place, 0]))
        score = loss if spec.study.objective == "validation_loss" else error
        found.append(
            Score(finalist, replicate, fresh_seed(spec, replicate), state, value if score is None else score, value,
                  loss, error, curves)
        )  # fmt: skip
    return found
