"""The compose file and the Dockerfile as texts: what holds before anything is started."""

import json
import re
import tomllib
from importlib import resources
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from edge.bus.connection import largest_frame_bytes, largest_record_bytes
from edge.configuration import load_settings
from edge.settings import KafkaSettings
from tests.conftest import skip_or_fail
from tests.support.compose import ROOT, Compose, why_no_compose

DEPLOY = ROOT / "deploy"
FILES = ["docker-compose.yml", "deploy/existing-kafka.yml"]
LOCKS = ["torch.txt", "runtime.txt", "build.txt", "torchserve.txt"]
_PINNED = re.compile(r"^[a-z/]+:v?\d+\.\d+\.\d+$")
_LOCKED = re.compile(r"^([A-Za-z0-9._-]+)==(\S+) \\$", re.MULTILINE)


@pytest.fixture(scope="module")
def docker_reads() -> None:
    """The command that reads compose files; no engine is needed for it."""
    if reason := why_no_compose():
        skip_or_fail("docker", reason)


@pytest.fixture(scope="module")
def compose(docker_reads: None) -> Compose:  # noqa: ARG001 - it skips
    """Our compose file, which is only read."""
    return Compose(profiles="*")


@pytest.fixture(scope="module")
def services(compose: Compose) -> dict[str, Any]:
    """All services as Compose understands them with its defaults, ports apart."""
    services: dict[str, Any] = compose.config()["services"]
    return services


@pytest.mark.parametrize("file", FILES)
def test_the_compose_specification_knows_every_word(file: str) -> None:
    """No key is mistyped: the Compose specification's own schema takes the file."""
    vendored = resources.files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    errors = Draft7Validator(json.loads(vendored.read_text())).iter_errors(
        yaml.safe_load((ROOT / file).read_text())
    )
    assert [error.message for error in errors] == []


def test_the_services_are_those_that_the_documents_speak_of(services: dict[str, Any]) -> None:
    """Compose takes the file, with every profile."""
    assert set(services) == {
        "kafka", "kafka-topics", "edge", "edge-gpu", "camera", "prometheus", "alertmanager", "grafana",
        "torchserve",
    }  # fmt: skip


def test_images_are_pinned(services: dict[str, Any]) -> None:
    """Every image that is pulled has a whole version, so that two mills run the same."""
    pulled = {service["image"] for service in services.values() if "build" not in service}
    assert {image for image in pulled if not _PINNED.match(image)} == set()
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    (python,) = re.findall(r"^ARG PYTHON_VERSION=(\S+)$", dockerfile, re.MULTILINE)
    assert re.fullmatch(r"3\.\d+\.\d+", python)
    assert re.search(r"^ARG DETECTRON2=git\+https://\S+@[0-9a-f]{40}$", dockerfile, re.MULTILINE)


def test_ports_are_for_this_machine_alone(services: dict[str, Any]) -> None:
    """Nothing is reached over the network until somebody says so in .env."""
    addresses = {port["host_ip"] for service in services.values() for port in service.get("ports", [])}
    assert addresses == {"127.0.0.1"}


def test_services_can_do_little_harm(services: dict[str, Any]) -> None:
    """Read-only, without privileges, and bounded in memory, processes and logs: each of them."""
    for name, service in services.items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["deploy"]["resources"]["limits"].keys() >= {"memory", "pids"}, name
        assert service["logging"]["options"].keys() == {"max-size", "max-file"}, name
        assert not service.get("privileged"), name


def test_what_runs_for_long_comes_back_and_tells_its_health(services: dict[str, Any]) -> None:
    """All but the one that only creates topics are started again; all but the camera answer a check."""
    lasting = {name: service for name, service in services.items() if name != "kafka-topics"}
    assert {service["restart"] for service in lasting.values()} == {"unless-stopped"}
    # The check of our own image stands in its Dockerfile.
    checked = {
        name
        for name, service in lasting.items()
        if service.get("healthcheck", {}).get("test") or "build" in service
    } - {"camera"}
    assert checked == lasting.keys() - {"camera"}


def test_the_daemon_has_time_to_drain(services: dict[str, Any]) -> None:
    """Docker waits for longer than the daemon may take to finish what is in flight."""
    drain_s = load_settings(DEPLOY / "edge" / "stripsight.toml", {}).pipeline.drain_timeout_s
    for name in ("edge", "edge-gpu"):
        minutes, seconds = re.fullmatch(r"(?:(\d+)m)?(\d+)s", services[name]["stop_grace_period"]).groups("0")
        assert 60 * int(minutes) + int(seconds) > drain_s + 5


