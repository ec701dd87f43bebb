"""How old a frame may be."""

from datetime import UTC, datetime, timedelta

import pytest

from edge.contracts import FrameOrigin, FrameReference, RawFrame
from edge.errors import CorruptImageError
from edge.pipeline.age_limit import AgeLimit
from edge.pipeline.work import Work

HEADERS = (("ce_coil", b"C-1"),)


def work(age: timedelta) -> Work:
    """A frame that was taken so long ago."""
    origin = FrameOrigin("frames.cam1", 0, 7)
    reference = FrameReference(
        id=origin.id,
        topic=origin.topic,
        partition=0,
        offset=7,
        line="line-1",
        camera="cam1",
        captured_at=datetime.now(UTC) - age,
    )
    return Work(RawFrame(origin, 0, b"cam1", HEADERS, b"image"), reference, 0.0)


def test_a_frame_over_the_limit_is_skipped() -> None:
    """Its record says why and how old it was; its bytes are let go."""
    old = work(timedelta(seconds=3))
    AgeLimit(2500).apply(old)
    assert (old.outcome, old.reason, old.needs_model) == ("skipped", "too_old", False)
    assert old.detail is not None
    assert old.detail.startswith("30")
    assert old.detail.endswith("ms old, the limit is 2500 ms")
    assert old.raw == RawFrame(FrameOrigin("frames.cam1", 0, 7), 0, None, (), None)


@pytest.mark.parametrize(
    "age_s", [0, 2, -3600], ids=["just now", "within the limit", "a clock that runs ahead"]
)
def test_a_frame_within_the_limit_goes_on(age_s: float) -> None:
    """Younger frames are looked at; an age is never negative, so a clock that runs ahead skips nothing."""
    young = work(timedelta(seconds=age_s))
    AgeLimit(2500).apply(young)
    assert (young.outcome, young.raw.value) == ("inspected", b"image")


def test_a_frame_that_failed_stays_failed() -> None:
    """What is wrong with a frame is told, however old it is."""
    failed = work(timedelta(hours=1))
    failed.fail(CorruptImageError("cut short"))
    AgeLimit(2500).apply(failed)
    assert (failed.outcome, failed.reason) == ("failed", "corrupt_image")


def test_a_frame_that_would_be_too_old_at_the_model_is_not_let_in() -> None:
    """At intake the time counts that frames took lately to get to the model, with RFC 6298's margin."""
    limit = AgeLimit(2500)
    assert limit.headroom_s == 0
    for _ in range(100):
        limit.reached_model(1.0)
    assert limit.headroom_s == pytest.approx(1.0)
    old, young = work(timedelta(seconds=1.6)), work(timedelta(seconds=1.4))
    limit.apply(old, headroom_s=limit.headroom_s)
    limit.apply(young, headroom_s=limit.headroom_s)
    assert (old.outcome, young.outcome) == ("skipped", "inspected")
    assert old.detail is not None
    assert "1000 ms from the model" in old.detail


def test_a_long_stall_does_not_keep_all_frames_out() -> None:
    """A frame younger than half of the limit is let in, whatever was measured, so that measuring goes on."""
    limit = AgeLimit(2500)
    limit.reached_model(3600.0)
    young = work(timedelta(seconds=1.2))
    limit.apply(young, headroom_s=limit.headroom_s)
    assert young.outcome == "inspected"
