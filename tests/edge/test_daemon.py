"""The daemon from end to end, over a broker that speaks Kafka's protocol."""

import asyncio
import contextlib
import json
import signal
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import TypeVar
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from consumers.subscription import Subscription
from edge.bus.publisher import Publisher, Record
from edge.bus.results import ResultReader
from edge.bus.topics import ensure_topics
from edge.contracts import Defect, Inspection
from edge.daemon import Daemon
from edge.errors import DrainTimeoutError, MissingTopicError, ModelFileError, PortInUseError
from edge.pipeline.decode import decode_image
from edge.settings import HttpSettings, KafkaSettings, ModelSettings, PipelineSettings, Settings
from edge.vision.fake import FakeRuntime
from tests.support.any_broker import AnyBroker
from tests.support.http import get, total
from tests.support.line import daemon_process, frame, picture, running

Result = TypeVar("Result", Inspection, Defect)

FRAMES_A_CAMERA = 12
CORRUPT = 5
DEFECTS_A_FRAME = 2
DEADLINE_S = 30  # for records: a daemon's start on a busy machine


@pytest.fixture
async def settings(any_broker: AnyBroker) -> Settings:
    """A line with two cameras and the fake runtime, its topics its own."""
    run = uuid4().hex[:8]
    topics = [f"frames.{run}-cam{number}" for number in (1, 2)]
    kafka = KafkaSettings(
        bootstrap_servers=any_broker.bootstrap_servers,
        group_id=f"daemon-{run}",
        frame_topics=topics,
        defects_topic=f"defects-{run}",
        inspections_topic=f"inspections-{run}",
        dead_letter_topic=f"dead-letter-{run}",
        # A broker waits so long for a member that was killed; Kafka allows no less than 6 s.
        session_timeout_ms=6000 if any_broker.is_kafka else 2000,
    )
    await ensure_topics(kafka)
    await ensure_topics(kafka, topics)
    return Settings(
        kafka=kafka,
        pipeline=PipelineSettings(
            max_batch=4, max_wait_ms=5, commit_interval_ms=20, latency_objective_ms=0.001
        ),
        model=ModelSettings(runtime="fake", fake_defects=DEFECTS_A_FRAME),
        http=HttpSettings(port=0),
    )


def frames_of(topic: str, count: int = FRAMES_A_CAMERA) -> list[Record]:
    """A camera's frames."""
    first = 1000 * len(topic) + 100 * int(topic[-1])
    return [frame(topic, number, picture(first + number)) for number in range(count)]


async def take(subscription: Subscription[Result], count: int) -> list[Result]:
    """The next so many records; what does not come in time is told."""
    taken: list[Result] = []
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DEADLINE_S):
            while len(taken) < count:
                taken.append(await anext(subscription))
    assert len(taken) == count, f"{len(taken)} of {count} records in {DEADLINE_S} s, the last: {taken[-1:]}"
    return taken


