"""What must become of a record, whatever is in it: an outcome that is known by name, at little cost."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from edge.bus.record import FrameResults, Record
from edge.contracts.encoding import decode_record
from edge.contracts.frame import FrameOrigin, RawFrame
from edge.contracts.image_header import read_image_header
from edge.contracts.results import Defect, Inspection
from edge.errors import FrameError
from edge.pipeline.decoding import DecodingStage
from edge.pipeline.delivery import DeliveryStage
from edge.pipeline.identify import Identifier
from edge.pipeline.inference import InferenceStage
from edge.pipeline.work import Batch, Work
from edge.settings import KafkaSettings
from edge.telemetry.metrics import Metrics
from edge.vision.fake import FakeRuntime
from tests.support.hostile.records import CAMERAS

MAX_PIXELS = 2**18
DEADLINE_S = 2.0
"""Of processor time, so that a busy machine is no failure. Most records take a millisecond."""
MOST_MEMORY_BYTES = 32 * 2**20
"""By which one record may raise what the process holds; the largest picture takes 3 MiB to decode."""
_LARGEST_INSPECTION_BYTES = 8192
_KAFKA = KafkaSettings()


class Verdict(NamedTuple):
    """What became of a record, and what that cost."""

    outcome: str
    """``inspected``, or the reason of the failure."""
    took_s: float
    took_bytes: int


class Court:
    """Decoding, inference and delivery as the daemon has them; only Kafka and the model are not there."""

    def __init__(self) -> None:
        runtime = FakeRuntime()
        self._decoding = DecodingStage(Identifier("line-1", CAMERAS), threads=1, max_pixels=MAX_PIXELS)
        self._inference = InferenceStage(runtime)
        self._published: list[Record] = []
        self._done: list[FrameOrigin] = []
        self._delivery = DeliveryStage(
            self,  # type: ignore[arg-type] # stands in for Kafka
            _KAFKA,
            Metrics(),
            latency_objective_ms=1000,
        )

    async def deliver(self, results: Sequence[FrameResults]) -> frozenset[FrameOrigin]:
        """Keep what goes to Kafka."""
        self._published = [record for each in results for record in each.records]
        self._done += [each.origin for each in results]
        return frozenset(self._done)

    async def judge(self, raw: RawFrame) -> Verdict:
        """Send a record through and look at what comes out.

        Raises:
            AssertionError: the outcome has no name, its records cannot be read, or it cost too much.
        """
        held, began_at = forget_peak(), time.process_time()
        work = await self._decoding.start(self._decoding.identify(raw))
        _check_decoded(work, self._decoding.decoded_bytes(raw))
        inferred = await self._inference.infer([work])
        await self._delivery.deliver(Batch(0, [work], inferred.infer_s, inferred.model))
        took_s, took_bytes = time.process_time() - began_at, memory_bytes("VmHWM") - held
        assert took_s < DEADLINE_S, f"it took {took_s:.1f} s"
        assert took_bytes < MOST_MEMORY_BYTES, f"it took {took_bytes / 2**20:.0f} MiB"
        assert self._done.pop() == raw.origin
        return Verdict(_check_records(raw, self._published), took_s, took_bytes)


def _check_decoded(work: Work, expected_bytes: int) -> None:
    if work.error is not None:
        assert isinstance(work.error, FrameError)
        assert type(work.error) is not FrameError, f"unforeseen: {work.error}"
        return
    assert work.image is not None
    assert work.metadata is not None
    assert work.raw.value is not None
    header = read_image_header(work.raw.value) if work.metadata.content_type != "image/x-mono8" else None
    said = header or work.metadata
    assert work.image.dtype == np.uint8
    assert work.image.shape[:2] == (said.height_px, said.width_px) == (work.height_px, work.width_px)
    assert work.image.shape[2:] in ((), (3,))
    assert work.image.shape[0] * work.image.shape[1] <= MAX_PIXELS
    assert header is None or work.image.nbytes == expected_bytes


def _check_records(raw: RawFrame, records: Sequence[Record]) -> str:
    """One inspection, one dead letter for a failed frame, and what it counts of defects."""
    inspection = decode_record(records[-1].value, Inspection)
    assert inspection.id == raw.origin.id
    assert len(records[-1].value or b"") <= _LARGEST_INSPECTION_BYTES
    if inspection.outcome == "failed":
        assert len(records) == 2
        _check_dead_letter(raw, records[0], inspection)
        return str(inspection.reason)
    defects = [decode_record(record.value, Defect) for record in records[:-1]]
    assert inspection.defects == len(defects)
    assert inspection.strip_mm is not None
    assert all(defect.frame == inspection.frame for defect in defects)
    return inspection.outcome


def _check_dead_letter(raw: RawFrame, letter: Record, inspection: Inspection) -> None:
    told = dict(letter.headers[len(raw.headers) :])
    assert (letter.key, letter.value, letter.headers[: len(raw.headers)]) == (raw.key, raw.value, raw.headers)
    assert told["stripsight-reason"].decode() == inspection.reason
    assert letter.substitute is not None
    bare = letter.substitute("too large")
    assert sum(len(name.encode()) + len(value) for name, value in bare.headers) < _LARGEST_INSPECTION_BYTES


def forget_peak() -> int:
    """Begin to measure anew; return the bytes that the process holds now."""
    Path("/proc/self/clear_refs").write_text("5")
    return memory_bytes("VmHWM")


def memory_bytes(kind: str) -> int:
    """Of this process: ``VmHWM``, the most since the last ``forget_peak``; ``VmRSS``; ``VmSize``."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{kind}:"))
