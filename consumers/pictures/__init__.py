"""Pictures for people: a frame with what was found on it, and where on the strip that is."""

from consumers.pictures.drawing import draw, encode_jpeg
from consumers.pictures.scene import (
    Caption,
    Mark,
    Scale,
    Scene,
    counted,
    scene_of_detections,
    scene_of_inspection,
)

__all__ = [
    "Caption",
    "Mark",
    "Scale",
    "Scene",
    "counted",
    "draw",
    "encode_jpeg",
    "scene_of_detections",
    "scene_of_inspection",
]
