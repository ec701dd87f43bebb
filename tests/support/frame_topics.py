"""Frame topics that librdkafka fills, which costs next to nothing beside a daemon, and their results."""

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Self

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from edge.contracts import Inspection
from edge.contracts.cloudevents import encode_headers
from edge.contracts.encoding import decode_record
from edge.contracts.frame import FrameMetadata, Headers
from edge.settings import KafkaSettings

_TIMEOUT_S = 60.0
_PITCH_MM = 0.5
_MS_PER_S = 1000
# The broker's own time in each record tells when a result had arrived.
_RESULTS = {"message.timestamp.type": "LogAppendTime"}
_QUIET = {"log_level": 2}


class FrameTopics:
    """Topics of a line's cameras on an Apache Kafka. They can be read again and again by new groups.

    Args:
        bootstrap_servers: where the broker is.
        values: encoded images, which are published in turn.
        cameras: how many there are to begin with.
    """

    def __init__(self, bootstrap_servers: str, values: Sequence[bytes], *, cameras: int = 2) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._values = values
        self._run = uuid.uuid4().hex[:8]
        self._admin = AdminClient({"bootstrap.servers": bootstrap_servers} | _QUIET)
        self._producer = Producer({"bootstrap.servers": bootstrap_servers, "linger.ms": 0} | _QUIET)
        self.published = 0
        self.topics: list[str] = []
        for _ in range(cameras):
            self.add_camera()

    def add_camera(self) -> None:
        """Create a topic for one more camera."""
        name = f"frames.{self._run}-{uuid.uuid4().hex[:6]}"
        _wait(self._admin.create_topics([NewTopic(name, 1, 1)]))
        self.topics.append(name)

    def remove_camera(self) -> None:
        """Delete the topic of the camera that was there first."""
        _wait(self._admin.delete_topics([self.topics.pop(0)]))

    def close(self) -> None:
        """Delete all of them."""
        while self.topics:
            self.remove_camera()

    def new_group(self) -> KafkaSettings:
        """Return the settings of a daemon that begins at the first frame, with result topics of its own."""
        name = f"group-{uuid.uuid4().hex[:8]}"
        kafka = KafkaSettings(
            bootstrap_servers=self._bootstrap_servers,
            group_id=name,
            frame_topic_pattern=rf"^frames\.{self._run}-.+",
            defects_topic=f"{name}.defects",
            inspections_topic=f"{name}.inspections",
            dead_letter_topic=f"{name}.dead-letter",
            session_timeout_ms=6000,
        )
        results = [kafka.defects_topic, kafka.inspections_topic, kafka.dead_letter_topic]
        _wait(self._admin.create_topics([NewTopic(name, 1, 1, config=_RESULTS) for name in results]))
        return kafka

    def publish(self, frames: int, *, rate: float | None = None, camera: str | None = None) -> None:
        """Publish frames, the topics in turn, each captured as it is handed over.

        Args:
            frames: how many.
            rate: frames/s over all topics; None for as fast as they go.
            camera: what their headers call the camera; None for a name like the topic's.
        """
        begins_at = time.monotonic()
        for number in range(frames):
            if rate is not None:
                time.sleep(max(begins_at + number / rate - time.monotonic(), 0))
            self._publish_one(camera)
        if self._producer.flush(_TIMEOUT_S):
            raise RuntimeError("Kafka does not take the frames")

    def _publish_one(self, camera: str | None) -> None:
        topic = self.topics[self.published % len(self.topics)]
        name = camera or topic.removeprefix("frames.")
        self._producer.produce(
            topic,
            key=name.encode(),
            value=self._values[self.published % len(self._values)],
            headers=list(_headers(name, self.published)),
        )
        self._producer.poll(0)
        self.published += 1


class Results:
    """What lies on a group's topic of inspections."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._partition = TopicPartition(kafka.inspections_topic, 0, 0)
        servers = {"bootstrap.servers": kafka.bootstrap_servers, "group.id": f"{kafka.group_id}-results"}
        self._consumer = Consumer(servers | _QUIET)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def count(self) -> int:
        """Return how many inspections there are by now."""
        _, end = self._consumer.get_watermark_offsets(self._partition, timeout=_TIMEOUT_S)
        return int(end)

    def read(self) -> tuple[list[float], set[str]]:
        """Return for each frame the ms from its capture to its inspection's arrival, and all outcomes."""
        ages_ms, outcomes = [], set()
        for arrived_ms, inspection in self._read():
            ages_ms.append(arrived_ms - inspection.frame.captured_at.timestamp() * _MS_PER_S)
            outcomes.add(inspection.outcome)
        return ages_ms, outcomes

    def _read(self) -> Iterator[tuple[int, Inspection]]:
        end, read = self.count(), 0
        self._consumer.assign([self._partition])
        while read < end:
            for message in self._consumer.consume(min(end - read, 1000), timeout=_TIMEOUT_S):
                read += 1
                _, arrived_ms = message.timestamp()
                yield arrived_ms, decode_record(message.value(), Inspection)


def _wait(futures: Mapping[str, object]) -> None:
    for future in futures.values():
        future.result(_TIMEOUT_S)  # type: ignore[attr-defined] # the library does not say what they are


def _headers(camera: str, sequence: int) -> Headers:
    return encode_headers(
        FrameMetadata(
            line="line-1",
            camera=camera,
            coil="C-1",
            side="top",
            sequence=sequence,
            position_mm=sequence * _PITCH_MM,
            offset_mm=0.0,
            pitch_x_mm=_PITCH_MM,
            pitch_y_mm=_PITCH_MM,
            captured_at=datetime.now(UTC),
            content_type="image/jpeg",
        )
    )
