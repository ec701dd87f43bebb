"""Traces of a whole line, as a collector gets them."""

import asyncio
import json
import logging
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer
from structlog.testing import capture_logs

from edge.bus.mock_cluster import MockCluster
from edge.bus.publisher import Publisher, Record
from edge.configuration import load
from edge.daemon import Daemon
from edge.errors import SettingsError
from edge.settings import KafkaSettings, Settings, TracingSettings
from edge.telemetry.metrics import Metrics
from edge.telemetry.tracing import Tracer, open_tracer
from tests.conftest import Until
from tests.support.any_broker import AnyBroker
from tests.support.collector import Collector, TakenSpan
from tests.support.http import get, total
from tests.support.line import DEADLINE_S, frame, line_settings, picture, running

ROOT = Path(__file__).resolve().parents[3]
TRACE, CAMERA_SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED, UNSAMPLED = f"00-{TRACE}-{CAMERA_SPAN}-01", f"00-{TRACE}-{CAMERA_SPAN}-00"
CONSUMER = 5  # of the protocol's span kinds
SECRET = "s3cret-of-the-collector"  # noqa: S105 - the one that must not be seen


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    """A collector that takes everything."""
    async with Collector() as collector:
        yield collector


@pytest.fixture
def cluster() -> Iterator[MockCluster]:
    """A broker."""
    with MockCluster() as cluster:
        yield cluster


@pytest.fixture
def root_log() -> Iterator[list[logging.LogRecord]]:
    """What would come into the daemon's log by the standard library; pytest's own looks deeper."""
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[method-assign]
    logging.getLogger().addHandler(handler)
    yield records
    logging.getLogger().removeHandler(handler)


def traced(topic: str, number: int, traceparent: str | None, *, header: str = "ce_traceparent") -> Record:
    """A frame that comes with a trace, or without."""
    plain = frame(topic, number, picture(number))
    headers = () if traceparent is None else ((header, traceparent.encode()),)
    return Record(topic, plain.value, plain.key, (*plain.headers, *headers))


async def pass_through(settings: Settings, records: Sequence[Record], until: Until) -> str:
    """Let a daemon inspect frames; returns its metrics."""
    async with running(settings) as daemon, Publisher(settings.kafka) as publisher:
        await publisher.publish(records)
        await until(lambda: _done(daemon) == len(records), DEADLINE_S)
        return await get(f"{daemon.http_url}/metrics")


def _done(daemon: Daemon) -> float:
    return sum(
        sample.value
        for family in daemon.metrics.frames.collect()
        for sample in family.samples
        if sample.name.endswith("_total")
    )


async def trace_headers(kafka: KafkaSettings, topic: str, count: int) -> dict[int, str]:
    """Read a result topic from its beginning: the traceparent of each record, by its frame's offset."""
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=kafka.bootstrap_servers, auto_offset_reset="earliest"
    )
    async with asyncio.timeout(DEADLINE_S), consumer:
        records = [await anext(consumer) for _ in range(count)]
    return {
        json.loads(record.value)["frame"]["offset"]: dict(record.headers).get("traceparent", b"").decode()
        for record in records
    }


def by_offset(collector: Collector) -> dict[int, TakenSpan]:
    """Frames' spans."""
    spans = [span for span in collector.spans if span.name.startswith("process ")]
    offsets = {int(span.attributes["messaging.kafka.offset"]): span for span in spans}
    assert len(offsets) == len(spans)
    return offsets


