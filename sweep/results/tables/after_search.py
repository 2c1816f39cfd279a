"""The tables `race`, `finalists` and `finalist_curves`: what candidates and finalists reached with each fresh seed.

``finalists``, one row a finalist and seed: `optimizer`, `schedule`, `kind` (tuned: the best trial of its arm, default:
nothing tuned), `number` (the trial's; null for a default), `replicate` (which fresh seed), `seed`, `state` (complete or
diverged), `learning_rate`, `score` (the objective on the test part; on the fresh validation part, if the study has no
test part), `objective` (on the fresh validation part), `test_loss`, `test_error`, `validation_loss`,
`validation_error`, `train_loss`, `epochs`.

``finalist_curves``, one row a finalist, seed and epoch: `optimizer`, `schedule`, `kind`, `number` and the columns of
`curves`.

Rows are only added: they say for which configurations the test part has ever been opened.

``race`` has the columns of ``finalists``, one row a candidate and split (`replicate`); its `score` is the objective.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from sweep.errors import unwritable
from sweep.learning.network.metrics import ALWAYS, TEST, curve_names, metrics_among
from sweep.results.tables.files import replacing
from sweep.results.tables.tables import curve_table, curves_schema, numbers
from sweep.search.running.finalists import DEFAULT, Finalist, Score, Stage

JudgedName = Literal["race", "finalists", "finalist_curves"]

BASELINES = "baselines.parquet"
_IDENTITY = {"optimizer": pa.string(), "schedule": pa.string(), "kind": pa.string(), "number": pa.int64()}


def finalists_schema(metrics: Sequence[str] = ALWAYS) -> pa.Schema:
    """The schema of `finalists` and of `race`."""
    test = [TEST + name for name in metrics]
    return pa.schema(
        _IDENTITY
        | {"replicate": pa.int64(), "seed": pa.int64(), "state": pa.string()}
        | numbers("learning_rate", "score", "objective", *test, *curve_names(metrics), "train_loss")
        | {"epochs": pa.int64()}
    )


def finalist_curves_schema(*, effective_rates: bool = False) -> pa.Schema:
    """The schema of `finalist_curves`."""
    curves = curves_schema(effective_rates=effective_rates)
    return pa.schema([*pa.schema(_IDENTITY), *(field for field in curves if field.name != "number")])


def read(folder: Path, name: JudgedName) -> pd.DataFrame:
    """Read one of the two tables of a run folder; empty if nobody has been judged there."""
    path = folder / f"{name}.parquet"
    if path.exists():
        table = pq.read_table(path)
    else:
        table = (finalist_curves_schema() if name == "finalist_curves" else finalists_schema()).empty_table()
    frame: pd.DataFrame = table.to_pandas()
    return frame.astype({"number": "Int64"})


def read_baselines(folder: Path) -> pd.DataFrame:
    """What scikit-learn's models have on the same parts, one row a model and seed; empty if nobody has trained them.

    Columns: `name` (see `sweep.learning.baselines`), `replicate`, `loss`, `error`; `steps`: as many as the
    solver was given, where these are fewer than usual.
    """
    path = folder / BASELINES
    return pd.read_parquet(path) if path.exists() else pd.DataFrame(columns=["name", "replicate", "loss", "error"])


def write_baselines(folder: Path, frame: pd.DataFrame) -> None:
    """Write them as a whole."""
    try:
        with replacing(folder / BASELINES) as beside:
            frame.to_parquet(beside, index=False)
    except OSError as error:
        raise unwritable(folder / BASELINES, error) from error


def whose(finalist: Finalist) -> tuple[str, str, int]:
    """By what a finalist or a candidate is known in the tables: optimizer, schedule, number."""
    return finalist.arm.optimizer, finalist.arm.schedule, finalist.number


def missing(folder: Path, finalists: Sequence[Finalist], seeds: int) -> dict[int, list[Finalist]]:
    """Those who have no score yet, by replicate; without the replicates where nobody is missing."""
    known = read(folder, "finalists")
    names = zip(known["optimizer"], known["schedule"], known["number"].fillna(DEFAULT), strict=True)
    have = set(zip(names, known["replicate"], strict=True))
    wanted = {whose(each): each for each in finalists}
    found = {r: [each for who, each in wanted.items() if (who, r) not in have] for r in range(seeds)}
    return {replicate: those for replicate, those in found.items() if those}


def add(folder: Path, scores: Sequence[Score], stage: Stage = "finalists") -> None:
    """Add rows to the tables; the curves of finalists first, so that whoever has a score has its curves."""
    if not scores:
        return
    curves = [("finalist_curves", _curves(scores))] if stage == "finalists" else []
    for name, rows in (*curves, (stage, _rows(scores))):
        path = folder / f"{name}.parquet"
        try:
            if path.exists():
                old = pq.read_table(path)
                half = _who(old).isin(_who(rows))  # curves without scores: whoever added them was killed in between
                rows = pa.concat_tables([old.filter(pa.array(~half)), rows], promote_options="default")
            with replacing(path) as beside:
                pq.write_table(rows, beside)
        except OSError as error:
            raise unwritable(path, error) from error


def _who(table: pa.Table) -> pd.MultiIndex:
    """Whose rows these are, and of which replicate."""
    return pd.MultiIndex.from_frame(table.select([*_IDENTITY, "replicate"]).to_pandas().fillna({"number": DEFAULT}))


def _identity(finalist: Finalist) -> dict[str, Any]:
    number = None if finalist.number == DEFAULT else finalist.number
    return {
        "optimizer": finalist.arm.optimizer, "schedule": finalist.arm.schedule, "kind": finalist.kind, "number": number,
    }  # fmt: skip


def _rows(scores: Sequence[Score]) -> pa.Table:
    rows = [
        _identity(each.finalist)
        | {"replicate": each.replicate, "seed": each.seed, "state": each.state}
        | {"learning_rate": each.finalist.configuration.learning_rate, "score": each.score}
        | {"objective": each.objective}
        | {TEST + name: value for name, value in each.test.items()}
        | each.curves.ends()
        | {"epochs": each.curves.shape[1] - 1}
        for each in scores
    ]
    return pa.Table.from_pylist(rows, finalists_schema(metrics_among(scores[0].curves.named)))


def _curves(scores: Sequence[Score]) -> pa.Table:
    """The curves; `curve_table` numbers them by their place, from which who they are is looked up."""
    table = curve_table(dict(enumerate(each.curves for each in scores)))
    places, identities = table["number"], [_identity(each.finalist) for each in scores]
    who = [pa.array([identity[name] for identity in identities], kind).take(places) for name, kind in _IDENTITY.items()]
    replicates = pa.array([each.replicate for each in scores], pa.int64()).take(places)
    curves = table.drop_columns(["number"]).set_column(0, "replicate", replicates)
    return pa.table([*who, *curves.columns], names=[*_IDENTITY, *curves.column_names])
