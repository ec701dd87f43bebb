"""Failures of the folder that somebody asked us to write into, in that somebody's words."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge.errors import OutputError


@contextmanager
def writing_into(folder: Path) -> Iterator[None]:
    """Name file, reason and flag when the system refuses to write.

    Raises:
        OutputError: instead of OSError.
    """
    try:
        yield
    except OSError as error:
        place, reason = error.filename or folder, error.strerror or error
        raise OutputError(f"cannot write {place}: {reason} (--out {folder})") from error
