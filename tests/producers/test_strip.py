"""The strip that moves under a camera."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.contracts import FrameMetadata
from edge.errors import SettingsError
from producers.source import CameraImage
from producers.strip import MovingStrip, StripPlan, frames_of_a_coil, next_coil

NOW = datetime(2025, 11, 23, 12, tzinfo=UTC)


def image(height_px: int = 256) -> CameraImage:
    """Return an image of which only type and size matter."""
    return CameraImage(b"...", "image/jpeg", 1600, height_px)


def plan(**changes: Any) -> StripPlan:
    """Return a plan for cam1."""
    return StripPlan(**({"line": "line-1", "camera": "cam1"} | changes))


def run(strip_plan: StripPlan, heights_px: list[int]) -> list[FrameMetadata]:
    """Move a strip on by images of these heights."""
    strip = MovingStrip(strip_plan)
    return [strip.advance(image(height), NOW) for height in heights_px]


def test_a_frame_knows_where_it_lies() -> None:
    """Everything the frame contract asks for is told."""
    frame = run(plan(side="bottom", offset_mm=320.0, pitch_x_mm=0.25, pitch_y_mm=0.5), [256, 256])[1]

    assert frame == FrameMetadata(
        line="line-1",
        camera="cam1",
        side="bottom",
        coil="C0001",
        sequence=1,
        position_mm=128.0,
        offset_mm=320.0,
        pitch_x_mm=0.25,
        pitch_y_mm=0.5,
        captured_at=NOW,
        content_type="image/jpeg",
    )


def test_a_coil_ends_after_so_many_frames() -> None:
    """A new coil starts at position 0; the sequence goes on."""
    frames = run(plan(coil_frames=2, pitch_y_mm=1.0), [100] * 5)

    assert [frame.coil for frame in frames] == ["C0001", "C0001", "C0002", "C0002", "C0003"]
    assert [frame.position_mm for frame in frames] == [0, 100, 0, 100, 0]
    assert [frame.sequence for frame in frames] == [0, 1, 2, 3, 4]


def test_a_coil_ends_after_so_many_millimetres() -> None:
    """The frame in which a coil ends still belongs to it."""
    frames = run(plan(coil_length_mm=250.0, pitch_y_mm=1.0), [100] * 4)

    assert [(frame.coil, frame.position_mm) for frame in frames] == [
        ("C0001", 0),
        ("C0001", 100),
        ("C0001", 200),
        ("C0002", 0),
    ]


@given(
    heights_px=st.lists(st.integers(1, 5000), min_size=1, max_size=60),
    pitch_mm=st.floats(0.01, 5),
    length_mm=st.floats(1, 10_000),
)
def test_frames_touch_within_a_coil(heights_px: list[int], pitch_mm: float, length_mm: float) -> None:
    """Each frame begins where the one before it ended, and none begins beyond its coil's length."""
    frames = run(plan(coil_length_mm=length_mm, pitch_y_mm=pitch_mm), heights_px)

    end_mm, coil = 0.0, "C0001"
    for frame, height in zip(frames, heights_px, strict=True):
        if frame.coil != coil:
            assert end_mm >= length_mm
            end_mm, coil = 0.0, frame.coil or ""
        assert frame.position_mm == pytest.approx(end_mm)
        assert frame.position_mm < length_mm
        end_mm = frame.position_mm + height * pitch_mm


def test_the_strip_counts_what_has_passed() -> None:
    """Travelled millimetres go on over a change of coils."""
    strip = MovingStrip(plan(coil_frames=1, pitch_y_mm=0.5))
    for _ in range(3):
        strip.advance(image(200), NOW)

    assert strip.travelled_mm == 300.0
    assert strip.length_of(image(200)) == 100.0


@pytest.mark.parametrize(
    ("coil", "following"), [("C0001", "C0002"), ("9", "10"), ("B7-0099-x", "B7-0100-x"), ("C999", "C1000")]
)
def test_coils_are_counted_on(coil: str, following: str) -> None:
    """The last number of a coil's id counts up and keeps its width."""
    assert next_coil(coil) == following


@pytest.mark.parametrize(
    ("changes", "frames"),
    [({}, None), ({"coil_frames": 7}, 7), ({"coil_length_mm": 250.0}, 3), ({"coil_length_mm": 1.0}, 1)],
)
def test_the_frames_of_a_coil_are_known_beforehand(changes: dict[str, Any], frames: int | None) -> None:
    """Who draws the strip changes the coil with the same frame."""
    assert frames_of_a_coil(plan(pitch_y_mm=1.0, **changes), 100) == frames


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"pitch_y_mm": 0}, "pitch_y_mm"),
        ({"pitch_x_mm": float("nan")}, "pitch_x_mm"),
        ({"pitch_x_mm": 1e9}, "pitch_x_mm"),
        ({"offset_mm": float("inf")}, "offset_mm"),
        ({"camera": ""}, "camera"),
        ({"coil_frames": -1}, "coil_frames"),
        ({"coil_length_mm": 0.0}, "coil_length_mm"),
        ({"coil": "first", "coil_frames": 3}, "coil"),
    ],
)
def test_what_no_strip_can_be_is_named(changes: dict[str, Any], named: str) -> None:
    """A wrong value is refused by its name."""
    with pytest.raises(SettingsError, match=named):
        plan(**changes)
