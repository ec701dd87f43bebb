"""Line overview: what operators look at. Are the cameras alive, what do they see, what was not looked at."""

from grafana_foundation_sdk.builders import dashboard as base
from grafana_foundation_sdk.builders import stat, statetimeline, timeseries
from grafana_foundation_sdk.models.dashboard import Dashboard, FieldColorModeId

from deploy.grafana import panels, scales
from deploy.grafana.board import LINE_OVERVIEW, STRIP_QUALITY, Section, board
from deploy.grafana.promql import CAMERA, DAEMON, SMOOTH, counted, else_zero, of, rate, total, where
from deploy.grafana.scales import BAD, GOOD, LATE_S, SILENT_S, WATCH

_INSPECTED = where(CAMERA, 'outcome="inspected"')
_MISSED = ("stripsight_strip_meters_total", where(CAMERA, 'outcome!="inspected"'))
_LAST_FRAME = of("stripsight_camera_last_frame_timestamp_seconds", CAMERA)


def dashboard() -> Dashboard:
    """Return the dashboard."""
    return board(
        LINE_OVERVIEW,
        "For operators: is every camera alive, what does the strip look like, was any of it not inspected?",
        [
            Section("Now", [_daemon(), _cameras()]),
            Section("Defects and alarms", [_defects_per_meter(), _alarms_now()]),
            Section("Strip without inspection", [_meters_missed(), _share_missed(), _missed_over_time()]),
            Section("What happened", [_camera_states(), _past_alarms()]),
        ],
        hidden=("job", "instance"),  # operators think in lines and cameras
    )


def _daemon() -> stat.Panel:
    # Prometheus knows of a daemon that is down, and the daemon whether it is ready. Among all that Prometheus
    # watches, a daemon is what gave its version within a day.
    was_daemon = f"last_over_time({of('stripsight_build_info', DAEMON, '1d')})"
    down = f"({of('up', DAEMON)} - 1 and on (job, instance) {was_daemon})"
    state = f"min({of('stripsight_ready', DAEMON)} or {down})"
    panel = panels.lamp(
        "Inspection",
        "Whether frames are inspected as soon as they arrive. Not ready: the model loads, or the broker "
        "is away. Down: Prometheus does not reach the daemon. With several daemons, the worst of them.",
        state,
    ).thresholds(scales.thresholds(BAD, (0, WATCH), (1, GOOD)))
    meanings = {1: ("running", GOOD), 0: ("not ready", WATCH), -1: ("down", BAD)}
    return panel.mappings(scales.words(meanings, ("no daemon", BAD))).no_value("no daemon")


def _cameras() -> stat.Panel:
    # Over a day, so that a camera that fell silent before the daemon was restarted is not forgotten.
    last = of("stripsight_camera_last_frame_timestamp_seconds", CAMERA, "1d")
    return (
        panels.lamps(
            "Cameras: time since the last frame",
            f"Of each camera that sent a frame within a day. Orange after {LATE_S} s, red after {SILENT_S} "
            "s: the strip stands, the camera is off, or its frames do not reach the broker. A click "
            "opens its defects.",
            "s",
            {"{{line}} {{camera}}": f"time() - {_each_camera(f'max_over_time({last})')}"},
            (20, 5),
        )
        .thresholds(scales.SILENCE)
        .decimals(0)
        .no_value("no camera has sent a frame")
        .data_links(
            [
                panels.link_to(
                    "Strip quality of ${__field.labels.camera}",
                    STRIP_QUALITY,
                    "var-line=${__field.labels.line}&var-camera=${__field.labels.camera}",
                )
            ]
        )
    )


def _defects_per_meter() -> timeseries.Panel:
    defects = total(rate("stripsight_defects_total", CAMERA), "defect_class")
    strip = total(rate("stripsight_strip_meters_total", _INSPECTED))
    return panels.lines(
        "Defects in each metre of strip, by class",
        "Defects published, divided by the metres inspected in the same time. Strip that two cameras see "
        "counts twice, as do its defects. A gap: no strip went by.",
        "short",
        {"{{defect_class}}": f"{defects} / scalar({strip})"},
        (16, 9),
    )


def _alarms_now() -> base.Panel:
    return panels.alarms(
        "Alarms now",
        "Alerts that fire or are about to, the newest first. Each names its runbook, which says what to do.",
        (8, 9),
    )


def _meters_missed() -> stat.Panel:
    return (
        panels.figure(
            "Not inspected",
            "Metres of strip shown by frames that were skipped or failed, in the span of time chosen above.",
            "lengthm",
            {"": else_zero(_missed_in_all(), _strip_in_all())},
            (4, 8),
        )
        .thresholds(scales.NONE_IS_GOOD)
        .no_value("no strip")
    )


def _share_missed() -> stat.Panel:
    missed = else_zero(_missed_in_all(), _strip_in_all())
    return (
        panels.figure(
            "Share not inspected",
            "The same metres as a share of all strip that was shown, in the span of time chosen above.",
            "percentunit",
            {"": f"({missed}) / {_strip_in_all()}"},
            (4, 8),
        )
        .thresholds(scales.thresholds(GOOD, (1e-9, WATCH), (0.01, BAD)))
        .no_value("no strip")
    )


def _missed_over_time() -> timeseries.Panel:
    return panels.stacked(
        "Strip not inspected, by camera and outcome",
        "Skipped: the frame was too old, and the policy for overload left it out. Failed: it went to the "
        "dead-letter topic. Strip quality tells the reasons.",
        "lengthm",
        {"{{camera}} {{outcome}}": total(counted(*_MISSED, SMOOTH), "camera", "outcome")},
        (16, 8),
    )


def _camera_states() -> statetimeline.Panel:
    spans = scales.spans(
        (None, LATE_S, "sends", GOOD), (LATE_S, SILENT_S, "late", WATCH), (SILENT_S, None, "silent", BAD)
    )
    return (
        panels.states(
            "Cameras",
            f"Green: frames came. Orange: none for {LATE_S} s. Red: none for {SILENT_S} s. A gap: the "
            "daemon was away, or had not yet seen the camera since its start.",
            "s",
            {"{{line}} {{camera}}": f"time() - {_each_camera(_LAST_FRAME)}"},
            (12, 9),
        )
        .thresholds(scales.SILENCE)
        .mappings(spans)
    )


def _past_alarms() -> statetimeline.Panel:
    firing = 'max by (alertname, line, camera) (ALERTS{alertstate="firing"})'
    return (
        panels.states(
            "Last alarms",
            "When each alert fired, in the span of time chosen above; empty where none did. All alerts of "
            "this Prometheus, whatever is chosen above.",
            "none",
            {"{{alertname}} {{line}} {{camera}}": firing},
            (12, 9),
        )
        .color_scheme(base.FieldColor().mode(FieldColorModeId.FIXED).fixed_color(BAD))
        .mappings(scales.words({1: ("fires", BAD)}, ("", GOOD)))
        .no_value("no alarm")
    )


def _missed_in_all() -> str:
    return total(counted(*_MISSED))


def _strip_in_all() -> str:
    return total(counted("stripsight_strip_meters_total", CAMERA))


def _each_camera(expression: str) -> str:
    return f"max by (line, camera) ({expression})"
