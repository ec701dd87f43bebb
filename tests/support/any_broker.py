"""The brokers that one suite of tests runs over."""

from dataclasses import dataclass

from edge.bus.mock_cluster import MockCluster


@dataclass(frozen=True)
class AnyBroker:
    """A broker that speaks Kafka's protocol: librdkafka's mock cluster, or Apache Kafka."""

    bootstrap_servers: str
    mock: MockCluster | None = None

    @property
    def is_kafka(self) -> bool:
        """Whether it is Kafka itself."""
        return self.mock is None
