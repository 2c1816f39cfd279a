"""The two tables of a run, `trials` and `curves`: their schema, writing, reading, exporting.

Each is a folder of Parquet parts, one part a generation; ``pandas.read_parquet`` opens the folder as one table, at any
moment: a part is written beside and renamed into its place. So writing costs the same however many trials there are.

``trials``, one row a trial: `number`, `state` (running, complete, diverged, pruned, failed), `objective`, `optimizer`,
`schedule`, `learning_rate`, one column for each other hyperparameter (``optimizer.decay``, ...; null where it does not
apply), `validation_loss`, `validation_error`, `train_loss` (after the last epoch, mean over replicates), `epochs`,
`diverged_at`, `seed`, `generation`, `seconds` (its share of its population's time), `started`, `finished` (UTC).

``curves``, one row a trial, replicate and epoch (0 = before training): `number`, `replicate`, `epoch`, `learning_rate`,
`train_loss`, `validation_loss`, `validation_error`; with ``effective_rates = true`` also `effective_rate_05`, `_25`,
`_50`, `_75` and `_95`: quantiles over the network's parameters at the epoch's last update (epoch 0: at the very first).

Both have one column more, ``validation_brier`` say, for each other metric that the study measures.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from sweep.errors import UsageError, reason, unknown, unwritable
from sweep.learning.network.metrics import ALWAYS, curve_names, metrics_among
from sweep.learning.training.loop import QUANTILES, Training
from sweep.results.tables.files import replacing
from sweep.search.running.records import Curves, Record

TableName = Literal["trials", "curves"]

KEPT_PARTS = 4  # in memory: those of the generations in flight

_UTC = pa.timestamp("us", tz="UTC")
_BEFORE = {
    "number": pa.int64(), "state": pa.string(), "objective": pa.float64(),
    "optimizer": pa.string(), "schedule": pa.string(), "learning_rate": pa.float64(),
}  # fmt: skip
_AFTER = {
    "epochs": pa.int64(), "diverged_at": pa.int64(), "seed": pa.int64(), "generation": pa.int64(),
    "seconds": pa.float64(), "started": _UTC, "finished": _UTC,
}  # fmt: skip
_WHERE = {"number": pa.int64(), "replicate": pa.int64(), "epoch": pa.int64()}
EFFECTIVE = [f"effective_rate_{100 * quantile:02.0f}" for quantile in QUANTILES]


def numbers(*names: str) -> dict[str, pa.DataType]:
    """Columns of numbers."""
    return dict.fromkeys(names, pa.float64())


def curves_schema(metrics: Sequence[str] = ALWAYS, *, effective_rates: bool) -> pa.Schema:
    """The schema of `curves` of a study that measures these metrics."""
    effective = EFFECTIVE if effective_rates else []
    return pa.schema(_WHERE | numbers("learning_rate", "train_loss", *curve_names(metrics), *effective))


def trials_schema(hyperparameters: Sequence[str], metrics: Sequence[str] = ALWAYS) -> pa.Schema:
    """The schema of `trials` for a study with these dotted hyperparameters and metrics."""
    return pa.schema(_BEFORE | numbers(*hyperparameters, *curve_names(metrics), "train_loss") | _AFTER)


class Tables:
    """The writer of a run folder's tables.

    Parameters
    ----------
    folder : Path
        The run folder; it exists.
    hyperparameters : sequence of str
        The dotted names of the study's hyperparameters.
    effective_rates : bool
        Whether the curves have those.
    metrics : sequence of str
        What is measured.
    """

    def __init__(
        self, folder: Path, hyperparameters: Sequence[str], *, effective_rates: bool = False,
        metrics: Sequence[str] = ALWAYS,
    ) -> None:  # fmt: skip
        self.folder = folder
        self._latest: dict[Path, pa.Table] = {}  # parts written last: they are about to be written again
        self._schemas = {
            "trials": trials_schema(hyperparameters, metrics),
            "curves": curves_schema(metrics, effective_rates=effective_rates),
        }
        for name, schema in self._schemas.items():
            if not (folder / f"{name}.parquet").is_dir():
                self._create(name, schema)

    def record(self, generation: int, records: Sequence[Record]) -> None:
        """Write some trials of a generation; others of the same generation stay, these replace what was there."""
        if not records:
            return
        self._merge("trials", generation, pa.Table.from_pylist([_row(r) for r in records], self._schemas["trials"]))
        curves = {record.number: record.curves for record in records if record.curves is not None}
        if curves:
            self._merge("curves", generation, curve_table(curves))

    def _create(self, name: str, schema: pa.Schema) -> None:
        """Make an empty table; it appears whole: a reader would take an empty folder for a table without columns."""
        beside = self.folder / f".{name}.new"
        try:
            beside.mkdir(exist_ok=True)
            pq.write_table(schema.empty_table(), beside / self._part(name, 0).name)
            os.replace(beside, self.folder / f"{name}.parquet")
        except OSError as error:
            raise unwritable(self.folder / f"{name}.parquet", error) from error

    def _merge(self, name: str, generation: int, new: pa.Table) -> None:
        path = self._part(name, generation)
        if path.exists():
            old = self._latest.pop(path, None) or pq.read_table(path)
            kept = old.filter(pa.array(~np.isin(old["number"].to_numpy(), new["number"].to_numpy()), pa.bool_()))
            new = pa.concat_tables([kept, new]).sort_by("number")  # stable: epochs stay in order
        self._write(name, generation, new)
        self._latest[path] = new
        while len(self._latest) > KEPT_PARTS:
            del self._latest[next(iter(self._latest))]

    def _part(self, name: str, generation: int) -> Path:
        return self.folder / f"{name}.parquet" / f"part-{generation:06d}.parquet"

    def _write(self, name: str, generation: int, table: pa.Table) -> None:
        path = self._part(name, generation)
        try:
            with replacing(path) as beside:
                pq.write_table(table, beside)
        except OSError as error:
            raise unwritable(path, error) from error


def _row(record: Record) -> dict[str, Any]:
    row: dict[str, Any] = {
        "number": record.number,
        "state": record.state,
        "objective": record.objective,
        **record.configuration.record(),
        "optimizer": record.arm.optimizer,  # by the study's own names
        "schedule": record.arm.schedule,
        "epochs": record.epochs,
        "diverged_at": record.diverged_at,
        "seed": record.seed,
        "generation": record.generation,
        "seconds": record.seconds,
        "started": _when(record.started),
        "finished": _when(record.finished),
    }
    if record.curves is not None:
        row |= record.curves.ends()
    return row


def _when(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def curve_table(curves: Mapping[int, Curves]) -> pa.Table:
    """Some trials' rows of the table `curves`, by their numbers."""
    shapes = np.array([each.shape for each in curves.values()])
    names = next(iter(curves.values())).named
    rows = shapes.prod(axis=1)
    columns = {
        "number": np.repeat(list(curves), rows),
        "replicate": np.concatenate([np.repeat(np.arange(replicates), epochs) for replicates, epochs in shapes]),
        "epoch": np.concatenate([np.tile(np.arange(epochs), replicates) for replicates, epochs in shapes]),
    }
    for name in names:
        columns[name] = np.concatenate([each.named[name].ravel() for each in curves.values()])
    effective = [each.effective_rate for each in curves.values() if each.effective_rate is not None]
    for place, name in enumerate(EFFECTIVE if effective else ()):
        columns[name] = np.concatenate([each[..., place].ravel() for each in effective])
    return pa.table(columns, schema=curves_schema(metrics_among(names), effective_rates=bool(effective)))


