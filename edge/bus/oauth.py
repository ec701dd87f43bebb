"""Tokens for SASL/OAUTHBEARER, by the client credentials flow (RFC 6749, section 4.4), as in KIP-768."""

import asyncio
import base64
import time
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote_plus

import aiohttp
import msgspec
from aiokafka.abc import AbstractTokenProvider
from aiokafka.conn import OAuthAuthenticator
from aiokafka.errors import AuthenticationFailedError, KafkaConnectionError, SaslAuthenticationFailed

from edge.bus.tls import trusting
from edge.bus.wording import certificate_words, system_words, without
from edge.settings import KafkaSettings

# An endpoint at work answers within a second; a client that waits for a token holds up its connection.
_TIMEOUT_S = 10.0

# Part of its lifetime for which a token is used, as by Kafka's own client: what is left is for clocks that
# differ, and for the session that brokers may end with the token (connections.max.reauth.ms).
_USED_PART = 0.8

_SHOWN_CHARACTERS = 200
_OK, _TOO_MANY_REQUESTS, _SERVER_ERROR, _UNAUTHORIZED = 200, 429, 500, 401


class TokenRefusedError(AuthenticationFailedError):
    """The token endpoint refuses us, or we its certificate or answer; aiokafka expects errors of its own."""


class TokenUnavailableError(KafkaConnectionError):
    """The token endpoint does not answer now; aiokafka tries again."""


class _Grant(msgspec.Struct):
    """The answer to a request that was granted."""

    access_token: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._~+/-]+=*$")]  # RFC 6750
    expires_in: float = 0.0  # seconds; an endpoint need not tell, and then the token is used but once


class _Refusal(msgspec.Struct):
    """The answer to one that was not."""

    error: str = ""
    error_description: str = ""


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: bytes


class TokenProvider(AbstractTokenProvider):
    """Fetches a token when one is needed, and hands it out again until shortly before it expires.

    Raises:
        SettingsError: the file of the certificate authorities cannot be read.
    """

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._url = kafka.sasl_oauth_token_url or ""
        self._secret = kafka.sasl_password.get_secret_value() if kafka.sasl_password else ""
        self._tls = trusting(kafka.ssl_ca_file)
        self._one_at_a_time = asyncio.Lock()
        self._token = ""
        self._fresh_until = 0.0  # of time.monotonic()

    async def token(self) -> str:
        """Return a token that is valid for a while.

        Raises:
            TokenRefusedError: the endpoint refuses us; the message names the setting to mend.
            TokenUnavailableError: it does not answer.
        """
        async with self._one_at_a_time:
            if time.monotonic() >= self._fresh_until:
                asked_at = time.monotonic()
                grant = self._grant(await self._ask())
                self._token, self._fresh_until = grant.access_token, asked_at + _USED_PART * grant.expires_in
            return self._token

    async def _ask(self) -> _Answer:
        form = {"grant_type": "client_credentials"}
        if self._kafka.sasl_oauth_scope:
            form["scope"] = self._kafka.sasl_oauth_scope
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S)) as session,
                # Another place that we were sent on to would get the secret.
                session.post(
                    self._url, data=form, headers=self._headers(), ssl=self._tls, allow_redirects=False
                ) as response,
            ):
                return _Answer(response.status, await response.read())
        except aiohttp.ClientConnectorCertificateError as error:
            words = certificate_words(error.certificate_error, "kafka.sasl_oauth_token_url")
            raise TokenRefusedError(f"token endpoint {self._url}: {words}") from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._unavailable(_words(error)) from error

    def _headers(self) -> dict[str, str]:
        """Client id and secret are each encoded as in a form (RFC 6749, section 2.3.1)."""
        account = f"{quote_plus(self._kafka.sasl_username or '')}:{quote_plus(self._secret)}"
        return {
            "Authorization": f"Basic {base64.b64encode(account.encode()).decode()}",
            "Accept": "application/json",
        }

    def _grant(self, answer: _Answer) -> _Grant:
        if answer.status == _TOO_MANY_REQUESTS or answer.status >= _SERVER_ERROR:
            raise self._unavailable(f"status {answer.status}")
        if answer.status != _OK:
            raise self._refused(answer)
        try:
            return msgspec.json.decode(answer.body, type=_Grant, strict=False)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            why = "its answer holds no access_token; see kafka.sasl_oauth_token_url"
            raise TokenRefusedError(f"token endpoint {self._url}: {why}") from None

    def _refused(self, answer: _Answer) -> TokenRefusedError:
        try:
            refusal = msgspec.json.decode(answer.body, type=_Refusal)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            refusal = _Refusal()  # a page for people
        said = " ".join(f"{refusal.error} {refusal.error_description}".split())[:_SHOWN_CHARACTERS]
        said = without((self._secret, quote_plus(self._secret)), said)
        why = f"status {answer.status} {said}".rstrip()
        return TokenRefusedError(
            f"token endpoint {self._url} refuses client {self._kafka.sasl_username!r}: {why}; "
            f"see {_setting_to_mend(answer.status, refusal.error)}"
        )

    def _unavailable(self, why: str) -> TokenUnavailableError:
        return TokenUnavailableError(
            f"token endpoint {self._url} does not answer: {why}; see kafka.sasl_oauth_token_url"
        )


class CheckedOAuthAuthenticator(OAuthAuthenticator):
    """Notices that a broker refuses a token.

    It says so in a challenge (RFC 7628, section 3.2.2), which aiokafka takes for consent; then the broker
    closes the connection, and nobody knows why.
    """

    def __init__(self, provider: AbstractTokenProvider) -> None:
        super().__init__(sasl_oauth_token_provider=provider)  # type: ignore[no-untyped-call] # aiokafka's

    async def step(self, payload: bytes | None) -> tuple[bytes, bool] | None:
        """Go on with the login; ``payload`` is what the broker has answered."""
        if payload:
            raise SaslAuthenticationFailed(payload.decode(errors="replace"))
        step: tuple[bytes, bool] | None = await super().step(payload)  # type: ignore[no-untyped-call] # too
        return step


def _words(error: aiohttp.ClientError | TimeoutError) -> str:
    match error:
        case TimeoutError():
            return f"no answer within {_TIMEOUT_S:g} s"
        case aiohttp.ClientConnectorError():
            return system_words(error.os_error)
        case _:
            return str(error) or repr(error)


def _setting_to_mend(status: int, error: str) -> str:
    if error == "invalid_scope":
        return "kafka.sasl_oauth_scope"
    if status == _UNAUTHORIZED or error in {"invalid_client", "unauthorized_client"}:
        return "kafka.sasl_username and kafka.sasl_password"
    return "kafka.sasl_oauth_token_url"
