"""Kafka: what the daemon knows of its broker, and what the broker tells of itself where that is scraped."""

from grafana_foundation_sdk.builders import stat, table, text, timeseries
from grafana_foundation_sdk.models.common import BigValueTextMode
from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana import panels, scales
from deploy.grafana.board import KAFKA, Section, board
from deploy.grafana.promql import DAEMON, SMOOTH, counted, else_zero, grown, of, quantile, rate, total, where
from deploy.grafana.scales import BAD, GOOD, WATCH

_LAG = of("stripsight_consumer_lag_frames", DAEMON)
_PUBLISH = where(DAEMON, 'stage="publish"')
_FRAMES = total(grown("stripsight_frames_total", DAEMON))
_NO_AGENT = "absent: the broker's JMX agent is not scraped"
_AGENT = f"""\
These panels are empty unless Prometheus scrapes the broker's own metrics through the
[JMX agent](https://github.com/prometheus/jmx_exporter). Nothing above needs it: lag, losses and dead letters
come from the daemon. The names are those that the rules for Kafka in the agent's own examples give, and
Strimzi's, too. Where they are missing, a panel says `{_NO_AGENT}`.
"""


def dashboard() -> Dashboard:
    """Return the dashboard."""
    return board(
        KAFKA,
        "For engineers: how far behind is each partition, was anything lost, how does the broker answer?",
        [
            Section("Now", [_ready(), _lag_now(), _worst_now(), _lost_now(), _dead_now(), _publish_now()]),
            Section("Lag", [_lag_by_topic(), _growth(), _lag_by_partition(), _lag_table()]),
            Section("Lost and refused", [_lost(), _dead()]),
            Section("Publishing", [_publish_times(), _publish_rate()]),
            Section(
                "The broker itself (optional)",
                [
                    _about_agent(),
                    _offline(),
                    _under_replicated(),
                    _bytes_in(),
                    _bytes_out(),
                    _sizes(),
                    _records(),
                ],
                is_folded=True,
            ),
        ],
        hidden=("line", "camera"),  # Kafka knows topics alone
    )


def _ready() -> stat.Panel:
    meanings = {1: ("ready", GOOD), 0: ("not ready", WATCH)}
    return (
        panels.lamp(
            "Daemons",
            "Ready: the broker is reachable, partitions are assigned, the model is warm. With several "
            "daemons, the worst of them.",
            f"min({of('stripsight_ready', DAEMON)})",
        )
        .thresholds(scales.thresholds(WATCH, (1, GOOD)))
        .mappings(scales.words(meanings, ("no daemon", BAD)))
        .no_value("no daemon")
    )


def _lag_now() -> stat.Panel:
    return panels.figure(
        "Lag", "Frames on all topics that are not yet inspected and committed.", "short", {"": total(_LAG)}
    ).decimals(0)


def _worst_now() -> stat.Panel:
    worst = f"topk(1, max by (topic, partition) ({_LAG}))"
    return (
        panels.figure(
            "Worst partition",
            "The partition with the most frames waiting. Far above the others: one camera floods, or is "
            "starved.",
            "short",
            {"{{topic}} {{partition}}": worst},
        )
        .text_mode(BigValueTextMode.VALUE_AND_NAME)
        .decimals(0)
    )


def _lost_now() -> stat.Panel:
    return (
        panels.figure(
            "Lost frames",
            "Frames that the broker deleted before they were read, in the span of time chosen above: its "
            "retention is shorter than the lag.",
            "short",
            {"": else_zero(total(counted("stripsight_lost_frames_total", DAEMON)), _FRAMES)},
        )
        .thresholds(scales.thresholds(GOOD, (1e-9, BAD)))
        .decimals(0)
    )


def _dead_now() -> stat.Panel:
    return (
        panels.figure(
            "Dead letters",
            "Frames that went to the dead-letter topic, in the span of time chosen above.",
            "short",
            {"": else_zero(total(grown("stripsight_dead_letters_total", DAEMON)), _FRAMES)},
        )
        .thresholds(scales.NONE_IS_GOOD)
        .decimals(0)
    )


def _publish_now() -> stat.Panel:
    return panels.figure(
        "Publishing a batch, p99",
        "From handing a batch's results to the client until the broker has acknowledged all of them.",
        "s",
        {"": quantile(0.99, "stripsight_stage_duration_seconds", _PUBLISH)},
    )


def _lag_by_topic() -> timeseries.Panel:
    return panels.lines(
        "Lag by topic",
        "Frames that are not yet inspected and committed. A saw tooth is normal: offsets are committed in "
        "steps.",
        "short",
        {"{{topic}}": total(_LAG, "topic")},
    )


