"""A TorchServe of our own: the real one, on free ports, in a folder that goes with the test."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any, Self

from tests.conftest import skip_or_fail
from tests.support.compose import ROOT
from tests.support.kafka_broker import free_port

DEPLOY = ROOT / "deploy" / "torchserve"
_START_TIMEOUT_S = 240.0  # a worker loads torch and the model: 10 s on an idle machine
_STOP_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Message
    body: bytes

    @property
    def json(self) -> Any:
        """The body, from JSON."""
        return json.loads(self.body)


def ask(url: str, *, key: str | None = None, body: bytes | None = None, **headers: str) -> Answer:
    """Ask for a page; underscores in names of headers stand for hyphens."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    if key is not None:
        given["Authorization"] = f"Bearer {key}"
    if body is not None:
        given.setdefault("Content-Type", "application/octet-stream")
    request = urllib.request.Request(url, body, given)  # noqa: S310 - an address of ours
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310 - as above
            return Answer(answer.status, answer.headers, answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.headers, error.read())


class TorchServe:
    """Serves the archives of a folder with deploy/torchserve/config.properties, while its context is open.

    Left in order, ``exit_code`` tells how it ended.
    """

    def __init__(self, store: Path) -> None:
        if shutil.which("java") is None:
            skip_or_fail("java", "java, which TorchServe runs on, is not installed")
        self._store = store
        self.inference, self.management, self.metrics = (f"http://127.0.0.1:{free_port()}" for _ in range(3))
        self.exit_code: int | None = None
        # Not pytest's folder: the names of Unix sockets may have 107 characters.
        self._folder = Path(tempfile.mkdtemp(prefix="ts-"))
        self._log = self._folder / "log"

    def __enter__(self) -> Self:
        config = self._folder / "config.properties"
        config.write_text(self._config())
        command = ["--start", "--foreground", "--ncs", "--model-store", self._store, "--ts-config", config]
        command += ["--log-config", DEPLOY / "log4j2.xml"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ts.model_server", *map(str, command)],
                cwd=self._folder,
                env=self._environment(),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            self._wait_until_ready()
        except BaseException:
            self._kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.stop()
        finally:
            self._kill()
            shutil.rmtree(self._folder)

    def key(self, of: str) -> str:
        """Return the key of ``inference`` or ``management``, which TorchServe has drawn."""
        return str(json.loads((self._folder / "key_file.json").read_text())[of]["key"])

    def health(self) -> int:
        """Ask as the image's health check does; 0 for healthy."""
        command = [sys.executable, str(DEPLOY / "health.py"), f"{self.inference}/ping"]
        return subprocess.run(command, cwd=self._folder, check=False).returncode

    def stop(self) -> None:
        """Stop it as its operator does, and wait until it has ended."""
        if self.exit_code is not None:
            return
        subprocess.run(
            [sys.executable, "-m", "ts.model_server", "--stop"],
            env=self._environment(),
            check=True,
            capture_output=True,
        )
        self.exit_code = self._process.wait(_STOP_TIMEOUT_S)

    def is_running(self) -> bool:
        """Whether any of its processes is left: the server's or a worker's."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, 0)
            return True
        return False

    def wait_until_gone(self) -> None:
        """Wait until none of its processes is left: workers end when the server's sockets do."""
        ends_at = time.monotonic() + _STOP_TIMEOUT_S
        while self.is_running():
            assert time.monotonic() < ends_at, "a worker lives on"
            time.sleep(0.05)

    def log(self) -> str:
        """Return all that it has said."""
        return self._log.read_text()

    def _config(self) -> str:
        text = (DEPLOY / "config.properties").read_text()
        for name in ("inference", "management", "metrics"):
            text = re.sub(rf"(?m)^{name}_address=.*$", f"{name}_address={getattr(self, name)}", text)
        text = re.sub(r"(?m)^model_store=.*$", f"model_store={self._store}", text)
        text = text.replace("file:///models/", f"file://{self._store}/")
        text = re.sub(r"(?m)^vmargs=", f"vmargs=-Djava.io.tmpdir={self._folder} ", text)
        return f"{text}grpc_inference_port={free_port()}\ngrpc_management_port={free_port()}\n"

    def _environment(self) -> dict[str, str]:
        return os.environ | {"TMPDIR": str(self._folder), "STRIPSIGHT_LOG__LEVEL": "warning"}

    def _wait_until_ready(self) -> None:
        ends_at = time.monotonic() + _START_TIMEOUT_S
        while not self._is_ready():
            assert self._process.poll() is None, f"TorchServe has ended: {self.log()}"
            assert time.monotonic() < ends_at, f"TorchServe does not get ready: {self.log()}"
            time.sleep(0.1)

    def _is_ready(self) -> bool:
        """Whether a worker holds the model: the server's own health is green before."""
        try:
            answer = ask(f"{self.management}/models/stripsight", key=self.key("management"))
        except (OSError, ValueError):
            return False
        return answer.status == 200 and answer.json[0]["workers"][0]["status"] == "READY"

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
