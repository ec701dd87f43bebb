"""Charts as inline SVG: text stays text, colours follow the page, and no two charts share an id."""

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.figure import Figure

from edge.training.report.style import CHART_STYLE, COLOURS

_PX_PER_INCH = 72
# Date, creator and the vocabulary that describes them: no reader sees it.
_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}
_DROPPED = re.compile(r"<metadata>.*?</metadata>|<style[^>]*>.*?</style>", re.DOTALL)
_GROUP_ID = re.compile(r'<g id="[^"]*"')
_COLOUR = re.compile(r"#[0-9a-f]{6}\b")
_FONT = re.compile(r"'DejaVu Sans'(?:, [^;\"]*)?")
_HEAD = re.compile(r"<svg[^>]*viewBox=\"(0 0 ([0-9.]+) [0-9.]+)\"[^>]*>")
_NAMES = {colour.light: f"var(--{colour.name})" for colour in COLOURS}


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure of the report; ``caption`` is one sentence that says what to see."""

    anchor: str
    title: str
    caption: str
    svg: Markup
    half: bool = False
    """Two of them stand side by side where there is room."""


@contextmanager
def drawing(width_px: float, height_px: float) -> Iterator[Figure]:
    """Give a figure in the report's style; fonts and lines of what is drawn inside are the report's."""
    with mpl.rc_context(CHART_STYLE), warnings.catch_warnings():
        # It is the reader's browser that draws text, with fonts for more scripts than matplotlib brings.
        warnings.filterwarnings("ignore", r"Glyph \d+ .*missing from font")
        yield Figure(figsize=(width_px / _PX_PER_INCH, height_px / _PX_PER_INCH), layout="constrained")


def inline_svg(figure: Figure, anchor: str, alt: str) -> Markup:
    """Turn a figure into an ``<svg>`` for a page that defines the style's colours; call it while ``drawing``.

    Args:
        figure: what was drawn.
        anchor: the chart's name on the page; ids inside of the SVG are made from it, and stay the same.
        alt: what is drawn, for who cannot see it.
    """
    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": anchor}):
        figure.savefig(buffer, format="svg", metadata=_NO_METADATA)
    drawn = _DROPPED.sub("", buffer.getvalue())
    head = _HEAD.search(drawn)
    if head is None:
        raise AssertionError("matplotlib's SVG has another head than its versions 3.8 to 3.11 write")
    body = _GROUP_ID.sub("<g", drawn[head.end() :]).replace("xlink:href", "href")
    body = _COLOUR.sub(lambda match: _NAMES.get(match.group(), match.group()), body)
    body = _FONT.sub("var(--font)", body)
    opening = Markup('<svg class="chart" role="img" aria-label="{}" viewBox="{}" style="width:{:.0f}px">')
    # matplotlib escapes the text that it draws
    return opening.format(alt, head.group(1), float(head.group(2))) + Markup(body)  # noqa: S704
