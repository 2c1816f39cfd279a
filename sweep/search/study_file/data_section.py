"""The section ``[data]`` of a study file: where the data come from, how a file is read, and how they are divided."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from sweep.errors import Broken, Problem, unknown
from sweep.learning.data.datasets import DATASETS
from sweep.learning.data.source import DataSource, named
from sweep.learning.data.table import KINDS, Kind
from sweep.learning.data.tables.reading import COMPRESSED, FORMATS
from sweep.learning.data.tables.targets import MOST_CLASSES
from sweep.search.study_file.keys import Count, Section, key

_FILE = "goes with file"
_WITH_ROLE = f"{_FILE}; no column that is learnt from"
_ALWAYS = ("rows", "scale", "validation", "test")  # also with a name


class DataSection(Section):
    """``[data]``: a data set by name with its arguments, or a file with its target column.

    What is not said of a file is found out, and shown: by ``--dry-run``, the summary, ``--json`` and the report.
    """

    name: str = key("", "a data set by its name", "wine", among=DATASETS, rule="this or file, not both")
    arguments: dict[str, Any] = key(dict, "what the data set is made with", {"n_samples": 400}, rule="goes with name")
    file: str = key(
        "", f"a table, relative to this file: {', '.join(FORMATS)}; text also with {', '.join(COMPRESSED)}", "my.csv",
        rule="needs target",
    )  # fmt: skip
    target: str | list[str] = key(
        "", "the file's column to predict, or several of numbers", "price", type="string or list of strings", rule=_FILE
    )
    task: Literal["classification", "regression"] | None = key(
        None, "what is learnt from the file", "regression", rule=_FILE,
        unset="classification of text, true or false, and whole numbers with at most "
        f"{MOST_CLASSES} different values, none of them rare",
    )  # fmt: skip
    positive: str = key(
        "", "the class that comes last", "yes", rule="a class of the target", unset="as they are sorted"
    )
    ignore: list[str] = key(list, "columns of the file that are left out", ["id"], rule=_FILE)
    categorical: list[str] = key(list, "columns whose numbers are names, such as codes", ["zip"], rule=_FILE)
    ordered: dict[str, list[str | int | float]] | list[str] = key(
        list, "columns with an order, from low to high; in a list: that of their values", {"grade": ["low", "high"]},
        type="table of lists, or list of strings", rule=_FILE,
    )  # fmt: skip
    kinds: dict[str, Kind] = key(
        dict, "the kind of a column, if it is not what was found out; also to keep one that is left out",
        {"id": "number"}, rule=f"each one of {', '.join(KINDS)}; {_FILE}",
    )  # fmt: skip
    separator: str = key("", "between the columns of a text file", ";", unset="found out", rule=_FILE)
    decimal: Literal["", ".", ","] = key("", "the decimal mark", ",", unset="found out, column by column", rule=_FILE)
    encoding: str = key("", "of a text file", "cp1252", unset="found out", rule=_FILE)
    header: bool = key(True, "whether the first row names the columns; else they go by their numbers, from 0", False)
    sheet: str = key("", "of an Excel file", "2024", unset="the first", rule=_FILE)
    na_values: list[str] = key(
        list, "words that stand for a missing value, beside the usual ones", ["999", "unknown"], rule=_FILE
    )
    day_first: bool | None = key(
        None, "whether 1/2/2024 is in February", True, unset="as the other dates of the column demand; else false",
        rule=_FILE,
    )  # fmt: skip
    group: str = key("", "a column that says whose a sample is: nobody is in two parts", "patient", rule=_WITH_ROLE)
    time: str = key("", "a column of dates or numbers: the test part is the latest", "date", rule=_WITH_ROLE)
    split: str = key("", "a column with train, validation or test for each sample", "part", rule=_WITH_ROLE)
    weight: str = key("", "a column that says how much each sample counts", "count", rule=_WITH_ROLE)
    rows: Count | None = key(None, "take a random part of so many samples", 5000, unset="all")
    scale: bool = key(True, "standardise the features by the training part", False)
    validation: Annotated[float, Field(gt=0, lt=1)] = key(0.2, "share of the samples that judges the trials", 0.25)
    test: Annotated[float, Field(ge=0, lt=1)] = key(
        0.2, "share of the samples that the search never sees", 0.3, rule="validation + test below 1"
    )

    @model_validator(mode="after")
    def _one_source(self) -> DataSection:
        if bool(self.name) == bool(self.file):
            raise Broken(Problem("needs either name (a data set) or file (a table) with target"))
        if self.name and self.name not in DATASETS:
            raise Broken(Problem(unknown("data set", self.name, DATASETS), "name"))
        if self.file and not self.target:
            raise Broken(Problem("needs target, the name of the column to predict", "file", self.file))
        said = [key for key in DataSection.model_fields if getattr(self, key) != _DEFAULTS[key] and key not in _ALWAYS]
        strange = [key for key in said if key not in ("name", "arguments")]
        if self.name and strange:
            raise Broken(Problem(f"{', '.join(strange)}: go with file, not with name"))
        if self.file and self.arguments:
            raise Broken(Problem("go with name, not with file", "arguments"))
        if self.validation + self.test >= 1:
            both = float(f"{self.validation + self.test:g}")
            raise Broken(Problem("must be below 1, to leave a training part", "validation + test", both))
        return self

    @model_validator(mode="after")
    def _each_column_has_one_use(self) -> DataSection:
        uses: dict[str, str] = {}
        targets = [self.target] if isinstance(self.target, str) else self.target
        roles = [(key, getattr(self, key)) for key in ("group", "time", "split", "weight")]
        for use, column in [*(("target", each) for each in targets), *roles, *(("ignore", c) for c in self.ignore)]:
            if column and column in uses:
                raise Broken(Problem(f"is {uses[column]}, too: must be one of them", use, column))
            uses[column] = use
        return self

    def source(self) -> DataSource:
        """Where the data come from."""
        if self.name:
            return named(self.name, self.arguments, **{key: getattr(self, key) for key in _ALWAYS})
        plain = {key: getattr(self, key) for key in DataSection.model_fields if key not in ("name", "arguments")}
        orders = self.ordered if isinstance(self.ordered, dict) else dict.fromkeys(self.ordered, ())
        frozen: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in plain.items()
        }
        frozen["ordered"] = tuple((name, tuple(map(str, order))) for name, order in orders.items())
        frozen["kinds"] = tuple(self.kinds.items())
        return DataSource(**frozen)


_DEFAULTS = {
    name: field.get_default(call_default_factory=True, validated_data={})
    for name, field in DataSection.model_fields.items()
}
