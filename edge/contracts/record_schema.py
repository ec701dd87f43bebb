"""JSON Schema (draft 2020-12) of a record type, described by the docstrings of the type and its fields."""

import ast
import inspect
import itertools
import re
import textwrap
from typing import Any

import msgspec

from edge.contracts.mask import Mask
from edge.contracts.results import (
    Box,
    Defect,
    FrameReference,
    Inspection,
    ModelReference,
    Screening,
    StageTimes,
    StripEdges,
)

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_TYPES = {
    record.__name__: record
    for record in (
        *(Box, Defect, FrameReference, Inspection, Mask, ModelReference, Screening, StageTimes, StripEdges),
    )
}
_UNITS = {"px": "px", "mm": "mm", "mm2": "mm²", "ms": "ms"}


def identity(name: str) -> Schema:
    """Return the keywords that name a schema; within the major version the id stays, whatever is added."""
    return {"$schema": DIALECT, "$id": f"urn:stripsight:schema:{name}:v1"}


def record_schema(record: type[msgspec.Struct]) -> Schema:
    """Return the schema of a result record as JSON. Fields that it does not name are allowed: newer ones."""
    _, definitions = msgspec.json.schema_components([record])
    described = {name: _described(definitions[name]) for name in sorted(definitions)}
    root = described.pop(record.__name__)
    return identity(record.__name__.lower()) | root | {"$defs": described}


def field_descriptions(record: type[msgspec.Struct]) -> dict[str, str]:
    """Return the docstrings of a record's fields: the bare texts below them."""
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(record))).body
    body = definition.body if isinstance(definition, ast.ClassDef) else []
    return {
        field.target.id: _flowing(text.value.value)
        for field, text in itertools.pairwise(body)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
        if isinstance(text.value.value, str)
    }


def title(field: str) -> str:
    """Return a field's name for people: ``Box (mm)`` for ``box_mm``."""
    words = field.split("_")
    unit = f" ({_UNITS[words.pop()]})" if words[-1] in _UNITS else ""
    return " ".join(words).capitalize() + unit


def _described(definition: Schema) -> Schema:
    texts = field_descriptions(_TYPES[definition["title"]])
    properties = {
        field: {"title": title(field), "description": texts[field]} | node
        for field, node in definition["properties"].items()
    }
    return definition | {
        "title": re.sub(r"(?<=[a-z])(?=[A-Z])", " ", definition["title"]).capitalize(),
        "description": _flowing(definition["description"]),
        "properties": properties,
    }


def _flowing(docstring: str) -> str:
    """Undo the line breaks within paragraphs, and the markup that only Python readers know."""
    text = inspect.cleandoc(docstring).replace("``", "`")
    return re.sub(r"(?<!\n)\n(?!\n)", " ", text)
