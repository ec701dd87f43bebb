"""The spans of a batch and of its frames, from the times that the stages have recorded.

Attributes follow OpenTelemetry's semantic conventions for messaging where those have a word.
"""

import time
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from edge.contracts.cloudevents import traceparent_of
from edge.contracts.frame import FrameOrigin, Headers
from edge.pipeline.work import Batch, Work
from edge.telemetry.tracing import Attributes, Span, Tracer


class _Stage(NamedTuple):
    """A piece of a frame's or a batch's way; seconds on the event loop's clock, the monotonic one."""

    name: str
    began_at: float
    ended_at: float


class BatchTrace:
    """What there is to trace of a batch that is about to be published; nothing without a tracer.

    A frame's span hangs on the frame's own ``traceparent``. A batch would have as many parents as frames, so
    it has a trace of its own: it links its frames, and they link it.

    Args:
        tracer: makes the spans.
        batch: has been through the model.
        defects: how many were found, frame by frame.
    """

    def __init__(self, tracer: Tracer | None, batch: Batch, defects: Sequence[int]) -> None:
        self._tracer = tracer
        self._batch = batch
        self._began_at = time.monotonic()
        self._unix_s = time.time() - self._began_at  # one for all: spans keep the order of what they tell
        self._frames = [] if tracer is None else list(self._start_frames(tracer, defects))

    def headers(self) -> list[Headers]:
        """Return what each frame's results carry, so that whoever reads them goes on with its trace."""
        if self._tracer is None:
            return [()] * len(self._batch.works)
        return [_headers(frame) for frame in self._frames]

    def end(self, delivered: Collection[FrameOrigin]) -> None:
        """End the spans of what is acknowledged; frames given up are traced by whoever has them now."""
        acknowledged = [
            (work, frame)
            for work, frame in zip(self._batch.works, self._frames, strict=self._tracer is not None)
            if frame.is_sampled and work.raw.origin in delivered
        ]
        if self._tracer is None or not acknowledged:
            return
        publish = _Stage("publish", self._began_at, time.monotonic())
        batch = self._end_batch(self._tracer, [frame for _, frame in acknowledged], publish)
        for work, frame in acknowledged:
            self._add(self._tracer, frame, [*_stages(work), publish])
            frame.link(batch)
            frame.end(self._unix(publish.ended_at), error=work.reason if work.error else None)

    def _start_frames(self, tracer: Tracer, defects: Sequence[int]) -> Iterator[Span]:
        for work, found in zip(self._batch.works, defects, strict=True):
            yield tracer.start(
                f"process {work.reference.topic}",
                at_s=self._unix(work.taken_in_at),
                kind="consumer",
                parent=work.metadata.traceparent if work.metadata else traceparent_of(work.raw.headers),
                attributes=_frame_attributes(work, found),
            )

    def _end_batch(self, tracer: Tracer, frames: list[Span], publish: _Stage) -> Span:
        began_at = min((_inferred_at(work) for work in _inferred(self._batch)), default=publish.began_at)
        batch = tracer.start(
            "batch", at_s=self._unix(began_at), links=frames, attributes=_batch_attributes(self._batch)
        )
        infer = _Stage("infer", began_at, min(began_at + self._batch.infer_s, publish.began_at))
        self._add(tracer, batch, [infer, publish] if _inferred(self._batch) else [publish])
        batch.end(self._unix(publish.ended_at))
        return batch

    def _add(self, tracer: Tracer, parent: Span, stages: Sequence[_Stage]) -> None:
        for stage in stages:
            span = tracer.start(stage.name, at_s=self._unix(stage.began_at), parent=parent)
            span.end(self._unix(stage.ended_at))

    def _unix(self, at: float) -> float:
        return self._unix_s + at


def _headers(frame: Span) -> Headers:
    return () if frame.traceparent is None else (("traceparent", frame.traceparent.encode()),)


def _stages(work: Work) -> Iterator[_Stage]:
    """Before ``decode`` a frame waits for a thread, after ``infer`` for the batch before to be published."""
    if work.decode_began_at is None:
        return
    decoded_at = work.decode_began_at + work.decode_s
    yield _Stage("decode", work.decode_began_at, decoded_at)
    if work.batch_frames:
        inferred_at = max(_inferred_at(work), decoded_at)
        yield _Stage("wait", decoded_at, inferred_at)
        yield _Stage("infer", inferred_at, inferred_at + work.infer_s)


def _inferred_at(work: Work) -> float:
    return work.taken_in_at + work.decode_s + work.wait_s


def _inferred(batch: Batch) -> list[Work]:
    return [work for work in batch.works if work.batch_frames]


def _frame_attributes(work: Work, defects: int) -> Attributes:
    frame = work.reference
    optional: dict[str, str | int | None] = {
        "stripsight.coil": frame.coil,
        "stripsight.side": frame.side,
        "stripsight.sequence": frame.sequence,
        "stripsight.reason": work.reason,
    }
    known: dict[str, str | int | float] = {
        "messaging.system": "kafka",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": frame.topic,
        "messaging.destination.partition.id": str(frame.partition),
        "messaging.kafka.offset": frame.offset,
        "stripsight.frame": frame.id,
        "stripsight.line": frame.line,
        "stripsight.camera": frame.camera,
        "stripsight.age_ms": round(work.age_at_intake_s * 1000, 3),
        "stripsight.outcome": work.outcome,
        "stripsight.defects": defects,
    }
    return known | {name: value for name, value in optional.items() if value is not None}


def _batch_attributes(batch: Batch) -> Attributes:
    return {
        "messaging.system": "kafka",
        "messaging.batch.message_count": len(batch.works),
        "stripsight.batch": batch.number,
        "stripsight.batch.inferred": len(_inferred(batch)),
        "stripsight.model.name": batch.model.reference.name,
        "stripsight.model.version": batch.model.reference.version,
    }
