"""``stripsight serve`` as its operator runs it: a process of its own, asked over its port."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edge.training.synthetic import SyntheticStrip
from producers.synthetic import encode_grey_jpeg
from tests.support.serve_process import served
from tests.support.torchserve import ask

SUPPORT = Path(__file__).resolve().parents[2] / "support"
TOKEN = "a-token-of-16-or-more"  # noqa: S105 # the one that the tests show
_PATIENCE_S = 60.0


@pytest.mark.timeout(900)  # seconds on an idle machine
@pytest.mark.parametrize("token", [None, TOKEN])
def test_it_does_what_its_description_says(token: str | None, tmp_path: Path) -> None:
    """Schemathesis asks it many things, right and wrong: every answer is one that is described."""
    with served("--runtime", "fake", **({"STRIPSIGHT_HTTP__TOKEN": token} if token else {})) as (url, _):
        command = [sys.executable, "-m", "schemathesis.cli", "--config-file", SUPPORT / "schemathesis.toml"]
        command += ["run", f"{url}/openapi.json", "--phases", "examples,coverage,fuzzing"]
        command += ["--max-examples", "40", "--seed", "1", "--no-color", "--workers", "1"]
        command += ["-H", f"Authorization: Bearer {token}"] if token else []
        done = subprocess.run(
            [str(word) for word in command],
            env=os.environ | {"SCHEMATHESIS_HOOKS": "tests.support.schemathesis_images"},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "No issues found" in done.stdout


def test_sigterm_answers_what_is_in_hand_and_ends_well() -> None:
    """An image that is at the model when the signal comes is answered, and the exit code is 0."""
    image = encode_grey_jpeg(SyntheticStrip(seed=7).frame(0).image)
    with (
        served("--runtime", "fake", STRIPSIGHT_MODEL__FAKE_DELAY_MS="500") as (url, process),
        ThreadPoolExecutor(1) as pool,
    ):
        asking = pool.submit(ask, f"{url}/v1/inspect", body=image)
        while b'camera="http"' not in ask(f"{url}/metrics").body:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)

        assert process.wait(_PATIENCE_S) == 0
        assert asking.result().status == 200
