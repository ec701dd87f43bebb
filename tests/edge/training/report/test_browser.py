"""The page in a real browser, where there is one."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.conftest import skip_or_fail

SWITCH = "STRIPSIGHT_TEST_BROWSER"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--enable-logging=stderr", "--v=0"),
)
BAR = (35, 132, 196)  # red, green, blue of the first class on paper
PAPER = (253, 253, 252)


@pytest.fixture(scope="session")
def browser() -> str:
    """Chromium: the one that STRIPSIGHT_TEST_BROWSER names and then must be there, else the machine's."""
    named = os.environ.get(SWITCH)
    found = next(filter(None, map(shutil.which, [named] if named else NAMES)), None)
    if found is None and named:
        pytest.fail(f"{SWITCH}={named}: there is no such browser")
    if found is None:
        skip_or_fail("browser", f"there is no Chromium here; {SWITCH} names one")
    return found


def run(browser: str, folder: Path, page: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Open the page in a browser that knows nobody, and let it end."""
    file = folder / "report.html"
    file.write_text(page, encoding="utf-8")
    command = [browser, *QUIET, f"--user-data-dir={folder / 'profile'}", *arguments, file.as_uri()]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)


def test_the_browser_draws_the_page_and_has_nothing_to_complain_about(
    browser: str, full_page: str, tmp_path: Path
) -> None:
    """Charts and pictures are on the screen, in the page's colours; the console stays empty."""
    picture = tmp_path / "page.png"
    done = run(browser, tmp_path, full_page, f"--screenshot={picture}", "--window-size=1400,1600")
    assert re.findall(r"CONSOLE.*", done.stderr) == []
    pixels = cv2.cvtColor(cv2.imread(str(picture)), cv2.COLOR_BGR2RGB)
    assert pixels.shape == (1600, 1400, 3)
    assert (pixels == PAPER).all(axis=2).mean() > 0.3
    assert (pixels == BAR).all(axis=2).sum() > 1000


def test_a_narrow_screen_needs_no_sideways_scrolling(browser: str, full_page: str, tmp_path: Path) -> None:
    """Wide charts scroll within themselves: the right-hand edge of the page stays its background."""
    picture = tmp_path / "page.png"
    run(browser, tmp_path, full_page, f"--screenshot={picture}", "--window-size=500,6000")
    pixels = cv2.cvtColor(cv2.imread(str(picture)), cv2.COLOR_BGR2RGB)
    assert np.array_equal(np.unique(pixels[:, -8:].reshape(-1, 3), axis=0), [PAPER])