async def test_frames_in_results_out(settings: Settings) -> None:
    """Two cameras, one corrupt frame among theirs: every frame has its record, every defect its millimetres.

    The corrupt one lies with the dead letters as it came, the offsets are committed, the metrics add up.
    """
    kafka = settings.kafka
    first, second = kafka.frame_topics or []
    records = {topic: frames_of(topic) for topic in (first, second)}
    sound = records[first][CORRUPT]
    records[first][CORRUPT] = Record(first, sound.value[:50], sound.key, sound.headers)
    frames = 2 * FRAMES_A_CAMERA
    records_sent_at = time.time()

    async with (
        Subscription(kafka, kafka.inspections_topic, Inspection) as inspections,
        Subscription(kafka, kafka.defects_topic, Defect) as defects,
        ResultReader(kafka, kafka.dead_letter_topic) as dead_letters,
        running(settings) as daemon,
        Publisher(kafka) as publisher,
    ):
        for one, other in zip(*records.values(), strict=True):
            await publisher.publish([one, other])
        inspected = await take(inspections, frames)
        found = await take(defects, DEFECTS_A_FRAME * (frames - 1))
        dead = await anext(dead_letters)
        await _nothing_lags(daemon)
        metrics = await get(f"{daemon.http_url}/metrics")
        assert json.loads(await get(f"{daemon.http_url}/readyz"))["status"] == "ready"

    _check_inspections(inspected, first, second)
    _check_defects(found, records)
    assert (dead.value, dead.key) == (records[first][CORRUPT].value, records[first][CORRUPT].key)
    assert total(metrics, "stripsight_frames_total", outcome="inspected") == frames - 1
    assert total(metrics, "stripsight_frames_total", outcome="failed") == 1
    assert total(metrics, "stripsight_defects_total") == len(found)
    assert total(metrics, "stripsight_dead_letters_total", reason="corrupt_image") == 1
    assert total(metrics, "stripsight_batch_frames_sum") == frames
    assert total(metrics, "stripsight_consumer_lag_frames") == 0
    assert total(metrics, "stripsight_ready") == 1
    assert total(metrics, "stripsight_late_frames_total") == frames  # encoded before they were published
    assert total(metrics, "stripsight_defects_by_zone_total") == len(found)
    for topic in (first, second):
        seen_at = total(
            metrics,
            "stripsight_camera_last_frame_timestamp_seconds",
            camera=topic.removeprefix("frames."),
            line="line-1",
        )
        assert records_sent_at <= seen_at <= time.time()
    await _check_committed(kafka, inspected)


@pytest.mark.parametrize("header", ["x-note", "ce_sequence", "ce_coil"])
async def test_a_dead_letter_that_is_too_large_stops_nothing(settings: Settings, header: str) -> None:
    """A frame that can neither be inspected nor set aside whole is set aside bare; the line goes on."""
    kafka = settings.kafka.model_copy(update={"max_message_bytes": 10_000})
    topic = (kafka.frame_topics or [""])[0]
    records = frames_of(topic, 2)
    bad = Record(topic, b"no image", records[0].key, ((header, b"9" * 300_000),))
    async with (
        Subscription(kafka, kafka.inspections_topic, Inspection) as inspections,
        ResultReader(kafka, kafka.dead_letter_topic) as dead_letters,
        running(settings.model_copy(update={"kafka": kafka})),
        Publisher(settings.kafka) as publisher,
    ):
        await publisher.publish([records[0], bad, records[1]])
        inspected = await take(inspections, 3)
        dead = await anext(dead_letters)
    outcomes = {inspection.frame.offset: inspection.outcome for inspection in inspected}
    assert outcomes == {0: "inspected", 1: "failed", 2: "inspected"}
    assert (dead.key, dead.value) == (bad.key, None)
    await _check_committed(kafka, inspected, 3)


def _check_inspections(inspections: Sequence[Inspection], first: str, second: str) -> None:
    """One record a frame, in each camera's order, the corrupt one failed."""
    for topic in (first, second):
        of_camera = [inspection for inspection in inspections if inspection.frame.topic == topic]
        assert [inspection.frame.offset for inspection in of_camera] == list(range(FRAMES_A_CAMERA))
        outcomes = ["inspected"] * FRAMES_A_CAMERA
        if topic == first:
            outcomes[CORRUPT] = "failed"
            assert of_camera[CORRUPT].reason == "corrupt_image"
        assert [inspection.outcome for inspection in of_camera] == outcomes
        # Every millimetre is accounted for, also of the frame that failed.
        edges = [inspection.strip_mm for inspection in of_camera if inspection.strip_mm]
        assert [edge.y0 for edge in edges] == [32.0 * number for number in range(FRAMES_A_CAMERA)]
        assert [edge.y1 for edge in edges] == [32.0 * (number + 1) for number in range(FRAMES_A_CAMERA)]


