"""What the report says, before it is a page: each part is there when its input is."""

from collections.abc import Sequence
from dataclasses import dataclass

from edge.training.report.examples import Comparison, Example
from edge.training.report.svg import Chart

Facts = Sequence[tuple[str, str]]
"""Names and values, in the order in which they are shown."""


@dataclass(frozen=True, slots=True)
class KeyFigure:
    """A figure at the top of the page; ``remark`` says what to compare it with."""

    name: str
    value: str
    remark: str


@dataclass(frozen=True, slots=True)
class ModelCard:
    """Which model it is; ``classes`` are names and the scores above which they are reported."""

    facts: Facts
    classes: Sequence[tuple[str, float]]


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table, with its class's colour if it is of one."""

    name: str
    cells: Sequence[str]
    class_id: int | None = None
    is_total: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Figures to read; the first column is the rows' names."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True)
class TrainingPart:
    """How a run went."""

    facts: Facts
    charts: Sequence[Chart]


@dataclass(frozen=True, slots=True)
class EvaluationPart:
    """What the model is worth."""

    facts: Facts
    tables: Sequence[Table]
    charts: Sequence[Chart]
    best: Sequence[Comparison]
    worst: Sequence[Comparison]


@dataclass(frozen=True, slots=True)
class Report:
    """Everything on the page."""

    title: str
    byline: str
    version: str
    made_at: str
    class_names: Sequence[str]
    key_figures: Sequence[KeyFigure]
    card: ModelCard | None
    data_facts: Facts
    data_charts: Sequence[Chart]
    examples: Sequence[Example]
    training: TrainingPart | None
    evaluation: EvaluationPart | None