async def test_a_frame_is_traced_from_its_camera_to_its_results(
    any_broker: AnyBroker, collector: Collector, until: Until
) -> None:
    """A traceparent leads through the stages to the results, whose headers lead on.

    Batches link their frames. A frame without a traceparent begins a trace, one whose trace is not sampled is
    not traced, one that fails says so.
    """
    tracing = TracingSettings(endpoint=collector.url, service_name="edge-1")
    settings = await line_settings(any_broker.bootstrap_servers, cameras=1, tracing=tracing)
    kafka = settings.kafka
    [topic] = kafka.frame_topics or []
    corrupt = traced(topic, 3, SAMPLED)
    records = [
        traced(topic, 0, SAMPLED),
        traced(topic, 1, None),
        traced(topic, 2, UNSAMPLED),
        Record(topic, (corrupt.value or b"")[:50], corrupt.key, corrupt.headers),
        Record(topic, None, corrupt.key, (("traceparent", SAMPLED.encode()),)),
    ]
    before_ns = time.time_ns()
    metrics = await pass_through(settings, records, until)
    frames = by_offset(collector)
    inspections = await trace_headers(kafka, kafka.inspections_topic, len(records))
    defects = await trace_headers(kafka, kafka.defects_topic, 3)

    assert sorted(frames) == [0, 1, 3, 4]
    assert {resource["service.name"] for resource in collector.resources} == {"edge-1"}
    _check_frames(frames, topic, before_ns)
    _check_stages(collector, frames)
    _check_batches(collector, frames)
    for offset, span in frames.items():
        assert inspections[offset][:52] == f"00-{span.trace}-{span.id}"
    assert inspections[2].split("-")[1] == TRACE
    assert int(inspections[2][-2:], 16) & 1 == 0  # its readers do not trace it either
    assert defects == {offset: inspections[offset] for offset in (0, 1, 2)}
    assert total(metrics, "stripsight_trace_spans_total") == len(collector.spans)


def _check_frames(frames: dict[int, TakenSpan], topic: str, before_ns: int) -> None:
    """What the spans of frames say of themselves."""
    [partition] = {span.attributes["messaging.destination.partition.id"] for span in frames.values()}
    for offset in (0, 3, 4):
        assert (frames[offset].trace, frames[offset].parent) == (TRACE, CAMERA_SPAN)
    assert frames[1].trace != TRACE
    assert frames[1].parent == ""
    assert {offset: span.error for offset, span in frames.items()} == {
        0: "",
        1: "",
        3: "corrupt_image",
        4: "empty",
    }
    for offset, span in frames.items():
        assert span.name == f"process {topic}"
        assert span.kind == CONSUMER
        assert before_ns < span.began_ns < span.ended_ns < time.time_ns()
        expected = {
            "messaging.system": "kafka",
            "messaging.operation.type": "process",
            "messaging.destination.name": topic,
            "messaging.destination.partition.id": partition,
            "messaging.kafka.offset": offset,
            "stripsight.frame": f"{topic}:{partition}:{offset}",
            "stripsight.camera": topic.removeprefix("frames."),
            "stripsight.outcome": "failed" if span.error else "inspected",
            "stripsight.defects": 0 if span.error else 1,
        }
        assert expected.items() <= span.attributes.items()
    assert frames[0].attributes["stripsight.coil"] == "C-1"
    assert frames[3].attributes["error.type"] == "corrupt_image"


def _check_stages(collector: Collector, frames: dict[int, TakenSpan]) -> None:
    """Each frame has the stages that it passed, one after the other, within its own time."""
    passed = {0: ["decode", "wait", "infer", "publish"], 3: ["decode", "publish"], 4: ["publish"]}
    for offset, names in (passed | {1: passed[0]}).items():
        span = frames[offset]
        stages = [each for each in collector.spans if each.parent == span.id]
        assert [stage.name for stage in stages] == names
        assert {stage.trace for stage in stages} == {span.trace}
        times = [each for stage in stages for each in (stage.began_ns, stage.ended_ns)]
        assert [span.began_ns, *times, span.ended_ns] == sorted([span.began_ns, *times, span.ended_ns])


def _check_batches(collector: Collector, frames: dict[int, TakenSpan]) -> None:
    """Each batch is a trace of its own, and links exactly the frames that link it."""
    batches = {batch.id: batch for batch in collector.named("batch")}
    assert {batch.parent for batch in batches.values()} == {""}
    assert len({span.trace for span in (*batches.values(), *frames.values())}) == len(batches) + 2
    linked = [(batch.id, frame_id) for batch in batches.values() for frame_id in batch.links]
    assert sorted(linked) == sorted((span.links[0], span.id) for span in frames.values())
    for batch in batches.values():
        assert batch.attributes["stripsight.model.name"] == "fake"
        inside = [span.name for span in collector.spans if span.parent == batch.id]
        assert inside == (
            ["infer", "publish"] if batch.attributes["stripsight.batch.inferred"] else ["publish"]
        )


