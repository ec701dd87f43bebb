"""The pictures for the documentation."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import cv2
import pytest

from consumers.archive import DEFECTS_FILE
from edge.demo.options import DemoOptions
from edge.demo.pictures import FRAME, TERMINAL, richest_picture, take_pictures
from edge.settings import ModelSettings

FRAMES = 12


@pytest.fixture
def options(tmp_path: Path) -> DemoOptions:
    """A short demo with a model that finds what it is told to."""
    return DemoOptions(
        source=None,
        cameras=2,
        rate=1000.0,
        frames=None,
        out=tmp_path / "archive",
        port=0,
        seed=1,
        model=ModelSettings(runtime="fake", fake_defects=3),
    )


def test_pictures_show_a_run_that_was(tmp_path: Path, options: DemoOptions) -> None:
    """The view tells of both cameras and of defects that were found; the frame is one of the archive."""
    take_pictures(tmp_path / "images", options, FRAMES)
    svg = (tmp_path / "images" / TERMINAL).read_text()
    root = ET.fromstring(svg)  # noqa: S314 - our own
    texts = " ".join(element.text or "" for element in root.iter()).replace("\xa0", " ")
    assert {"stripsight", "cam1", "cam2", "fake"} <= set(re.findall(r"\w+", texts))
    [defects] = re.findall(r"defects\s+(\d+)", texts.partition("last defects")[0])
    assert int(defects) >= 3 * FRAMES
    assert options.out is not None
    assert (tmp_path / "images" / FRAME).read_bytes() == richest_picture(options.out).read_bytes()
    picture = cv2.imread(str(tmp_path / "images" / FRAME))
    assert picture is not None
    assert picture.shape[1] > 1600


def test_a_picture_of_the_terminal_loads_nothing(tmp_path: Path, options: DemoOptions) -> None:
    """No font and no link is fetched by whoever looks at it."""
    take_pictures(tmp_path / "images", options, 1)
    svg = (tmp_path / "images" / TERMINAL).read_text()
    assert "url(" not in re.sub(r"url\(#[\w-]+\)", "", svg)
    assert "@font-face" not in svg


def test_the_richest_picture_has_most_classes_then_defects_then_certainty(
    tmp_path: Path, options: DemoOptions
) -> None:
    """Of the defects that a run found, those of other frames left out are worth less."""
    assert options.out is not None
    take_pictures(tmp_path / "images", options, FRAMES)
    lines = (options.out / DEFECTS_FILE).read_text().splitlines()
    kept = [line for line in lines if '"cam1"' not in line or '"sequence":2' not in line]
    single = next(line for line in lines if '"cam1"' in line and '"sequence":2' in line)
    (options.out / DEFECTS_FILE).write_text("\n".join([single, *kept]))
    assert richest_picture(options.out).name != "cam1_C0001_00000002.jpg"
    (options.out / DEFECTS_FILE).write_text(single)
    assert richest_picture(options.out).name == "cam1_C0001_00000002.jpg"
