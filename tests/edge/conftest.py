"""What tests of several rooms of ``edge`` have in common."""

from collections.abc import Iterator

import pytest

from tests.support.exports import Exports, kept_graphs


@pytest.fixture(scope="session")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exports]:
    """Exports of the bundled model, by format and precision."""
    with kept_graphs():
        yield Exports(tmp_path_factory.mktemp("exports"))
