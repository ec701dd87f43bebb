"""A screen before the model, through the whole daemon."""

import asyncio
from pathlib import Path

from consumers.subscription import Subscription
from edge.bus.publisher import Publisher
from edge.contracts import Inspection
from edge.pipeline.decode import decode_image
from edge.settings import ModelSettings, ScreenSettings
from edge.vision.screen.screen import Screen
from tests.support.any_broker import AnyBroker
from tests.support.http import get, total
from tests.support.line import DEADLINE_S, frame, line_settings, picture, running
from tests.support.screens import untrained_screen


async def test_the_audit_trail_says_which_frames_the_model_has_seen(
    any_broker: AnyBroker, tmp_path: Path
) -> None:
    """Some frames pass and some do not: all are inspected, by the model or by the screen alone."""
    folder, shades = untrained_screen(tmp_path / "screen"), range(0, 256, 51)
    pictures = [picture(0, shade=shade) for shade in shades]
    of_shades = Screen.read(folder).scores([decode_image(one, max_pixels=10**5) for one in pictures])
    screen = ScreenSettings(path=folder, threshold=sorted(of_shades)[len(shades) // 2])
    settings = await line_settings(
        any_broker.bootstrap_servers, cameras=1, model=ModelSettings(runtime="fake", screen=screen)
    )
    kafka = settings.kafka
    (topic,) = kafka.frame_topics or []
    scores = {}
    async with (
        running(settings) as daemon,
        asyncio.timeout(DEADLINE_S),
        Subscription(kafka, kafka.inspections_topic, Inspection, from_beginning=True) as records,
        Publisher(kafka) as publisher,
    ):
        await publisher.publish([frame(topic, number, value) for number, value in enumerate(pictures)])
        for _ in shades:
            inspection = await anext(records)
            assert inspection.screening is not None
            scores[inspection.frame.sequence] = inspection
        exposed = await get(daemon.http_url + "/metrics")
    passed = [one for one in scores.values() if one.screening and one.screening.passed]
    out = [one for one in scores.values() if one.screening and not one.screening.passed]
    assert {one.outcome for one in scores.values()} == {"inspected"}
    for one in passed:
        assert (one.defects, one.model and one.model.name) == (1, "fake")
    for one in out:
        assert (one.defects, one.model) == (0, None)
    assert total(exposed, "stripsight_screened_frames_total", verdict="passed") == len(passed)
    assert total(exposed, "stripsight_screened_frames_total", verdict="screened_out") == len(out)
    assert passed
    assert out
