"""The regression check of ``make bench``."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench.check import read_baseline, regressions, write_baseline
from tests.bench.figures import Figures, percentiles, table_of
from tests.bench.registry import SUBJECTS, subject

NAME = "daemon / in process"
STORED = {"pipeline": {NAME: {"ratio": 1.0, "tolerance": 0.1}}}


def measured(*ratios: float) -> dict[str, Any]:
    """What a run yields whose only subject has one ratio."""
    return {"pipeline": {"ratios": {NAME: list(ratios)}}}


def test_a_ratio_that_fell_behind_is_named() -> None:
    """With what it is, and what it had to be."""
    (sentence,) = regressions(measured(0.7, 0.89, 2.0), STORED)
    assert sentence == "pipeline: daemon / in process: 0.890 is below 0.900, which is 1.000 less 10%"


@given(st.floats(0.91, 100))
def test_what_varies_within_the_tolerance_is_no_regression(ratio: float) -> None:
    """Nor is what got better."""
    assert not list(regressions(measured(ratio), STORED))


def test_the_median_counts() -> None:
    """One bad turn on a busy machine is not a regression."""
    assert not list(regressions(measured(0.1, 1.0, 1.0), STORED))


def test_a_ratio_that_is_not_measured_any_more_is_told() -> None:
    """Else it could vanish with what it watched over."""
    (sentence,) = regressions({"pipeline": {"ratios": {}}}, STORED)
    assert "was not measured" in sentence


def test_subjects_that_did_not_run_are_passed_over() -> None:
    """Some of them cannot run everywhere."""
    assert not list(regressions({}, STORED))


def test_a_stored_run_is_no_regression_of_itself(tmp_path: Path) -> None:
    """And tolerances that somebody has set stay, as do other subjects."""
    path = tmp_path / "baseline.json"
    path.write_text(json.dumps(STORED | {"decode": {}}))
    write_baseline(measured(2.0, 3.0), path)
    stored = read_baseline(path)
    assert stored == {"pipeline": {NAME: {"ratio": 2.5, "tolerance": 0.1}}, "decode": {}}
    assert not list(regressions(measured(2.5), stored))


def test_the_baseline_is_of_subjects_that_there_are() -> None:
    """A renamed subject would no more be watched."""
    assert read_baseline().keys() <= SUBJECTS.keys()


@pytest.mark.parametrize("name", ["decode", "stages", "pipeline"])
def test_subjects_have_what_the_frame_asks_of_them(name: str) -> None:
    """A measurement, and a table of it."""
    module = subject(name)
    assert callable(module.measure)
    assert callable(module.table_of)


def test_a_table_shows_medians_and_ratios() -> None:
    """Columns that nobody has a figure for are left out."""
    figures = Figures("two decoders")
    for speed in (1.0, 3.0, 2.0):
        figures.add("ours", frames_per_s=speed, peak_mib=None)
        figures.add_ratio("ours / theirs", speed)
    table = table_of(figures.result())
    assert [column.header for column in table.columns] == ["", "frames/s"]
    assert [next(iter(column.cells)) for column in table.columns] == ["ours", "2.0"]


def test_percentiles_are_those_of_the_values() -> None:
    """Of 1 to 101 ms, linearly interpolated."""
    assert percentiles([float(value) for value in range(1, 102)]) == {
        "p50_ms": 51,
        "p90_ms": 91,
        "p99_ms": 100,
    }
