"""What the figures were taken on."""

import os
import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_PACKAGES = (
    *("stripsight", "torch", "torchvision", "detectron2", "onnxruntime", "openvino"),
    *("aiokafka", "uvloop", "msgspec", "numpy", "opencv-python-headless", "simplejpeg", "PyTurboJPEG"),
    *("litserve", "mosec", "torchserve"),
)


def machine() -> dict[str, Any]:
    """Return processor, cores, memory, and how busy it is with other things."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "load_at_start": os.getloadavg()[0],
        "system": platform.platform(),
    }


def versions() -> dict[str, str]:
    """Return the versions of what matters, as far as it is installed."""
    return {"python": platform.python_version(), **dict(_installed())}


def _installed() -> Iterator[tuple[str, str]]:
    for package in _PACKAGES:
        try:
            yield package, version(package)
        except PackageNotFoundError:
            continue


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
