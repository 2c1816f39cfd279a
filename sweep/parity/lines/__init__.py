"""A configuration as lines of code that make the same optimizer and schedule in other libraries.

Only text is written: no library is imported. The schedules of `sweep` run in epochs, those of the libraries in steps:
so the lines are for a certain number of minibatches an epoch.

`sweep.parity.lines.plain` puts a configuration in plain terms, `formulas` writes schedules as formulas; then there is
one file a library. To add a library: write one file and put its function in `LIBRARIES`.
"""

from __future__ import annotations

from collections.abc import Callable

from sweep.learning.configuration import Configuration
from sweep.parity.lines import keras, optax, torch
from sweep.parity.lines.writing import Lines

__all__ = ["LIBRARIES", "Lines", "lines"]

LIBRARIES: dict[str, Callable[[Configuration, int], Lines]] = {
    torch.LIBRARY: torch.lines,
    keras.LIBRARY: keras.lines,
    optax.LIBRARY: optax.lines,
}


def lines(configuration: Configuration, steps: int) -> list[Lines]:
    """The lines of every library.

    Parameters
    ----------
    configuration : Configuration
    steps : int
        Minibatches an epoch.

    Returns
    -------
    list of Lines
        In the order of `LIBRARIES`.
    """
    return [write(configuration, steps) for write in LIBRARIES.values()]
