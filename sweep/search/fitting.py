"""Whether a study fits into the machine: checked when its data are known, and before anything is written."""

from __future__ import annotations

from sweep.learning import memory
from sweep.learning.memory import shortened as shown
from sweep.learning.splits import Data
from sweep.search.spec import Spec

_A_CURVE_POINT = 4 * 8  # bytes: the rate, the training and the validation loss, the validation error


def check(spec: Spec, data: Data) -> None:
    """Raise `UsageError` if the machine could not train one trial, or not keep the curves of one generation.

    A lower bound: what passes may still be too much beside other programs.
    """
    network, replicates = spec.network, spec.study.replicates
    row = spec.settings().architecture(data).bytes_per_row(min(network.batch_size, len(data.train)))
    memory.check(
        replicates * row,
        f"network.hidden = {_list(network.hidden)}, study.replicates = {shown(replicates)}",
        "make them smaller",
    )
    generation = min(spec.study.generation or 1, spec.study.trials)
    memory.check(
        generation * replicates * (network.epochs + 1) * _A_CURVE_POINT,
        f"network.epochs = {shown(network.epochs)}, study.replicates = {shown(replicates)}, "
        f"study.generation = {shown(generation)}",
        "make them smaller",
    )


def _list(sizes: list[int]) -> str:
    return f"[{', '.join(map(shown, sizes))}]"
