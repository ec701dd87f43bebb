"""The delivery stage: results to Kafka, and only then the frame counts as done."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

import structlog
from msgspec import structs

from edge.bus.dead_letters import dead_letter
from edge.bus.record import FrameResults, Record
from edge.bus.sinks import Sink
from edge.contracts.encoding import encode_record
from edge.contracts.frame import FrameOrigin, Headers
from edge.contracts.results import Defect, Inspection, ModelReference
from edge.pipeline.locate import locate_defects, strip_shown
from edge.pipeline.tracing import BatchTrace
from edge.pipeline.work import Batch, ServedModel, Work
from edge.settings import KafkaSettings
from edge.telemetry.metrics import Metrics
from edge.telemetry.tracing import Tracer

log = structlog.get_logger(__name__)


class DeliveryStage:
    """Turns a batch into records, publishes them, and reports the frames whose results are acknowledged."""

    def __init__(
        self,
        sink: Sink,
        topics: KafkaSettings,
        metrics: Metrics,
        *,
        latency_objective_ms: float,
        tracer: Tracer | None = None,
    ) -> None:
        self._sink = sink
        self._topics = topics
        self._metrics = metrics
        self._objective_s = latency_objective_ms / 1000
        metrics.latency_objective_seconds.set(self._objective_s)
        self._tracer = tracer

    async def deliver(self, batch: Batch) -> None:
        """Publish all results of a batch and wait until the broker has acknowledged them.

        Raises:
            PublishError: the broker refuses a record for good; none of the batch's frames counts as done.
        """
        batch = _with_each_frame_once(batch)
        defects = [list(self._defects(work, batch.model)) for work in batch.works]
        inspections = [
            self._inspection(work, len(found), batch.model.reference)
            for work, found in zip(batch.works, defects, strict=True)
        ]
        trace = BatchTrace(self._tracer, batch, [len(found) for found in defects])
        started_at = time.perf_counter()
        delivered = await self._sink.deliver(
            [
                FrameResults(work.raw.origin, list(self._records(work, found, inspection, headers)))
                for work, found, inspection, headers in zip(
                    batch.works, defects, inspections, trace.headers(), strict=True
                )
            ]
        )
        publish_s = time.perf_counter() - started_at
        trace.end(delivered)
        self._count(batch, defects, inspections, publish_s, delivered)
        _log_batch(batch, defects, inspections, publish_s, delivered)

    def _defects(self, work: Work, model: ServedModel) -> Iterator[Defect]:
        if work.detections is not None and work.metadata is not None:
            yield from locate_defects(
                work.detections, work.metadata, work.reference, model.reference, model.class_names
            )

    def _inspection(self, work: Work, defects: int, model: ModelReference) -> Inspection:
        strip = None
        if work.metadata is not None and work.width_px and work.height_px:
            strip = strip_shown(work.width_px, work.height_px, work.metadata, work.strip_edges)
        return Inspection(
            id=work.reference.id,
            frame=work.reference,
            outcome=work.outcome,
            reason=work.reason,
            detail=work.detail,
            inspected_at=datetime.now(UTC),
            times=work.times(),
            defects=defects,
            width_px=work.width_px,
            height_px=work.height_px,
            strip_mm=strip,
            strip_edges=work.strip_edges,
            model=model if work.was_modelled else None,
            screening=work.screening,
        )

    def _records(
        self, work: Work, defects: Iterable[Defect], inspection: Inspection, headers: Headers
    ) -> Iterator[Record]:
        key = work.reference.key
        if work.error is not None:
            yield dead_letter(self._topics.dead_letter_topic, work.raw, work.error)
        for defect in defects:
            yield _defect_record(self._topics.defects_topic, key, defect, headers)
        yield Record(self._topics.inspections_topic, encode_record(inspection), key, headers)

    def _count(
        self,
        batch: Batch,
        defects: list[list[Defect]],
        inspections: list[Inspection],
        publish_s: float,
        delivered: frozenset[FrameOrigin],
    ) -> None:
        metrics, now = self._metrics, datetime.now(UTC)
        if frames := sum(work.skipped is None for work in batch.works):
            metrics.batch_frames.observe(frames)
            metrics.stage_seconds.labels("infer").observe(batch.infer_s)
        metrics.stage_seconds.labels("publish").observe(publish_s)
        for work, found, inspection in zip(batch.works, defects, inspections, strict=True):
            if work.raw.origin not in delivered:
                continue  # its partition was given up: who has it now counts it
            reference, is_known = work.reference, work.metadata is not None
            who = metrics.camera_labels(reference.line, reference.camera, is_known=is_known)
            metrics.frames.labels(*who, inspection.outcome).inc()
            if inspection.strip_mm is not None:
                length_mm = inspection.strip_mm.y1 - inspection.strip_mm.y0
                metrics.strip_meters.labels(*who, inspection.outcome).inc(length_mm / 1000)
                if work.skipped is not None:
                    metrics.skipped_strip_meters.labels(*who, work.skipped.reason).inc(length_mm / 1000)
            if work.skipped is not None:
                metrics.skipped_frames.labels(*who, work.skipped.reason).inc()
                continue  # the histograms tell of frames that were looked at
            metrics.stage_seconds.labels("decode").observe(work.decode_s)
            metrics.stage_seconds.labels("wait").observe(work.wait_s)
            age_s = (now - work.reference.captured_at).total_seconds()
            metrics.frame_done(who, max(age_s, 0.0), objective_s=self._objective_s)
            metrics.expect_defects(who, batch.model.class_names)
            if work.screening is not None:
                metrics.frame_screened(who, passed=work.screening.passed)
            for defect in found:
                metrics.defect_found(who, defect.class_name, (defect.box_mm.x0 + defect.box_mm.x1) / 2)
            if work.error is not None:
                metrics.dead_letters.labels(work.error.reason).inc()


def _with_each_frame_once(batch: Batch) -> Batch:
    """A partition that was given up and came back brings its frames again, perhaps into the same batch."""
    return replace(batch, works=list({work.raw.origin: work for work in batch.works}.values()))


def _defect_record(topic: str, key: bytes, defect: Defect, headers: Headers) -> Record:
    """A mask can be larger than the broker takes: then the defect is published without its pixels."""
    return Record(
        topic,
        key=key,
        value=encode_record(defect),
        headers=headers,
        substitute=lambda _: Record(topic, encode_record(structs.replace(defect, mask=None)), key, headers),
    )


def _log_batch(
    batch: Batch,
    defects: list[list[Defect]],
    inspections: list[Inspection],
    publish_s: float,
    delivered: frozenset[FrameOrigin],
) -> None:
    """One canonical line a batch: what came in, what it cost, what came out."""
    outcomes = [inspection.outcome for inspection in inspections]
    log.info(
        "batch",
        batch=batch.number,
        frames=len(batch.works),
        given_up=len(batch.works) - len(delivered),
        failed=outcomes.count("failed"),
        skipped=outcomes.count("skipped"),
        defects=sum(len(found) for found in defects),
        cameras=sorted({work.reference.camera for work in batch.works}),
        wait_ms=round(max(work.wait_s for work in batch.works) * 1000, 1),
        infer_ms=round(batch.infer_s * 1000, 1),
        publish_ms=round(publish_s * 1000, 1),
    )
