"""Every metric of the daemon, in Prometheus' conventions: base units, ``_total``, ``_seconds``.

Labels are bounded: cameras (the first hundred), classes, zones, stages and reasons, never coils or frames.
"""

import functools
from collections.abc import Callable, Mapping
from typing import get_args

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    disable_created_metrics,
)
from prometheus_client.metrics import MetricWrapperBase

from edge.contracts.results import SKIP_REASONS, Outcome
from edge.errors import frame_error_reasons
from edge.telemetry.collectors import DeviceCollector, LagCollector, LostCollector
from edge.telemetry.zones import strip_zone, strip_zones
from edge.vision.device import DeviceUse

# 1 ms to 30 s: a GPU's batch lies at the lower end, a CPU's in the middle, a line that falls behind beyond.
LATENCY_BUCKETS_S = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.035, 0.05, 0.075),
    *(0.1, 0.15, 0.25, 0.5, 0.75, 1, 1.5, 2.5, 5, 10, 20, 30),
)
# Anybody may publish frames under any name. Each name costs about 60 series for as long as the daemon runs,
# and the name of a line one for each zone and class; a line has a dozen cameras, and what is beyond this is
# counted together.
MOST_CAMERAS = 100
OTHERS = ("other", "other")

BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64)

# A series more for each counter and histogram, which nobody asks for: Prometheus finds restarts by itself.
disable_created_metrics()  # type: ignore[no-untyped-call] # the library annotates all but this


