"""Names that others chose, made fit to be shown: a file's name may hold anything."""

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_LONGEST_LABEL = 22
UNKNOWN = "\N{EN DASH}"


def printable(text: str) -> str:
    """Replace what cannot be seen: control characters, and marks that turn the direction of writing."""
    return "".join(character if character.isprintable() else _REPLACEMENT for character in text)


def short(name: str) -> str:
    """Make a name fit for a chart: printable, and no longer than there is room."""
    name = printable(name)
    return name if len(name) <= _LONGEST_LABEL else f"{name[: _LONGEST_LABEL - 1]}…"


def percent(part: float | None) -> str:
    """Write a part of one: 12 %, 3.4 %; a dash where it is unknown."""
    if part is None:
        return UNKNOWN
    return f"{100 * part:.0f} %" if part == 0 or part >= 0.1 else f"{100 * part:.1f} %"  # noqa: PLR2004 - see above


def number(value: float | None, digits: int = 3) -> str:
    """Write a number with fixed digits after the point; a dash where it is unknown."""
    return UNKNOWN if value is None else f"{value:,.{digits}f}"
