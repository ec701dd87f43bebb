"""``docker compose up``, as a mill runs it: the image from our Dockerfile, a broker, a camera, Prometheus.

Grafana alone is left out: what it shows is tested beside its dashboards.
"""

import asyncio
import json
import re
import shutil
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from consumers.subscription import Subscription
from edge.contracts import Defect
from edge.settings import KafkaSettings
from tests.conftest import Until, skip_or_fail
from tests.support.audit import all_committed, audit
from tests.support.compose import ROOT, Compose, docker, why_no_compose

# The first build fetches torch, which is gigabytes; what follows takes seconds.
BUILD_TIMEOUT_S = 1800
pytestmark = pytest.mark.timeout(BUILD_TIMEOUT_S + 300)

CHECKED = ["kafka", "edge", "prometheus", "alertmanager"]
SERVICES = [*CHECKED, "camera"]
FRAMES = TopicPartition("frames.cam1", 0)
PATIENCE_S = 90.0  # two cores, on which a model computes and a broker starts
HOUR_MS = 3600 * 1000


def needed_images() -> set[str]:
    """Return what the services here and our Dockerfile start from."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text()
    (python,) = re.findall(r"^ARG PYTHON_VERSION=(\S+)$", dockerfile, re.MULTILINE)
    pulled = {service["image"] for name, service in services.items() if name in CHECKED and name != "edge"}
    return pulled | {f"python:{python}-slim-bookworm"}


@pytest.fixture(scope="module")
def mill() -> Iterator[Compose]:
    """The whole compose file but Grafana, up and healthy, with a camera that draws a frame a second."""
    if reason := why_no_compose(needed_images()):
        skip_or_fail("docker", reason)
    compose = Compose({"DEMO_RATE": "1"})
    compose("build", "edge", timeout_s=BUILD_TIMEOUT_S)
    try:
        up(compose)
        yield compose
    finally:
        compose("down", "--volumes", "--timeout", "5")


def up(compose: Compose, *services: str) -> None:
    """Start what is not running, and wait until every check is green."""
    compose("up", "--detach", "--no-build", "--wait", *(services or SERVICES), timeout_s=PATIENCE_S)


@pytest.fixture
def kafka(mill: Compose) -> KafkaSettings:
    """The broker as it is reached from this machine, and the daemon's group on it."""
    return KafkaSettings(
        bootstrap_servers=f"127.0.0.1:{mill.ports['KAFKA_PORT']}", frame_topics=[FRAMES.topic]
    )


async def test_checks_turn_green_and_topics_are_made(mill: Compose, kafka: KafkaSettings) -> None:
    """Each service with a check is healthy; topics are made, for large frames and for a year of results."""
    states = {service: mill.inspect(service)["State"] for service in (*SERVICES, "kafka-topics")}
    assert {states[service]["Health"]["Status"] for service in CHECKED} == {"healthy"}
    assert states["camera"]["Running"]
    assert states["kafka-topics"]["ExitCode"] == 0
    topics = ["frames.cam1", "frames.dead-letter", "defects", "inspections"]
    configs = dict(zip(topics, await topic_configs(kafka, topics), strict=True))
    assert all(int(config["max.message.bytes"]) > kafka.max_message_bytes for config in configs.values())
    assert int(configs["frames.cam1"]["retention.ms"]) == 6 * HOUR_MS
    assert int(configs["frames.cam1"]["retention.bytes"]) == 20_000_000_000
    assert int(configs["inspections"]["retention.ms"]) == int(configs["defects"]["retention.ms"])
    assert int(configs["inspections"]["retention.ms"]) == 365 * 24 * HOUR_MS


async def test_defects_come_out_on_the_published_port(kafka: KafkaSettings) -> None:
    """What the model finds on the drawn strip is read from this machine, by the typed subscription."""
    async with (
        asyncio.timeout(PATIENCE_S),
        Subscription(kafka, kafka.defects_topic, Defect, from_beginning=True) as defects,
    ):
        async for defect in defects:
            assert defect.frame.topic == FRAMES.topic
            assert defect.frame.camera == "cam1"
            assert defect.area_mm2 > 0
            break


