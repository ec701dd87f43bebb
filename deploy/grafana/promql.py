"""The few forms of PromQL that the panels are made of.

Expressions stand alone, without recording rules: a panel tells all that it computes.
"""

# What the variables at the top of a dashboard choose. A metric takes the widest that its labels allow.
DAEMON = 'job=~"$job", instance=~"$instance"'
LINE = f'{DAEMON}, line=~"$line"'
CAMERA = f'{LINE}, camera=~"$camera"'

# Grafana's: wide enough for a rate at any zoom, and all that the time picker shows.
SMOOTH = "$__rate_interval"
SHOWN = "$__range"
_SECONDS = {SMOOTH: "$__rate_interval_ms / 1000", SHOWN: "$__range_s"}


def where(selection: str, *more: str) -> str:
    """Return a selection narrowed by more matchers."""
    return ", ".join((selection, *more))


def of(metric: str, selection: str, window: str = "") -> str:
    """Return a selector, of a range where there is a window."""
    return f"{metric}{{{selection}}}" + (f"[{window}]" if window else "")


def rate(metric: str, selection: str) -> str:
    """Return a counter's growth each second."""
    return f"rate({of(metric, selection, SMOOTH)})"


def grown(metric: str, selection: str, window: str = SHOWN) -> str:
    """Return by how much a counter grew, restarts allowed for."""
    return f"increase({of(metric, selection, window)})"


def counted(metric: str, selection: str, window: str = SHOWN) -> str:
    """Return what a counter counted, with what it had when it was first seen.

    Growth alone leaves that out: of a loss that a daemon finds as it starts, no smaller value was ever seen.
    So a series that is new in the window counts whole, if its daemon is new, too, or was there before without
    it. What Prometheus merely did not reach for a while is not new. Where a restart made a new series smaller
    than its growth, the growth counts.
    """
    now, growth = of(metric, selection), grown(metric, selection, window)
    start = of("process_start_time_seconds", DAEMON)
    began = f"({start} > time() - {_SECONDS[window]} or {start} offset {window})"
    is_new = f"{now} unless {now} offset {window} and on (job, instance) {began}"
    return f"({growth} > {now} or {is_new} or {growth})"


def total(expression: str, *by: str) -> str:
    """Return the sum, one for each combination of the labels ``by``."""
    return f"sum{_by(by)}({expression})"


def quantile(q: float, histogram: str, selection: str, *by: str) -> str:
    """Return a quantile of a histogram, interpolated within its bucket."""
    return f"histogram_quantile({q:g}, {total(rate(f'{histogram}_bucket', selection), *by, 'le')})"


def mean(histogram: str, selection: str, *by: str) -> str:
    """Return the mean of what a histogram observed."""
    parts = (total(rate(f"{histogram}_{part}", selection), *by) for part in ("sum", "count"))
    return " / ".join(parts)


def else_zero(expression: str, base: str) -> str:
    """Return the expression, or 0 where it has no series although ``base`` has some.

    A counter without a case has no series. That is a true 0 only while the daemon is there at all.
    """
    return f"{expression} or 0 * {base}"


def _by(labels: tuple[str, ...]) -> str:
    return f" by ({', '.join(labels)}) " if labels else ""
