"""Panels in the few shapes that the dashboards use, so that all of them look alike.

Each takes its title, what it tells (shown behind the small i), the unit of its values, its queries by legend,
and its size in columns of 24 and rows of about 30 pixels.
"""

from collections.abc import Iterator, Mapping
from typing import TypeVar

from grafana_foundation_sdk.builders import (
    barchart,
    bargauge,
    common,
    heatmap,
    prometheus,
    stat,
    statetimeline,
    table,
    text,
    timeseries,
)
from grafana_foundation_sdk.builders import dashboard as base
from grafana_foundation_sdk.models.common import (
    AxisPlacement,
    BarGaugeDisplayMode,
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    GraphDrawStyle,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardLinkType,
    DataSourceRef,
    DataTransformerConfig,
    DynamicConfigValue,
    FieldColorModeId,
)
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode, HeatmapColorScale
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from deploy.grafana import scales

PROMETHEUS = DataSourceRef("prometheus", "prometheus")  # the uid that provisioning gives it

# What a bar or a cell covers at least. A rate's window has four scrapes at least: with shorter bars, each
# would show what its neighbours show, too. It is set for the panel: Grafana would take a query's own for the
# time between scrapes.
_BAR = "1m"

Queries = Mapping[str, str]
Size = tuple[int, int]
Panel = TypeVar(
    "Panel",
    barchart.Panel,
    bargauge.Panel,
    base.Panel,
    heatmap.Panel,
    stat.Panel,
    statetimeline.Panel,
    table.Panel,
    text.Panel,
    timeseries.Panel,
)


def curves(
    title: str, description: str, unit: str, queries: Queries, size: Size = (12, 8)
) -> timeseries.Panel:
    """Return curves over time."""
    panel = _framed(timeseries.Panel(), title, description, size).unit(unit).thresholds(scales.PLAINLY)
    panel = panel.line_width(1).fill_opacity(8).show_points(VisibilityMode.NEVER)
    return _asking(panel.legend(_legend(size[0])).tooltip(_tooltip()), queries)


def lines(
    title: str, description: str, unit: str, queries: Queries, size: Size = (12, 8)
) -> timeseries.Panel:
    """Return curves of what cannot be negative: they begin at 0, so that heights compare."""
    return curves(title, description, unit, queries, size).min(0)


def stacked(
    title: str, description: str, unit: str, queries: Queries, size: Size = (12, 8)
) -> timeseries.Panel:
    """Return bars over time, one on the other: each shows what came since the bar before.

    Their windows overlap by one scrape, or a single event could fall between two of them.
    """
    panel = lines(title, description, unit, queries, size).draw_style(GraphDrawStyle.BARS).interval(_BAR)
    return panel.fill_opacity(70).stacking(common.StackingConfig().mode(StackingMode.NORMAL).group("A"))


def figure(title: str, description: str, unit: str, queries: Queries, size: Size = (4, 5)) -> stat.Panel:
    """Return one number for each series, as it is now."""
    panel = _framed(stat.Panel(), title, description, size).unit(unit).thresholds(scales.PLAINLY)
    panel = panel.reduce_options(_last()).color_mode(BigValueColorMode.VALUE)
    return _asking(panel.graph_mode(BigValueGraphMode.NONE), queries, instant=True)


def lamp(title: str, description: str, query: str, size: Size = (4, 5)) -> stat.Panel:
    """Return one coloured field: to be read across a hall."""
    panel = figure(title, description, "none", {"": query}, size).text_mode(BigValueTextMode.VALUE)
    return panel.color_mode(BigValueColorMode.BACKGROUND)


def lamps(title: str, description: str, unit: str, queries: Queries, size: Size) -> stat.Panel:
    """Return one coloured field for each series, with its name."""
    panel = figure(title, description, unit, queries, size).text_mode(BigValueTextMode.VALUE_AND_NAME)
    return panel.color_mode(BigValueColorMode.BACKGROUND)


def ranking(title: str, description: str, unit: str, queries: Queries, size: Size) -> bargauge.Panel:
    """Return one horizontal bar for each series, as it is now."""
    panel = _framed(bargauge.Panel(), title, description, size).unit(unit).min(0)
    panel = panel.orientation(VizOrientation.HORIZONTAL).display_mode(BarGaugeDisplayMode.BASIC)
    panel = panel.reduce_options(_last()).thresholds(scales.PLAINLY)
    return _asking(panel, queries, instant=True)


def states(title: str, description: str, unit: str, queries: Queries, size: Size) -> statetimeline.Panel:
    """Return one strip of coloured states for each series over time."""
    panel = _framed(statetimeline.Panel(), title, description, size).unit(unit).row_height(0.8)
    panel = panel.show_value(VisibilityMode.NEVER).merge_values(True).line_width(0).fill_opacity(80)
    panel = panel.legend(_legend(width=12)).tooltip(_tooltip())
    panel = panel.color_scheme(base.FieldColor().mode(FieldColorModeId.THRESHOLDS))
    return _asking(panel.thresholds(scales.PLAINLY), queries)


