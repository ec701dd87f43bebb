"""Options that commands which run a model have in common."""

from enum import StrEnum


class RuntimeName(StrEnum):
    """What can run a model."""

    native = "native"
    detectron2 = "detectron2"
