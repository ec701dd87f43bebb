"""The page itself: one HTML file that loads nothing, with everything on it escaped."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from edge.training.report.content import Report
from edge.training.report.style import CLASS_COLOURS, COLOURS, SURFACE
from edge.training.report.text import printable

_TEMPLATES = Path(__file__).parent / "templates"
CONTENTS = (
    ("model", "Model"),
    ("data", "Data"),
    ("examples", "Example frames"),
    ("training", "Training"),
    ("evaluation", "Evaluation"),
    ("predictions", "Best and worst"),
)


def render(report: Report) -> str:
    """Return the page's HTML."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
    )
    css = (_TEMPLATES / "report.css").read_text(encoding="utf-8")
    return environment.get_template("report.html.j2").render(
        report=report,
        contents=CONTENTS,
        colours=len(CLASS_COLOURS),
        palette=Markup(_palette()),  # noqa: S704 - our own constants
        css=Markup(css),  # noqa: S704 - our own file
    )


def _visible(value: object) -> object:
    """What a template is given: names of files and classes may hold what no page may."""
    return printable(value) if type(value) is str else value


def _palette() -> str:
    """CSS custom properties: paper by day and in print, dark where the reader's screen is dark."""
    light = "".join(f"--{colour.name}:{colour.light};" for colour in COLOURS)
    dark = "".join(f"--{colour.name}:{colour.dark};" for colour in COLOURS)
    # Pictures of steel are dark on every page.
    classes = "".join(
        f".{colour.name}{{--class:var(--{colour.name});--bright:{colour.dark}}}" for colour in CLASS_COLOURS
    )
    return (
        f":root{{{light}}}"
        f"@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}"
        f"@media print{{:root{{color-scheme:light;--{SURFACE.name}:#fff}}}}"
        f"{classes}"
    )
