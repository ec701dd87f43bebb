"""Whether a broker answers, and if none does, why not, in words that an operator can act on."""

import asyncio
import ssl
from collections.abc import Mapping
from typing import Any

from aiokafka.conn import AIOKafkaConnection, collect_hosts
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

from edge.bus.oauth import CheckedOAuthAuthenticator, TokenRefusedError, TokenUnavailableError
from edge.bus.wording import certificate_words, system_words, without
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

_CLOSE_TIMEOUT_S = 1.0  # many round trips to any broker that still answers

# What aiokafka connects with may also stumble over what the other side sends, as no broker would.
_FAILURES = (KafkaError, OSError, ValueError)


async def knock(kafka: KafkaSettings, arguments: Mapping[str, Any]) -> None:
    """Ask one broker after the other for the cluster's metadata, until one answers.

    A client of aiokafka does the same as it starts, but keeps the reason to itself when none does.

    Args:
        kafka: where the brokers are.
        arguments: what aiokafka connects with.

    Raises:
        AuthenticationError: none answers, and one refused our login or certificate, or has one that we do not
            trust; or the token endpoint refuses us.
        BrokerUnreachableError: none answers; the message says of each why.
    """
    failures: dict[str, Exception] = {}
    for host, port, _ in collect_hosts(kafka.bootstrap_servers, randomize=False):
        try:
            await _ask(host, port, arguments)
        except _FAILURES as error:
            failures[f"{host}:{port}"] = _cause(error)
        else:
            return
    raise _complaint(kafka, failures) from next(iter(failures.values()))


class _Connection(AIOKafkaConnection):
    """One that notices when the broker refuses a token."""

    def authenticator_oauth(self) -> CheckedOAuthAuthenticator:
        return CheckedOAuthAuthenticator(self._sasl_oauth_token_provider)


async def _ask(host: str, port: int, arguments: Mapping[str, Any]) -> None:
    connection = _connection(host, port, arguments)
    try:
        await connection.connect()
        await connection.send(MetadataRequest([]))
    finally:
        await _close(connection)


async def _close(connection: AIOKafkaConnection) -> None:
    """Close, and wait for it: TLS takes leave of the other side, unless that is silent."""
    closed = connection.close()
    if connection._protocol is not None:  # noqa: SLF001 # nothing else tells that there was a connection
        await asyncio.wait([closed], timeout=_CLOSE_TIMEOUT_S)


def _connection(host: str, port: int, arguments: Mapping[str, Any]) -> AIOKafkaConnection:
    how = {name: value for name, value in arguments.items() if name != "bootstrap_servers"}
    return _Connection(host, port, **how)  # type: ignore[no-untyped-call] # aiokafka's, as all that is excepted


def _cause(error: Exception) -> Exception:
    """Return the TLS alert that a connection was closed with, should there be one."""
    return error.__cause__ if isinstance(error.__cause__, ssl.SSLError) else error


def _is_refusal(error: Exception) -> bool:
    return isinstance(error, _REFUSALS) or (isinstance(error, ssl.SSLError) and _is_about_us(error))


def _is_about_us(error: ssl.SSLError) -> bool:
    """Whether the broker ends the handshake because of our certificate, or since we have none."""
    reason = error.reason or ""
    return "ALERT" in reason and ("CERTIFICATE" in reason or "UNKNOWN_CA" in reason)


def _complaint(kafka: KafkaSettings, failures: Mapping[str, Exception]) -> AuthenticationError | BusError:
    causes = [f"{address}: {_words(error, kafka)}" for address, error in failures.items()]
    text = without(_secrets(kafka), "; ".join(causes))
    if all(isinstance(error, TokenRefusedError) for error in failures.values()):
        (refusal, *_) = failures.values()
        return AuthenticationError(f"no token to log in with: {_words(refusal, kafka)}")
    if any(_is_refusal(error) for error in failures.values()):
        return AuthenticationError(f"the broker and we do not accept each other ({_login(kafka)}): {text}")
    return BrokerUnreachableError(
        f"no broker answers at {kafka.bootstrap_servers} ({kafka.security_protocol}): {text}"
    )


def _words(error: Exception, kafka: KafkaSettings) -> str:
    match error:
        case ssl.SSLError():
            return _tls_words(error, kafka)
        case TimeoutError():
            return f"no answer within {kafka.request_timeout_ms / 1000:g} s"
        case ConnectionResetError():
            return _closed_words(kafka)
        case OSError():
            return system_words(error)
        case KafkaError():
            return _kafka_words(error, kafka)
        case _:
            return str(error) or repr(error)


def _tls_words(error: ssl.SSLError, kafka: KafkaSettings) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return certificate_words(error, "kafka.bootstrap_servers")
    if not _is_about_us(error):
        return f"it does not speak TLS there ({error.reason}); see kafka.security_protocol"
    refused = "does not accept our certificate" if kafka.ssl_cert_file else "asks for a certificate of ours"
    return f"it {refused} ({error.reason}); see kafka.ssl_cert_file and kafka.ssl_key_file"


def _closed_words(kafka: KafkaSettings) -> str:
    """Some close the connection before we hear that they want a certificate."""
    may_ask = kafka.security_protocol.endswith("SSL") and kafka.ssl_cert_file is None
    hint = ", and kafka.ssl_cert_file should it ask for a certificate" if may_ask else ""
    return f"it closed the connection; see kafka.security_protocol{hint}"


def _kafka_words(error: KafkaError, kafka: KafkaSettings) -> str:
    match error:
        case TokenRefusedError() | TokenUnavailableError():
            return str(error.args[0])
        case KafkaConnectionError():
            return _closed_words(kafka)
        case SaslAuthenticationFailed():
            return f"{error}; see {_login_settings(kafka)}"
        case UnsupportedSaslMechanismError():
            return f"{type(error).__name__}: not with {kafka.sasl_mechanism}; see kafka.sasl_mechanism"
        case IllegalSaslStateError():
            return f"{type(error).__name__}: it asks for no login there; see kafka.security_protocol"
        case _:
            return str(error)


def _login_settings(kafka: KafkaSettings) -> str:
    if kafka.sasl_mechanism == "OAUTHBEARER":
        return "kafka.sasl_oauth_token_url and kafka.sasl_oauth_scope"
    return "kafka.sasl_username and kafka.sasl_password"


def _login(kafka: KafkaSettings) -> str:
    if not kafka.security_protocol.startswith("SASL"):
        return kafka.security_protocol
    return f"{kafka.security_protocol}, {kafka.sasl_mechanism}, user {kafka.sasl_username!r}"


def _secrets(kafka: KafkaSettings) -> list[str]:
    secrets = (kafka.sasl_password, kafka.ssl_key_password)
    return [secret.get_secret_value() for secret in secrets if secret is not None]
