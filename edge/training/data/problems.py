"""What is wrong with a labelled set, and where."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from edge.errors import DatasetError


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong; with an error the set cannot be opened, a warning is for people to judge."""

    severity: Literal["error", "warning"] = "error"
    file: Path
    line: int | None = None
    """Of a CSV file, from 1."""
    annotation: int | str | None = None
    """``id`` of the annotation in a COCO file."""
    frame: str = ""
    message: str

    @property
    def place(self) -> str:
        """Where it is: file, and line or annotation."""
        if self.line is not None:
            return f"{self.file}, line {self.line}"
        return f"{self.file}" if self.annotation is None else f"{self.file}, annotation {self.annotation}"

    def __str__(self) -> str:
        """One line for people: place, frame, message."""
        return ": ".join(part for part in (self.place, self.frame, self.message) if part)


def refuse_errors(problems: Sequence[Problem]) -> None:
    """Raise the first error, if there is one.

    Raises:
        DatasetError: it names file and line, or annotation.
    """
    errors = [problem for problem in problems if problem.severity == "error"]
    if errors:
        more = f" ({len(errors) - 1} more: `stripsight data check` lists them)" if len(errors) > 1 else ""
        raise DatasetError(f"{errors[0]}{more}")
