"""A graph for whose input memory does not suffice."""

import subprocess
import sys

import pytest

from tests.support.exports import Exports

pytestmark = pytest.mark.timeout(600)  # torch's exporter takes a quarter of a minute of an idle core

# In a process of its own, which may take 128 MiB more than it has reserved; the image takes gigabytes.
SCRIPT = """
import resource, sys
from functools import partial
from pathlib import Path
import torch
from edge.vision.exported.record import read_record, read_verified
from edge.vision.exported.runtime import engine_for

folder = Path(sys.argv[1])
record = read_record(folder)
graph = engine_for(record, threads=1).load("trunk", partial(read_verified, folder, record))
graph(torch.zeros(1, 256, 256, 3))
large = torch.zeros(1, 2048, 4096, 3)
pages = int(Path("/proc/self/statm").read_text().split()[0])
limit = pages * resource.getpagesize() + 128 * 2**20
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    graph(large)
except MemoryError as error:
    print(error)
"""


def test_memory_that_does_not_suffice_is_told_as_such(exports: Exports) -> None:
    """ONNX Runtime has no type for it; the runtime halves the batch, and at last the frame alone fails."""
    command = [sys.executable, "-c", SCRIPT, str(exports("onnx", "float32"))]
    child = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (child.returncode, child.stderr) == (0, "")
    assert "alloc" in child.stdout
