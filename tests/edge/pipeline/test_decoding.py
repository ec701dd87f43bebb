"""The decoding stage."""

import cv2
import numpy as np
import pytest

from edge.contracts import FrameOrigin, RawFrame
from edge.errors import FrameError
from edge.pipeline.decoding import DecodingStage
from edge.pipeline.identify import Identifier
from edge.settings import CameraSettings

CAMERAS = {"cam1": CameraSettings(pitch_x_mm=0.5, pitch_y_mm=0.5)}
PNG = cv2.imencode(".png", np.zeros((8, 16, 3), np.uint8))[1].tobytes()


def raw_frame(value: bytes | None = PNG) -> RawFrame:
    """A frame of a known camera."""
    return RawFrame(FrameOrigin("frames.cam1", 0, 0), 0, b"cam1", (), value)


def stage() -> DecodingStage:
    """One thread is enough."""
    return DecodingStage(Identifier("line-1", CAMERAS), threads=1, max_pixels=1000)


async def test_a_frame_is_identified_and_decoded() -> None:
    """The work knows its camera, its size and its pixels."""
    work = await stage().start(raw_frame())
    assert work.error is None
    assert work.image is not None
    assert work.image.shape == (8, 16, 3)
    assert (work.reference.camera, work.width_px, work.height_px) == ("cam1", 16, 8)


async def test_a_corrupt_frame_still_tells_its_size() -> None:
    """What its header says is enough to account for its millimetres."""
    work = await stage().start(raw_frame(PNG[:40]))
    assert work.error is not None
    assert (work.width_px, work.height_px) == (16, 8)


@pytest.mark.parametrize(
    "part", ["edge.pipeline.decoding.decode_image", "edge.pipeline.identify.decode_headers"]
)
async def test_what_nobody_foresaw_fails_the_frame_and_not_the_daemon(
    part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any exception becomes a typed outcome, and is said as a defect of ours."""

    def break_down(*_: object, **__: object) -> None:
        raise OverflowError("unheard of")

    monkeypatch.setattr(part, break_down)
    work = await stage().start(raw_frame())
    assert isinstance(work.error, FrameError)
    assert "OverflowError: unheard of" in str(work.error)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(PNG, 8 * 16 * 3), (b"raw", 3), (None, 0), (PNG[:16] + b"\xff" * 8 + PNG[24:], 3000)],
    ids=["an image", "raw pixels", "nothing", "beyond the limit"],
)
def test_the_memory_for_pixels_is_known_before(value: bytes | None, expected: int) -> None:
    """From the header alone; an image beyond the limit is refused, and takes no more than the limit."""
    assert stage().decoded_bytes(raw_frame(value)) == expected