def _check_defects(defects: Sequence[Defect], records: dict[str, list[Record]]) -> None:
    """Exactly what the runtime finds on each frame by itself, at the right place of the strip."""
    runtime = FakeRuntime(defects_per_frame=DEFECTS_A_FRAME)
    by_place = {(defect.frame.topic, defect.frame.offset, defect.index): defect for defect in defects}
    assert len(by_place) == len({defect.id for defect in defects}) == len(defects)
    for topic, frames in records.items():
        for offset, record in enumerate(frames):
            if (topic, offset) == (next(iter(records)), CORRUPT):
                continue
            (expected,) = runtime.infer([decode_image(record.value or b"", max_pixels=10**6)])
            for index in range(DEFECTS_A_FRAME):
                defect = by_place[topic, offset, index]
                x0, y0, x1, y1 = expected.boxes[index].tolist()
                box = defect.box_mm
                assert (box.x0, box.x1) == (100 + x0 / 2, 100 + x1 / 2)
                assert (box.y0, box.y1) == (offset * 32 + y0 / 2, offset * 32 + y1 / 2)
                assert defect.score == pytest.approx(float(expected.scores[index]))
                assert defect.class_id == expected.classes[index]
                assert expected.masks is not None
                assert defect.mask == expected.masks[index]


async def _nothing_lags(daemon: Daemon) -> None:
    """Wait until the broker, asked anew, has no frame that is not committed."""
    async with asyncio.timeout(10):
        while len(daemon.lag()) < 2 or any(daemon.lag().values()):  # noqa: ASYNC110 - the lag has no event
            await asyncio.sleep(0.01)


async def _check_committed(
    kafka: KafkaSettings, inspections: Sequence[Inspection], frames_a_camera: int = FRAMES_A_CAMERA
) -> None:
    """The group's next member would begin behind the last frame of each camera."""
    frames = {inspection.frame for inspection in inspections}
    partitions = {TopicPartition(frame.topic, frame.partition) for frame in frames}
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka.bootstrap_servers, group_id=kafka.group_id, enable_auto_commit=False
    )
    consumer.assign(partitions)
    await consumer.start()
    try:
        committed = [await consumer.committed(partition) for partition in partitions]
    finally:
        await consumer.stop()
    assert committed == [frames_a_camera] * len({frame.topic for frame in frames})


async def test_a_killed_daemon_loses_no_frame(settings: Settings) -> None:
    """Kill -9 in the middle of a run and a restart: every frame has a record."""
    kafka = settings.kafka
    slow = settings.model_copy(update={"model": ModelSettings(runtime="fake", fake_delay_ms=40)})
    frames = [record for topic in kafka.frame_topics or [] for record in frames_of(topic, 30)]
    async with Subscription(kafka, kafka.inspections_topic, Inspection) as inspections:
        async with daemon_process(slow) as victim, Publisher(kafka) as publisher:
            await publisher.publish(frames)
            before = await take(inspections, 10)
            victim.send_signal(signal.SIGKILL)
            await victim.wait()
        seen = {(inspection.frame.topic, inspection.frame.offset) for inspection in before}
        async with daemon_process(slow) as successor:
            while len(seen) < len(frames):
                (inspection,) = await take(inspections, 1)
                seen.add((inspection.frame.topic, inspection.frame.offset))
            successor.send_signal(signal.SIGTERM)
            assert await successor.wait() == 0
    assert seen == {(topic, offset) for topic in kafka.frame_topics or [] for offset in range(30)}


