"""How the process ends."""

import subprocess
import sys

import pytest

# Threads come back from C++ again and again, and so as the interpreter takes itself down, too.
PROGRAM = """
import asyncio, sys
import torch
from edge.cli.ending import end
from edge.pipeline.worker import Worker

def work():
    while True:
        torch.nn.functional.relu(torch.ones(1000, 100) @ torch.ones(100, 100))

async def main():
    for _ in range(WORKERS):
        asyncio.ensure_future(Worker("hangs").run(work))
    await asyncio.sleep(0.2)

asyncio.run(main())
print("printed")
end(3)
"""


@pytest.mark.parametrize("workers", [0, 4])
def test_threads_left_behind_do_not_change_the_exit_code(workers: int) -> None:
    """What was printed is there, and the process neither hangs nor aborts."""
    program = PROGRAM.replace("WORKERS", str(workers))
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    assert (run.returncode, run.stdout, run.stderr) == (3, "printed\n", "")