def curves_of(training: Training) -> pd.DataFrame:
    """The curves of some trainings as the table `curves`; numbers count from 0."""
    frame: pd.DataFrame = curve_table({n: Curves.of(training, n) for n in range(len(training.epochs))}).to_pandas()
    return frame


def read(folder: Path, name: TableName) -> pd.DataFrame:
    """Read a table of a run folder, in the order of trials (replicates, epochs); works while a run writes it."""
    path = folder / f"{name}.parquet"
    if not path.exists():
        raise UsageError(f"{path}: no such table: run the study first")
    frame = pd.read_parquet(path)
    order = ["number"] if name == "trials" else ["number", "replicate", "epoch"]
    return frame.sort_values(order, ignore_index=True)


def _to_excel(frame: pd.DataFrame, path: Path) -> None:
    """Write a sheet; Excel knows no time zones, so times are written as UTC without one."""
    naive = {c: frame[c].dt.tz_localize(None) for c in frame.select_dtypes("datetimetz")}
    frame.assign(**naive).to_excel(path, index=False)


def _to_json(frame: pd.DataFrame, path: Path) -> None:
    """Write a list of objects, every number with all its digits; what is missing or not finite is null."""
    finite = frame.mask(frame.isin([np.inf, -np.inf]))
    times = {c: frame[c].map(pd.Timestamp.isoformat, na_action="ignore") for c in frame.select_dtypes("datetimetz")}
    plain = finite.assign(**times).astype(object).where(finite.notna(), None)
    path.write_text(json.dumps(plain.to_dict("records"), allow_nan=False), encoding="utf-8")


EXPORTS: dict[str, Callable[[pd.DataFrame, Path], None]] = {
    ".csv": lambda frame, path: frame.to_csv(path, index=False),
    ".parquet": lambda frame, path: frame.to_parquet(path, index=False),
    ".feather": lambda frame, path: frame.to_feather(path),
    ".json": _to_json,
    ".xlsx": _to_excel,
}
MOST_EXCEL_ROWS = 1_048_575


def export(frame: pd.DataFrame, path: Path) -> None:
    """Write a table to one file, in the format of its ending; an existing file is replaced as a whole.

    Raises
    ------
    UsageError
        The ending is not known, the place cannot be written, or a sheet cannot hold the rows.
    """
    if path.suffix not in EXPORTS:
        raise UsageError(f"{path}: {unknown('ending', path.suffix, EXPORTS)}")
    if path.suffix == ".xlsx" and len(frame) > MOST_EXCEL_ROWS:
        raise UsageError(
            f"{path}: {len(frame)} rows: a sheet holds at most {MOST_EXCEL_ROWS}: export to .parquet or .csv"
        )
    try:
        with replacing(path) as beside:
            EXPORTS[path.suffix](frame, beside)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {reason(error)}: choose another place") from error