def _growth() -> timeseries.Panel:
    growth = total(f"deriv({of('stripsight_consumer_lag_frames', DAEMON, SMOOTH)})", "topic")
    return panels.curves(
        "How fast the lag grows, by topic",
        "Frames more that wait each second. Above 0 for long, the cameras outrun the model; below 0, "
        "it catches up.",
        "hertz",
        {"{{topic}}": growth},
    ).axis_centered_zero(True)


def _lag_by_partition() -> timeseries.Panel:
    return panels.lines(
        "Lag by partition",
        "The same for each partition. One that nobody reads keeps rising, or vanishes with its daemon.",
        "short",
        {"{{topic}} {{partition}}": f"max by (topic, partition) ({_LAG})"},
        (16, 9),
    )


def _lag_table() -> table.Panel:
    return panels.rows(
        "Lag of each partition, now",
        "Frames that wait, by partition, and the daemon that reads them.",
        "short",
        f"sort_desc(max by (topic, partition, instance) ({_LAG}))",
        (8, 9),
    )


def _lost() -> timeseries.Panel:
    return panels.stacked(
        "Lost frames, by topic",
        "Frames that the broker deleted before they were read. No record tells of them: retention must be "
        "longer.",
        "short",
        {"{{topic}}": total(counted("stripsight_lost_frames_total", DAEMON, SMOOTH), "topic")},
    )


def _dead() -> timeseries.Panel:
    return panels.stacked(
        "Dead letters, by reason",
        "Frames that could not be inspected. unreadable_record: Kafka's client cannot read the record, "
        "and its bytes are lost.",
        "short",
        {"{{reason}}": total(grown("stripsight_dead_letters_total", DAEMON, SMOOTH), "reason")},
    )


def _publish_times() -> timeseries.Panel:
    stage = "stripsight_stage_duration_seconds"
    return panels.lines(
        "Time to publish a batch",
        "How fast the broker acknowledges: of half and of 99 in a hundred batches.",
        "s",
        {"p50": quantile(0.5, stage, _PUBLISH), "p99": quantile(0.99, stage, _PUBLISH)},
    )


def _publish_rate() -> timeseries.Panel:
    return panels.lines(
        "Batches published a second, by daemon",
        "Batches whose results the broker has acknowledged. Frames in a batch: Throughput and latency.",
        "hertz",
        {"{{instance}}": total(rate("stripsight_stage_duration_seconds_count", _PUBLISH), "instance")},
    )


def _about_agent() -> text.Panel:
    return panels.note("Where these come from", "What the panels of this row need.", _AGENT, (12, 5))


def _offline() -> stat.Panel:
    offline = "sum(kafka_controller_kafkacontroller_offlinepartitionscount)"
    return _of_broker(
        "Offline partitions", "Partitions without a leader: nothing can be read or written.", offline
    )


def _under_replicated() -> stat.Panel:
    behind = "sum(kafka_server_replicamanager_underreplicatedpartitions)"
    return _of_broker(
        "Under-replicated partitions", "Partitions with fewer copies in step than they should have.", behind
    )


def _of_broker(title: str, description: str, expression: str) -> stat.Panel:
    panel = panels.figure(title, description, "none", {"": expression}, (6, 5)).no_value(_NO_AGENT)
    return panel.thresholds(scales.thresholds(GOOD, (1, BAD)))


def _bytes_in() -> timeseries.Panel:
    return _traffic("Bytes in, by topic", "What producers write.", "Bps", "bytesin")


def _bytes_out() -> timeseries.Panel:
    return _traffic("Bytes out, by topic", "What consumers read.", "Bps", "bytesout")


def _records() -> timeseries.Panel:
    return _traffic(
        "Records in, by topic", "Records that producers write each second.", "hertz", "messagesin"
    )


def _traffic(title: str, description: str, unit: str, what: str) -> timeseries.Panel:
    # With the label alone: the broker exposes the sum of all topics under the same name.
    moved = rate(f"kafka_server_brokertopicmetrics_{what}_total", 'topic!=""')
    return panels.lines(title, description, unit, {"{{topic}}": total(moved, "topic")}).no_value(_NO_AGENT)


def _sizes() -> timeseries.Panel:
    return panels.lines(
        "Size of topics on disk",
        "Bytes that the broker keeps, by topic, all copies together: what retention must hold.",
        "bytes",
        {"{{topic}}": "sum by (topic) (kafka_log_log_size)"},
    ).no_value(_NO_AGENT)
