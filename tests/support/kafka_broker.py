"""Apache Kafka in a container, in KRaft mode, as a mill runs it."""

import contextlib
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Self

import docker
from docker.errors import DockerException
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

# testcontainers would start a container of its own that removes ours should we be killed. Its image is one
# more to fetch, which closed networks refuse; fixtures stop what they start.
testcontainers_config.ryuk_disabled = True

IMAGE = "apache/kafka:4.1.0"
_STARTED = "Kafka Server started"
# Formats the disk the first time only: not every image of that name starts again from a formatted disk.
_RUN = """
if [ -e /tmp/started-before ]; then
    exec /opt/kafka/bin/kafka-run-class.sh kafka.Kafka /opt/kafka/config/server.properties
fi
touch /tmp/started-before
exec /etc/kafka/docker/run
"""
_START_TIMEOUT_S = 90  # it takes about 5 s on an idle machine
_CLIENT_PORT, _CONTROLLER_PORT, _INSIDE_PORT, _FIRST_FURTHER_PORT = 9092, 9093, 9094, 9095


def why_no_docker() -> str | None:
    """Return why no container can be started here; None if they can."""
    try:
        client = docker.from_env(timeout=10)
    except DockerException as error:
        return f"no Docker engine answers: {error}"
    with contextlib.closing(client):
        try:
            client.images.get(IMAGE)
        except DockerException as error:
            return f"the image {IMAGE} is not there: {error}"
    return None


def free_port() -> int:
    """Return a port of 127.0.0.1 that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


@dataclass(frozen=True)
class Place:
    """A broker's place in a cluster: which of how many it is, and the network between them."""

    node: int
    nodes: int
    network: Network

    @property
    def host(self) -> str:
        """Name of the container, by which the others find it."""
        return f"{self.network.name}-{self.node}"

    @property
    def voters(self) -> str:
        """All controllers."""
        return ",".join(
            f"{node}@{self.network.name}-{node}:{_CONTROLLER_PORT}" for node in range(1, self.nodes + 1)
        )


