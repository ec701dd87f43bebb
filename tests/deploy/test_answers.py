"""What the less obvious queries of the dashboards answer, by Prometheus' own engine over known series."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.conftest import skip_or_fail
from tests.support.dashboards import all_queries

Answer = Callable[..., None]

STRIPSIGHT = 'job="stripsight", instance="edge:9108"'
BUILD = {f"stripsight_build_info{{{STRIPSIGHT}}}": "1+0x40"}
ENDS = "1+0x10 stale _x29"  # up for ten minutes, then gone


def expression_of(dashboard: str, place: str) -> str:
    """The one query at this place, as Grafana would send it."""
    (query,) = [query for query in all_queries() if (query.dashboard, query.place) == (dashboard, place)]
    return query.substituted()


@pytest.fixture
def answers(tmp_path: Path) -> Answer:
    """Assert what a query answers after 40 minutes, by labels, over series with a value each minute.

    ``as_truth`` compares whether there is something: what an increase
    is extrapolated to changed with Prometheus 3.
    """
    tool = shutil.which("promtool")
    if tool is None:
        skip_or_fail("prometheus", "promtool is not installed")

    def compare(
        query: tuple[str, str], series: dict[str, str], expected: dict[str, float], *, as_truth: bool = False
    ) -> None:
        # A scrape a minute needs a rate over more than one.
        expression = expression_of(*query).replace("[1m]", "[5m]")
        case = {
            "interval": "1m",
            "input_series": [{"series": name, "values": values} for name, values in series.items()],
            "promql_expr_test": [
                {
                    "expr": f"({expression}) > bool 0" if as_truth else expression,
                    "eval_time": "40m",
                    "exp_samples": [{"labels": name, "value": value} for name, value in expected.items()],
                }
            ],
        }
        file = tmp_path / "case.yml"
        file.write_text(yaml.safe_dump({"tests": [case]}))
        checked = subprocess.run([tool, "test", "rules", file], capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stdout + checked.stderr

    return compare


INSPECTION = ("line-overview.json", "Inspection")
OTHERS = {
    'up{job="kafka", instance="kafka:9404"}': "0+0x40",
    'up{job="prometheus", instance="p:9090"}': "1+0x40",
}


@pytest.mark.parametrize(
    ("up", "ready", "build", "expected"),
    [
        ("1+0x40", "1+0x40", "1+0x40", {"{}": 1}),
        ("1+0x40", "0+0x40", "1+0x40", {"{}": 0}),
        ("0+0x40", ENDS, ENDS, {"{}": -1}),
        ("0+0x40", "_x40", "_x40", {}),
    ],
    ids=["running", "not ready", "down", "never there"],
)
def test_inspection_tells_the_daemon_from_all_that_is_scraped(
    answers: Answer, up: str, ready: str, build: str, expected: dict[str, float]
) -> None:
    """Running, not ready and down are told apart; what other jobs are says nothing."""
    own = {"up": up, "stripsight_ready": ready, "stripsight_build_info": build}
    answers(
        INSPECTION,
        {**OTHERS, **{f"{name}{{{STRIPSIGHT}}}": values for name, values in own.items()}},
        expected,
    )


def test_a_camera_that_fell_silent_is_remembered_across_a_restart(answers: Answer) -> None:
    """One camera still sends; the other's series ended with the daemon that saw it: its silence counts."""
    last = "stripsight_camera_last_frame_timestamp_seconds"
    series = {
        f'{last}{{{STRIPSIGHT}, line="l", camera="a"}}': "0+60x40",
        f'{last}{{{STRIPSIGHT}, line="l", camera="b"}}': "0+60x10 stale _x29",
    }
    expected = {'{line="l", camera="a"}': 0.0, '{line="l", camera="b"}': 30 * 60.0}
    answers(("line-overview.json", "Cameras: time since the last frame"), series, expected)


def meters(camera: str, outcome: str) -> str:
    """The series of metres with this outcome."""
    return f'stripsight_strip_meters_total{{{STRIPSIGHT}, line="l", camera="{camera}", outcome="{outcome}"}}'


def test_strip_without_a_miss_is_a_zero(answers: Answer) -> None:
    """Where strip was inspected and none missed, 0 m were."""
    answers(("line-overview.json", "Not inspected"), {meters("a", "inspected"): "0+6x40"}, {"{}": 0})


def test_without_a_daemon_nobody_says_that_nothing_was_missed(answers: Answer) -> None:
    """Where no strip is known of, there is no value, and not a 0."""
    answers(("line-overview.json", "Not inspected"), BUILD, {})


LOST_NOW = ("kafka.json", "Lost frames")
LOST = f'stripsight_lost_frames_total{{{STRIPSIGHT}, topic="frames.a"}}'
FRAMES = f'stripsight_frames_total{{{STRIPSIGHT}, line="l", camera="a", outcome="inspected"}}'
START = f"process_start_time_seconds{{{STRIPSIGHT}}}"


