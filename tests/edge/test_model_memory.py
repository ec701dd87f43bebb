"""Models that come and go leave nothing behind: real ones, exchanged beside batches in progress."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LONG = os.environ.get("STRIPSIGHT_TEST_LONG") == "1"
# The memory of the process settles within a few exchanges: allocators keep what they have once got.
EXCHANGES, SETTLED = (50, 5) if LONG else (12, 5)
# Of some 1,000 MiB; a model that is left behind has 16 MiB. Measured over 50 exchanges: 1.0 %.
MOST_GROWTH = 1.05


@pytest.mark.timeout(900)
def test_memory_does_not_grow_with_exchanges() -> None:
    """After the first few, the process has as much memory as at the end, and as many threads.

    A batch in progress takes some; so it is the least of two exchanges that is compared.
    """
    run = subprocess.run(
        [sys.executable, "-m", "tests.support.exchange_memory", str(EXCHANGES)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    )
    figures = [json.loads(line) for line in run.stdout.splitlines()]
    assert len(figures) == EXCHANGES
    assert len({figure["version"] for figure in figures}) == 2
    resident = [figure["resident_bytes"] for figure in figures]
    assert min(resident[-2:]) < MOST_GROWTH * min(resident[SETTLED - 1 : SETTLED + 1])
    assert figures[-1]["threads"] <= figures[SETTLED - 1]["threads"] + 1
