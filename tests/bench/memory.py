"""How much more memory something takes while it runs."""

from collections.abc import Callable
from pathlib import Path

import torch

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_MIB = 2**20
_FORGET_PEAK = "5"  # https://man7.org/linux/man-pages/man5/proc_pid_clear_refs.5.html


def peak_mib(run: Callable[[], object]) -> float | None:
    """Run, and return the MiB taken at most beyond what was taken before: of the GPU, else resident.

    None where the system does not tell.
    """
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        run()
        return (torch.cuda.max_memory_allocated() - before) / _MIB
    try:
        _CLEAR.write_text(_FORGET_PEAK)
        before = _status_kb("VmRSS")
    except OSError:
        run()
        return None
    run()
    return (_status_kb("VmHWM") - before) / 1024


def _status_kb(name: str) -> int:
    (line,) = (line for line in _STATUS.read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1])