async def test_the_ratio_is_for_frames_that_begin_a_trace(
    cluster: MockCluster, collector: Collector, until: Until
) -> None:
    """With a ratio of 0 only those frames are traced whose camera traces them."""
    tracing = TracingSettings(endpoint=f"{collector.url}/v1/traces", sample_ratio=0)
    settings = await line_settings(cluster.bootstrap_servers, cameras=1, tracing=tracing)
    [topic] = settings.kafka.frame_topics or []
    records = [traced(topic, 0, None), traced(topic, 1, SAMPLED), traced(topic, 2, "no trace context")]
    await pass_through(settings, [*records, traced(topic, 3, SAMPLED, header="traceparent")], until)
    assert {offset: span.trace for offset, span in by_offset(collector).items()} == {1: TRACE, 3: TRACE}
    headers = await trace_headers(settings.kafka, settings.kafka.inspections_topic, 4)
    assert all(len(header) == len(SAMPLED) for header in headers.values())
    assert sum(len(batch.links) for batch in collector.named("batch")) == 2


@contextmanager
def silent_collector() -> Iterator[str]:
    """A port at which connections are taken, and nothing is ever answered."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@contextmanager
def absent_collector() -> Iterator[str]:
    """A port at which nobody listens."""
    with silent_collector() as url:
        pass
    yield url


@pytest.mark.parametrize("away", [absent_collector, silent_collector])
async def test_a_collector_that_is_away_stops_nothing(
    cluster: MockCluster, until: Until, away: object
) -> None:
    """Frames pass as if it were there, the metrics tell of the lost spans, and the daemon stops in time."""
    assert callable(away)
    with away() as url, capture_logs() as log:
        settings = await line_settings(
            cluster.bootstrap_servers, cameras=1, tracing=TracingSettings(endpoint=url)
        )
        [topic] = settings.kafka.frame_topics or []
        async with asyncio.timeout(DEADLINE_S):
            metrics = await pass_through(settings, [traced(topic, n, SAMPLED) for n in range(20)], until)
    assert total(metrics, "stripsight_frames_total", outcome="inspected") == 20
    assert total(metrics, "stripsight_trace_spans_total") >= 20 * 5
    assert total(metrics, "stripsight_trace_spans_exported_total") == 0
    assert "stopped" in [line["event"] for line in log]


async def test_an_outage_is_told_once_and_its_end_too(
    collector: Collector, until: Until, monkeypatch: pytest.MonkeyPatch, root_log: list[logging.LogRecord]
) -> None:
    """However many exports fail, the log has a line as it begins, with the reason, and one as it ends."""
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
    metrics = Metrics()
    collector.status = HTTPStatus.FORBIDDEN
    with capture_logs() as log:
        tracer = open_tracer(TracingSettings(endpoint=collector.url), metrics)
        assert tracer is not None
        for number in range(1, 4):
            one_span(tracer)
            await until(lambda number=number: len(collector.authorizations) >= number)
        collector.status = HTTPStatus.OK
        one_span(tracer)
        await until(lambda: collector.spans)
        await tracer.close()
    [lost] = [line for line in log if line["event"] == "traces are lost; frames go on"]
    assert "403" in lost["why"]
    assert [line["event"] for line in log].count("traces are taken again") == 1
    assert root_log == []
    assert metrics.registry.get_sample_value("stripsight_trace_spans_total") == 4
    assert metrics.registry.get_sample_value("stripsight_trace_spans_exported_total") == 1


def one_span(tracer: Tracer) -> None:
    """Begin a trace, and end it."""
    tracer.start("test", at_s=1.0).end(2.0)


async def test_what_switches_opentelemetry_off_switches_this_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """With OTEL_SDK_DISABLED nothing is exported, and a camera's trace goes on to the results as it came."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    metrics = Metrics()
    tracer = open_tracer(TracingSettings(endpoint="http://127.0.0.1:4318"), metrics)
    assert tracer is not None
    span = tracer.start("test", at_s=1.0, parent=SAMPLED)
    span.end(2.0)
    assert (span.is_sampled, span.traceparent) == (False, SAMPLED)
    assert tracer.start("test", at_s=1.0).traceparent is None
    assert metrics.registry.get_sample_value("stripsight_trace_spans_total") == 0
    await tracer.close()


