"""Numbers as people write them: ``1,234``, ``0,5``, ``12 %``, ``$1,200``, ``85+``, ``1.2M``, and ``?`` for none."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

# What stands for a missing value in any column; and what does where all else are numbers.
BLANK = frozenset({"", "na", "n/a", "#n/a", "nan", "<na>", "null", "#null!", "#n/a n/a", "-nan", "1.#qnan"})
NO_NUMBER = BLANK | frozenset(
    {"?", "-", "--", "---", ".", "..", "*", "x", "none", "nil", "missing", "unknown", "n.a.", "n.a", "not available",
     "not applicable", "tbd", "no data", "nd", "n.d.", "#div/0!", "#value!", "#ref!", "#num!", "#name?"}
)  # fmt: skip
MOST_JUNK = 0.05  # of what is written: words that are neither a number nor listed above

_CURRENCY = r"(?:[$€£¥₹₽]|US\$|USD|EUR|GBP|CHF|JPY|CNY|INR|SEK|NOK|DKK|kr\.?|Rs\.?)"
_NUMERAL = re.compile(
    rf"""(?P<bound>[<>≤≥~≈]=?\s*)?(?P<open>\()?(?P<sign>[+\-\u2212\u2013])?\s*{_CURRENCY}?\s*(?P<sign2>[\-\u2212\u2013])?
    (?P<body>\d[\d.,'\u2019\ \u00a0\u202f]*|[.,]\d+)(?P<power>[eE][+\-]?\d+)?\s*
    (?P<scale>[kKMB](?![a-zA-Z])|bn|mn)?\s*(?P<percent>%|‰)?\s*{_CURRENCY}?
    (?P<unit>[a-zA-Zµ°²³/\"″']+)?(?P<more>\+)?\)?""",
    re.VERBOSE,
)
_SCALES = {None: 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "mn": 1e6, "B": 1e9, "bn": 1e9}
_GROUPED = {mark: re.compile(rf"\d{{1,3}}(?:{re.escape(mark)}\d{{3}})+") for mark in ",."}
_TRUTHS = {"true": 1.0, "false": 0.0}
_NEGATIVE = "-\u2212\u2013"
_SPACES = re.compile(r"['\u2019 \u00a0\u202f]")


@dataclass(frozen=True, slots=True)
class Numeral:
    """How the numbers of a column are written.

    Attributes
    ----------
    decimal : str
        ``"."`` or ``","``; the other of them, an apostrophe or a space may stand between thousands.
    thousands : bool
        Whether that other mark is in use.
    unit : str
        What is written after every number.
    """

    decimal: str = "."
    thousands: bool = False
    unit: str = ""

    def value(self, text: str) -> float:
        """The number that a text means; NaN if it means none.

        >>> Numeral().value("$1,200"), Numeral(",").value("0,5"), Numeral().value("85+"), Numeral().value("?")
        (1200.0, 0.5, 85.0, nan)
        """
        if (truth := _TRUTHS.get(text.casefold())) is not None:
            return truth
        found = _NUMERAL.fullmatch(text)
        if not found or (found["unit"] or "") != self.unit:
            return math.nan
        body = _plain(found["body"], self.decimal)
        if body is None:
            return math.nan
        value = float(body + (found["power"] or "")) * _SCALES[found["scale"]]
        negative = bool(found["open"]) or (found["sign"] or found["sign2"] or "+") in _NEGATIVE
        return -value if negative else value


PLAIN = Numeral()


def _plain(body: str, decimal: str) -> str | None:
    """The digits as Python reads them, or None if the marks do not stand where they should."""
    other = "," if decimal == "." else "."
    body = _SPACES.sub("", body)
    whole, mark, rest = body.partition(decimal)
    if decimal in rest or other in rest or (other in whole and not _GROUPED[other].fullmatch(whole)):
        return None
    return f"{whole.replace(other, '') or '0'}{'.' if mark else ''}{rest}"


@dataclass(frozen=True, slots=True)
class Written:
    """How a column's numbers are written, as far as its texts tell.

    Attributes
    ----------
    numeral : Numeral
    sure : bool
        Whether the texts allow no other decimal mark (``1,234`` allows two).
    words : tuple of str
        Texts that are taken for a missing value.
    """

    numeral: Numeral
    sure: bool
    words: tuple[str, ...]


def written(counts: dict[str, int], decimal: str | None = None) -> Written | None:
    """How the numbers of a column are written; None if they are no numbers.

    Parameters
    ----------
    counts : dict
        The texts of the column, without blanks, and how often each is there.
    decimal : str, optional
        The decimal mark, where it is known.

    >>> written({"1,234": 3, "87": 1}).numeral, written({"0,5": 3, "n.a.": 1}).words
    (Numeral(decimal='.', thousands=True, unit=''), ('n.a.',))
    """
    texts = [text for text in counts if text.casefold() not in NO_NUMBER]
    if is_truth(texts):
        return Written(PLAIN, True, tuple(sorted({text.casefold() for text in counts if text not in texts})))
    found = {text: match for text in texts if (match := _NUMERAL.fullmatch(text))}
    if not found:
        return None
    unit = _unit([match["unit"] or "" for match in found.values()])
    if unit is None:
        return None
    bodies = [_SPACES.sub("", match["body"]) for match in found.values()]
    marks, sure = (decimal, True) if decimal else _decimal(bodies)
    other = "," if marks == "." else "."
    numeral = Numeral(marks, any(other in body for body in bodies), unit)
    values = {text: numeral.value(text) for text in counts}
    total = sum(counts[text] for text in texts)
    junk = [text for text in texts if math.isnan(values[text])]
    if sum(counts[text] for text in junk) > MOST_JUNK * total:
        return None
    return Written(numeral, sure, tuple(sorted({text.casefold() for text in counts if math.isnan(values[text])})))


def is_plain(text: str) -> bool:
    """Whether a text is a number as programs write it."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def is_truth(texts: Sequence[str]) -> bool:
    """Whether all texts, and there are some, say true or false."""
    return bool(texts) and all(text.casefold() in _TRUTHS for text in texts)


def _unit(units: Sequence[str]) -> str | None:
    """The one unit that all numbers have, or none of them; None if they differ."""
    return units[0] if len(set(units)) == 1 else None


def _decimal(bodies: Sequence[str]) -> tuple[str, bool]:
    """The decimal mark, and whether it can be no other.

    >>> _decimal(["1.234,5"]), _decimal(["3,25"]), _decimal(["1,234"]), _decimal(["12"])
    ((',', True), (',', True), ('.', False), ('.', False))
    """
    for mark, other in ((",", "."), (".", ",")):
        for body in bodies:
            if mark in body and other in body:
                return (mark, True) if body.rindex(mark) > body.rindex(other) else (other, True)
    for mark, other in ((",", "."), (".", ",")):
        marked = [body for body in bodies if mark in body]
        if any(body.count(mark) > 1 for body in marked):
            return other, True
        if any(not _GROUPED[mark].fullmatch(body) for body in marked):
            return mark, True
    return ".", False