class Metrics:
    """The daemon's metrics, in a registry of their own."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self._cameras: set[tuple[str, str]] = set()
        self._expected: set[tuple[tuple[str, str], tuple[str, ...]]] = set()
        self.frames = Counter(
            "stripsight_frames",
            "Frames with an acknowledged inspection record, by outcome.",
            ["line", "camera", "outcome"],
            registry=self.registry,
        )
        self.strip_meters = Counter(
            "stripsight_strip_meters",
            "Length of strip shown by the frames, in metres, by outcome.",
            ["line", "camera", "outcome"],
            registry=self.registry,
        )
        self.defects = Counter(
            "stripsight_defects",
            "Defects published, by class.",
            ["line", "camera", "defect_class"],
            registry=self.registry,
        )
        self.dead_letters = Counter(
            "stripsight_dead_letters",
            "Frames that went to the dead-letter topic, by reason.",
            ["reason"],
            registry=self.registry,
        )
        for reason in frame_error_reasons():
            self.dead_letters.labels(reason)
        self.stage_seconds = Histogram(
            "stripsight_stage_duration_seconds",
            "Time in a stage: decode and wait a frame, infer and publish a batch.",
            ["stage"],
            buckets=LATENCY_BUCKETS_S,
            registry=self.registry,
        )
        self.frame_age_seconds = Histogram(
            "stripsight_frame_age_seconds",
            "From a frame's capture to the broker's acknowledgement of its results.",
            ["line", "camera"],
            buckets=LATENCY_BUCKETS_S,
            registry=self.registry,
        )
        self.batch_frames = Histogram(
            "stripsight_batch_frames",
            "Frames in a batch.",
            buckets=BATCH_BUCKETS,
            registry=self.registry,
        )
        self.queue_frames = Gauge(
            "stripsight_queue_frames",
            "Frames taken in that wait for the model.",
            registry=self.registry,
        )
        self.queue_capacity_frames = Gauge(
            "stripsight_queue_capacity_frames",
            "Frames that may wait for the model before intake pauses.",
            registry=self.registry,
        )
        self.batches_in_flight = Gauge(
            "stripsight_batches_in_flight",
            "Batches between the start of their inference and the acknowledgement of their results.",
            registry=self.registry,
        )
        self.skipped_frames = Counter(
            "stripsight_skipped_frames",
            "Frames that were skipped, by reason.",
            ["line", "camera", "reason"],
            registry=self.registry,
        )
        self.skipped_strip_meters = Counter(
            "stripsight_skipped_strip_meters",
            "Length of strip shown by the frames that were skipped, in metres, by reason.",
            ["line", "camera", "reason"],
            registry=self.registry,
        )
        self.batch_limit_frames = Gauge(
            "stripsight_batch_limit_frames",
            "Frames that the next batch may have.",
            registry=self.registry,
        )
        self.batch_wait_seconds = Gauge(
            "stripsight_batch_wait_seconds",
            "How long the first frame of the next batch may wait for others.",
            registry=self.registry,
        )
        self.ready = Gauge(
            "stripsight_ready",
            "1 when every readiness check passes, else 0.",
            registry=self.registry,
        )
        self.camera_last_frame = Gauge(
            "stripsight_camera_last_frame_timestamp_seconds",
            "Unix time at which the camera's last frame was taken in.",
            ["line", "camera"],
            registry=self.registry,
        )
        self.latency_objective_seconds = Gauge(
            "stripsight_latency_objective_seconds",
            "The age at acknowledgement above which a frame is late.",
            registry=self.registry,
        )
        self.late_frames = Counter(
            "stripsight_late_frames",
            "Frames whose age at acknowledgement was above the objective; skipped ones apart.",
            ["line", "camera"],
            registry=self.registry,
        )
        self.defects_by_zone = Counter(
            "stripsight_defects_by_zone",
            "Defects published, by class and 100 mm across the strip.",
            ["line", "defect_class", "zone"],
            registry=self.registry,
        )
        self.screened_frames = Counter(
            "stripsight_screened_frames",
            "Frames that a screen has looked at, by its verdict.",
            ["line", "camera", "verdict"],
            registry=self.registry,
        )
        self.trace_spans = Counter(
            "stripsight_trace_spans",
            "Spans of traces that were to be exported; none while tracing is off.",
            registry=self.registry,
        )
        self.trace_spans_exported = Counter(
            "stripsight_trace_spans_exported",
            "Those that the collector has taken.",
            registry=self.registry,
        )
        self.model = Info("stripsight_model", "The model that looks at the frames.", registry=self.registry)
        self.model_exchanges = Counter(
            "stripsight_model_exchanges",
            "Attempts to exchange the model: exchanged, or refused with the one before left at work.",
            ["outcome"],
            registry=self.registry,
        )
        for outcome in ("exchanged", "refused"):
            self.model_exchanges.labels(outcome)  # from 0 on: the first one is seen by a rate
        self.build = Info("stripsight_build", "The version of the daemon.", registry=self.registry)
        # Prometheus' own name for it. Its library's collector reads files at each scrape, in the event loop.
        self.start_time = Gauge(
            "process_start_time_seconds", "Unix time at which the daemon started.", registry=self.registry
        )
        self.start_time.set_to_current_time()
        for metric in vars(self).values():
            _remember_children(metric)

    def camera_labels(self, line: str, camera: str, *, is_known: bool) -> tuple[str, str]:
        """Return the labels ``line`` and ``camera`` of a frame.

        Args:
            line: as the frame or its settings name it.
            camera: likewise.
            is_known: whether the frame proved to be of a camera, by its headers or its settings; others are
                counted under ``other``, as are cameras beyond the first hundred.
        """
        labels = (line, camera)
        if labels not in self._cameras and is_known and len(self._cameras) < MOST_CAMERAS:
            self._cameras.add(labels)
            self._begin_at_zero(labels)
        return labels if labels in self._cameras else OTHERS

    def _begin_at_zero(self, who: tuple[str, str]) -> None:
        """A counter that appears with its first event has not grown for Prometheus: the event is unseen."""
        for outcome in get_args(Outcome):
            self.frames.labels(*who, outcome)
            self.strip_meters.labels(*who, outcome)
        for reason in SKIP_REASONS:
            self.skipped_frames.labels(*who, reason)
            self.skipped_strip_meters.labels(*who, reason)
        self.late_frames.labels(*who)

    def expect_defects(self, who: tuple[str, str], class_names: tuple[str, ...]) -> None:
        """Count from 0 on the classes that a camera's frames are searched for, and each zone of its line."""
        if (who, class_names) in self._expected:
            return
        self._expected.add((who, class_names))
        line, _ = who
        for name in class_names:
            self.defects.labels(*who, name)
            for zone in strip_zones():
                self.defects_by_zone.labels(line, name, zone)

    def frame_taken_in(self, line: str, camera: str, at: float, *, is_known: bool) -> None:
        """Note that a camera gave a frame at this Unix time; who is counted under ``other`` is no camera."""
        who = self.camera_labels(line, camera, is_known=is_known)
        if who != OTHERS:
            self.camera_last_frame.labels(*who).set(at)

    def frame_done(self, who: tuple[str, str], age_s: float, *, objective_s: float) -> None:
        """Count a frame that was looked at, and whether it is late: acknowledged at this age."""
        self.frame_age_seconds.labels(*who).observe(age_s)
        self.late_frames.labels(*who).inc(age_s > objective_s)

    def frame_screened(self, who: tuple[str, str], *, passed: bool) -> None:
        """Count a frame that a screen has looked at; where there is none, there is no such counter."""
        for verdict, is_it in (("passed", passed), ("screened_out", not passed)):
            self.screened_frames.labels(*who, verdict).inc(is_it)

    def defect_found(self, who: tuple[str, str], class_name: str, x_mm: float) -> None:
        """Count a defect whose middle lies at ``x_mm`` from the operator-side edge."""
        self.defects.labels(*who, class_name).inc()
        line, _ = who
        self.defects_by_zone.labels(line, class_name, strip_zone(x_mm)).inc()

    def watch_device(self, use: Callable[[], DeviceUse | None]) -> None:
        """Report at each scrape the use of the model's GPU."""
        self.registry.register(DeviceCollector(use))

    def watch_lost(self, lost: Callable[[], Mapping[str, int]]) -> None:
        """Report at each scrape how many frames were deleted before they were read, by topic."""
        self.registry.register(LostCollector(lost))

    def watch_lag(self, lag: Callable[[], Mapping[tuple[str, int], int]]) -> None:
        """Report at each scrape how far the daemon is behind: frames by (topic, partition)."""
        self.registry.register(LagCollector(lag))


def _remember_children(metric: object) -> None:
    """Look series up by a dictionary: ``labels()`` makes text of its arguments under a lock each time.

    As many are remembered as there are, and their labels are bounded.
    """
    if isinstance(metric, MetricWrapperBase):
        metric.labels = functools.cache(metric.labels)  # type: ignore[method-assign]
