"""One table, written in many ways: whoever reads them must read the same."""

from __future__ import annotations

import datetime
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

ROWS = 120
NUMBERS = ["area", "age", "income", "garden"]
CATEGORIES = ["city", "grade"]
TARGET = "sold"


def table() -> pd.DataFrame:
    """The table itself."""
    random = np.random.default_rng(7)
    age = random.integers(1, 95, ROWS)
    return pd.DataFrame(
        {
            "area": np.round(random.uniform(20, 180, ROWS), 2),
            "age": age,
            "income": random.integers(1200, 9000, ROWS),
            "city": random.choice(["Malmö", "Bern", "Ulm", "Porto"], ROWS),
            "grade": random.choice(["low", "mid", "high"], ROWS),
            "garden": random.random(ROWS) < 0.5,
            TARGET: np.where(age + random.normal(0, 15, ROWS) > 48, "yes", "no"),
        }
    )


def text(frame: pd.DataFrame, **options: Any) -> str:
    return str(frame.to_csv(index=False, **options))


def csv(change: Callable[[pd.DataFrame], pd.DataFrame] = lambda frame: frame, **options: Any) -> Callable[..., None]:
    """Write as CSV what `change` makes of the table."""
    return lambda frame, path: path.write_text(text(change(frame), **options), encoding="utf-8")


def as_text(column: str, write: Callable[[Any], str]) -> Callable[..., None]:
    """A column of numbers written as texts."""
    return csv(lambda frame: frame.assign(**{column: [write(value) for value in frame[column]]}))


def encoded(encoding: str, **options: Any) -> Callable[..., None]:
    return lambda frame, path: path.write_bytes(text(frame, **options).encode(encoding))


def lines(change: Callable[[list[str]], list[str]]) -> Callable[..., None]:
    """A CSV whose lines are changed."""
    return lambda frame, path: path.write_text("\n".join(change(text(frame).splitlines())) + "\n", encoding="utf-8")


def compressed(open_it: Callable[..., Any]) -> Callable[..., None]:
    def write(frame: pd.DataFrame, path: Path) -> None:
        with open_it(path, "wb") as file:
            file.write(text(frame).encode())

    return write


