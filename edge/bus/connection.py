"""What every Kafka client here has in common: address, security, sizes, and the wait for the broker."""

import asyncio
import functools
from typing import Any, Protocol

import stamina
import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaConnectionError
from stamina.instrumentation import RetryDetails, set_on_retry_hooks

from edge.bus.knocking import knock
from edge.bus.oauth import TokenProvider
from edge.bus.quiet import quieten
from edge.bus.tls import broker_context
from edge.errors import BrokerUnreachableError
from edge.settings import KafkaSettings

log = structlog.get_logger(__name__)

# An image of max_message_bytes lies on its topic with key and headers, and on that of the dead letters with
# headers that tell its origin. 64 KiB for each is many times what cameras send and what we add.
_HEADERS_BYTES = 64 * 1024

# How long a fetch waits at the broker for the first record. Kafka answers as soon as there is one, whatever
# this is; a mock cluster always waits so long, and at Kafka's default of 500 ms a demo would look slow.
LONGEST_FETCH_MS = 100

# The first retries come quickly, for a broker that is just starting; then every 5 s, which an operator who
# has mended the network does not feel, and which writes no more than 12 lines a minute.
_FIRST_WAIT_S = 0.2
_LONGEST_WAIT_S = 5.0

_TELLING = ("PLAIN", "OAUTHBEARER")  # mechanisms that send the secret itself; SCRAM sends a proof of it


# Leaving a group takes milliseconds. A broker that is gone is not waited for: it will miss us.
_LEAVE_TIMEOUT_S = 10.0

# So does starting a client whose broker answers.
_START_TIMEOUT_S = 5.0


class Client(Protocol):
    """What aiokafka's clients have in common."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...


def client_arguments(kafka: KafkaSettings) -> dict[str, Any]:
    """Return the arguments that all of aiokafka's clients take.

    Raises:
        SettingsError: a file of certificates or keys cannot be used.
    """
    arguments: dict[str, Any] = {
        "bootstrap_servers": kafka.bootstrap_servers,
        "client_id": kafka.client_id,
        "request_timeout_ms": kafka.request_timeout_ms,
        "security_protocol": kafka.security_protocol,
    }
    if kafka.security_protocol.endswith("SSL"):
        arguments["ssl_context"] = broker_context(kafka)
    if kafka.security_protocol.startswith("SASL"):
        arguments |= _login(kafka)
    return arguments


def largest_frame_bytes(kafka: KafkaSettings) -> int:
    """Return how large the record of a frame may be, key and headers included."""
    return kafka.max_message_bytes + _HEADERS_BYTES


def largest_record_bytes(kafka: KafkaSettings) -> int:
    """Return how large any record may be: the dead letter of the largest frame still passes."""
    return largest_frame_bytes(kafka) + _HEADERS_BYTES


async def wait_for_broker(kafka: KafkaSettings, *, timeout_s: float | None = None) -> None:
    """Wait until a broker answers; each failed attempt is said in the log, with the address and the reason.

    Args:
        kafka: where the broker is.
        timeout_s: None waits for as long as it takes.

    Raises:
        AuthenticationError: a broker refuses our login, or has a certificate that we do not trust.
        BrokerUnreachableError: none answered within ``timeout_s``.
    """
    arguments = client_arguments(kafka)
    async for attempt in stamina.retry_context(
        on=BrokerUnreachableError,
        attempts=None,
        timeout=timeout_s,
        wait_initial=_FIRST_WAIT_S,
        wait_max=_LONGEST_WAIT_S,
        wait_jitter=0,
    ):
        with attempt:
            await knock(kafka, arguments)


async def stop_consumer(consumer: AIOKafkaConsumer, kafka: KafkaSettings) -> None:
    """Leave the group and close all connections; with a broker that is gone, without a word."""
    try:
        async with asyncio.timeout(_LEAVE_TIMEOUT_S):
            await consumer.stop()
    except TimeoutError:
        log.warning("left without a word", brokers=kafka.bootstrap_servers, client=kafka.client_id)
        await consumer._client.close()  # noqa: SLF001 - stop() gave up before it came to that


async def start_client(client: Client, kafka: KafkaSettings) -> None:
    """Start a client of aiokafka; one that does not start leaves nothing open.

    A start that is cancelled is let come to its end before it is undone: aiokafka would forget the connection
    that it was about to ask for the brokers.

    Raises:
        BrokerUnreachableError: no broker answers.
    """
    starting = asyncio.create_task(client.start())
    try:
        await asyncio.shield(starting)
    except BaseException as error:
        await asyncio.wait([starting], timeout=_START_TIMEOUT_S)
        starting.cancel()  # of no effect but on one that hangs
        await asyncio.gather(starting, return_exceptions=True)
        await client.stop()
        if isinstance(error, KafkaConnectionError):
            raise BrokerUnreachableError(
                f"no broker answers at {kafka.bootstrap_servers}: {error}"
            ) from error
        raise


def _login(kafka: KafkaSettings) -> dict[str, Any]:
    if kafka.security_protocol == "SASL_PLAINTEXT" and kafka.sasl_mechanism in _TELLING:
        _warn_of_clear_text(kafka.sasl_mechanism)
    if kafka.sasl_mechanism == "OAUTHBEARER":
        return {"sasl_mechanism": "OAUTHBEARER", "sasl_oauth_token_provider": TokenProvider(kafka)}
    return {
        "sasl_mechanism": kafka.sasl_mechanism,
        "sasl_plain_username": kafka.sasl_username,
        "sasl_plain_password": kafka.sasl_password.get_secret_value() if kafka.sasl_password else None,
    }


@functools.cache  # each of the daemon's clients would say it again
def _warn_of_clear_text(mechanism: str) -> None:
    log.warning(
        "password or token go over the network in the clear; see kafka.security_protocol SASL_SSL",
        mechanism=mechanism,
    )


def _say_retry(details: RetryDetails) -> None:
    log.warning("trying again", error=str(details.caused_by), wait_s=round(details.wait_for, 2))


# stamina's hooks are for the whole process; its own one would also log the arguments of what is retried.
set_on_retry_hooks((_say_retry,))
quieten()
