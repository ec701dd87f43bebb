"""The decoding stage."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import cv2
import msgspec
import numpy as np
import pytest

from edge.contracts import FrameOrigin, RawFrame, StripEdges
from edge.errors import FrameError
from edge.pipeline.age_limit import AgeLimit
from edge.pipeline.decoding import DecodingStage
from edge.pipeline.identify import Identifier
from edge.pipeline.work import Work
from edge.settings import CameraSettings

CAMERAS = {"cam1": CameraSettings(pitch_x_mm=0.5, pitch_y_mm=0.5)}
PNG = cv2.imencode(".png", np.zeros((8, 16, 3), np.uint8))[1].tobytes()


def raw_frame(value: bytes | None = PNG) -> RawFrame:
    """A frame of a known camera."""
    return RawFrame(FrameOrigin("frames.cam1", 0, 0), 0, b"cam1", (), value)


def stage(age_limit: AgeLimit | None = None) -> DecodingStage:
    """One thread is enough."""
    identifier = Identifier("line-1", CAMERAS)
    return DecodingStage(identifier, threads=1, max_pixels=1000, age_limit=age_limit)


async def decoded(raw: RawFrame, age_limit: AgeLimit | None = None) -> Work:
    """What becomes of a frame."""
    decoding = stage(age_limit)
    return await decoding.start(decoding.identify(raw))


async def test_a_frame_is_identified_and_decoded() -> None:
    """The work knows its camera, its size and its pixels."""
    work = await decoded(raw_frame())
    assert work.error is None
    assert work.image is not None
    assert work.image.shape == (8, 16, 3)
    assert (work.reference.camera, work.width_px, work.height_px) == ("cam1", 16, 8)


async def test_the_decoder_gets_the_bytes_that_kafka_gave(monkeypatch: pytest.MonkeyPatch) -> None:
    """The very same: between the two, nobody copies them."""
    seen: list[bytes] = []

    def decode(value: bytes, *_: object, **__: object) -> np.ndarray:
        seen.append(value)
        return np.zeros((8, 16), np.uint8)

    monkeypatch.setattr("edge.pipeline.decoding.decode_image", decode)
    raw = raw_frame()
    await decoded(raw)
    assert seen[0] is raw.value


async def test_a_corrupt_frame_still_tells_its_size() -> None:
    """What its header says is enough to account for its millimetres."""
    work = await decoded(raw_frame(PNG[:40]))
    assert work.error is not None
    assert (work.width_px, work.height_px) == (16, 8)


async def test_black_beside_the_strip_is_not_decoded_for_the_model() -> None:
    """Where a camera may see an edge; the frame's own size stays what it was."""
    pixels = np.full((64, 400), 90, np.uint8)
    pixels[:, :230] = 2
    camera = CAMERAS["cam1"].model_copy(update={"find_strip_edges": "operator", "offset_mm": 7.0})
    decoding = DecodingStage(Identifier("line-1", {"cam1": camera}), threads=1, max_pixels=10**6)
    raw = raw_frame(cv2.imencode(".png", pixels)[1].tobytes())
    work = await decoding.start(decoding.identify(raw))
    assert work.strip_edges == StripEdges(operator_px=230)
    assert (work.first_column, work.width_px, work.height_px) == (192, 400, 64)
    assert work.image is not None
    assert work.image.shape == (64, 208)
    assert work.metadata is not None
    assert work.metadata.offset_mm == -115.0


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
    work = await decoded(raw_frame())
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


HOUR_OLD = round((time.time() - 3600) * 1000)


async def test_a_frame_that_is_too_old_is_not_decoded() -> None:
    """Of a skipped frame only the size is read, so that its millimetres are accounted for."""
    work = await decoded(replace(raw_frame(), timestamp_ms=HOUR_OLD), AgeLimit(1000))
    assert (work.outcome, work.reason, work.image) == ("skipped", "too_old", None)
    assert (work.width_px, work.height_px, work.decode_s) == (16, 8, 0.0)


async def test_the_size_of_a_raw_frame_that_is_too_old_is_what_was_said() -> None:
    """A raw image has no header: the size in Kafka's headers counts."""
    headers = (("content-type", b"image/x-mono8"), ("ce_widthpx", b"20"), ("ce_heightpx", b"10"))
    raw = RawFrame(FrameOrigin("frames.cam1", 0, 0), HOUR_OLD, b"cam1", headers, bytes(200))
    work = await decoded(raw, AgeLimit(1000))
    assert (work.outcome, work.width_px, work.height_px) == ("skipped", 20, 10)


async def test_a_frame_that_is_corrupt_and_too_old_is_skipped() -> None:
    """Nobody looks whether its image is sound; what its first bytes say is enough."""
    work = await decoded(replace(raw_frame(PNG[:40]), timestamp_ms=HOUR_OLD), AgeLimit(1000))
    assert (work.outcome, work.width_px, work.height_px) == ("skipped", 16, 8)


async def test_a_frame_that_cannot_be_identified_fails_however_old() -> None:
    """Without a camera there are no millimetres to skip: it is told as what it is."""
    raw = RawFrame(FrameOrigin("frames.cam1", 0, 0), HOUR_OLD, b"nobody", (), PNG)
    work = await decoded(raw, AgeLimit(1000))
    assert (work.outcome, work.reason) == ("failed", "unknown_camera")


async def test_a_frame_that_grew_too_old_before_it_was_decoded_is_skipped() -> None:
    """The limit counts once more when the decoding would begin."""
    decoding = stage(AgeLimit(1000))
    work = decoding.identify(raw_frame())
    assert work.needs_model
    old = datetime.now(UTC) - timedelta(hours=1)
    assert work.metadata is not None
    work.metadata = msgspec.structs.replace(work.metadata, captured_at=old)
    work.reference = msgspec.structs.replace(work.reference, captured_at=old)
    assert (await decoding.start(work)).outcome == "skipped"
    assert (work.image, work.width_px, work.height_px) == (None, 16, 8)