async def test_headers_come_from_the_environment_and_go_to_the_collector_alone(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What logs in at the collector gets there, and into no log, refused or not."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"authorization=Bearer%20{SECRET}")
    collector.status = HTTPStatus.UNAUTHORIZED
    with capture_logs() as log:
        tracer = open_tracer(TracingSettings(endpoint=collector.url), Metrics())
        assert tracer is not None
        one_span(tracer)
        await tracer.close()
    assert collector.authorizations == [f"Bearer {SECRET}"]
    assert SECRET not in f"{log}{caplog.text}"


@pytest.mark.parametrize("header", [SECRET, f"authorization=Bearer%0A{SECRET}", f"a=b,c d={SECRET}"])
def test_headers_that_are_none_are_refused_unseen(
    header: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The variable is named, and the part that is wrong by its number: a secret stands in it."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", header)
    with pytest.raises(
        SettingsError, match=r"OTEL_EXPORTER_OTLP_HEADERS .*: part \d is no key=value"
    ) as refused:
        open_tracer(TracingSettings(endpoint="http://127.0.0.1:4318"), Metrics())
    assert SECRET not in f"{refused.value}{caplog.text}"


@pytest.mark.parametrize(
    "endpoint",
    ["collector:4318", f"http://edge:{SECRET}@host:4318", f"https://host/?key={SECRET}", "http://"],
)
def test_an_endpoint_that_is_none_is_refused_unseen(endpoint: str) -> None:
    """The setting is named and not quoted."""
    with pytest.raises(SettingsError, match=r"tracing .*endpoint") as refused:
        load(None, {"tracing.endpoint": endpoint}, {})
    assert SECRET not in str(refused.value)


def test_the_extra_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sets an endpoint without OpenTelemetry is told what to install."""
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    monkeypatch.delitem(sys.modules, "edge.telemetry.otlp", raising=False)
    with pytest.raises(SettingsError, match=r"tracing\.endpoint needs .*stripsight\[otel\]"):
        open_tracer(TracingSettings(endpoint="http://127.0.0.1:4318"), Metrics())


UNTRACED = """
import asyncio, sys
from edge.bus.publisher import Publisher
from tests.support.line import frame, line_settings, picture, running

async def main():
    settings = await line_settings(sys.argv[1], cameras=1)
    [topic] = settings.kafka.frame_topics
    async with running(settings) as daemon, Publisher(settings.kafka) as publisher:
        await publisher.publish([frame(topic, 0, picture(0))])
        while not daemon.metrics.frames.collect()[0].samples:
            await asyncio.sleep(0.01)
    print([name for name in sys.modules if "opentelemetry" in name or name == "edge.telemetry.otlp"])

asyncio.run(main())
"""


async def test_without_an_endpoint_nothing_of_it_is_imported(cluster: MockCluster) -> None:
    """A daemon that inspects frames untraced needs no OpenTelemetry, and its results carry no header."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", UNTRACED, cluster.bootstrap_servers),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(DEADLINE_S):
        printed, _ = await process.communicate()
    assert (process.returncode, printed.decode().splitlines()[-1]) == (0, "[]")


async def test_results_of_an_untraced_line_carry_no_header(cluster: MockCluster, until: Until) -> None:
    """A frame's traceparent alone changes nothing: its span would be nobody's."""
    settings = await line_settings(cluster.bootstrap_servers, cameras=1)
    [topic] = settings.kafka.frame_topics or []
    await pass_through(settings, [traced(topic, 0, SAMPLED)], until)
    headers = await trace_headers(settings.kafka, settings.kafka.inspections_topic, 1)
    assert list(headers.values()) == [""]
