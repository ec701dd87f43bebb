"""Tokens for a login: asked for as the standard says, kept as long as they last, and never told."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from edge.bus import oauth
from edge.bus.connection import wait_for_broker
from edge.bus.oauth import TokenProvider, TokenRefusedError, TokenUnavailableError
from edge.errors import BrokerUnreachableError
from edge.settings import KafkaSettings
from tests.support.certificates import Authority
from tests.support.token_endpoint import CLIENT, SECRET, TokenEndpoint

REFUSED, UNAVAILABLE = TokenRefusedError, TokenUnavailableError
ACCOUNT = "see kafka.sasl_username and kafka.sasl_password"
SCOPE, URL = "see kafka.sasl_oauth_scope", "see kafka.sasl_oauth_token_url"


class Clock:
    """The time that the provider sees."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that goes on when the test says so."""
    clock = Clock()
    monkeypatch.setattr(oauth, "time", clock)
    return clock


def settings(url: str, **more: Any) -> KafkaSettings:
    """Settings of a client that the endpoint knows."""
    login = {"security_protocol": "SASL_SSL", "sasl_mechanism": "OAUTHBEARER", "sasl_oauth_token_url": url}
    account = {"sasl_username": CLIENT, "sasl_password": SECRET}
    return KafkaSettings.model_validate({**login, **account, **more})


async def test_a_token_is_kept_until_shortly_before_it_expires(clock: Clock) -> None:
    """However many connections ask at once, there is one request; a new one goes out in time."""
    async with TokenEndpoint(lifetime_s=100) as endpoint:
        provider = TokenProvider(settings(endpoint.url))
        tokens = await asyncio.gather(*[provider.token() for _ in range(5)])
        clock.now += 79
        assert {*tokens, await provider.token()} == set(endpoint.issued)
        assert len(endpoint.issued) == 1
        clock.now += 2
        assert await provider.token() == endpoint.issued[1]


@pytest.mark.usefixtures("clock")
async def test_a_token_of_unknown_lifetime_is_used_once() -> None:
    """An endpoint need not tell how long a token lasts; then no connection relies on it."""
    async with TokenEndpoint(lifetime_s=None) as endpoint:
        provider = TokenProvider(settings(endpoint.url))
        assert await provider.token() != await provider.token()


@pytest.mark.parametrize(("scope", "form"), [(None, {}), ("a b", {"scope": "a b"})])
async def test_the_request_is_the_standards(scope: str | None, form: dict[str, str]) -> None:
    """Grant type and scope are in the form, the account in the header, encoded; the endpoint checks it."""
    async with TokenEndpoint() as endpoint:
        await TokenProvider(settings(endpoint.url, sasl_oauth_scope=scope)).token()
        assert endpoint.forms == [{"grant_type": "client_credentials"} | form]


Answer = Callable[[], web.Response]


def page(status: int = 200, body: bytes = b"<html>", **headers: str) -> Answer:
    return lambda: web.Response(status=status, body=body, headers=headers)


def json(answer: dict[str, Any], status: int = 200) -> Answer:
    return lambda: web.json_response(answer, status=status)


