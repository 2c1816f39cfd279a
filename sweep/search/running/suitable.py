"""Whether a study suits its data and fits into the machine: checked when these are known, before it is begun."""

from __future__ import annotations

import numpy as np

from sweep.learning.data import memory
from sweep.learning.data.memory import shortened as shown
from sweep.learning.data.parts import Facts
from sweep.learning.network.metrics import Measuring
from sweep.search.study_file.spec import Spec

_A_CURVE_POINT = 8  # bytes, in each curve


def check(spec: Spec, data: Facts) -> None:
    """Raise `UsageError` if a metric is none for the data, or a trial or a generation's curves are too much.

    Of memory this is a lower bound: what passes may still be too much beside other programs.
    """
    spec.check_metrics(data.task, data.weighted)
    network, settings = spec.network, spec.settings()
    row = settings.architecture(data).bytes_per_row(min(network.batch_size, data.samples[0]))
    if Measuring(data.task, spec.metrics).wholes:  # what the networks give for all samples of a part, twice
        row += 2 * np.dtype(settings.dtype).itemsize * data.outputs * data.samples[1]
    memory.check(
        settings.trainings * row,
        f"network.hidden = {_list(network.hidden)}, {_trainings(spec)}",
        "make them smaller",
    )
    generation = min(spec.study.generation or 1, spec.study.trials)
    memory.check(
        generation * settings.trainings * (network.epochs + 1) * len(settings.curves) * _A_CURVE_POINT,
        f"network.epochs = {shown(network.epochs)}, {_trainings(spec)}, study.generation = {shown(generation)}",
        "make them smaller",
    )


def _trainings(spec: Spec) -> str:
    splits = f"study.splits = {shown(spec.splits)}, " if spec.splits > 1 else ""
    return f"{splits}study.replicates = {shown(spec.study.replicates)}"


def _list(sizes: list[int]) -> str:
    return f"[{', '.join(map(shown, sizes))}]"