async def test_prometheus_reaches_all_and_knows_every_rule(mill: Compose, until: Until) -> None:
    """Every target is up, every rule of every file is loaded and can be evaluated."""
    await until(
        lambda: targets(mill) == {"stripsight": "up", "prometheus": "up", "alertmanager": "up"}, PATIENCE_S
    )
    loaded = [rule for group in ask(mill, "rules")["groups"] for rule in group["rules"]]
    written = [
        rule.get("alert") or rule["record"]
        for file in (ROOT / "deploy" / "prometheus" / "rules").glob("*.yml")
        for group in yaml.safe_load(file.read_text()).get("groups", [])
        for rule in group["rules"]
    ]
    assert sorted(rule["name"] for rule in loaded) == sorted(written)
    assert [rule["lastError"] for rule in loaded if rule.get("lastError")] == []
    managers = ask(mill, "alertmanagers")["activeAlertmanagers"]
    assert [manager["url"] for manager in managers] == ["http://alertmanager:9093/api/v2/alerts"]


async def test_the_daemons_figures_arrive_in_prometheus(mill: Compose, until: Until) -> None:
    """Frames that were inspected are counted there, by camera."""
    query = 'sum by (camera) (stripsight_frames_total{outcome="inspected"}) > 0'
    (answer,) = await until(lambda: ask(mill, "query", query=query)["result"], PATIENCE_S)
    assert answer["metric"] == {"camera": "cam1"}


@pytest.mark.parametrize("service", SERVICES)
def test_containers_can_do_little_harm(mill: Compose, service: str) -> None:
    """They run as nobody in particular, cannot write to their root, hold no privilege and are bounded."""
    host = mill.inspect(service)["HostConfig"]
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert host["Memory"] > 0
    assert host["PidsLimit"] > 0
    assert {port["HostIp"] for ports in host["PortBindings"].values() for port in ports} <= {"127.0.0.1"}
    status = mill("exec", "--no-TTY", service, "cat", "/proc/1/status")
    assert re.search(r"^Uid:\t[1-9]", status, re.MULTILINE)
    assert re.search(r"^CapEff:\t0+$", status, re.MULTILINE)
    with pytest.raises(AssertionError, match="Read-only file system"):
        mill("exec", "--no-TTY", service, "touch", "/anything")


