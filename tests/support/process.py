"""What a process and its children cost, as the kernel counts it."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_KIB = 1024


def family(pid: int) -> Iterator[int]:
    """Yield a process and everything that it started, directly or not, as far as it still runs."""
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            yield from family(int(child))


def cpu_s(pid: int) -> float:
    """Return the seconds of CPU that a process has used, its threads included.

    User and system time are fields 14 and 15 of /proc/[pid]/stat, counted from behind the name (proc(5)).
    """
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_A_SECOND


def peak_bytes(pid: int | Literal["self"]) -> int:
    """Return the largest resident set that a process ever had."""
    return _status_kib(pid, "VmHWM") * _KIB


def resident_bytes(pid: int) -> int:
    """Return the present resident set of a process."""
    return _status_kib(pid, "VmRSS") * _KIB


def _status_kib(pid: int | Literal["self"], name: str) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    (kib,) = re.findall(rf"^{name}:\s+(\d+) kB$", status, re.MULTILINE)
    return int(kib)