def refusal(status: int, error: str, description: str = "") -> Answer:
    return json({"error": error, "error_description": description}, status)


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (refusal(401, "invalid_client"), REFUSED, ("status 401 invalid_client", ACCOUNT)),
        (refusal(400, "unauthorized_client"), REFUSED, (ACCOUNT,)),
        (refusal(400, "invalid_scope", "not\n yours"), REFUSED, ("invalid_scope not yours", SCOPE)),
        (refusal(400, "invalid_request", f"not {SECRET}"), REFUSED, ("invalid_request not ***", URL)),
        (page(403), REFUSED, ("status 403; ", URL)),
        (page(404), REFUSED, ("status 404; ", URL)),
        (
            page(302, Location="http://127.0.0.1:1/"),
            REFUSED,
            ("status 302; ", URL),
        ),
        (page(), REFUSED, ("its answer holds no access_token", URL)),
        (page(body=b"\xff"), REFUSED, ("its answer holds no access_token", URL)),
        (json({"access_token": ""}), REFUSED, ("its answer holds no access_token",)),
        (json({"access_token": "a\x01b"}), REFUSED, ("its answer holds no access_token",)),
        (json({"expires_in": 1}), REFUSED, ("its answer holds no access_token",)),
        (page(429), UNAVAILABLE, ("does not answer: status 429; ", URL)),
        (page(503), UNAVAILABLE, ("does not answer: status 503; ", URL)),
    ],
)
async def test_what_the_endpoint_says_instead_is_told(
    answer: Answer, kind: type[Exception], words: tuple[str, ...]
) -> None:
    """Whoever can mend it learns what it is about; what passes is retriable, and the secret is not told."""
    async with TokenEndpoint() as endpoint:
        endpoint.answer = answer
        with pytest.raises(kind) as raised:
            await TokenProvider(settings(endpoint.url)).token()
    message = str(raised.value)
    assert [word for word in (endpoint.url, *words) if word not in message] == []
    assert SECRET not in message
    assert raised.value.retriable is (kind is UNAVAILABLE)  # type: ignore[attr-defined]


@pytest.mark.parametrize("lifetime", ["60", 60, 60.5])
@pytest.mark.usefixtures("clock")
async def test_numbers_may_be_text(lifetime: object) -> None:
    """Some endpoints write the lifetime in quotes."""
    async with TokenEndpoint() as endpoint:
        endpoint.answer = json({"access_token": "a.b-c", "expires_in": lifetime})
        provider = TokenProvider(settings(endpoint.url))
        assert [await provider.token(), await provider.token()] == ["a.b-c", "a.b-c"]
        assert len(endpoint.forms) == 1


async def test_an_endpoint_that_recovers_gives_a_token() -> None:
    """A failure is not kept."""
    async with TokenEndpoint() as endpoint:
        provider = TokenProvider(settings(endpoint.url))
        endpoint.answer = page(500)
        with pytest.raises(TokenUnavailableError):
            await provider.token()
        endpoint.answer = None
        assert await provider.token() == endpoint.issued[0]


async def test_an_endpoint_that_is_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection does not wait forever for its token."""
    monkeypatch.setattr(oauth, "_TIMEOUT_S", 0.1)
    given_up = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()
        given_up.set()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(TokenUnavailableError, match=r"no answer within 0\.1 s"):
            await TokenProvider(settings(f"http://127.0.0.1:{port}/token")).token()
        await given_up.wait()


async def test_an_endpoint_of_an_unknown_authority_gets_no_secret(tmp_path: Path) -> None:
    """The certificate of the token endpoint is verified; the message names the file of authorities."""
    ca_file = Authority().write(tmp_path)
    async with TokenEndpoint(tls=Authority().server_context("127.0.0.1")) as endpoint:
        with pytest.raises(TokenRefusedError, match=r"not trusted: .*; see kafka\.ssl_ca_file"):
            await TokenProvider(settings(endpoint.url, ssl_ca_file=ca_file)).token()
        assert endpoint.forms == []


async def test_an_endpoint_by_another_name_gets_no_secret(tmp_path: Path) -> None:
    """Its certificate holds for the name in the URL, or not at all."""
    authority = Authority()
    async with TokenEndpoint(tls=authority.server_context("tokens.mill")) as endpoint:
        kafka = settings(endpoint.url, ssl_ca_file=authority.write(tmp_path))
        with pytest.raises(TokenRefusedError, match=rf"not valid for '127\.0\.0\.1'; {URL}"):
            await TokenProvider(kafka).token()
        assert endpoint.forms == []


async def test_without_a_broker_no_token_is_asked_for() -> None:
    """A secret travels only when there is something to log in to."""
    async with TokenEndpoint() as endpoint:
        kafka = settings(endpoint.url, bootstrap_servers="127.0.0.1:1")
        with pytest.raises(BrokerUnreachableError, match="no broker answers"):
            await wait_for_broker(kafka, timeout_s=0.1)
        assert endpoint.forms == []
