"""What lines of code are here, and how they are put down: numbers, calls, the notes that go with them."""

from __future__ import annotations

import ast
import math
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Lines:
    """Code that makes an optimizer and its schedule in one library.

    Attributes
    ----------
    library : str
    code : tuple of str
        Lines of Python; none where the library cannot make it even nearly. They presume the library itself, and
        `model` where it has one; they leave `optimizer`, and where they need it `scheduler`, `rate` or `plateau`.
    notes : tuple of str
        What to do with it, and what the library cannot do.
    exact : bool
        Whether it is the same mathematics. If not, a note says why.
    """

    library: str
    code: tuple[str, ...]
    notes: tuple[str, ...]
    exact: bool


@dataclass
class Draft:
    """Lines in the making."""

    library: str
    code: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    exact: bool = True

    def write(self, *lines: str) -> None:
        """Add lines."""
        self.code += lines

    def say(self, note: str) -> None:
        """Tell what to do, or to know."""
        self.notes.append(note)

    def differs(self, note: str) -> None:
        """Tell what the library does otherwise: then it is not the same mathematics."""
        self.notes.append(note)
        self.exact = False

    def finish(self, imports: Sequence[str] = ()) -> Lines:
        """Put the imports that the lines use in front; an import is used if its last word is followed by a dot."""
        text = "\n".join(self.code)
        used = [line for line in imports if f"{line.split()[-1]}." in text]
        return Lines(self.library, (*used, *self.code), tuple(self.notes), self.exact)


def cannot(library: str, what: str) -> Lines:
    """No lines, and why."""
    return Lines(library, (), (f"No lines for {what} are known here.",), False)


def number(value: float) -> str:
    """A number as Python reads it back to the last bit."""
    return repr(float(value))


def product(*factors: float) -> float:
    """A product, rid of its rounding where that gives a short number: 0.01, not 0.010000000000000002."""
    others = [factor for factor in factors if factor != 1.0]
    if len(others) < min(len(factors), 2):
        return others[0] if others else 1.0
    exact = math.prod(others)
    short = float(f"{exact:.15g}")
    return short if abs(short - exact) <= 2 * math.ulp(exact) else exact


Value = str | float | None


def call(name: str, *positional: str, **named: Value) -> str:
    """A call. Text goes in as it stands, numbers with all their digits; what is None is left out."""
    given = [f"{key}={_text(value)}" for key, value in named.items() if value is not None]
    return f"{name}({', '.join([*positional, *given])})"


def _text(value: str | float) -> str:
    if isinstance(value, str):
        return value
    return repr(value) if isinstance(value, int) else number(value)


def tidy(expression: str) -> str:
    """The same expression without needless parentheses."""
    return ast.unparse(ast.parse(expression, mode="eval"))
