"""What the metrics count of a batch and of each of its frames, once results are where they belong."""

from collections.abc import Sequence
from datetime import UTC, datetime

from edge.contracts.results import Defect, Inspection
from edge.pipeline.work import ServedModel, Work
from edge.telemetry.metrics import Metrics


def count_batch(metrics: Metrics, works: Sequence[Work], infer_s: float) -> None:
    """Count a batch; frames that were skipped are none of it."""
    if frames := sum(work.skipped is None for work in works):
        metrics.batch_frames.observe(frames)
        metrics.stage_seconds.labels("infer").observe(infer_s)


def count_frame(
    metrics: Metrics,
    work: Work,
    found: Sequence[Defect],
    inspection: Inspection,
    model: ServedModel,
    *,
    objective_s: float,
) -> None:
    """Count a frame: its outcome, its length of strip, the time it took, and its defects."""
    reference = work.reference
    who = metrics.camera_labels(reference.line, reference.camera, is_known=work.metadata is not None)
    metrics.frames.labels(*who, inspection.outcome).inc()
    if inspection.strip_mm is not None:
        length_mm = inspection.strip_mm.y1 - inspection.strip_mm.y0
        metrics.strip_meters.labels(*who, inspection.outcome).inc(length_mm / 1000)
        if work.skipped is not None:
            metrics.skipped_strip_meters.labels(*who, work.skipped.reason).inc(length_mm / 1000)
    if work.skipped is not None:
        metrics.skipped_frames.labels(*who, work.skipped.reason).inc()
        return  # the histograms tell of frames that were looked at
    metrics.stage_seconds.labels("decode").observe(work.decode_s)
    metrics.stage_seconds.labels("wait").observe(work.wait_s)
    age_s = (datetime.now(UTC) - reference.captured_at).total_seconds()
    metrics.frame_done(who, max(age_s, 0.0), objective_s=objective_s)
    metrics.expect_defects(who, model.class_names)
    if work.screening is not None:
        metrics.frame_screened(who, passed=work.screening.passed)
    for defect in found:
        metrics.defect_found(who, defect.class_name, (defect.box_mm.x0 + defect.box_mm.x1) / 2)
