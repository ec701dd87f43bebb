"""``stripsight serve`` as its operator runs it: a process of its own, asked over its port."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.kafka_broker import free_port
from tests.support.torchserve import ask

_PATIENCE_S = 120.0  # torch and a model, on a busy machine


@contextmanager
def served(*options: str, **environment: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Address and process, from ready on; killed at the end, should it still be there."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "edge.cli", "serve", "--http-port", str(port), *options],
        env=os.environ | environment,
        stderr=subprocess.DEVNULL,
    )
    try:
        ends_at = time.monotonic() + _PATIENCE_S
        while not _is_ready(f"http://127.0.0.1:{port}/readyz"):
            assert process.poll() is None, "it has ended by itself"
            assert time.monotonic() < ends_at, "it does not get ready"
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}", process
    finally:
        process.kill()
        process.wait()


def _is_ready(url: str) -> bool:
    try:
        return ask(url).status == 200
    except OSError:
        return False
