"""What all dashboards share: variables, annotations, links to each other, and how panels are laid out."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import count

from grafana_foundation_sdk.builders.dashboard import (
    Dashboard,
    DashboardLink,
    QueryVariable,
    Row,
)
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as models

from deploy.grafana import scales
from deploy.grafana.panels import PROMETHEUS
from deploy.grafana.promql import DAEMON, LINE, SMOOTH, grown, of, total

# Titles by uid; an address with a uid stays the same when a title changes.
LINE_OVERVIEW = "stripsight-line-overview"
THROUGHPUT = "stripsight-throughput"
STRIP_QUALITY = "stripsight-strip-quality"
KAFKA = "stripsight-kafka"
TITLES = {
    LINE_OVERVIEW: "Line overview",
    THROUGHPUT: "Throughput and latency",
    STRIP_QUALITY: "Strip quality",
    KAFKA: "Kafka",
}

# Until when after its start a daemon is a new one: loading a large model keeps it from answering for a while.
_NEW_S = 120

# What the variables are called, and the series whose labels they offer.
_VARIABLES = {
    "job": ("Job", of("stripsight_build_info", "")),
    "instance": ("Daemon", of("stripsight_build_info", 'job=~"$job"')),
    "line": ("Line", of("stripsight_frames_total", DAEMON)),
    "camera": ("Camera", of("stripsight_frames_total", LINE)),
}


@dataclass(frozen=True, slots=True)
class Section:
    """A row's title and the panels below it, which fill lines of 24 columns from left to right."""

    title: str
    panels: Sequence[Builder[models.Panel]]
    is_folded: bool = False


def board(
    uid: str,
    description: str,
    sections: Sequence[Section],
    *,
    hidden: Collection[str] = (),
    shown: str = "now-1h",
    refresh: str = "10s",
) -> models.Dashboard:
    """Return a dashboard.

    Args:
        uid: one of ``TITLES``.
        description: the question that it answers.
        sections: from top to bottom.
        hidden: variables that nobody chooses here; they are passed on by the links alone.
        shown: where the span of time begins that it opens with.
        refresh: how often it asks anew.
    """
    builder = Dashboard(f"Stripsight: {TITLES[uid]}").uid(uid).description(description).tags(["stripsight"])
    builder = builder.time(shown, "now").refresh(refresh).timezone("browser").readonly()
    builder = builder.tooltip(models.DashboardCursorSync.CROSSHAIR)
    builder = builder.variables([_variable(name, is_hidden=name in hidden) for name in _VARIABLES])
    builder = builder.links(_links(uid))
    for section in sections:
        _add(builder, section)
    built = _numbered(builder.build())
    built.annotations = models.AnnotationContainer(_annotations())
    return built


def _add(builder: Dashboard, section: Section) -> None:
    row = Row(section.title).collapsed(section.is_folded)
    if section.is_folded:  # Grafana wants the panels of folded rows inside of them, and all others beside
        for panel in section.panels:
            row.with_panel(panel)
    builder.with_row(row)
    if not section.is_folded:
        for panel in section.panels:
            builder.with_panel(panel)


def _numbered(dashboard: models.Dashboard) -> models.Dashboard:
    """Give each panel an id of its own: links to a panel stay valid, and the file is the same each time."""
    ids = count(1)
    for panel in dashboard.panels or []:
        panel.id_val = next(ids)
        for inner in panel.panels if isinstance(panel, models.RowPanel) else []:
            inner.id_val = next(ids)
    return dashboard


def _variable(name: str, *, is_hidden: bool) -> QueryVariable:
    label, selector = _VARIABLES[name]
    everything = models.VariableOption(selected=True, text="All", value="$__all")
    variable = QueryVariable(name).label(label).datasource(PROMETHEUS)
    variable = variable.query({"qryType": 1, "query": f"label_values({selector}, {name})", "refId": name})
    variable = variable.multi(True).include_all(True).all_value(".*").current(everything)
    variable = variable.refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
    variable = variable.sort(models.VariableSort.NATURAL_ASC)
    return variable.hide(models.VariableHide.HIDE_VARIABLE) if is_hidden else variable


class _Annotation(models.AnnotationQuery):
    """An annotation with words: a field of Grafana's Prometheus data source, which the SDK's type lacks."""

    def __init__(self, name: str, words: str, colour: scales.Colour, expression: str) -> None:
        super().__init__(name, PROMETHEUS, icon_color=colour, expr=expression)
        self._words = words

    def to_json(self) -> dict[str, object]:
        return {**super().to_json(), "titleFormat": self._words}


def _annotations() -> list[models.AnnotationQuery]:
    exchanges = total(grown("stripsight_model_exchanges_total", DAEMON, SMOOTH), "instance", "outcome")
    age = f"time() - {of('process_start_time_seconds', DAEMON)}"
    # Not changes() of the start: a daemon that was away for longer than its window would be missed.
    is_new = f"{age} < {_NEW_S} + $__interval_ms / 1000"
    is_daemon = f"and on (job, instance) {of('stripsight_build_info', DAEMON)}"  # Prometheus has a start, too
    return [
        _Annotation("Model exchanges", "Model {{outcome}} ({{instance}})", "purple", f"{exchanges} > 0"),
        _Annotation("Restarts", "Daemon started ({{instance}})", scales.WATCH, f"{is_new} {is_daemon}"),
    ]


def _links(uid: str) -> list[Builder[models.DashboardLink]]:
    return [
        DashboardLink(title)
        .type(models.DashboardLinkType.LINK)
        .icon("dashboard")
        .url(f"/d/{other}")
        .tooltip(f"{title}, for the same span of time and the same cameras")
        .include_vars(True)
        .keep_time(True)
        for other, title in TITLES.items()
        if other != uid
    ]
