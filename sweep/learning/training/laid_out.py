"""A data set as networks are trained on it, in their layout and precision: a file that workers map and do not copy."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from sweep.learning.data.parts import Data, Facts
from sweep.learning.training.minibatches import Samples


@dataclass(frozen=True, slots=True)
class LaidOut:
    """The parts of a data set, laid out: all that training needs, and nobody needs scikit-learn to read it."""

    facts: Facts
    train: Samples
    validation: Samples
    test: Samples

    @classmethod
    def of(cls, data: Data, dtype: str) -> LaidOut:
        """Lay all parts of a data set out."""
        train, validation, test = (Samples.of(part, dtype) for part in (data.train, data.validation, data.test))
        return cls(data.facts, train, validation, test)

    def write(self, file: str) -> None:
        """Write it into a file; `OSError` where there is no room."""
        import joblib

        joblib.dump(self, file)

    @classmethod
    def read(cls, file: str) -> LaidOut:
        """Read a file; the arrays stay in it, and whoever reads it shares the memory.

        To the compiled loops they are arrays like others, which may be written to: whoever did so would write into
        pages of his own, not into the file.
        """
        import joblib

        found: LaidOut = joblib.load(file, mmap_mode="c")
        return cls(found.facts, *map(_plain, (found.train, found.validation, found.test)))


def _plain(samples: Samples) -> Samples:
    """The same with arrays of NumPy's own class: another costs time in each minibatch."""
    arrays: dict[str, Any] = {}
    for each in fields(samples):
        if isinstance(value := getattr(samples, each.name), np.ndarray):
            arrays[each.name] = np.asarray(value)
    return replace(samples, **arrays)
