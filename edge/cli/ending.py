"""How the process ends."""

import os
import sys
from typing import NoReturn

from edge.pipeline.worker import any_at_a_call


def end(code: int) -> NoReturn:
    """End with this exit code, whatever threads that were left behind are at.

    While the interpreter takes itself down, Python ends a thread as soon as it comes back from C++: torch is
    not made for it, and the process would abort, with another exit code and perhaps a core dump.
    """
    if not any_at_a_call():
        sys.exit(code)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)
