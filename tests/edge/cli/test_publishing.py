"""What a publishing camera shows."""

from edge.cli.publishing import StatusLine, summary
from producers.camera import CameraStatistics


def test_the_status_line_shows_the_pace_of_the_last_seconds() -> None:
    """A camera that started slowly and now runs at 50 frames/s shows 50, and is not late."""
    now, statistics = 100.0, CameraStatistics()
    line = StatusLine("cam1", lambda: statistics, lambda: now)

    shown = ""
    for second in range(1, 11):
        now = 100.0 + second
        frames = 50 * max(second - 5, 0)
        statistics = CameraStatistics(frames, frames, frames * 100_000, strip_mm=frames * 51.2)
        shown = line.__rich__().plain

    assert "250 frames" in shown
    assert "50.0 frames/s" in shown
    assert "12.8 m of strip" in shown
    assert "5.00 MB/s" in shown
    assert "late" not in shown


def test_the_status_line_says_when_the_pace_is_not_kept() -> None:
    """Lateness beyond a tenth of a second is shown."""
    line = StatusLine("cam1", lambda: CameraStatistics(lateness_s=3.21), lambda: 0.0)

    assert "3.2 s late" in line.__rich__().plain


def test_the_summary_tells_what_was_not_acknowledged() -> None:
    """Frames that may be lost are not hidden in a sum."""
    whole = summary("cam1", CameraStatistics(1000, 1000, 10**8, strip_mm=51_200), seconds=20)
    broken = summary("cam1", CameraStatistics(1000, 990, 10**8, strip_mm=51_200), seconds=20)

    assert whole.plain == "cam1   1,000 frames   20.0 s   50.0 frames/s   51.2 m of strip   5.00 MB/s"
    assert "10 not acknowledged" in broken.plain
