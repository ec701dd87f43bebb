"""The model: Detectron2's configs and checkpoints in, defects in pixels out.

Importing this package imports no torch; ``load_runtime`` does when it is asked for a runtime that needs it.
"""

from edge.vision.detections import Detections
from edge.vision.runtime import BUNDLED_MODEL, Runtime, load_runtime

__all__ = ["BUNDLED_MODEL", "Detections", "Runtime", "load_runtime"]
