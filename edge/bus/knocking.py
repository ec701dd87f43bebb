"""Whether a broker answers, and if none does, why not, in words that an operator can act on."""

import errno
import os
import ssl
from collections.abc import Mapping
from typing import Any

from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    AuthenticationMethodNotSupported,
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

from edge.errors import AuthenticationError, BrokerUnreachableError, BusError
from edge.settings import KafkaSettings

# Either side does not accept who the other one is, which time does not mend.
_REFUSALS = (
    AuthenticationFailedError,
    AuthenticationMethodNotSupported,
    IllegalSaslStateError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
    ssl.SSLCertVerificationError,
)

# What aiokafka connects with may also stumble over what the other side sends, as no broker would.
_FAILURES = (KafkaError, OSError, ValueError)


async def knock(kafka: KafkaSettings, arguments: Mapping[str, Any]) -> None:
    """Ask one broker after the other for the cluster's metadata, until one answers.

    A client of aiokafka does the same as it starts, but keeps the reason to itself when none does.

    Args:
        kafka: where the brokers are.
        arguments: what aiokafka connects with.

    Raises:
        AuthenticationError: none answers, and one refused our login or has a certificate we do not trust.
        BrokerUnreachableError: none answers; the message says of each why.
    """
    failures: dict[str, Exception] = {}
    for host, port, _ in collect_hosts(kafka.bootstrap_servers, randomize=False):
        try:
            await _ask(host, port, arguments)
        except _FAILURES as error:
            failures[f"{host}:{port}"] = error
        else:
            return
    raise _complaint(kafka, failures) from next(iter(failures.values()))


async def _ask(host: str, port: int, arguments: Mapping[str, Any]) -> None:
    how = {name: value for name, value in arguments.items() if name != "bootstrap_servers"}
    connection = await create_conn(host, port, **how)
    try:
        await connection.send(MetadataRequest([]))
    finally:
        connection.close()


def _complaint(kafka: KafkaSettings, failures: Mapping[str, Exception]) -> AuthenticationError | BusError:
    causes = [f"{address}: {_words(error, kafka)}" for address, error in failures.items()]
    text = _without_password("; ".join(causes), kafka)
    if any(isinstance(error, _REFUSALS) for error in failures.values()):
        return AuthenticationError(f"the broker and we do not accept each other ({_login(kafka)}): {text}")
    return BrokerUnreachableError(
        f"no broker answers at {kafka.bootstrap_servers} ({kafka.security_protocol}): {text}"
    )


def _words(error: Exception, kafka: KafkaSettings) -> str:
    match error:
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted: {error.verify_message}; see kafka.ssl_ca_file"
        case ssl.SSLError():
            return f"it does not speak TLS there ({error.reason}); see kafka.security_protocol"
        case TimeoutError():
            return f"no answer within {kafka.request_timeout_ms / 1000:g} s"
        case KafkaConnectionError() | ConnectionResetError():
            return "it closed the connection; see kafka.security_protocol"
        case OSError():
            return _system_words(error)
        case _:
            return str(error) or repr(error)


def _system_words(error: OSError) -> str:
    """Return the system's words; asyncio's own repeat the address in Python's notation."""
    if error.errno is not None and error.errno in errno.errorcode:
        return os.strerror(error.errno)
    return error.strerror or str(error) or repr(error)


def _login(kafka: KafkaSettings) -> str:
    if not kafka.security_protocol.startswith("SASL"):
        return kafka.security_protocol
    return f"{kafka.security_protocol}, {kafka.sasl_mechanism}, user {kafka.sasl_username!r}"


def _without_password(text: str, kafka: KafkaSettings) -> str:
    """Take the password out, should a broker's words repeat it."""
    password = kafka.sasl_password.get_secret_value() if kafka.sasl_password else ""
    return text.replace(password, "***") if password else text
