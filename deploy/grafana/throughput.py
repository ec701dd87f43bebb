"""Throughput and latency: what engineers look at. Is the objective kept, and what does each part cost."""

from grafana_foundation_sdk.builders import heatmap, stat, table, timeseries
from grafana_foundation_sdk.models.common import BigValueTextMode
from grafana_foundation_sdk.models.dashboard import Dashboard, DynamicConfigValue

from deploy.grafana import panels, scales
from deploy.grafana.board import THROUGHPUT, Section, board
from deploy.grafana.promql import (
    CAMERA,
    DAEMON,
    SMOOTH,
    else_zero,
    grown,
    mean,
    of,
    quantile,
    rate,
    total,
    where,
)
from deploy.grafana.scales import BAD, GOOD, WATCH

_AGE = "stripsight_frame_age_seconds"
_STAGE = "stripsight_stage_duration_seconds"
_OBJECTIVE = f"max({of('stripsight_latency_objective_seconds', DAEMON)})"
_LAG = total(of("stripsight_consumer_lag_frames", DAEMON))
_BUSY = total(rate(f"{_STAGE}_sum", where(DAEMON, 'stage="infer"')), "instance")
_NO_GPU = "no GPU"


def dashboard() -> Dashboard:
    """Return the dashboard."""
    return board(
        THROUGHPUT,
        "For engineers: is the latency objective kept, how far behind are we, what does each stage cost?",
        [
            Section("Now", [_frames_now(), _age_now(), _in_time(), _behind_now(), _busy_now(), _model()]),
            Section("Throughput and latency", [_frames(), _ages(), _late(), _age_density()]),
            Section("Stages", [_stage_means(), _stage_tails(), _busy()]),
            Section("Batches and queues", [_queue(), _batches(), _in_flight(), _batch_wait()]),
            Section("How far behind", [_lag(), _behind()]),
            Section("GPU", [_gpu_memory(), _gpu_use()]),
            Section("Model", [_exchanges(), _models()]),
        ],
    )


def _frames_now() -> stat.Panel:
    frames = total(rate("stripsight_frames_total", CAMERA))
    return panels.figure(
        "Frames a second",
        "Frames whose inspection record the broker has acknowledged.",
        "hertz",
        {"": frames},
    ).decimals(1)


def _age_now() -> stat.Panel:
    return panels.figure(
        "Age at acknowledgement, p99",
        "From a frame's capture to the acknowledgement of its results: the latency that the line feels. Of a "
        "hundred frames, 99 were faster.",
        "s",
        {"": quantile(0.99, _AGE, CAMERA)},
    )


def _in_time() -> stat.Panel:
    late = total(grown("stripsight_late_frames_total", CAMERA))
    frames = total(grown(f"{_AGE}_count", CAMERA))
    return (
        panels.figure(
            "In time",
            "Share of the frames that kept the latency objective, in the span of time chosen above.",
            "percentunit",
            {"": f"1 - ({else_zero(late, frames)}) / {frames}"},
        )
        .thresholds(scales.thresholds(BAD, (0.95, WATCH), (0.99, GOOD)))
        .decimals(2)
    )


def _behind_now() -> stat.Panel:
    return (
        panels.figure(
            "Behind",
            "How long the frames that wait on the topics would keep the daemon busy at its present pace. "
            "Nothing is shown while no frame is inspected.",
            "s",
            {"": _seconds_behind()},
        )
        .thresholds(scales.thresholds(GOOD, (5, WATCH), (60, BAD)))
        .no_value("idle")
    )


def _busy_now() -> stat.Panel:
    return (
        panels.figure(
            "Model busy",
            "Share of the time in which the model looks at a batch; the busiest daemon's. Near 100 % the "
            "model is what limits the line.",
            "percentunit",
            {"": f"max({_BUSY})"},
        )
        .thresholds(scales.thresholds(GOOD, (0.8, WATCH), (0.95, BAD)))
        .decimals(0)
    )


def _model() -> stat.Panel:
    names = f"max by (name, version) ({of('stripsight_model_info', DAEMON)})"
    return (
        panels.figure(
            "Model",
            "Name and version of the model that looks at the frames.",
            "none",
            {"{{name}} {{version}}": names},
        )
        .text_mode(BigValueTextMode.NAME)
        .no_value("no model")
    )


def _frames() -> timeseries.Panel:
    frames = total(rate("stripsight_frames_total", CAMERA), "camera", "outcome")
    return panels.lines(
        "Frames a second, by camera and outcome",
        "Each frame ends as inspected, skipped (too old under overload) or failed (dead letter).",
        "hertz",
        {"{{camera}} {{outcome}}": frames},
    )


def _ages() -> timeseries.Panel:
    return panels.lines(
        "Age of frames at acknowledgement, against the objective",
        "From capture to the acknowledgement of the results, over the chosen cameras. Skipped frames are "
        "not in it. The dashed line is pipeline.latency_objective_ms.",
        "s",
        {
            "p50": quantile(0.5, _AGE, CAMERA),
            "p90": quantile(0.9, _AGE, CAMERA),
            "p99": quantile(0.99, _AGE, CAMERA),
            "objective": _OBJECTIVE,
        },
    ).override_by_name(*panels.limit("objective"))


def _late() -> timeseries.Panel:
    frames = total(rate(f"{_AGE}_count", CAMERA), "camera")
    late = else_zero(total(rate("stripsight_late_frames_total", CAMERA), "camera"), frames)
    return panels.lines(
        "Share of frames beyond the objective, by camera",
        "Frames whose age at acknowledgement was above pipeline.latency_objective_ms. Alerts look at this "
        "share over several windows at once.",
        "percentunit",
        {"{{camera}}": f"({late}) / {frames}"},
    )


