"""Frames larger than the model's, with black beside the strip, through the whole daemon."""

import asyncio

import cv2
import numpy as np
import pytest

from consumers.subscription import Subscription
from edge.bus.publisher import Publisher
from edge.contracts import Defect, Inspection, StripEdges
from edge.settings import CameraSettings, ModelSettings, TilingSettings
from tests.support.any_broker import AnyBroker
from tests.support.line import DEADLINE_S, frame, line_settings, running

EDGE_PX, WIDTH_PX, HEIGHT_PX, PITCH_MM = 230, 700, 120, 0.5


def wide_frame(black_px: int) -> bytes:
    """Noise for steel, and some black columns before it."""
    pixels = np.random.default_rng(1).integers(60, 140, (HEIGHT_PX, WIDTH_PX), np.uint8)
    pixels[:, :black_px] = 2
    return cv2.imencode(".png", pixels)[1].tobytes()


@pytest.mark.parametrize(
    ("find", "black_px", "edges", "x0_mm"),
    [
        ("both", EDGE_PX, StripEdges(operator_px=EDGE_PX), 0.0),
        ("both", 0, StripEdges(), 100.0),
        ("drive", EDGE_PX, StripEdges(), 100.0),
        ("none", EDGE_PX, None, 100.0),
    ],
)
async def test_defects_are_measured_from_the_edge_that_was_found(
    any_broker: AnyBroker, find: str, black_px: int, edges: StripEdges | None, x0_mm: float
) -> None:
    """Records say where the strip begins; without an edge x is what the camera said: from 100 mm on."""
    tiling = TilingSettings(width_px=128, height_px=48, overlap_px=16)
    settings = await line_settings(
        any_broker.bootstrap_servers, cameras=1, model=ModelSettings(runtime="fake", tiling=tiling)
    )
    (topic,) = settings.kafka.frame_topics or []
    camera = CameraSettings.model_validate({"find_strip_edges": find})
    settings = settings.model_copy(update={"cameras": {topic.removeprefix("frames."): camera}})
    async with running(settings), asyncio.timeout(DEADLINE_S):
        async with Publisher(settings.kafka) as publisher:
            await publisher.publish([frame(topic, 0, wide_frame(black_px))])
        kafka = settings.kafka
        async with Subscription(kafka, kafka.inspections_topic, Inspection, from_beginning=True) as records:
            inspection = await anext(records)
        async with Subscription(kafka, kafka.defects_topic, Defect, from_beginning=True) as found:
            defects = [await anext(found) for _ in range(inspection.defects)]
    assert inspection.strip_edges == edges
    assert inspection.strip_mm is not None
    assert (inspection.width_px, inspection.strip_mm.x0) == (WIDTH_PX, x0_mm)
    first_px = black_px if edges and edges.operator_px else 0
    assert inspection.strip_mm.x1 == x0_mm + (WIDTH_PX - first_px) * PITCH_MM
    assert len(defects) > 8  # the fake finds one on each tile
    for defect in defects:
        assert defect.box_px.x0 >= max(0, first_px - 16 - 64)  # beside it no more than a margin is looked at
        assert defect.box_px.x1 <= WIDTH_PX
        assert defect.box_mm.x0 == pytest.approx(x0_mm + (defect.box_px.x0 - first_px) * PITCH_MM)
        assert defect.mask is not None
        assert defect.mask.x == pytest.approx(defect.box_px.x0, abs=1)
