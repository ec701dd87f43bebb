"""The subjects of ``make bench``, in the order in which they run.

A subject is a module with ``measure(repetitions) -> result``, which JSON can hold, ``table_of(result)``, and
perhaps ``why_not() -> str | None``, which tells why it cannot run here. What a result holds is said in
``tests.bench.figures``; its ``ratios`` are what the regression check compares.
"""

from importlib import import_module
from types import ModuleType

SUBJECTS = {
    "decode": "tests.bench.decode",
    "stages": "tests.bench.stages",
    "pipeline": "tests.bench.pipeline",
    "servers": "tests.bench.servers",
    "serving": "tests.bench.serving",
    "model": "tests.bench.model",
    "screening": "tests.bench.screening",
    "training": "tests.bench.training",
}


def subject(name: str) -> ModuleType:
    """Import the module of a subject."""
    return import_module(SUBJECTS[name])


def why_not(module: ModuleType) -> str | None:
    """Return why a subject cannot run here; None if it can."""
    reason: str | None = module.why_not() if hasattr(module, "why_not") else None
    return reason