class KafkaBroker:
    """One broker, its own controller, on ports of 127.0.0.1 that stay the same when it is started again.

    Args:
        listeners: further listeners: by name the port of 127.0.0.1 that is advertised there, which need not
            be ours (a proxy's); None for ours. Our own port of such a listener is ``ports[name]``.
        protocols: security protocols of listeners by name; the others are PLAINTEXT.
        settings: further settings, by the image's names (``KAFKA_LOG_RETENTION_MS``).
        files: texts to put into the container, by path.
        place: this broker's place in a cluster.
    """

    def __init__(
        self,
        listeners: Mapping[str, int | None] | None = None,
        settings: Mapping[str, str] | None = None,
        files: Mapping[str, str] | None = None,
        protocols: Mapping[str, str] | None = None,
        place: "Place | None" = None,
    ) -> None:
        names = ["PLAINTEXT", *(listeners or {})]
        self.ports = {name: free_port() for name in names}
        advertised = {name: (listeners or {}).get(name) or port for name, port in self.ports.items()}
        inside = dict(
            zip(
                names,
                (_CLIENT_PORT, *range(_FIRST_FURTHER_PORT, _FIRST_FURTHER_PORT + len(names))),
                strict=False,
            )
        )
        environment = {
            "KAFKA_NODE_ID": str(place.node if place else 1),
            "KAFKA_PROCESS_ROLES": "broker,controller",
            "KAFKA_LISTENERS": ",".join(
                [f"{name}://:{port}" for name, port in inside.items()]
                + [f"CONTROLLER://:{_CONTROLLER_PORT}", f"INSIDE://:{_INSIDE_PORT}"]
            ),
            "KAFKA_ADVERTISED_LISTENERS": ",".join(
                [f"{name}://127.0.0.1:{port}" for name, port in advertised.items()]
                + [f"INSIDE://{place.host if place else 'localhost'}:{_INSIDE_PORT}"]
            ),
            "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
            "KAFKA_INTER_BROKER_LISTENER_NAME": "INSIDE",
            "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": ",".join(
                f"{name}:{(protocols or {}).get(name, 'PLAINTEXT')}"
                for name in ("CONTROLLER", "INSIDE", *names)
            ),
            "KAFKA_CONTROLLER_QUORUM_VOTERS": place.voters if place else f"1@localhost:{_CONTROLLER_PORT}",
            "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
            "KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS": "4",
            "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
            "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
            "KAFKA_TRANSACTION_STATE_LOG_NUM_PARTITIONS": "4",
            "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
            "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
            # A broker that was killed comes back once its controller has given up the session before.
            "KAFKA_BROKER_HEARTBEAT_INTERVAL_MS": "200",
            "KAFKA_BROKER_SESSION_TIMEOUT_MS": "1000",
            "KAFKA_HEAP_OPTS": "-Xms256m -Xmx512m",
            **(settings or {}),
        }
        self._files = dict(files or {})
        self._container = (
            DockerContainer(IMAGE)
            .with_command(["/bin/sh", "-c", _RUN])
            .waiting_for(LogMessageWaitStrategy(_STARTED).with_startup_timeout(_START_TIMEOUT_S))
        )
        for name, value in environment.items():
            self._container.with_env(name, value)
        for name, port in inside.items():
            self._container.ports[port] = ("127.0.0.1", self.ports[name])
        if place is not None:
            self._container.with_name(place.host).with_network(place.network)
        for path, text in self._files.items():
            self._container.with_copy_into_container(text.encode(), path)

    def __enter__(self) -> Self:
        self._container.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._container.stop()

    @property
    def bootstrap_servers(self) -> str:
        """Address of the plain listener."""
        return self.address("PLAINTEXT")

    def address(self, listener: str) -> str:
        """Address of a listener of ours, whatever it advertises."""
        return f"127.0.0.1:{self.ports[listener]}"

    def execute(self, *command: str) -> str:
        """Run a command in the container and return what it printed; it must succeed."""
        code, output = self._container.get_wrapped_container().exec_run(list(command))
        text = output.decode(errors="replace")
        assert code == 0, f"{command}: {text}"
        return text

    def script(self, name: str, *arguments: str) -> str:
        """Run one of Kafka's own scripts (``kafka-topics.sh``) against the broker."""
        return self.execute(
            f"/opt/kafka/bin/{name}", "--bootstrap-server", f"localhost:{_INSIDE_PORT}", *arguments
        )

    def kill(self) -> None:
        """Kill -9: no leave-taking, nothing flushed."""
        self._container.get_wrapped_container().kill()

    def stop(self) -> None:
        """Stop in order, as for maintenance."""
        self._container.get_wrapped_container().stop(timeout=30)

    def start(self) -> None:
        """Start again after ``kill`` or ``stop``, with all that was on disk."""
        since = time.time()
        container = self._container.get_wrapped_container()
        container.start()
        while _STARTED.encode() not in container.logs(since=int(since)):
            assert time.time() < since + _START_TIMEOUT_S, "the broker did not come back"
            time.sleep(0.1)

    def pause(self) -> None:
        """Freeze it: connections stay, nothing answers."""
        self._container.get_wrapped_container().pause()

    def unpause(self) -> None:
        """Let it go on."""
        self._container.get_wrapped_container().unpause()


@contextlib.contextmanager
def kafka_cluster(nodes: int, settings: Mapping[str, str]) -> Iterator[Sequence[KafkaBroker]]:
    """Several brokers that copy from each other; none of them counts as started before most are there."""
    with Network() as network, ThreadPoolExecutor(nodes) as side_by_side, contextlib.ExitStack() as stack:
        brokers = [
            KafkaBroker(settings=settings, place=Place(node, nodes, network)) for node in range(1, nodes + 1)
        ]
        for broker in brokers:
            stack.push(broker)
        list(side_by_side.map(KafkaBroker.__enter__, brokers))
        yield brokers
