"""librdkafka's mock cluster: a broker that speaks Kafka's protocol over TCP, within this process.

The Python package ``confluent_kafka`` starts one (setting ``test.mock.num.brokers``) but offers none of its
controls, and without them every topic has four partitions and every group waits 3 s before its first join.
So the few functions of librdkafka's ``rdkafka_mock.h`` that are needed are called here by ctypes, in the copy
of the library that ``confluent_kafka`` brings along.

Limits of a mock cluster: it keeps about 5 MB a partition and nothing on disk, and silently drops what is
older; it has no controller, so it knows no CreateTopics; it neither authenticates nor encrypts.
"""

import ctypes
import importlib.util
from typing import Self

from edge.errors import BusError

_PRODUCER = 0  # rd_kafka_type_t: the mock cluster lives within a client, and any client will do
_ERROR_CHARACTERS = 512
_LOG_LEVEL_CRITICAL = b"2"  # as in syslog; librdkafka tells of its mock cluster at level 5, on standard error

_HANDLE, _TEXT, _SIZE, _INT = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int
_SIGNATURES = {
    "rd_kafka_conf_new": (_HANDLE, []),
    "rd_kafka_conf_set": (_INT, [_HANDLE, _TEXT, _TEXT, _TEXT, _SIZE]),
    "rd_kafka_new": (_HANDLE, [_INT, _HANDLE, _TEXT, _SIZE]),
    "rd_kafka_destroy": (None, [_HANDLE]),
    "rd_kafka_err2str": (_TEXT, [_INT]),
    "rd_kafka_handle_mock_cluster": (_HANDLE, [_HANDLE]),
    "rd_kafka_mock_cluster_bootstraps": (_TEXT, [_HANDLE]),
    "rd_kafka_mock_group_initial_rebalance_delay_ms": (None, [_HANDLE, ctypes.c_int32]),
    "rd_kafka_mock_topic_create": (_INT, [_HANDLE, _TEXT, _INT, _INT]),
    "rd_kafka_mock_broker_set_down": (_INT, [_HANDLE, ctypes.c_int32]),
    "rd_kafka_mock_broker_set_up": (_INT, [_HANDLE, ctypes.c_int32]),
    "rd_kafka_mock_push_request_errors_array": (
        None,
        [_HANDLE, ctypes.c_int16, _SIZE, ctypes.POINTER(_INT)],
    ),
}


class MockCluster:
    """One broker on a free port of 127.0.0.1, from construction until ``close``."""

    def __init__(self) -> None:
        self._library = _load_library()
        self._client = self._start_client()
        self._cluster = self._library.rd_kafka_handle_mock_cluster(self._client)
        self._library.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def bootstrap_servers(self) -> str:
        """Address of the broker, as ``host:port``."""
        address: bytes = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster)
        return address.decode()

    def create_topic(self, topic: str, partitions: int = 1) -> None:
        """Create a topic.

        Raises:
            BusError: it exists already, or librdkafka refuses it.
        """
        code = self._library.rd_kafka_mock_topic_create(self._cluster, topic.encode(), partitions, 1)
        self._check(code, f"topic {topic} with {partitions} partitions")

    def set_down(self) -> None:
        """Close all connections and refuse new ones; the records stay."""
        self._check(self._library.rd_kafka_mock_broker_set_down(self._cluster, -1), "broker down")

    def set_up(self) -> None:
        """Accept connections again."""
        self._check(self._library.rd_kafka_mock_broker_set_up(self._cluster, -1), "broker up")

    def fail_requests(self, api_key: int, *error_codes: int) -> None:
        """Answer the next requests of a kind with these errors, one after the other (Kafka's numbers)."""
        codes = (_INT * len(error_codes))(*error_codes)
        self._library.rd_kafka_mock_push_request_errors_array(self._cluster, api_key, len(error_codes), codes)

    def close(self) -> None:
        """End the broker; what it holds is gone."""
        self._library.rd_kafka_destroy(self._client)

    def _start_client(self) -> int:
        error = ctypes.create_string_buffer(_ERROR_CHARACTERS)
        configuration = self._library.rd_kafka_conf_new()
        for name, value in ((b"test.mock.num.brokers", b"1"), (b"log_level", _LOG_LEVEL_CRITICAL)):
            if self._library.rd_kafka_conf_set(configuration, name, value, error, len(error)):
                raise BusError(f"librdkafka has no mock cluster: {error.value.decode()}")
        client: int | None = self._library.rd_kafka_new(_PRODUCER, configuration, error, len(error))
        if client is None:
            raise BusError(f"librdkafka did not start: {error.value.decode()}")
        return client

    def _check(self, code: int, what: str) -> None:
        if code:
            reason: bytes = self._library.rd_kafka_err2str(code)
            raise BusError(f"mock cluster: {what}: {reason.decode()}")


def _load_library() -> ctypes.CDLL:
    """Load librdkafka through the extension module that is linked against it."""
    extension = importlib.util.find_spec("confluent_kafka.cimpl")
    if extension is None or extension.origin is None:
        raise BusError("the embedded broker needs the package confluent-kafka")
    library = ctypes.CDLL(extension.origin)
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments
    return library
