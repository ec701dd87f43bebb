"""Records as they come from the topics, for the tests of those who read them."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
import pytest

from edge.contracts import (
    Box,
    Defect,
    FrameOrigin,
    FrameReference,
    Inspection,
    Mask,
    ModelReference,
    RawFrame,
    StageTimes,
)

NOW = datetime(2025, 11, 23, 12, 30, 15, tzinfo=UTC)
MODEL = ModelReference("r18", "1a2b3c4d5e6f")


def origin_of(offset: int) -> FrameOrigin:
    """Return the place of a frame of cam1."""
    return FrameOrigin("frames.cam1", 0, offset)


def reference_to(offset: int, **changes: Any) -> FrameReference:
    """Return what results say of that frame."""
    origin = origin_of(offset)
    reference = FrameReference(
        id=origin.id,
        topic=origin.topic,
        partition=origin.partition,
        offset=offset,
        line="line-1",
        camera="cam1",
        captured_at=NOW,
        coil="C0012",
        side="top",
        sequence=offset,
    )
    return msgspec.structs.replace(reference, **changes)


@pytest.fixture
def make_reference() -> Callable[..., FrameReference]:
    """Make the reference to a frame by its offset; anything may be changed."""
    return reference_to


@pytest.fixture
def make_frame() -> Callable[..., RawFrame]:
    """Make a frame by its offset."""

    def make(offset: int = 7, value: bytes = b"image", headers: tuple[Any, ...] = ()) -> RawFrame:
        return RawFrame(origin_of(offset), 0, b"cam1", headers, value)

    return make


@pytest.fixture
def make_inspection() -> Callable[..., Inspection]:
    """Make the inspection of a frame of 320 mm x 51.2 mm; anything may be changed."""

    def make(offset: int = 7, defects: int = 0, **changes: Any) -> Inspection:
        inspection = Inspection(
            id=origin_of(offset).id,
            frame=reference_to(offset),
            outcome="inspected",
            inspected_at=NOW,
            times=StageTimes(age_ms=12.5, infer_ms=80.25, batch=4),
            defects=defects,
            width_px=1600,
            height_px=256,
            strip_mm=Box(100, 12_000, 420, 12_051.2),
            model=MODEL,
        )
        return msgspec.structs.replace(inspection, **changes)

    return make


@pytest.fixture
def make_defect() -> Callable[..., Defect]:
    """Make a defect of class 2, 10 x 20 px; anything may be changed."""

    def make(offset: int = 7, index: int = 0, **changes: Any) -> Defect:
        defect = Defect(
            id=f"{origin_of(offset).id}#{index}",
            frame=reference_to(offset),
            index=index,
            class_id=2,
            class_name="defect_3",
            score=0.8749,
            box_px=Box(50, 60, 60, 80),
            box_mm=Box(110, 12_012, 112, 12_016),
            area_px=200,
            area_mm2=8,
            model=MODEL,
            mask=Mask.encode(np.ones((20, 10), bool), x=50, y=60),
        )
        return msgspec.structs.replace(defect, **changes)

    return make
