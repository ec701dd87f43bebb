"""Metrics, and their description."""

import re
import time
from pathlib import Path

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from edge.telemetry.metrics import MOST_CAMERAS, OTHERS, Metrics

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "metrics.md"


def metrics_with_samples() -> Metrics:
    """Metrics in which every family has a sample."""
    metrics = Metrics()
    metrics.frames.labels("l", "c", "inspected")
    metrics.strip_meters.labels("l", "c", "inspected")
    metrics.defects.labels("l", "c", "defect_1")
    metrics.dead_letters.labels("corrupt_image")
    metrics.stage_seconds.labels("infer")
    metrics.frame_age_seconds.labels("l", "c")
    metrics.model.info(dict.fromkeys(("name", "version", "runtime", "device", "precision"), "x"))
    metrics.build.info({"version": "1"})
    metrics.skipped_frames.labels("l", "c", "too_old")
    metrics.skipped_strip_meters.labels("l", "c", "too_old")
    metrics.watch_lag(lambda: {("frames.c", 0): 3})
    metrics.watch_lost(lambda: {"frames.c": 3})
    return metrics


def exposed_labels() -> dict[str, tuple[str, set[str]]]:
    """Type and labels of every metric as it is exposed, by the name that its document uses."""
    text = generate_latest(metrics_with_samples().registry).decode()
    families: dict[str, tuple[str, set[str]]] = {}
    for family in text_string_to_metric_families(text):
        name = family.name + ("_total" if family.type == "counter" else "")
        kind = "info" if name.endswith("_info") else family.type
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        families[name] = (kind, labels)
    return families


def documented_labels() -> dict[str, tuple[str, set[str]]]:
    """The same, from docs/metrics.md."""
    row = re.compile(r"^\| `(\w+)` \| (\w+) \| (.*?) ?\| .+ \|$", re.MULTILINE)
    return {
        name: (kind, set(re.findall(r"`(\w+)`", labels)))
        for name, kind, labels in row.findall(DOCUMENT.read_text())
    }


def test_every_metric_is_documented_and_every_documented_one_exists() -> None:
    """Name, type and labels in docs/metrics.md are those of the code."""
    assert documented_labels() == exposed_labels()


def test_names_follow_the_conventions() -> None:
    """Every metric has the prefix, or Prometheus' own for processes, and base units by their names."""
    for name in exposed_labels():
        assert name.startswith(("stripsight_", "process_"))
        assert not {"ms", "mm", "metres"} & set(name.split("_"))
        assert not name.endswith("_created")


def test_the_start_is_told_as_a_unix_time() -> None:
    """A daemon's restart shows as a later start."""
    before = time.time()
    metrics = Metrics()
    start = metrics.registry.get_sample_value("process_start_time_seconds")
    assert start is not None
    assert before <= start <= time.time()


def test_the_lag_is_asked_for_at_each_scrape() -> None:
    """Partitions that went to another daemon vanish, and the figure is never stale."""
    metrics = Metrics()
    lag = {("frames.c", 0): 3}
    metrics.watch_lag(lambda: lag)
    sample = ("stripsight_consumer_lag_frames", {"topic": "frames.c", "partition": "0"})
    assert metrics.registry.get_sample_value(*sample) == 3
    lag.clear()
    assert metrics.registry.get_sample_value(*sample) is None


def test_a_flood_of_names_does_not_grow_the_metrics() -> None:
    """Only frames that prove to be of a camera get a label, and only the first hundred cameras."""
    metrics = Metrics()
    assert metrics.camera_labels("l", "liar", is_known=False) == OTHERS
    names = [f"cam{number}" for number in range(MOST_CAMERAS + 50)]
    labels = {metrics.camera_labels("l", name, is_known=True) for name in names}
    assert len(labels) == MOST_CAMERAS + 1
    assert metrics.camera_labels("l", "cam0", is_known=False) == ("l", "cam0"), (
        "a known camera's bad frame is its own"
    )
