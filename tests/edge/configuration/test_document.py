"""The table of settings in the documentation."""

from pathlib import Path

from edge.configuration.document import table, with_table

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "settings.md"


def test_the_document_is_that_of_the_code() -> None:
    """docs/settings.md does not rot: ``make schemas`` writes its table anew."""
    text = DOCUMENT.read_text()
    assert with_table(text) == text


def test_every_setting_is_explained() -> None:
    """No setting leaves an operator guessing what it is for."""
    rows = table().splitlines()[2:]
    assert [row for row in rows if row.rsplit("|", 2)[1].strip() == ""] == []