def _age_density() -> heatmap.Panel:
    ages = total(grown(f"{_AGE}_bucket", CAMERA, SMOOTH), "le")
    return panels.density(
        "Where the ages lie",
        "How many frames had which age at acknowledgement. Two bands are two ways through the daemon: "
        "look at cameras one by one.",
        "s",
        {"{{le}}": ages},
        (12, 8),
        of_buckets=True,
    )


def _stage_means() -> timeseries.Panel:
    return panels.lines(
        "Time in each stage, mean",
        "decode: a frame. wait: a frame, in the queue for the model. infer and publish: a batch.",
        "s",
        {"{{stage}}": mean(_STAGE, DAEMON, "stage")},
        (8, 8),
    )


def _stage_tails() -> timeseries.Panel:
    return panels.lines(
        "Time in each stage, p99",
        "Of a hundred passes through the stage, 99 were faster.",
        "s",
        {"{{stage}}": quantile(0.99, _STAGE, DAEMON, "stage")},
        (8, 8),
    )


def _busy() -> timeseries.Panel:
    return panels.lines(
        "Model busy, by daemon",
        "Share of the time in which the model looks at a batch.",
        "percentunit",
        {"{{instance}}": _BUSY},
        (8, 8),
    ).max(1)


def _queue() -> timeseries.Panel:
    return panels.lines(
        "Frames that wait for the model",
        "Frames taken in, against the room there is for them. At capacity, intake pauses and frames wait "
        "at the broker.",
        "none",
        {
            "{{instance}}": of("stripsight_queue_frames", DAEMON),
            "capacity": f"max({of('stripsight_queue_capacity_frames', DAEMON)})",
        },
    ).override_by_name(*panels.limit("capacity"))


def _batches() -> timeseries.Panel:
    return panels.lines(
        "Frames in a batch, against the limit",
        "Mean size of the batches. The limit is pipeline.max_batch, or what pipeline.target_p99_ms leaves "
        "of it.",
        "none",
        {
            "{{instance}}": mean("stripsight_batch_frames", DAEMON, "instance"),
            "limit": f"max({of('stripsight_batch_limit_frames', DAEMON)})",
        },
    ).override_by_name(*panels.limit("limit"))


def _in_flight() -> timeseries.Panel:
    return panels.lines(
        "Batches in flight",
        "Batches between the start of their inference and the acknowledgement of their results. Many: the "
        "broker answers slowly.",
        "none",
        {"{{instance}}": of("stripsight_batches_in_flight", DAEMON)},
    )


def _batch_wait() -> timeseries.Panel:
    return panels.lines(
        "How long a batch may wait for more frames",
        "pipeline.max_wait_ms, or what pipeline.target_p99_ms leaves of it.",
        "s",
        {"{{instance}}": of("stripsight_batch_wait_seconds", DAEMON)},
    )


def _lag() -> timeseries.Panel:
    return panels.lines(
        "Frames that wait on the topics",
        "Frames that are not yet inspected and committed, by topic. The Kafka dashboard shows partitions.",
        "none",
        {"{{topic}}": total(of("stripsight_consumer_lag_frames", DAEMON), "topic")},
    )


def _behind() -> timeseries.Panel:
    return panels.lines(
        "Behind, as time",
        "Frames that wait, divided by the frames inspected each second: how long the daemons would need "
        "for them.",
        "s",
        {"behind": _seconds_behind()},
    )


def _gpu_memory() -> timeseries.Panel:
    return (
        panels.lines(
            "GPU memory",
            "Memory in use on the device, by all that runs there, against what it has. Absent without a GPU.",
            "bytes",
            {
                "{{instance}} {{device}}": of("stripsight_device_memory_used_bytes", DAEMON),
                "total": f"max({of('stripsight_device_memory_total_bytes', DAEMON)})",
            },
        )
        .override_by_name(*panels.limit("total"))
        .no_value(_NO_GPU)
    )


def _gpu_use() -> timeseries.Panel:
    return (
        panels.lines(
            "GPU utilisation",
            "Share of the time in which the device computed something. Low while the model is busy: "
            "batches are too small to fill it. Absent without a GPU.",
            "percentunit",
            {"{{instance}} {{device}}": of("stripsight_device_utilization_ratio", DAEMON)},
        )
        .max(1)
        .no_value(_NO_GPU)
    )


def _exchanges() -> timeseries.Panel:
    exchanges = total(grown("stripsight_model_exchanges_total", DAEMON, SMOOTH), "outcome")
    return panels.stacked(
        "Attempts to exchange the model",
        "Exchanged, or refused with the one before left at work. The daemon's log says why.",
        "none",
        {"{{outcome}}": exchanges},
    ).override_by_name("refused", [DynamicConfigValue("color", {"mode": "fixed", "fixedColor": BAD})])


def _models() -> table.Panel:
    labels = "instance, name, version, runtime, device, precision"
    return panels.rows(
        "Models at work",
        "What each daemon runs, and on what.",
        "none",
        f"max by ({labels}) ({of('stripsight_model_info', DAEMON)})",
        (12, 8),
    ).with_transformation(panels.hide("Time", "Value"))


def _seconds_behind() -> str:
    # Frames of all cameras: lag knows topics, which need not be named after cameras.
    return f"{_LAG} / ({total(rate('stripsight_frames_total', DAEMON))} > 0)"
