"""The account of a run."""

import asyncio
from datetime import UTC, datetime

from edge.contracts import Box, Defect, FrameReference, Inspection, ModelReference, StageTimes
from edge.contracts.results import Outcome
from edge.demo.account import MAX_OUTSTANDING_BYTES, MAX_OUTSTANDING_FRAMES, Account


def reference(camera: str = "cam1") -> FrameReference:
    """A frame of a camera."""
    return FrameReference(
        id=f"frames.{camera}:0:0",
        topic=f"frames.{camera}",
        partition=0,
        offset=0,
        line="line-1",
        camera=camera,
        captured_at=datetime.now(UTC),
        coil="C0001",
    )


def inspection(camera: str = "cam1", outcome: Outcome = "inspected") -> Inspection:
    """The record of a frame that shows 50 mm of strip."""
    return Inspection(
        id=f"frames.{camera}:0:0",
        frame=reference(camera),
        outcome=outcome,
        inspected_at=datetime.now(UTC),
        times=StageTimes(),
        strip_mm=Box(0, 100, 320, 150),
    )


def defect() -> Defect:
    """A defect of camera cam1."""
    return Defect(
        id="frames.cam1:0:0#0",
        frame=reference(),
        index=0,
        class_id=2,
        class_name="defect_3",
        score=0.9,
        box_px=Box(0, 0, 10, 10),
        box_mm=Box(12, 100, 14, 102),
        area_px=100,
        area_mm2=4.0,
        model=ModelReference("m", "1"),
    )


async def test_the_account_closes_when_every_frame_has_an_outcome() -> None:
    """Published = inspected + skipped + failed, and whoever waits for that learns it."""
    account = Account(["cam1", "cam2"])
    account.publish("cam1", 10)
    account.publish("cam2", 10)
    closed = asyncio.create_task(account.closed())
    await account.settle(inspection("cam1"), [defect()])
    assert not account.is_closed
    await account.settle(inspection("cam2", "failed"), [])
    await closed
    assert (account.published, account.outcomes["inspected"], account.outcomes["failed"]) == (2, 1, 1)
    assert account.defects == 1


async def test_one_cameras_surplus_does_not_hide_anothers_loss() -> None:
    """Equal sums are no closed account."""
    account = Account(["cam1", "cam2"])
    account.publish("cam1", 10)
    account.publish("cam1", 10)
    await account.settle(inspection("cam1"), [])
    await account.settle(inspection("cam2"), [])
    assert account.published == account.outcomes.total()
    assert not account.is_closed


async def test_a_camera_waits_when_too_many_frames_are_outstanding() -> None:
    """The broker never has to drop a frame: each outcome lets one more go."""
    account = Account(["cam1"])
    for _ in range(MAX_OUTSTANDING_FRAMES):
        await account.room("cam1")
        account.publish("cam1", 10)
    room = asyncio.create_task(account.room("cam1"))
    await asyncio.sleep(0)
    assert not room.done()
    await account.settle(inspection(), [])
    await room


async def test_a_camera_waits_when_its_frames_are_large() -> None:
    """Two large frames count as many small ones."""
    account = Account(["cam1"])
    account.publish("cam1", MAX_OUTSTANDING_BYTES)
    assert not account.cameras["cam1"].has_room


async def test_the_camera_knows_where_its_strip_is() -> None:
    """Coil and position are those of the last frame, the metres those of all frames."""
    account = Account(["cam1"])
    account.publish("cam1", 10)
    await account.settle(inspection(), [])
    camera = account.cameras["cam1"]
    assert (camera.coil, camera.position_mm, camera.strip_mm) == ("C0001", 150, 50)


def test_without_frames_there_is_no_latency() -> None:
    """An idle line has no figure, not a zero."""
    assert Account([]).latency_s(0.99) is None