def test_no_secret_is_in_the_file(compose: Compose) -> None:
    """Passwords and tokens come from the environment, and from nothing that is committed."""
    as_written = compose.config("--no-interpolate", "--no-env-resolution")["services"]
    secrets = {
        name: value
        for service in as_written.values()
        for name, value in (service.get("environment") or {}).items()
        if re.search("PASSWORD|TOKEN|SECRET", name)
    }
    assert secrets.keys() >= {"GF_SECURITY_ADMIN_PASSWORD", "STRIPSIGHT_HTTP__TOKEN"}
    assert {value for value in secrets.values() if value and not value.startswith("${")} == set()
    assert ".env" in (ROOT / ".gitignore").read_text().splitlines()


@pytest.mark.usefixtures("docker_reads")
def test_without_a_password_of_grafana_compose_says_what_to_do() -> None:
    """Nobody gets a Grafana with a password that everybody knows."""
    with pytest.raises(AssertionError, match="which begins as a copy"):
        Compose({"GRAFANA_ADMIN_PASSWORD": ""}).config()


def test_every_variable_is_in_the_example() -> None:
    """.env.example shows each variable that may be set, and the compose file's default as such."""
    text = (ROOT / "docker-compose.yml").read_text()
    example = (ROOT / ".env.example").read_text()
    defaults = set(re.findall(r"\$\{(\w+):-([^}]*)\}", text))
    handed_on = set(re.findall(r"^ +(STRIPSIGHT_\w+):$", text, re.MULTILINE))
    shown = set(re.findall(r"^#?\??(\w+)=", example, re.MULTILINE))
    assert {name for name, _ in defaults} | handed_on <= shown
    as_examples = set(re.findall(r"^#\?(\w+)=", example, re.MULTILINE))
    assert {each for each in defaults if each[0] not in as_examples} == set(
        re.findall(r"^#(\w+)=(.*)$", example, re.MULTILINE)
    )


@pytest.mark.usefixtures("docker_reads")
def test_a_kafka_of_the_mills_own_takes_the_place_of_ours() -> None:
    """With the second file neither broker nor topics are started, and the daemon asks the other address."""
    compose = Compose({"KAFKA_BOOTSTRAP_SERVERS": "kafka.mill:9093"}, files=tuple(FILES), profiles="")
    services = compose.config()["services"]
    assert services.keys() == {"edge", "prometheus", "alertmanager", "grafana"}
    assert services["edge"]["environment"]["STRIPSIGHT_KAFKA__BOOTSTRAP_SERVERS"] == "kafka.mill:9093"


@pytest.mark.usefixtures("docker_reads")
def test_on_a_gpu_one_daemon_runs_and_it_is_that_one() -> None:
    """The two lines of .env that the documents name leave the CPU's daemon out and reserve a GPU."""
    services = Compose({"STRIPSIGHT_CPU_DAEMONS": "0"}, profiles="gpu").config()["services"]
    assert services["edge"]["deploy"]["replicas"] == 0
    (device,) = services["edge-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert device["driver"] == "nvidia"
    assert "gpu" in device["capabilities"]
    assert services["edge-gpu"]["environment"]["STRIPSIGHT_MODEL__DEVICE"] == "cuda"


def test_topics_hold_what_the_daemon_lets_pass() -> None:
    """The largest frame and its dead letter fit into the topics that the script creates."""
    script = (DEPLOY / "kafka" / "topics.sh").read_text()
    assert f"frame_bytes={largest_frame_bytes(KafkaSettings())}\n" in script
    assert f"record_bytes={largest_record_bytes(KafkaSettings())}\n" in script


def test_libraries_are_locked_as_the_project_asks_for_them() -> None:
    """Each dependency is in the image at one version, with its hashes, that pyproject.toml allows."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    locked = locked_versions("runtime.txt")
    extras = project["optional-dependencies"]
    for requirement in map(Requirement, [*project["dependencies"], *extras["gpu"], *extras["otel"]]):
        assert requirement.specifier.contains(locked[canonicalize_name(requirement.name)]), requirement
    torch = locked_versions("torch.txt")
    assert {name: locked[name] for name in torch} == torch, "the layers disagree"


def test_torchserve_is_locked_to_what_its_layer_finds() -> None:
    """Its libraries are those of the extra, and what it shares with the daemon has the daemon's versions."""
    torchserve, runtime = locked_versions("torchserve.txt"), locked_versions("runtime.txt")
    shared = torchserve.keys() & runtime.keys()
    assert {name: torchserve[name] for name in shared} == {name: runtime[name] for name in shared}
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"][
        "torchserve"
    ]
    (wanted,) = [each for each in map(Requirement, extra) if each.name == "torchserve"]
    assert wanted.specifier.contains(torchserve["torchserve"])


@pytest.mark.parametrize("lock", LOCKS)
def test_locks_name_no_place(lock: str) -> None:
    """Where packages come from is the machine's affair."""
    assert "://" not in (DEPLOY / "requirements" / lock).read_text()


def locked_versions(lock: str) -> dict[str, str]:
    """Return the versions in a lock file, by name."""
    text = (DEPLOY / "requirements" / lock).read_text()
    return {canonicalize_name(name): version for name, version in _LOCKED.findall(text)}
