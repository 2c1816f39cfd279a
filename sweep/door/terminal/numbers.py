"""Numbers as the terminal shows them."""


def number(value: float) -> str:
    """A number as a person reads it: four significant digits.

    >>> number(0.082143)
    '0.08214'
    """
    return f"{value:.4g}"
