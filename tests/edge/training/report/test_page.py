"""The page as a browser reads it: well-formed, complete, loading nothing, all names escaped."""

import re
from collections import Counter
from typing import Any
from xml.etree.ElementTree import Element

import html5lib
import pytest

from edge.training.report.content import Report
from edge.training.report.page import CONTENTS

CHARTS = [
    *("frequency", "co-occurrence", "combinations", "sizes", "positions", "grey", "contrast"),
    *("training-dice", "training-loss", "training-lr"),
    *("dice-threshold", "precision-recall", "trade-off", "confusion", "calibration"),
]
LOADERS = {"script", "link", "iframe", "object", "embed", "base", "img"}
LOADING = ("src", "href", "srcset", "data", "poster", "action", "formaction", "background")


def parse(page: str) -> Element:
    """Read strictly: what a browser would have to mend is an error."""
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page)


def name(element: Element) -> str:
    """Return the element's name, SVG's without its namespace."""
    return str(element.tag).rpartition("}")[2]


def text(element: Element) -> str:
    """Return all text within."""
    return " ".join("".join(element.itertext()).split())


@pytest.fixture(scope="session")
def tree(full_page: str) -> Element:
    """The parsed page of everything."""
    return parse(full_page)


def test_ids_are_unique_and_every_reference_has_its_target(tree: Element) -> None:
    """No two charts share a clip path, and each entry of the contents leads somewhere."""
    elements = list(tree.iter())
    ids = Counter(e.get("id") for e in elements if e.get("id"))
    links = (value for e in elements for key, value in e.items() if key.endswith("href"))
    referred = {value[1:] for value in links if value.startswith("#")}
    referred |= set(re.findall(r"url\(#([^)]+)\)", " ".join(v for e in elements for v in e.attrib.values())))
    referred |= {e.attrib["for"] for e in elements if name(e) == "label"}
    assert [key for key, count in ids.items() if count > 1] == []
    assert referred - set(ids) == set()
    assert {anchor for anchor, _ in CONTENTS} <= referred


def test_nothing_is_loaded(full_page: str, tree: Element) -> None:
    """No script, style sheet, font or picture from elsewhere; and the browser is told to refuse them."""
    assert {name(e) for e in tree.iter()} & LOADERS == set()
    for element in tree.iter():
        for key, value in element.attrib.items():
            if key.rpartition("}")[2] in LOADING:
                assert value.startswith(("#", "data:image/")), (element.tag, key, value[:80])
            assert not key.startswith("on"), (element.tag, key)
    assert re.findall(r"@import|@font-face|url\((?!#)", full_page) == []
    policy = next(e for e in tree.iter("meta") if e.get("http-equiv") == "Content-Security-Policy")
    assert policy.attrib["content"].startswith("default-src 'none';")


@pytest.mark.parametrize("anchor", CHARTS)
def test_every_chart_has_title_caption_and_a_text_for_who_cannot_see_it(tree: Element, anchor: str) -> None:
    """A caption is one sentence."""
    figure = next(e for e in tree.iter("figure") if e.get("id") == anchor)
    drawing = next(e for e in figure.iter() if name(e) == "svg")
    caption = text(next(figure.iter("figcaption")))
    assert text(next(figure.iter("h3")))
    assert drawing.get("role") == "img"
    assert drawing.get("aria-label")
    assert caption.endswith(".")


def test_charts_name_their_axes_with_units(full_page: str) -> None:
    """What is measured in pixels says so."""
    for label in ("width across the strip, px", "area, px", "y along, px", "false alarms per clean frame"):
        assert f">{label}</text>" in full_page


def test_hostile_names_are_text(study: Any, full_page: str, tree: Element) -> None:
    """Names of files and classes show as they are, and neither end an attribute nor open an element."""
    assert study.hostile not in full_page
    assert any(study.hostile in text(e) for e in tree.iter("figcaption"))
    assert "m <i> on steel <b>" in text(next(tree.iter("h1")))


def test_marks_that_turn_the_direction_of_writing_are_shown_as_such(full_page: str) -> None:
    """A name cannot pose as another."""
    assert "\u202e" not in full_page
    assert "\N{REPLACEMENT CHARACTER}gnp 钢</text>" in full_page


def test_dollars_are_no_mathematics(full_page: str) -> None:
    """Charts write a class's name letter by letter."""
    assert "pit $\\pi$" in full_page


def test_charts_leave_their_colours_to_the_page(full_report: Report) -> None:
    """Light or dark is the reader's choice: no chart has a colour of its own."""
    charts = [*full_report.data_charts, *full_report.training.charts, *full_report.evaluation.charts]
    assert {chart.anchor: re.findall(r"#[0-9a-f]{6}\b", chart.svg) for chart in charts} == {
        chart.anchor: [] for chart in charts
    }


def test_truth_and_prediction_share_one_picture(tree: Element) -> None:
    """The prediction's pane draws other outlines over the same embedded JPEG."""
    pair = next(e for e in tree.iter("figure") if "pair" in e.get("class", ""))
    pictures = [e for e in pair.iter() if name(e) == "image"]
    reused = [e for e in pair.iter() if name(e) == "use"]
    assert len(pictures) == len(reused) == 1
    assert reused[0].get("href") == f"#{pictures[0].get('id')}"


def test_the_best_frame_is_the_right_one_and_the_worst_the_missed_one(full_report: Report) -> None:
    """By Dice, and a clean frame without alarms is nowhere shown as a success."""
    best, worst = full_report.evaluation.best, full_report.evaluation.worst
    assert best[0].caption == "Dice 1.000; 1 of 1 defects found"
    assert {c.picture.name for c in best[:1]} & {c.picture.name for c in worst} == set()


def test_key_figures_are_those_of_the_evaluation(full_report: Report) -> None:
    """Dice stands beside the Dice of finding nothing, alarms beside the number of clean frames."""
    figures = {figure.name: (figure.value, figure.remark) for figure in full_report.key_figures}
    assert figures["Defects found"] == ("50 %", "2 of 4, at IoU 0.3")
    assert figures["False alarms"] == ("1.00", "per clean frame, on 1 of them")
    assert figures["Dice"][1] == "finding nothing scores 0.500"


def test_what_was_not_given_says_how_to_get_it(bare_page: str) -> None:
    """The page of a data set alone is whole, and names the options that add the rest."""
    tree = parse(bare_page)
    hints = [text(e) for e in tree.iter("p") if e.get("class") == "missing"]
    assert len(hints) == 4
    assert "--run" in hints[1]
    assert "stripsight evaluate" in hints[2]
    assert {e.get("id") for e in tree.iter("figure")} >= {"frequency", "positions"}


def test_the_page_is_small(full_page: str) -> None:
    """What a page weighs besides its pictures: it is to be mailed."""
    without_pictures = re.sub(r"data:image/jpeg;base64,[^\"]*", "", full_page)
    assert len(without_pictures) < 700_000
