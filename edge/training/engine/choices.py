"""What the command lets one choose by name. No torch: the command line lists these before anything runs."""

from enum import StrEnum


class Optimizer(StrEnum):
    """SGD with momentum, as Detectron2 has it, or AdamW, which takes fewer iterations from scratch."""

    SGD = "sgd"
    ADAMW = "adamw"


class Augmentation(StrEnum):
    """How much frames are varied: not at all; in exposure and tone; as much as other cameras would."""

    NONE = "none"
    LIGHT = "light"
    STRONG = "strong"


class Precision(StrEnum):
    """Of the convolutions."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"


class Stage(StrEnum):
    """What is trained: the model that finds defects, or the screen that looks before it."""

    MODEL = "model"
    SCREEN = "screen"


class Engine(StrEnum):
    """Who trains: this package, or Detectron2's DefaultTrainer."""

    NATIVE = "native"
    DETECTRON2 = "detectron2"
