"""Why a broker does not answer, in the operator's words."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError
from structlog.testing import capture_logs

from edge.bus import knocking
from edge.bus.connection import client_arguments, wait_for_broker
from edge.bus.mock_cluster import MockCluster
from edge.errors import AuthenticationError, BrokerUnreachableError, ConfigurationError
from edge.settings import KafkaSettings

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

PASSWORD = "hunter2"  # noqa: S105 # it is what must not show
SASL = {"security_protocol": "SASL_PLAINTEXT", "sasl_username": "edge", "sasl_password": PASSWORD}

API_VERSIONS, SASL_HANDSHAKE, SASL_AUTHENTICATE = 18, 17, 36  # Kafka's numbers
UNSUPPORTED_MECHANISM, AUTHENTICATION_FAILED = 33, 58


@asynccontextmanager
async def listening(answer: Answer) -> AsyncIterator[str]:
    """A server that answers each connection so, and then closes it; gives its address."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


def text(value: str) -> bytes:
    return struct.pack(">h", len(value)) + value.encode()


def broker_that_refuses(*, mechanism: str = "PLAIN") -> Answer:
    """A broker that knows one mechanism and nobody's password, and repeats what it was told."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            (size,) = struct.unpack(">i", await reader.readexactly(4))
            request = await reader.readexactly(size)
            api_key, _, correlation = struct.unpack_from(">hhi", request)
            if api_key == API_VERSIONS:
                known = [(API_VERSIONS, 0), (SASL_HANDSHAKE, 1), (SASL_AUTHENTICATE, 0)]
                body = struct.pack(">hi", 0, len(known))
                body += b"".join(struct.pack(">hhh", key, newest, newest) for key, newest in known)
            elif api_key == SASL_HANDSHAKE:
                code = 0 if mechanism == "PLAIN" else UNSUPPORTED_MECHANISM
                body = struct.pack(">hi", code, 1) + text(mechanism)
            else:
                body = struct.pack(">h", AUTHENTICATION_FAILED) + text(f"not with {PASSWORD}") + b"\0\0\0\0"
            writer.write(struct.pack(">ii", 4 + len(body), correlation) + body)
            await writer.drain()

    return answer


async def http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer as a server that does not speak TLS."""
    await reader.read(1)
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await writer.drain()


async def nothing(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Close without an answer, as a broker does that wants TLS."""
    await reader.read(1)


async def unreachable(kafka: KafkaSettings) -> str:
    with capture_logs(), pytest.raises(BrokerUnreachableError) as raised:
        await wait_for_broker(kafka, timeout_s=0.1)
    return str(raised.value)


async def test_a_wrong_password_is_said_and_not_shown() -> None:
    """The daemon does not start, and says who refused whom; the password is in no message."""
    async with listening(broker_that_refuses()) as address:
        kafka = KafkaSettings.model_validate({"bootstrap_servers": address} | SASL)
        with capture_logs() as log, pytest.raises(AuthenticationError) as raised:
            await wait_for_broker(kafka)
    message = str(raised.value)
    assert isinstance(raised.value, ConfigurationError)
    assert f"SASL_PLAINTEXT, PLAIN, user 'edge'): {address}: " in message
    assert "SaslAuthenticationFailed: not with ***" in message
    assert PASSWORD not in f"{log} {message}"


async def test_a_mechanism_that_the_broker_does_not_know_is_said() -> None:
    """Another way to log in is for the operator to choose."""
    async with listening(broker_that_refuses(mechanism="GSSAPI")) as address:
        kafka = KafkaSettings.model_validate({"bootstrap_servers": address} | SASL)
        with pytest.raises(AuthenticationError, match="UnsupportedSaslMechanism"):
            await wait_for_broker(kafka)


async def test_tls_to_a_server_without_it_is_said() -> None:
    """The wrong port, or the wrong protocol: both are told from a broker that is gone."""
    async with listening(http) as address:
        message = await unreachable(KafkaSettings(bootstrap_servers=address, security_protocol="SSL"))
    assert message.endswith("it does not speak TLS there (WRONG_VERSION_NUMBER); see kafka.security_protocol")


@pytest.mark.parametrize(
    ("protocol", "hint"),
    [("PLAINTEXT", ""), ("SSL", ", and kafka.ssl_cert_file should it ask for a certificate")],
)
async def test_a_server_that_hangs_up_is_said(protocol: str, hint: str) -> None:
    """A broker that expects TLS, or something that is no broker, closes the connection."""
    async with listening(nothing) as address:
        kafka = KafkaSettings.model_validate({"bootstrap_servers": address, "security_protocol": protocol})
        message = await unreachable(kafka)
    assert message.endswith(f"{address}: it closed the connection; see kafka.security_protocol{hint}")


async def test_each_address_has_its_reason() -> None:
    """With several brokers, each is asked and each failure is told."""
    async with listening(nothing) as address:
        message = await unreachable(KafkaSettings(bootstrap_servers=f"127.0.0.1:1, {address}"))
    assert "127.0.0.1:1: Connection refused; " in message
    assert f"{address}: it closed" in message


async def test_one_broker_that_answers_is_enough() -> None:
    """The others may be down."""
    with MockCluster() as broker:
        await wait_for_broker(KafkaSettings(bootstrap_servers=f"127.0.0.1:1,{broker.bootstrap_servers}"))


def untrusted() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError()
    error.verify_message = "self-signed certificate"
    return error


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (untrusted(), AuthenticationError, "its certificate is not trusted: self-signed certificate"),
        (TimeoutError(), BrokerUnreachableError, "no answer within 40 s"),
        (socket.gaierror(socket.EAI_NONAME, "Name unknown"), BrokerUnreachableError, "b:9092: Name unknown"),
        (OSError("Multiple exceptions"), BrokerUnreachableError, "Multiple exceptions"),
        (ValueError("wrong signature"), BrokerUnreachableError, "wrong signature"),
        (KafkaConnectionError("closed"), BrokerUnreachableError, "it closed the connection"),
    ],
)
async def test_whatever_went_wrong_is_in_the_message(
    monkeypatch: pytest.MonkeyPatch, error: Exception, kind: type[Exception], words: str
) -> None:
    """Every way in which connecting fails is told apart from the others."""

    async def failing(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(AIOKafkaConnection, "connect", failing)
    kafka = KafkaSettings(bootstrap_servers="b", security_protocol="SSL")
    with pytest.raises(kind) as raised:
        await knocking.knock(kafka, client_arguments(kafka))
    assert words in str(raised.value)
