"""Run folders that are made up: tables as a run would leave them, of any size, without training anything."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import tomli_w

from sweep.learning.hyper import Array, Choices, Fixed, Range, Search
from sweep.results.answer import RECIPE, Answer
from sweep.results.statistics import summaries
from sweep.results.tables import after_search, tables
from sweep.results.tables.tables import EFFECTIVE
from sweep.search.running.finalists import fresh_seed
from sweep.search.space.space import Arm
from sweep.search.study_file.spec import Spec
from tests.studies import content, tiny

START = 2.3  # every loss before training
PART = 64  # trials in a part of a table, as a run writes them


def made(
    folder: Path,
    *,
    each: int = 8,
    seed: int = 0,
    diverging: float = 0.1,
    judging: bool = True,
    spread: float = 0.02,
    effective: bool = False,
    question: str = "Which is best?",
    **sections: Mapping[str, Any],
) -> Answer:
    """Write a run folder and read it.

    Parameters
    ----------
    folder : Path
        It is made.
    each : int
        Trials of each arm.
    seed : int
        Of all that is made up.
    diverging : float
        About this share of the trials has diverged: those with the largest rates.
    judging : bool
        Whether the finalists are there.
    spread : float
        Standard deviation of a finalist's scores, over what all have in common with a seed.
    effective : bool
        Whether effective rates were recorded.
    question : str
    sections
        As in `tests.studies.tiny`.
    """
    search = content(search=sections.get("search", {}))["search"]
    trials = each * len(search["optimizers"]) * len(search["schedules"])
    study = {"mode": "compare", "trials": trials, "question": question, "effective_rates": effective}
    own: dict[str, dict[str, Any]] = {"study": study, "verdict": {"seeds": 6}}
    spec = tiny(**sections | {name: given | dict(sections.get(name, {})) for name, given in own.items()})
    folder.mkdir(parents=True)
    (folder / "study.toml").write_text(tomli_w.dumps(spec.resolved()), encoding="utf-8")
    (folder / RECIPE).write_text(json.dumps({"sweep": "0", "seed": 0, "machine": {"cores": 2}}), encoding="utf-8")
    random = np.random.default_rng(seed)
    trials = _trials(spec, each, diverging, random)
    _write(folder, "trials", trials, tables.trials_schema(spec.space().columns()))
    _write(folder, "curves", _curves(spec, trials, effective), tables.curves_schema(effective_rates=effective))
    if judging:
        _judge(folder, spec, trials, spread, effective, random)
    return Answer(folder, spec)


def _write(folder: Path, name: str, frame: pd.DataFrame, schema: pa.Schema) -> None:
    path = folder / f"{name}.parquet"
    path.mkdir()
    parts = frame["number"] // PART
    for part in range(int(parts.max()) + 1 if len(frame) else 1):
        pq.write_table(in_schema(frame[parts == part], schema), path / f"part-{part:06d}.parquet")


def in_schema(frame: pd.DataFrame, schema: pa.Schema) -> pa.Table:
    """The frame with the columns of the schema; null in those that nobody here makes up."""
    return pa.Table.from_pandas(frame.reindex(columns=schema.names), schema, preserve_index=False)


def _trials(spec: Spec, each: int, diverging: float, random: np.random.Generator) -> pd.DataFrame:
    """Each arm has a valley over the learning rates, and the arms' lowest points rise a little from one to the next."""
    space = spec.space()
    arms = [arm for _ in range(each) for arm in space.arms]
    rows = []
    for number, arm in enumerate(arms):
        row: dict[str, Any] = {"number": number, "optimizer": arm.optimizer, "schedule": arm.schedule}
        for name, search in space.entries(arm).items():
            kind, _, field = name.partition(".")
            role = "optimizer" if kind == arm.optimizer else "schedule"
            row[f"{role}.{field}" if field else name] = _drawn(search, random)
        rows.append(row)
    frame = pd.DataFrame(rows, columns=["number", "optimizer", "schedule", "learning_rate", *space.columns()])
    rates = np.log10(frame["learning_rate"].to_numpy(float))
    place = np.array([space.arms.index(arm) for arm in arms])
    loss = 0.1 + 0.002 * place + 0.1 * (rates + 2 + 0.02 * place) ** 2 + random.exponential(0.02, len(frame))
    diverged = rates > np.quantile(rates, 1 - diverging) if diverging < 1 else np.ones(len(frame), bool)
    now = pd.Timestamp("2026-01-01", tz="UTC")
    return frame.assign(
        state=np.where(diverged, "diverged", "complete"), objective=np.where(diverged, 3 * START, loss),
        validation_loss=loss, validation_error=loss / 4, train_loss=loss / 2, epochs=spec.network.epochs,
        diverged_at=np.where(diverged, 1.0, np.nan), seed=frame["number"], generation=frame["number"] // PART,
        seconds=0.01, started=now, finished=now,
    )  # fmt: skip