def zipped(frame: pd.DataFrame, path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("table.csv", text(frame))


def zstandard(frame: pd.DataFrame, path: Path) -> None:
    with pa.output_stream(str(path), compression="zstd") as file:
        file.write(text(frame).encode())


def stream(frame: pd.DataFrame, path: Path) -> None:
    found = pa.Table.from_pandas(frame)
    with path.open("wb") as file, pa.ipc.new_stream(file, found.schema) as writer:
        writer.write_table(found)


def folder(frame: pd.DataFrame, path: Path) -> None:
    path.mkdir()
    for part, rows in enumerate((frame[:50], frame[50:])):
        rows.to_parquet(path / f"part-{part}.parquet")


def tabbed_excel(frame: pd.DataFrame, path: Path) -> None:
    path.write_bytes(text(frame, sep="\t").encode("utf-16"))


def second_sheet(frame: pd.DataFrame, path: Path) -> None:
    with pd.ExcelWriter(path) as book:
        frame.to_excel(book, sheet_name="data", index=False)
        pd.DataFrame({"a": [1]}).to_excel(book, sheet_name="notes", index=False)


def doubled(frame: pd.DataFrame, path: Path) -> None:
    path.write_text(text(pd.concat([frame, frame[["age", TARGET]]], axis=1)), encoding="utf-8")


def quoted_newlines(frame: pd.DataFrame, path: Path) -> None:
    named = frame.rename(columns={"city": "city\nof birth"})
    path.write_text(text(named, quoting=1).replace("city\nof birth", "city"), encoding="utf-8")


Way = tuple[str, Callable[..., Any]]

WAYS: dict[str, Way] = {
    "plain": (".csv", csv()),
    "upper-case ending": (".CSV", csv()),
    "semicolon": (".csv", csv(sep=";")),
    "semicolon, decimal comma": (".csv", csv(sep=";", decimal=",")),
    "bar": (".csv", csv(sep="|")),
    "tab in .csv": (".csv", csv(sep="\t")),
    "tab": (".tsv", csv(sep="\t")),
    "tab, decimal comma": (".tsv", csv(sep="\t", decimal=",")),
    "txt, spaces": (".txt", csv(sep=" ")),
    "txt, comma": (".txt", csv()),
    "txt, tab": (".txt", csv(sep="\t")),
    "Excel says its separator": (".csv", lambda f, p: p.write_text("sep=;\n" + text(f, sep=";"), encoding="utf-8")),
    "mark": (".csv", encoded("utf-8-sig")),
    "latin-1": (".csv", encoded("latin-1")),
    "cp1252, semicolon": (".csv", encoded("cp1252", sep=";")),
    "utf-16": (".csv", encoded("utf-16")),
    "utf-16, tab": (".csv", tabbed_excel),
    "utf-16 without mark": (".csv", encoded("utf-16-le")),
    "utf-16 the other way": (".csv", encoded("utf-16-be")),
    "utf-32": (".csv", encoded("utf-32")),
    "Windows' lines": (".csv", csv(lineterminator="\r\n")),
    "all quoted": (".csv", csv(quoting=1)),
    "quoted newlines": (".csv", quoted_newlines),
    "spaces after commas": (".csv", lambda f, p: p.write_text(text(f).replace(",", ", "), encoding="utf-8")),
    "spaces in names": (".csv", csv(lambda f: f.rename(columns=lambda name: f" {name} "))),
    "empty first lines": (".csv", lines(lambda all_of: ["", "", *all_of])),
    "remarks": (".csv", lines(lambda all_of: ["# made by hand, in 2024", "#", "# a, b", *all_of])),
    "empty lines": (".csv", lines(lambda all_of: [*all_of[:40], "", *all_of[40:], "", ""])),
    "empty rows": (".csv", lines(lambda all_of: [*all_of[:40], ",,,,,,", *all_of[40:], ",,,,,,"])),
    "trailing commas": (".csv", lines(lambda all_of: [line + "," for line in all_of])),
    "trailing commas in rows": (".csv", lines(lambda all_of: [all_of[0], *(line + ",," for line in all_of[1:])])),
    "trailing semicolons": (".csv", lambda f, p: p.write_text(text(f, sep=";").replace("\n", ";\n"), encoding="utf-8")),
    "saved index": (".csv", lambda f, p: f.to_csv(p)),
    "saved index, shuffled": (".csv", lambda f, p: f.set_axis(np.arange(ROWS)[::-1] * 2).to_csv(p)),
    "named index": (".csv", lambda f, p: f.to_csv(p, index_label="index")),
    "doubled columns": (".csv", doubled),
    "constant column": (".csv", csv(lambda f: f.assign(country="CH"))),
    "empty column": (".csv", csv(lambda f: f.assign(remarks=""))),
    "numbers of the rows": (".csv", csv(lambda f: f.assign(id=np.arange(ROWS) + 1000))),
    "names of the rows": (".csv", csv(lambda f: f.assign(customer=[f"C{k * 37:05d}" for k in range(ROWS)]))),
    "percent": (".csv", as_text("age", lambda value: f"{value}%")),
    "percent with a space": (".csv", as_text("age", lambda value: f"{value} %")),
    "dollars": (".csv", as_text("income", lambda value: f"${value:,}")),
    "euros after": (".csv", as_text("income", lambda value: f"{value} €")),
    "a unit": (".csv", as_text("area", lambda value: f"{value} m2".replace("m2", "m²"))),
    "thousands": (".csv", as_text("income", lambda value: f"{value:,}")),
    "apostrophes": (".csv", as_text("income", lambda value: f"{value:,}".replace(",", "'"))),
    "thin spaces": (".csv", as_text("income", lambda value: f"{value:,}".replace(",", "\u202f"))),
    "German thousands": (".csv", as_text("area", lambda value: f"{value:.2f}".replace(".", ","))),
    "decimal comma, quoted": (".csv", as_text("area", lambda value: str(value).replace(".", ","))),
    "scientific": (".csv", as_text("area", lambda value: f"{value:.10e}")),
    "plus signs": (".csv", as_text("age", lambda value: f"+{value}")),
    "open ends": (".csv", as_text("age", lambda value: f"{value}+" if value > 90 else str(value))),
    "TRUE": (".csv", as_text("garden", lambda value: str(value).upper())),
    "0 and 1": (".csv", as_text("garden", lambda value: str(int(value)))),
    "floats": (".csv", as_text("age", lambda value: f"{value}.0")),
    "gzip": (".csv.gz", compressed(gzip.open)),
    "xz": (".csv.xz", compressed(lzma.open)),
    "zip": (".csv.zip", zipped),
    "zstandard": (".csv.zst", zstandard),
    "parquet": (".parquet", lambda f, p: f.to_parquet(p)),
    "parquet, index": (".parquet", lambda f, p: f.set_index("city").to_parquet(p)),
    "parquet, shuffled": (".parquet", lambda f, p: f.set_axis(np.arange(ROWS) + 5).to_parquet(p)),
    "parquet, categories": (".parquet", lambda f, p: f.astype({"city": "category"}).to_parquet(p)),
    "parquet, nullable": (".parquet", lambda f, p: f.convert_dtypes().to_parquet(p)),
    "parquet, small numbers": (".parquet", lambda f, p: f.astype({"age": "int8", "income": "uint16"}).to_parquet(p)),
    "parquet, folder": (".parquet", folder),
    "feather": (".feather", lambda f, p: f.to_feather(p)),
    "arrow": (".arrow", lambda f, p: f.to_feather(p)),
    "arrow stream": (".arrow", stream),
    "json": (".json", lambda f, p: f.to_json(p, orient="records")),
    "json by columns": (".json", lambda f, p: f.to_json(p)),
    "json lines": (".jsonl", lambda f, p: f.to_json(p, orient="records", lines=True)),
    "json lines, ndjson": (".ndjson", lambda f, p: f.to_json(p, orient="records", lines=True)),
    "excel": (".xlsx", lambda f, p: f.to_excel(p, index=False)),
    "excel, saved index": (".xlsx", lambda f, p: f.to_excel(p)),
    "excel, two sheets": (".xlsx", second_sheet),
}  # fmt: skip


def day(k: int) -> datetime.date:
    return datetime.date(2023, 1, 1) + datetime.timedelta(days=3 * k)


def io_text(content: str) -> io.BytesIO:
    return io.BytesIO(content.encode())
