"""Metrics, and their description."""

import re
import time
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from edge.telemetry.metrics import MOST_CAMERAS, OTHERS, Metrics
from edge.vision.device import DeviceUse

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "metrics.md"


def metrics_with_samples() -> Metrics:
    """Metrics in which every family has a sample."""
    metrics = Metrics()
    metrics.frames.labels("l", "c", "inspected")
    metrics.strip_meters.labels("l", "c", "inspected")
    metrics.defect_found(("l", "c"), "defect_1", 150.0)
    metrics.frame_taken_in("l", "c", 1.0, is_known=True)
    metrics.frame_done(("l", "c"), 0.5, objective_s=1.0)
    metrics.dead_letters.labels("corrupt_image")
    metrics.stage_seconds.labels("infer")
    metrics.model.info(dict.fromkeys(("name", "version", "runtime", "device", "precision"), "x"))
    metrics.build.info({"version": "1"})
    metrics.skipped_frames.labels("l", "c", "too_old")
    metrics.skipped_strip_meters.labels("l", "c", "too_old")
    metrics.frame_screened(("l", "c"), passed=True)
    metrics.watch_lag(lambda: {("frames.c", 0): 3})
    metrics.watch_lost(lambda: {"frames.c": 3})
    metrics.watch_device(lambda: DeviceUse("cuda:0", 1, 2, 0.5))
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


def test_a_topic_that_lost_nothing_says_so() -> None:
    """A loss shows as growth: its topic stands at 0 before."""
    metrics = Metrics()
    lost = {"frames.c": 0}
    metrics.watch_lost(lambda: lost)
    sample = ("stripsight_lost_frames_total", {"topic": "frames.c"})
    assert metrics.registry.get_sample_value(*sample) == 0
    lost["frames.c"] += 8
    assert metrics.registry.get_sample_value(*sample) == 8


def test_a_frame_is_late_above_the_objective() -> None:
    """A frame that takes as long as the objective is in time; the count begins at 0."""
    metrics = Metrics()
    late = ("stripsight_late_frames_total", {"line": "l", "camera": "c"})
    metrics.frame_done(("l", "c"), 1.0, objective_s=1.0)
    assert metrics.registry.get_sample_value(*late) == 0
    metrics.frame_done(("l", "c"), 1.001, objective_s=1.0)
    assert metrics.registry.get_sample_value(*late) == 1


def test_who_proves_to_be_no_camera_cannot_fall_silent() -> None:
    """Each camera has the time of its last frame; a liar, counted under ``other``, has none."""
    metrics = Metrics()
    metrics.frame_taken_in("l", "c", 5.0, is_known=True)
    metrics.frame_taken_in("l", "c", 7.0, is_known=True)
    metrics.frame_taken_in("l", "liar", 9.0, is_known=False)
    (family,) = metrics.camera_last_frame.collect()
    assert [(sample.labels, sample.value) for sample in family.samples] == [
        ({"line": "l", "camera": "c"}, 7.0)
    ]


def test_defects_are_counted_by_their_place_across_the_strip() -> None:
    """What two cameras see in the same 100 mm is one series; what lies beyond any strip is other."""
    metrics = Metrics()
    for camera, x_mm in (("c", 110.0), ("d", 199.0), ("d", 9999.0)):
        metrics.defect_found(("l", camera), "scratch", x_mm)
    counts = {
        zone: metrics.registry.get_sample_value(
            "stripsight_defects_by_zone_total", {"line": "l", "defect_class": "scratch", "zone": zone}
        )
        for zone in ("0100-0200", "other")
    }
    assert counts == {"0100-0200": 2, "other": 1}


def test_a_gpu_is_asked_at_each_scrape() -> None:
    """Its memory and use are those of now; where nobody tells its use, that alone is absent."""
    metrics = Metrics()
    uses = iter([DeviceUse("cuda:0", 10, 100, 0.25), DeviceUse("cuda:0", 20, 100), None])
    metrics.registry = CollectorRegistry()
    metrics.watch_device(lambda: next(uses))

    def scraped() -> dict[str, float]:
        families = text_string_to_metric_families(generate_latest(metrics.registry).decode())
        return {sample.name: sample.value for family in families for sample in family.samples}

    used, total = "stripsight_device_memory_used_bytes", "stripsight_device_memory_total_bytes"
    assert scraped() == {used: 10, total: 100, "stripsight_device_utilization_ratio": 0.25}
    assert scraped() == {used: 20, total: 100}
    assert scraped() == {}


def test_counters_are_there_before_their_first_event() -> None:
    """The first frame, defect or dead letter of a kind shows as growth: each counter stood at 0 before."""
    metrics = Metrics()
    who = metrics.camera_labels("l", "c", is_known=True)
    metrics.expect_defects(who, ("crack", "scale"))
    value = metrics.registry.get_sample_value
    place = {"line": "l", "camera": "c"}
    for outcome in ("inspected", "skipped", "failed"):
        assert value("stripsight_frames_total", place | {"outcome": outcome}) == 0
        assert value("stripsight_strip_meters_total", place | {"outcome": outcome}) == 0
    for name in ("crack", "scale"):
        assert value("stripsight_defects_total", place | {"defect_class": name}) == 0
        for zone in ("0000-0100", "3900-4000", "other"):
            at = {"line": "l", "defect_class": name, "zone": zone}
            assert value("stripsight_defects_by_zone_total", at) == 0
    for metric in ("stripsight_skipped_frames_total", "stripsight_skipped_strip_meters_total"):
        assert value(metric, place | {"reason": "too_old"}) == 0
    assert value("stripsight_late_frames_total", place) == 0
    for reason in ("corrupt_image", "out_of_memory", "bad_frame"):
        assert value("stripsight_dead_letters_total", {"reason": reason}) == 0
