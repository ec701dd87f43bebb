"""Records as rows."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from consumers.tables import NARROWEST, RollingTable, defect_table, inspection_table
from edge.contracts import Defect, FrameReference, Inspection

MakeDefect = Callable[..., Defect]
MakeInspection = Callable[..., Inspection]


def test_a_defect_is_a_line_that_tells_class_score_and_place(make_defect: MakeDefect) -> None:
    """Millimetres of strip, not pixels; the columns stand under their titles."""
    table, defect = defect_table(NARROWEST), make_defect()

    header, row = table.header().plain, table.row(defect).plain

    assert row.split()[1:] == [
        "line-1", "cam1", "C0012", "●", "defect_3", "0.87", "110", "12012", "2.0×4.0", "8",
    ]  # fmt: skip
    for title, value in (("camera", "cam1"), ("coil", "C0012"), ("class", "●")):
        assert header.index(title) == row.index(value)
    for title, value in (("score", "0.87"), ("y mm", "12012"), ("size mm", "2.0×4.0")):
        assert header.index(title) + len(title) == row.index(value) + len(value)


def test_an_inspection_is_a_line_that_tells_the_outcome(make_inspection: MakeInspection) -> None:
    """A clean frame has no reason; a failed one tells its own, and what it did not tell is a dash."""
    table = inspection_table(NARROWEST)

    clean = table.row(make_inspection())
    failed = table.row(make_inspection(outcome="failed", reason="corrupt_image", strip_mm=None))

    assert clean.plain.split()[1:] == ["line-1", "cam1", "C0012", "7", "12000", "inspected", "0", "93"]
    assert failed.plain.split()[5:] == ["-", "failed", "0", "93", "corrupt_image"]


def test_the_time_is_the_readers_own(make_defect: MakeDefect) -> None:
    """Capture times travel in UTC and are shown in the time zone of the terminal."""
    captured_at = datetime(2025, 11, 23, 12, 30, 15, tzinfo=UTC)

    assert defect_table().row(make_defect()).plain.startswith(f"{captured_at.astimezone():%H:%M:%S}")


@pytest.mark.parametrize("width", [NARROWEST, 120, 200])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(line=st.text(min_size=1, max_size=60), camera=st.text(min_size=1, max_size=60))
def test_no_row_is_wider_than_the_screen(
    width: int, line: str, camera: str, make_defect: MakeDefect, make_reference: Callable[..., FrameReference]
) -> None:
    """Long names are cut, and take what a wider screen has to give."""
    table: RollingTable[Defect] = defect_table(width)

    assert table.header().cell_len <= width
    assert table.row(make_defect(frame=make_reference(1, line=line, camera=camera))).cell_len <= width


def test_a_wider_screen_shows_longer_names(
    make_defect: MakeDefect, make_reference: Callable[..., FrameReference]
) -> None:
    """A name that is cut in 100 columns is whole in 160."""
    defect = make_defect(frame=make_reference(1, camera="camera-above-stand-4"))

    assert "camera-…" in defect_table(NARROWEST).row(defect).plain
    assert "camera-above-stand-4" in defect_table(160).row(defect).plain


def test_nothing_is_cut_in_a_file(
    make_defect: MakeDefect, make_reference: Callable[..., FrameReference]
) -> None:
    """Without a screen names are whole, however long."""
    row = defect_table().row(make_defect(frame=make_reference(1, camera="c" * 100)))

    assert "c" * 100 in row.plain


@pytest.mark.parametrize("moment", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)])
@pytest.mark.parametrize("zone", ["Etc/GMT+12", "Etc/GMT-14"])
def test_a_time_beyond_the_readers_calendar_is_a_dash(
    moment: datetime,
    zone: str,
    make_inspection: MakeInspection,
    make_reference: Callable[..., FrameReference],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A record of another producer is a row, whatever its clock said, and wherever the reader sits."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    frame = make_reference(1, captured_at=moment)
    try:
        shown = inspection_table().row(make_inspection(frame=frame)).plain.split()[0]
    finally:
        monkeypatch.undo()
        time.tzset()

    assert shown == "-" or shown.count(":") == 2


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(max_size=20))
@example(name="\x1b[31mEVIL\x9b\r\n")
def test_no_row_holds_a_command_to_the_terminal(
    name: str,
    make_defect: MakeDefect,
    make_inspection: MakeInspection,
    make_reference: Callable[..., FrameReference],
) -> None:
    """Control characters of another producer's record are replaced; a row stays one line."""
    frame = make_reference(1, line=name, camera=name, coil=name)

    assert defect_table().row(make_defect(frame=frame, class_name=name)).plain.isprintable()
    assert inspection_table().row(make_inspection(frame=frame, reason=name)).plain.isprintable()
