"""Schema files of the records, generated from their types.

``python -m edge.contracts.schema`` writes them anew; a test fails when they lag behind.
"""

import json
from pathlib import Path
from typing import Any

from edge.contracts.asyncapi import asyncapi
from edge.contracts.header_schema import dead_letter_headers_schema, frame_headers_schema
from edge.contracts.record_schema import record_schema
from edge.contracts.results import Defect, Inspection

FOLDER = Path(__file__).parent / "schemas"


def documents() -> dict[str, dict[str, Any]]:
    """Return every generated document by file name."""
    return {
        "defect.schema.json": record_schema(Defect),
        "inspection.schema.json": record_schema(Inspection),
        "frame-headers.schema.json": frame_headers_schema(),
        "dead-letter-headers.schema.json": dead_letter_headers_schema(),
        "asyncapi.json": asyncapi(),
    }


def as_text(document: dict[str, Any]) -> str:
    """Return a document as it stands in its file."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def write(folder: Path = FOLDER) -> None:
    """Write all documents."""
    folder.mkdir(exist_ok=True)
    for name, document in documents().items():
        (folder / name).write_text(as_text(document), encoding="utf-8")


if __name__ == "__main__":
    write()