@pytest.mark.parametrize(
    ("signals", "drain_timeout_s", "exit_code"),
    [([signal.SIGTERM], 0.5, 1), ([signal.SIGINT, signal.SIGINT], 60, 130)],
    ids=["drain deadline", "second Ctrl-C"],
)
async def test_a_model_that_hangs_does_not_keep_the_daemon_alive(
    settings: Settings, signals: list[signal.Signals], drain_timeout_s: float, exit_code: int
) -> None:
    """After the drain deadline, or at a second signal, the process ends, whatever the model is at."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        http = HttpSettings(port=free.getsockname()[1])
    pipeline = settings.pipeline.model_copy(update={"drain_timeout_s": drain_timeout_s})
    model = ModelSettings(runtime="fake", fake_delay_ms=3_600_000)
    hanging = settings.model_copy(update={"model": model, "pipeline": pipeline, "http": http})
    (topic, _) = settings.kafka.frame_topics or []
    async with (
        asyncio.timeout(60),
        daemon_process(hanging) as process,
        Publisher(settings.kafka) as publisher,
    ):
        await publisher.publish([frame(topic, 0, picture(0))])
        await _until_a_batch_is_in_flight(http.port)
        for number in signals:
            process.send_signal(number)
            await asyncio.sleep(0.2)  # two signals at once are one
        assert await process.wait() == exit_code


async def _until_a_batch_is_in_flight(port: int) -> None:
    while True:
        with contextlib.suppress(OSError):  # not listening yet
            if total(await get(f"http://127.0.0.1:{port}/metrics"), "stripsight_batches_in_flight"):
                return
        await asyncio.sleep(0.05)


async def test_a_stalled_batch_is_seen(settings: Settings) -> None:
    """A batch that takes longer than stall_timeout_s turns both health checks red, by name."""
    pipeline = settings.pipeline.model_copy(update={"stall_timeout_s": 0.05, "drain_timeout_s": 0.1})
    model = ModelSettings(runtime="fake", fake_delay_ms=3_600_000)
    slow = settings.model_copy(update={"model": model, "pipeline": pipeline})
    with pytest.raises(DrainTimeoutError):
        await _stall(slow)


async def _stall(settings: Settings) -> None:
    """Give a frame to a model that hangs, and look at the health checks."""
    (topic, _) = settings.kafka.frame_topics or []
    async with running(settings) as daemon, Publisher(settings.kafka) as publisher:
        await publisher.publish([frame(topic, 0, picture(0))])
        async with asyncio.timeout(30):
            while daemon.health.liveness().ok:  # noqa: ASYNC110 - a check has no event
                await asyncio.sleep(0.01)
        assert daemon.health.readiness().checks["inference"].ok is False


async def test_a_taken_port_is_named(settings: Settings) -> None:
    """The second daemon on a port says which port, and which setting changes it."""
    async with running(settings) as daemon:
        port = int(daemon.http_url.rpartition(":")[2])
        twin = settings.model_copy(update={"http": HttpSettings(port=port)})
        with pytest.raises(PortInUseError, match=rf"{port}.*http\.port"):
            await Daemon(twin).run(asyncio.Event())


async def test_a_missing_frame_topic_is_named(settings: Settings) -> None:
    """A topic of the list that does not exist ends the start, rather than waiting for it for ever."""
    kafka = settings.kafka.model_copy(update={"frame_topics": ["frames.nobody"]})
    with pytest.raises(MissingTopicError, match=r"frames\.nobody"):
        await Daemon(settings.model_copy(update={"kafka": kafka})).run(asyncio.Event())


async def test_a_missing_model_is_named(settings: Settings, tmp_path: object) -> None:
    """A wrong model folder ends the start before any frame is taken in."""
    model = ModelSettings.model_validate({"path": f"{tmp_path}/nothing"})
    with pytest.raises(ModelFileError, match="nothing"):
        await Daemon(settings.model_copy(update={"model": model})).run(asyncio.Event())


async def test_a_stop_during_the_start_ends_it() -> None:
    """A daemon that waits for its broker can still be stopped."""
    nowhere = Settings(
        kafka=KafkaSettings(bootstrap_servers="127.0.0.1:1"),
        model=ModelSettings(runtime="fake"),
        http=HttpSettings(port=0),
    )
    daemon, stop = Daemon(nowhere), asyncio.Event()
    serving = asyncio.create_task(daemon.run(stop))
    async with asyncio.timeout(10):
        while not daemon.http_url:  # noqa: ASYNC110 - the address has no event
            await asyncio.sleep(0.01)
    with pytest.raises(urllib.error.HTTPError) as not_ready:
        await get(f"{daemon.http_url}/readyz")
    with not_ready.value as answer:
        assert json.load(answer)["checks"]["broker"]["ok"] is False
    assert total(await get(f"{daemon.http_url}/metrics"), "stripsight_ready") == 0
    stop.set()
    await serving
