"""The compose file at the top of the repository, brought up under a name and on ports of a test's own."""

import json
import os
import subprocess
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.kafka_broker import free_port

ROOT = Path(__file__).resolve().parents[2]
_PORTS = (
    *("KAFKA_PORT", "STRIPSIGHT_PORT", "PROMETHEUS_PORT", "ALERTMANAGER_PORT", "GRAFANA_PORT"),
    *("TORCHSERVE_PORT", "TORCHSERVE_METRICS_PORT"),
)


def docker(*arguments: str, timeout_s: float = 30) -> str:
    """Run ``docker`` and return what it printed.

    Raises:
        OSError: there is none.
        subprocess.SubprocessError: it failed, or took too long.
    """
    command = ["docker", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=timeout_s).stdout


def why_no_compose(images: Collection[str] = ()) -> str | None:
    """Return why no compose file can be read or brought up here that needs these images; None if it can."""
    try:
        docker("compose", "version")
        docker("buildx", "version")
        for image in sorted(images):
            docker("image", "inspect", image)
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    return None


@dataclass
class Compose:
    """One project of our compose file. Blocks: an event loop calls it in a thread."""

    environment: Mapping[str, str] = field(default_factory=dict)
    files: tuple[str, ...] = ("docker-compose.yml",)
    profiles: str = "demo"

    def __post_init__(self) -> None:
        self.project = f"stripsight-{uuid.uuid4().hex[:8]}"
        self.ports = {name: free_port() for name in _PORTS}

    def __call__(self, *arguments: str, timeout_s: float = 120) -> str:
        """Run ``docker compose`` and return what it printed; it must succeed."""
        done = subprocess.run(
            [*self._command(), *arguments],
            cwd=ROOT,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        assert done.returncode == 0, f"docker compose {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def config(self, *arguments: str) -> dict[str, Any]:
        """Return the compose file as Compose understands it, everything filled in."""
        config: dict[str, Any] = json.loads(self("config", "--format", "json", *arguments))
        return config

    def inspect(self, service: str) -> dict[str, Any]:
        """Return what the engine knows of a service's container, running or not."""
        container = self("ps", "--all", "--quiet", service).strip()
        answer: dict[str, Any] = json.loads(docker("inspect", container))[0]
        return answer

    def _command(self) -> list[str]:
        files = [word for file in self.files for word in ("--file", file)]
        # An empty file in place of .env, in which may stand what belongs to this machine's own line.
        return ["docker", "compose", "--env-file", os.devnull, "--project-name", self.project, *files]

    def _environment(self) -> dict[str, str]:
        # Nothing of what is set for a line of this machine's own.
        inherited = {
            name: value
            for name, value in os.environ.items()
            if name in {"PATH", "HOME"} or name.startswith("DOCKER_")
        }
        return {
            **inherited,
            "COMPOSE_PROFILES": self.profiles,
            "STRIPSIGHT_IMAGE": "stripsight:test",
            "TORCHSERVE_IMAGE": "stripsight-torchserve:test",
            "GRAFANA_ADMIN_PASSWORD": "of-this-test",
            **{name: str(port) for name, port in self.ports.items()},
            **self.environment,
        }