def test_the_image_says_what_it_is_and_builds_nothing(mill: Compose) -> None:
    """It has labels, a signal and a check of its own, and no compiler beside the daemon."""
    config = mill.inspect("edge")["Config"]
    assert config["StopSignal"] == "SIGTERM"
    assert config["Labels"]["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert config["Healthcheck"]["Test"][0] == "CMD"
    found = mill(
        "exec", "--no-TTY", "edge", "sh", "-c", "command -v gcc g++ cc git curl hatchling || echo none"
    )
    assert found == "none\n"


def test_a_change_of_code_leaves_the_large_layers_alone(mill: Compose, tmp_path: Path) -> None:
    """An image of changed code differs from the one before in its last layer, and in no other."""
    for name in ("edge", "consumers", "producers", "deploy"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", ".dockerignore"):
        shutil.copy(ROOT / name, tmp_path / name)
    with (tmp_path / "edge" / "daemon.py").open("a") as code:
        code.write("\n# another line\n")
    tag = f"{mill.project}:changed"
    dockerfile = str(tmp_path / "deploy" / "Dockerfile")
    docker("build", "--quiet", "--file", dockerfile, "--tag", tag, str(tmp_path), timeout_s=PATIENCE_S)
    try:
        before, after = layers("stripsight:test"), layers(tag)
    finally:
        docker("image", "rm", tag)
    assert after[:-1] == before[:-1]
    assert after[-1] != before[-1]


async def test_a_daemon_that_was_killed_has_lost_no_frame(mill: Compose, kafka: KafkaSettings) -> None:
    """Killed with frames in hand while the camera goes on, and started again: each has its inspection."""
    up(mill)
    await frames_in_hand(kafka)
    mill("kill", "edge")
    assert mill.inspect("edge")["State"]["ExitCode"] == 137
    at_kill, _ = await positions(kafka)
    await positions_where(kafka, lambda end, _: end >= at_kill + 3)
    up(mill)
    mill("stop", "camera")
    await all_committed(kafka, PATIENCE_S)
    account = await audit(kafka)
    assert account.frames > at_kill
    assert account.lost == []
    assert account.wrong_defects == []


async def test_a_daemon_that_is_stopped_finishes_what_it_has(mill: Compose, kafka: KafkaSettings) -> None:
    """It ends by itself within the grace, and all that it inspected is committed: nothing is repeated."""
    up(mill)
    await frames_in_hand(kafka)
    mill("stop", "edge")
    state = mill.inspect("edge")["State"]
    assert (state["ExitCode"], state["OOMKilled"]) == (0, False)
    _, committed = await positions(kafka)
    assert len((await audit(kafka)).inspections) == committed


async def test_a_second_up_goes_on_from_the_volumes(
    mill: Compose, kafka: KafkaSettings, until: Until
) -> None:
    """After ``down`` and ``up`` records, offsets and series are there, and no frame is inspected again."""
    up(mill)
    mill("stop", "camera")
    await all_committed(kafka, PATIENCE_S)
    before, positions_before = await audit(kafka), await positions(kafka)
    down_at = time.time()
    mill("down")
    up(mill, *CHECKED)
    assert await positions(kafka) == positions_before
    up(mill)
    await positions_where(kafka, lambda _, committed: committed > positions_before[1])
    mill("stop", "camera")
    await all_committed(kafka, PATIENCE_S)
    after = await audit(kafka)
    assert after.lost == []
    assert after.duplicates == before.duplicates
    query = 'min_over_time(timestamp(up{job="stripsight"})[1h:5s])'
    (oldest,) = await until(lambda: ask(mill, "query", query=query)["result"], PATIENCE_S)
    assert float(oldest["value"][1]) < down_at


async def topic_configs(kafka: KafkaSettings, topics: list[str]) -> list[dict[str, str]]:
    """Return each topic's settings as the broker holds them."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    try:
        answers = await admin.describe_configs(
            [ConfigResource(ConfigResourceType.TOPIC, topic) for topic in topics]
        )
    finally:
        await admin.close()
    resources = [resource for answer in answers for resource in answer.resources]
    return [{entry[0]: entry[1] for entry in resource[4]} for resource in resources]


async def positions(kafka: KafkaSettings) -> tuple[int, int]:
    """Return the end of the frames, and where the daemon's group stands."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka.bootstrap_servers, group_id=kafka.group_id, enable_auto_commit=False
    )
    consumer.assign([FRAMES])
    async with consumer:
        (end,) = (await consumer.end_offsets([FRAMES])).values()
        return end, await consumer.committed(FRAMES) or 0


async def positions_where(kafka: KafkaSettings, holds: Any) -> None:
    """Wait until something holds for end and position."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds(*await positions(kafka)):  # noqa: ASYNC110 - positions come without an event
            await asyncio.sleep(0.1)


async def frames_in_hand(kafka: KafkaSettings) -> None:
    """Wait until the daemon is at work: some frames are committed since, and another one is not yet."""
    _, since = await positions(kafka)
    await positions_where(kafka, lambda end, committed: since < committed < end)


def ask(mill: Compose, what: str, **arguments: str) -> Any:
    """Return what Prometheus answers."""
    url = (
        f"http://127.0.0.1:{mill.ports['PROMETHEUS_PORT']}/api/v1/{what}?{urllib.parse.urlencode(arguments)}"
    )
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)["data"]


def targets(mill: Compose) -> dict[str, str]:
    """Return the state of each job's target."""
    return {target["labels"]["job"]: target["health"] for target in ask(mill, "targets")["activeTargets"]}


def layers(image: str) -> list[str]:
    """Return the digests of an image's layers, the lowest first."""
    answer: list[str] = json.loads(docker("image", "inspect", "--format", "{{json .RootFS.Layers}}", image))
    return answer