def columns(
    title: str, description: str, unit: str, expression: str, *, label: str, size: Size
) -> barchart.Panel:
    """Return one column for each value of a label, in its order."""
    panel = _framed(barchart.Panel(), title, description, size).unit(unit).min(0).x_field(label)
    panel = panel.legend(common.VizLegendOptions().show_legend(False)).x_tick_label_spacing(100)
    panel = panel.with_transformation(DataTransformerConfig("sortBy", options={"sort": [{"field": label}]}))
    panel = panel.with_transformation(hide("Time")).thresholds(scales.PLAINLY).fill_opacity(80)
    return panel.with_target(_query(expression, "", "A", instant=True).format(PromQueryFormat.TABLE))


def rows(title: str, description: str, unit: str, expression: str, size: Size) -> table.Panel:
    """Return one row for each series, its labels and its value in columns."""
    panel = _framed(table.Panel(), title, description, size).unit(unit).thresholds(scales.PLAINLY)
    panel = panel.with_transformation(hide("Time"))
    return panel.with_target(_query(expression, "", "A", instant=True).format(PromQueryFormat.TABLE))


def density(
    title: str, description: str, unit: str, queries: Queries, size: Size, *, of_buckets: bool
) -> heatmap.Panel:
    """Return a heat map over time: of a histogram's buckets, or of one row for each series."""
    panel = _framed(heatmap.Panel(), title, description, size).unit(unit).cell_gap(0).interval(_BAR)
    panel = panel.color(_oranges()).show_value(VisibilityMode.NEVER)
    axis = heatmap.YAxisConfig().axis_placement(AxisPlacement.LEFT)
    panel = panel.y_axis(axis.unit(unit) if of_buckets else axis)
    shape = PromQueryFormat.HEATMAP if of_buckets else PromQueryFormat.TIME_SERIES
    for ref, (legend, expression) in _lettered(queries):
        panel = panel.with_target(_query(expression, legend, ref).format(shape))
    return panel


def alarms(title: str, description: str, size: Size) -> base.Panel:
    """Return the list of alerts that fire or are about to, the newest first, from every source of alerts."""
    newest_first = 5
    return _framed(base.Panel().type("alertlist"), title, description, size).options(
        {
            "viewMode": "list",
            "groupMode": "default",
            "groupBy": [],
            "maxItems": 20,
            "sortOrder": newest_first,
            "dashboardAlerts": False,
            "alertName": "",
            "alertInstanceLabelFilter": "",
            "showInstances": True,
            "showInactiveAlerts": False,
            "stateFilter": {"firing": True, "pending": True, "noData": True, "error": True, "normal": False},
        }
    )


def note(title: str, description: str, content: str, size: Size) -> text.Panel:
    """Return words in Markdown."""
    return _framed(text.Panel(), title, description, size).content(content)


def limit(legend: str) -> tuple[str, list[DynamicConfigValue]]:
    """Return what draws a curve as the limit to the others: dashed and red, for ``override_by_name``."""
    return legend, [
        DynamicConfigValue("color", {"mode": "fixed", "fixedColor": scales.BAD}),
        DynamicConfigValue("custom.lineStyle", {"fill": "dash", "dash": [10, 10]}),
        DynamicConfigValue("custom.fillOpacity", 0),
    ]


def hide(*names: str) -> DataTransformerConfig:
    """Return what takes columns out of a table."""
    return DataTransformerConfig("organize", options={"excludeByName": dict.fromkeys(names, True)})


def link_to(title: str, uid: str, variables: str) -> base.DashboardLink:
    """Return a link from a series to a dashboard, within the same span of time."""
    url = f"/d/{uid}?${{__url_time_range}}&{variables}"
    return base.DashboardLink(title).type(DashboardLinkType.LINK).url(url)


def _framed(panel: Panel, title: str, description: str, size: Size) -> Panel:
    width, height = size
    panel = panel.title(title).description(description).datasource(PROMETHEUS)
    return panel.span(width).height(height)


def _asking(panel: Panel, queries: Queries, *, instant: bool = False) -> Panel:
    for ref, (legend, expression) in _lettered(queries):
        panel = panel.with_target(_query(expression, legend, ref, instant=instant))
    return panel


def _lettered(queries: Queries) -> Iterator[tuple[str, tuple[str, str]]]:
    return zip("ABCDEFGH", queries.items(), strict=False)


def _query(expression: str, legend: str, ref: str, *, instant: bool = False) -> prometheus.Dataquery:
    query = prometheus.Dataquery().expr(expression).legend_format(legend).ref_id(ref)
    return (query.instant() if instant else query.range()).datasource(PROMETHEUS)


def _legend(width: int) -> common.VizLegendOptions:
    """Beside wide panels there is room for a table; below others, a line of names leaves curves theirs."""
    legend = common.VizLegendOptions().show_legend(True)
    if width <= 12:  # noqa: PLR2004 - half of Grafana's 24 columns
        return legend.display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
    legend = legend.display_mode(LegendDisplayMode.TABLE).placement(LegendPlacement.RIGHT)
    return legend.calcs(["mean", "max"])


def _oranges() -> heatmap.HeatmapColorOptions:
    colours = heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Oranges").steps(64)
    return colours.fill("dark-orange").scale(HeatmapColorScale.EXPONENTIAL).exponent(0.5)


def _tooltip() -> common.VizTooltipOptions:
    return common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING)


def _last() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().calcs(["lastNotNull"]).values(False)