@pytest.mark.parametrize(
    ("lost", "start", "expected"),
    [
        ("_x30 250+0x9", "_x30 1790+0x9", 250.0),
        ("0+0x30 250+0x9", "-9000+0x40", 250.0),
        ("_x30 0+0x9", "_x30 1790+0x9", 0.0),
        ("_x30 250+0x9", "_x30 -9000+0x9", 0.0),
    ],
    ids=[
        "found as the daemon starts",
        "found later",
        "none",
        "an old one, out of Prometheus' reach until now",
    ],
)
def test_a_loss_shows_however_soon_it_was_found(
    answers: Answer, lost: str, start: str, expected: float
) -> None:
    """What a new daemon had lost when it was first asked counts; what an older one lost long ago does not."""
    series = {LOST: lost, START: start, FRAMES: "0+10x40"}
    answers(LOST_NOW, series, {"{}": float(expected > 0)}, as_truth=True)
    if lost.startswith("_"):  # what an increase is extrapolated to depends on Prometheus
        answers(LOST_NOW, series, {"{}": expected})


def test_strip_skipped_before_the_first_scrape_counts(answers: Answer) -> None:
    """A daemon that comes back to a backlog skips it at once."""
    skipped = f'stripsight_skipped_strip_meters_total{{{STRIPSIGHT}, line="l", camera="a", reason="too_old"}}'
    series = {skipped: "_x30 80+0x9", START: "_x30 1790+0x9", meters("a", "skipped"): "_x30 80+0x9"}
    answers(("strip-quality.json", "Strip skipped"), series, {"{}": 80.0})
    answers(("line-overview.json", "Not inspected"), series, {"{}": 80.0})


def test_missed_strip_is_a_share_of_all(answers: Answer) -> None:
    """Skipped and failed metres count, of the metres of all outcomes."""
    series = {
        meters("a", "inspected"): "0+6x40",
        meters("a", "skipped"): "0+3x40",
        meters("b", "failed"): "0+1x40",
    }
    answers(("line-overview.json", "Share not inspected"), series, {"{}": 0.4})


def test_a_camera_without_defects_has_a_rate_of_zero(answers: Answer) -> None:
    """Cameras compare by their own strip, also those that never saw a defect."""
    defects = f'stripsight_defects_total{{{STRIPSIGHT}, line="l", camera="a", defect_class="scratch"}}'
    series = {meters("a", "inspected"): "0+50x40", meters("b", "inspected"): "0+50x40", defects: "0+1x40"}
    expected = {'{camera="a"}': 2.0, '{camera="b"}': 0.0}
    answers(("strip-quality.json", "Defects per 100 m, by camera"), series, expected)


def test_frames_in_time_are_those_that_were_not_late(answers: Answer) -> None:
    """One frame in twenty is late, of one camera alone."""
    age = "stripsight_frame_age_seconds_count"
    series = {
        f'{age}{{{STRIPSIGHT}, line="l", camera="a"}}': "0+10x40",
        f'{age}{{{STRIPSIGHT}, line="l", camera="b"}}': "0+10x40",
        f'stripsight_late_frames_total{{{STRIPSIGHT}, line="l", camera="a"}}': "0+1x40",
    }
    answers(("throughput-and-latency.json", "In time"), series, {"{}": 0.95})


def test_only_a_new_daemon_is_marked_as_a_restart(answers: Answer) -> None:
    """A daemon that started a minute ago is marked; an older one, and Prometheus itself, are not."""
    start = "process_start_time_seconds"
    series = {
        **BUILD,
        f"{start}{{{STRIPSIGHT}}}": "0+0x38 2340+0x1",
        f'{start}{{job="stripsight", instance="old:9108"}}': "0+0x40",
        'stripsight_build_info{job="stripsight", instance="old:9108"}': "1+0x40",
        f'{start}{{job="prometheus", instance="p:9090"}}': "2340+0x40",
    }
    answers(("kafka.json", "Restarts"), series, {f"{{{STRIPSIGHT}}}": 60.0})


def test_a_model_exchange_is_marked_and_a_restart_is_none(answers: Answer) -> None:
    """The counter of exchanges that grew is marked; that it began anew at 0 is no exchange."""
    exchanges = "stripsight_model_exchanges_total"
    series = {
        f'{exchanges}{{{STRIPSIGHT}, outcome="exchanged"}}': "0+0x37 1+0x2",
        f'{exchanges}{{{STRIPSIGHT}, outcome="refused"}}': "3+0x37 0+0x2",
    }
    expected = {'{instance="edge:9108", outcome="exchanged"}': 1.0}
    answers(("kafka.json", "Model exchanges"), series, expected, as_truth=True)
