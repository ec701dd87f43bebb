"""Strip quality: which defects, seen by which camera, where across the strip, and what nobody looked at."""

from grafana_foundation_sdk.builders import barchart, bargauge, heatmap, stat, timeseries
from grafana_foundation_sdk.builders.dashboard import FieldColor
from grafana_foundation_sdk.models.dashboard import Dashboard, FieldColorModeId

from deploy.grafana import panels, scales
from deploy.grafana.board import STRIP_QUALITY, Section, board
from deploy.grafana.promql import CAMERA, DAEMON, LINE, SMOOTH, counted, else_zero, grown, total, where

_DEFECTS = "stripsight_defects_total"
_ZONES = "stripsight_defects_by_zone_total"
_METERS = "stripsight_strip_meters_total"
_INSPECTED = where(CAMERA, 'outcome="inspected"')
_ZONES_HINT = (
    "Zones are 100 mm wide, counted from the operator-side edge; `other` is beyond 4 m. Of all cameras of "
    "the chosen lines."
)


def dashboard() -> Dashboard:
    """Return the dashboard."""
    return board(
        STRIP_QUALITY,
        "For quality: which defects rise, where do they lie, which strip was not inspected and why?",
        [
            Section(
                "In the span of time chosen above", [_strip(), _defects(), _per_100_m(), _skipped(), _dead()]
            ),
            Section("Defects by class and camera", [_by_class(), _by_camera(), _classes(), _cameras()]),
            Section("Across the strip", [_zones(), _zones_over_time()]),
            Section("Strip without inspection", [_skipped_by_reason(), _dead_by_reason()]),
        ],
        shown="now-8h",  # a shift
        refresh="1m",
    )


def _strip() -> stat.Panel:
    return panels.figure(
        "Strip inspected",
        "Length of strip shown by the inspected frames; strip that two cameras see counts twice.",
        "lengthm",
        {"": _meters_inspected()},
        (5, 4),
    )


def _defects() -> stat.Panel:
    return panels.figure(
        "Defects", "Defects published by the chosen cameras.", "short", {"": _defects_or_none()}, (5, 4)
    ).decimals(0)


def _per_100_m() -> stat.Panel:
    return panels.figure(
        "Defects per 100 m",
        "Defects for each 100 m of inspected strip.",
        "short",
        {"": f"100 * ({_defects_or_none()}) / {_meters_inspected()}"},
        (5, 4),
    ).decimals(1)


def _skipped() -> stat.Panel:
    skipped = total(counted("stripsight_skipped_strip_meters_total", CAMERA))
    return panels.figure(
        "Strip skipped",
        "Length of strip shown by frames that were skipped.",
        "lengthm",
        {"": else_zero(skipped, total(counted(_METERS, CAMERA)))},
        (5, 4),
    ).thresholds(scales.NONE_IS_GOOD)


def _dead() -> stat.Panel:
    dead = total(grown("stripsight_dead_letters_total", DAEMON))
    return (
        panels.figure(
            "Dead letters",
            "Frames that could not be inspected and went to the dead-letter topic; of all cameras.",
            "short",
            {"": else_zero(dead, total(grown("stripsight_frames_total", DAEMON)))},
            (4, 4),
        )
        .thresholds(scales.NONE_IS_GOOD)
        .decimals(0)
    )


def _by_class() -> timeseries.Panel:
    return panels.lines(
        "Defects per 100 m, by class",
        "Over the chosen cameras. A class that rises against its own past is what to look at. A gap: no "
        "strip went by.",
        "short",
        {"{{defect_class}}": _per_100_m_by("defect_class")},
    )


def _by_camera() -> timeseries.Panel:
    meters = total(grown(_METERS, _INSPECTED, SMOOTH), "camera")
    defects = else_zero(total(grown(_DEFECTS, CAMERA, SMOOTH), "camera"), meters)
    return panels.lines(
        "Defects per 100 m, by camera",
        "Each camera by its own strip. One that differs from its neighbours may be dirty or out of focus.",
        "short",
        {"{{camera}}": f"100 * ({defects}) / {meters}"},
    )


def _classes() -> bargauge.Panel:
    return panels.ranking(
        "Defects by class",
        "Defects in the span of time chosen above, the most frequent first.",
        "short",
        {"{{defect_class}}": f"sort_desc({total(grown(_DEFECTS, CAMERA), 'defect_class')})"},
        (12, 7),
    ).decimals(0)


def _cameras() -> bargauge.Panel:
    return panels.ranking(
        "Defects by camera",
        "Defects in the span of time chosen above, the most frequent first.",
        "short",
        {"{{line}} {{camera}}": f"sort_desc({total(grown(_DEFECTS, CAMERA), 'line', 'camera')})"},
        (12, 7),
    ).decimals(0)


def _zones() -> barchart.Panel:
    return panels.columns(
        "Defects by position across the strip",
        "Defects in the span of time chosen above. A single high column is a roll or a nozzle. "
        f"{_ZONES_HINT}",
        "short",
        total(grown(_ZONES, LINE), "zone"),
        label="zone",
        size=(24, 8),
    ).decimals(0)


def _zones_over_time() -> heatmap.Panel:
    return panels.density(
        "Position across the strip, over time",
        f"A level line is a defect that comes again and again at the same place. {_ZONES_HINT}",
        "short",
        {"{{zone}}": total(grown(_ZONES, LINE, SMOOTH), "zone")},
        (24, 10),
        of_buckets=False,
    )


def _skipped_by_reason() -> timeseries.Panel:
    skipped = total(counted("stripsight_skipped_strip_meters_total", CAMERA, SMOOTH), "camera", "reason")
    return panels.stacked(
        "Strip skipped, by camera and reason",
        "too_old: the policy for overload is shed, and the frame was older than pipeline.max_frame_age_ms.",
        "lengthm",
        {"{{camera}} {{reason}}": skipped},
    )


def _dead_by_reason() -> timeseries.Panel:
    dead = total(grown("stripsight_dead_letters_total", DAEMON, SMOOTH), "reason")
    return panels.stacked(
        "Dead letters, by reason",
        "Frames that could not be inspected; the dead-letter topic holds their bytes. Of all cameras.",
        "short",
        {"{{reason}}": dead},
    ).color_scheme(FieldColor().mode(FieldColorModeId.PALETTE_CLASSIC_BY_NAME))


def _meters_inspected() -> str:
    return total(grown(_METERS, _INSPECTED))


def _defects_or_none() -> str:
    return else_zero(total(grown(_DEFECTS, CAMERA)), _meters_inspected())


def _per_100_m_by(label: str) -> str:
    defects = total(grown(_DEFECTS, CAMERA, SMOOTH), label)
    return f"100 * {defects} / scalar({total(grown(_METERS, _INSPECTED, SMOOTH))})"
