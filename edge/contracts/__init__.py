"""The records on the topics: frames in; inspections, defects and dead letters out.

No I/O and no torch here: any camera process or consumer may import this package alone.
"""

from edge.contracts.frame import Frame, FrameMetadata, FrameOrigin, RawFrame
from edge.contracts.mask import Mask
from edge.contracts.results import (
    Box,
    Defect,
    FrameReference,
    Inspection,
    ModelReference,
    Screening,
    StageTimes,
    StripEdges,
)

__all__ = [
    "Box",
    "Defect",
    "Frame",
    "FrameMetadata",
    "FrameOrigin",
    "FrameReference",
    "Inspection",
    "Mask",
    "ModelReference",
    "RawFrame",
    "Screening",
    "StageTimes",
    "StripEdges",
]