def _drawn(search: Search, random: np.random.Generator) -> float:
    match search:
        case Fixed(value):
            return value
        case Choices(values):
            return float(random.choice(values))
        case Range(low, high, log, integer):
            value = np.exp(random.uniform(np.log(low), np.log(high))) if log else random.uniform(low, high)
            return float(round(value) if integer else value)


def _curves(spec: Spec, trials: pd.DataFrame, effective: bool) -> pd.DataFrame:
    """Losses fall from `START` to what they are in the end; rates to a tenth, unless the schedule is constant."""
    steps = spec.network.epochs + 1
    epoch = np.tile(np.arange(steps), len(trials))

    def repeated(name: str) -> Array:
        return np.repeat(trials[name].to_numpy(), steps)

    end, rate = repeated("validation_loss").astype(float), repeated("learning_rate").astype(float)
    left = np.exp(-4 * epoch / (steps - 1))
    loss = end + (START - end) * (left - np.exp(-4)) / (1 - np.exp(-4))
    falling = np.where(repeated("schedule") == "constant", 1.0, 0.1 ** (epoch / (steps - 1)))
    frame = pd.DataFrame(
        {
            "number": repeated("number"), "replicate": 0, "epoch": epoch, "learning_rate": rate * falling,
            "train_loss": loss / 2, "validation_loss": loss, "validation_error": loss / 4,
        }
    )  # fmt: skip
    if effective:
        frame = frame.assign(**{name: rate * falling * 2.0**place for place, name in enumerate(EFFECTIVE, start=-2)})
    return frame


def leading(trials: pd.DataFrame, most: int) -> dict[Arm, int]:
    """The arms with the best trials, and these: who is judged where nobody has had to race."""
    rows = summaries.arms(trials).dropna(subset="objective").head(most)
    pairs = zip(rows["optimizer"], rows["schedule"], rows["number"], strict=True)
    return {Arm(optimizer, schedule): int(number) for optimizer, schedule, number in pairs}


def _judge(
    folder: Path, spec: Spec, trials: pd.DataFrame, spread: float, effective: bool, random: np.random.Generator
) -> None:
    """The finalists' tables; the more an arm's objective, the more its score."""
    found = []
    best = leading(trials, spec.verdict.arms)
    together = random.normal(0, 0.05, spec.verdict.seeds)
    for arm, number in best.items():
        row = trials.set_index("number").loc[number]
        for kind, worse in (("tuned", 0.0), ("default", 0.05)):
            scores = row["objective"] + 0.1 + worse + together + random.normal(0, spread, spec.verdict.seeds)
            found.append(_judged_rows(spec, arm, kind, number if kind == "tuned" else None, scores))
    if not found:
        return
    finalists = pd.concat(found, ignore_index=True)
    pq.write_table(in_schema(finalists, after_search.finalists_schema()), folder / "finalists.parquet")
    of_all = finalists.assign(number=range(len(finalists)), schedule=finalists["schedule"])
    curves = _curves(spec, of_all, effective).rename(columns={"number": "place"})
    who = (
        finalists[["optimizer", "schedule", "kind", "number", "replicate"]].iloc[curves["place"]].reset_index(drop=True)
    )
    curves = pd.concat([who, curves.drop(columns=["place", "replicate"])], axis=1)
    schema = after_search.finalist_curves_schema(effective_rates=effective)
    pq.write_table(in_schema(curves, schema), folder / "finalist_curves.parquet")


def _judged_rows(spec: Spec, arm: Arm, kind: str, number: int | None, scores: Array) -> pd.DataFrame:
    seeds = [fresh_seed(spec, replicate) for replicate in range(len(scores))]
    return pd.DataFrame(
        {
            "optimizer": arm.optimizer, "schedule": arm.schedule, "kind": kind, "number": number,
            "replicate": range(len(scores)), "seed": seeds, "state": "complete", "learning_rate": 0.01,
            "score": scores, "objective": scores - 0.05, "test_loss": scores, "test_error": scores / 4,
            "validation_loss": scores - 0.05, "validation_error": scores / 4, "train_loss": scores / 2,
            "epochs": spec.network.epochs,
        }
    ).astype({"number": "Int64"})  # fmt: skip
