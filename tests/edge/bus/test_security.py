"""Encryption and login against Apache Kafka itself, with certificates and accounts made for the run."""

import asyncio
import io
import logging
import re
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import structlog
from blockbuster import blockbuster_ctx

from consumers.subscription import Subscription
from edge.bus import connection
from edge.bus.connection import wait_for_broker
from edge.bus.publisher import Publisher, Record
from edge.bus.source import FrameSource
from edge.bus.topics import ensure_topics
from edge.contracts import FrameMetadata, Inspection
from edge.contracts.cloudevents import encode_headers
from edge.daemon import Daemon
from edge.errors import AuthenticationError, BrokerUnreachableError
from edge.settings import HttpSettings, KafkaSettings, ModelSettings, PipelineSettings, Settings
from edge.telemetry.logging import configure_logging
from tests.conftest import skip_or_fail
from tests.support.certificates import Authority
from tests.support.kafka_broker import why_no_docker
from tests.support.secure_kafka import PASSWORD, USER, SecureKafka, add_scram_user, secure_broker
from tests.support.token_endpoint import CLIENT, SECRET, TokenEndpoint, TokenSigner

KEY_PASSWORD = "opens the key"  # noqa: S105 # of a key that is made for the run
WRONG = "wr0ng-passw0rd"
SHORT_LIFETIME_S = 2.0
DEADLINE_S = 30.0
NOBODY_LISTENS = "https://127.0.0.1:1/token"
PIXELS = b"\x89PNG\r\n\x1a\n, and more that is never decoded"


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    """A broker with a listener for each way to connect."""
    if reason := why_no_docker():
        skip_or_fail("docker", reason)
    authority, signer = Authority(), TokenSigner()
    with secure_broker(authority, signer) as broker:
        add_scram_user(broker, USER, PASSWORD)
        yield SecureKafka(broker, authority, signer, authority.write(tmp_path_factory.mktemp("trusted")))


@pytest.fixture
async def endpoint(secure: SecureKafka) -> AsyncIterator[TokenEndpoint]:
    """A token endpoint whose signatures the broker accepts."""
    async with TokenEndpoint(secure.signer) as endpoint:
        yield endpoint


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], str]]:
    """All that the daemon logs at its most talkative, as it is written to standard error."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    connection._warn_of_clear_text.cache_clear()
    configure_logging("debug", "json")
    yield stderr.getvalue
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def image() -> bytes:
    """A frame as a camera encodes it."""
    return cv2.imencode(".png", np.zeros((64, 96), np.uint8))[1].tobytes()


def own_topics() -> dict[str, Any]:
    """Settings of a group whose topics no other test has."""
    name = f"t{uuid.uuid4().hex[:8]}"
    return {
        "group_id": name,
        "frame_topics": [f"{name}.cam1"],
        "defects_topic": f"{name}.defects",
        "inspections_topic": f"{name}.inspections",
        "dead_letter_topic": f"{name}.dead-letter",
        "session_timeout_ms": 6000,
    }


def with_token(endpoint: TokenEndpoint, **more: Any) -> dict[str, Any]:
    """Settings for a login with a token."""
    login = {"sasl_mechanism": "OAUTHBEARER", "sasl_username": CLIENT, "sasl_password": SECRET}
    return {**login, "sasl_oauth_token_url": endpoint.url, **more}


def frame(kafka: KafkaSettings, sequence: int, value: bytes = PIXELS) -> Record:
    """A frame of this group's one camera."""
    metadata = FrameMetadata(
        line="line-1",
        camera="cam1",
        coil="C-1",
        side="top",
        sequence=sequence,
        position_mm=sequence * 32.0,
        offset_mm=0.0,
        pitch_x_mm=0.5,
        pitch_y_mm=0.5,
        captured_at=datetime.now(UTC),
        content_type="image/png",
    )
    topic = (kafka.frame_topics or [""])[0]
    return Record(topic, value=value, key=b"cam1", headers=encode_headers(metadata))


async def check_frames_pass(kafka: KafkaSettings) -> None:
    """One frame goes in through a publisher and comes out of a source, which commits it."""
    await ensure_topics(kafka, kafka.frame_topics)
    async with Publisher(kafka) as publisher, FrameSource(kafka) as source:
        await source.ready()
        await publisher.publish([frame(kafka, 0)])
        async with asyncio.timeout(DEADLINE_S):
            while not (frames := await source.poll(1)):
                pass
        source.done(frames[0].origin)
        await source.commit()
    assert (frames[0].key, frames[0].value) == (b"cam1", PIXELS)


@pytest.mark.parametrize(
    ("listener", "more"),
    [
        ("TLS", {}),
        ("PLAIN", {"sasl_mechanism": "PLAIN"}),
        ("SCRAM", {"sasl_mechanism": "SCRAM-SHA-256"}),
        ("SCRAM", {"sasl_mechanism": "SCRAM-SHA-512"}),
        ("CLEAR", {"sasl_mechanism": "PLAIN"}),
        ("CLEAR", {"sasl_mechanism": "SCRAM-SHA-512"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "".join(value.values()),
)
async def test_frames_pass(
    secure: SecureKafka, log: Callable[[], str], listener: str, more: dict[str, str]
) -> None:
    """Topics are made, a frame is published, read and committed; the log does not tell the password."""
    await check_frames_pass(secure.settings(listener, **own_topics(), **more))
    assert PASSWORD not in log()


@pytest.mark.parametrize("password", ["", KEY_PASSWORD], ids=["open key", "encrypted key"])
async def test_frames_pass_with_a_certificate_of_our_own(
    secure: SecureKafka, log: Callable[[], str], tmp_path: Path, password: str
) -> None:
    """Where the broker asks for one, the daemon's certificate is its login."""
    certificate, key = secure.authority.issue("edge@mill").write(tmp_path, "edge", password=password)
    own = {"ssl_cert_file": certificate, "ssl_key_file": key, "ssl_key_password": password or None}
    await check_frames_pass(secure.settings("MUTUAL", **own_topics(), **own))
    assert KEY_PASSWORD not in log()


async def test_frames_pass_with_a_token(
    secure: SecureKafka, endpoint: TokenEndpoint, log: Callable[[], str]
) -> None:
    """Every client logs in with a token for its credentials; neither token nor secret is in the log."""
    scope = {"sasl_oauth_scope": "kafka frames"}
    await check_frames_pass(secure.settings("OAUTH", **own_topics(), **with_token(endpoint, **scope)))
    assert endpoint.forms[0] == {"grant_type": "client_credentials", "scope": "kafka frames"}
    assert [secret for secret in (SECRET, *endpoint.issued) if secret in log()] == []


async def test_a_token_comes_over_tls_as_well(secure: SecureKafka) -> None:
    """The authorities that certify the brokers certify the token endpoint, too."""
    async with TokenEndpoint(secure.signer, tls=secure.authority.server_context("127.0.0.1")) as endpoint:
        assert endpoint.url.startswith("https://")
        await wait_for_broker(secure.settings("OAUTH", **with_token(endpoint)), timeout_s=DEADLINE_S)


# --- the whole daemon -------------------------------------------------------------


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[None]:
    """A daemon that is ready, and that is stopped in order afterwards; it must not block the event loop."""
    daemon, stop = Daemon(settings), asyncio.Event()
    with blockbuster_ctx("edge"):
        serving = asyncio.create_task(daemon.run(stop))
        ready = asyncio.create_task(daemon.ready.wait())
        await asyncio.wait({serving, ready}, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        try:
            if daemon.ready.is_set():
                yield
        finally:
            stop.set()
            await serving


def daemon_settings(kafka: KafkaSettings) -> Settings:
    return Settings(
        kafka=kafka,
        pipeline=PipelineSettings(max_wait_ms=5, commit_interval_ms=20),
        model=ModelSettings(runtime="fake"),
        http=HttpSettings(port=0),
    )


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "OAUTHBEARER"])
async def test_a_daemon_inspects_over_a_safe_connection(
    secure: SecureKafka, endpoint: TokenEndpoint, log: Callable[[], str], image: bytes, mechanism: str
) -> None:
    """From camera to inspection record everything is encrypted and logged in, and no secret is logged."""
    if mechanism == "OAUTHBEARER":
        kafka = secure.settings("OAUTH", **own_topics(), **with_token(endpoint))
    else:
        kafka = secure.settings("SCRAM", **own_topics(), sasl_mechanism=mechanism)
    await ensure_topics(kafka)
    await ensure_topics(kafka, kafka.frame_topics)
    async with (
        Subscription(kafka, kafka.inspections_topic, Inspection) as inspections,
        running(daemon_settings(kafka)),
        Publisher(kafka) as publisher,
        asyncio.timeout(DEADLINE_S),
    ):
        await publisher.publish([frame(kafka, number, image) for number in range(3)])
        inspected = [await anext(inspections) for _ in range(3)]
    assert [inspection.frame.offset for inspection in inspected] == [0, 1, 2]
    assert {inspection.outcome for inspection in inspected} == {"inspected"}
    secrets = (PASSWORD, SECRET, *endpoint.issued)
    assert [secret for secret in secrets if secret in log()] == []


async def test_a_token_that_expires_is_renewed_while_frames_pass(
    secure: SecureKafka, image: bytes, log: Callable[[], str]
) -> None:
    """The broker ends each session with its token; the daemon comes back with a new one, no frame lost."""
    async with TokenEndpoint(secure.signer, lifetime_s=SHORT_LIFETIME_S) as endpoint:
        kafka = secure.settings("OAUTH", **own_topics(), **with_token(endpoint))
        await ensure_topics(kafka)
        await ensure_topics(kafka, kafka.frame_topics)
        plain = kafka.model_copy(
            update={"security_protocol": "PLAINTEXT", "bootstrap_servers": secure.broker.bootstrap_servers}
        )
        async with (
            Subscription(plain, kafka.inspections_topic, Inspection) as inspections,
            running(daemon_settings(kafka)),
            Publisher(plain) as camera,
            asyncio.timeout(2 * DEADLINE_S),
        ):
            begun_with, published, inspected = len(endpoint.issued), 0, list[int]()
            # Source and publisher of results renew theirs: twice and more each.
            while len(endpoint.issued) < begun_with + 4:
                await camera.publish([frame(kafka, published, image)])
                while published not in inspected:
                    inspected.append((await anext(inspections)).frame.offset)
                published += 1
    assert sorted(set(inspected)) == list(range(published))
    assert "invalid_token" not in log()
    assert [token for token in endpoint.issued if token in log()] == []


# --- refusals, each with the setting to mend ---------------------------------------


async def refusal(kafka: KafkaSettings) -> AuthenticationError:
    with pytest.raises(AuthenticationError) as raised:
        await wait_for_broker(kafka, timeout_s=DEADLINE_S)
    return raised.value


def check_told(error: Exception, log: str, *words: str) -> None:
    """The message has these words; neither it nor the log has a secret."""
    assert [word for word in words if word not in str(error)] == []
    told = f"{error!r} {error.__cause__!r} {log}"
    assert [secret for secret in (PASSWORD, SECRET, WRONG, KEY_PASSWORD) if secret in told] == []


@pytest.mark.parametrize(
    ("listener", "mechanism"),
    [
        ("PLAIN", "PLAIN"),
        ("CLEAR", "PLAIN"),
        ("SCRAM", "SCRAM-SHA-256"),
        ("SCRAM", "SCRAM-SHA-512"),
    ],
)
@pytest.mark.parametrize("wrong", [{"sasl_password": WRONG}, {"sasl_username": "nobody"}], ids=str)
async def test_a_wrong_account_is_refused(
    secure: SecureKafka, log: Callable[[], str], listener: str, mechanism: str, wrong: dict[str, str]
) -> None:
    """The daemon does not start: account and password are for the operator to mend."""
    kafka = secure.settings(listener, sasl_mechanism=mechanism, **wrong)
    error = await refusal(kafka)
    check_told(
        error, log(), f"user {kafka.sasl_username!r}", "see kafka.sasl_username and kafka.sasl_password"
    )


async def test_a_broker_of_an_unknown_authority_is_refused(
    secure: SecureKafka, log: Callable[[], str], tmp_path: Path
) -> None:
    """The password is not sent to a broker whose certificate nobody we trust has signed."""
    error = await refusal(secure.settings("PLAIN", ssl_ca_file=Authority().write(tmp_path)))
    check_told(error, log(), "its certificate is not trusted", "see kafka.ssl_ca_file")


async def test_a_broker_by_another_name_is_refused(secure: SecureKafka, log: Callable[[], str]) -> None:
    """A certificate holds for the name that it was issued to: host names are verified without being asked."""
    address = secure.broker.address("TLS").replace("127.0.0.1", "localhost")
    error = await refusal(secure.settings("TLS", bootstrap_servers=address))
    check_told(error, log(), "not valid for 'localhost'", "see kafka.bootstrap_servers")


async def test_a_client_without_certificate_is_refused(secure: SecureKafka, log: Callable[[], str]) -> None:
    """Where the broker asks for a certificate, having none is told from not being trusted."""
    error = await refusal(secure.settings("MUTUAL"))
    words = "it asks for a certificate of ours", "see kafka.ssl_cert_file and kafka.ssl_key_file"
    check_told(error, log(), *words)


async def test_a_client_of_an_unknown_authority_is_refused(
    secure: SecureKafka, log: Callable[[], str], tmp_path: Path
) -> None:
    """A certificate that the broker does not trust is told as such."""
    certificate, key = Authority().issue("edge@mill").write(tmp_path, "edge", password=KEY_PASSWORD)
    own = {"ssl_cert_file": certificate, "ssl_key_file": key, "ssl_key_password": KEY_PASSWORD}
    error = await refusal(secure.settings("MUTUAL", **own))
    check_told(error, log(), "it does not accept our certificate", "see kafka.ssl_cert_file")


async def test_a_mechanism_that_the_listener_lacks_is_refused(
    secure: SecureKafka, log: Callable[[], str]
) -> None:
    """Kafka's listeners each have mechanisms of their own."""
    error = await refusal(secure.settings("PLAIN", sasl_mechanism="SCRAM-SHA-512"))
    check_told(error, log(), "not with SCRAM-SHA-512", "see kafka.sasl_mechanism")


async def test_a_login_where_none_is_asked_for_is_refused(
    secure: SecureKafka, log: Callable[[], str]
) -> None:
    """A listener of the SSL protocol knows no login."""
    error = await refusal(secure.settings("PLAIN", bootstrap_servers=secure.broker.address("TLS")))
    check_told(error, log(), "it asks for no login there", "see kafka.security_protocol")


@pytest.mark.parametrize(
    ("settings_of", "port_of"),
    [("PLAINTEXT", "TLS"), ("PLAINTEXT", "CLEAR"), ("TLS", "PLAINTEXT"), ("TLS", "PLAIN"), ("CLEAR", "TLS")],
)
async def test_a_client_on_the_wrong_port_is_told_the_protocol(
    secure: SecureKafka, log: Callable[[], str], settings_of: str, port_of: str
) -> None:
    """In the clear on a port with TLS, or the other way about: the setting is named, and retried."""
    address = secure.broker.address(port_of)
    if settings_of == "PLAINTEXT":
        kafka = KafkaSettings(bootstrap_servers=address)
    else:
        kafka = secure.settings(settings_of, bootstrap_servers=address)
    with pytest.raises(BrokerUnreachableError) as raised:
        await wait_for_broker(kafka, timeout_s=0.5)
    check_told(raised.value, log(), address, "it closed the connection; see kafka.security_protocol")


async def test_a_wrong_client_secret_is_refused(
    secure: SecureKafka, endpoint: TokenEndpoint, log: Callable[[], str]
) -> None:
    """The token endpoint's own words are passed on, with the settings that it is about."""
    error = await refusal(secure.settings("OAUTH", **with_token(endpoint, sasl_password=WRONG)))
    check_told(
        error, log(), endpoint.url, "invalid_client", "see kafka.sasl_username and kafka.sasl_password"
    )


async def test_a_token_that_the_broker_does_not_accept_is_refused(
    secure: SecureKafka, log: Callable[[], str]
) -> None:
    """A token signed by another is refused by the broker, which is told from a connection that was closed."""
    async with TokenEndpoint(TokenSigner()) as endpoint:
        error = await refusal(secure.settings("OAUTH", **with_token(endpoint)))
    check_told(error, log(), "invalid_token", "see kafka.sasl_oauth_token_url and kafka.sasl_oauth_scope")
    assert endpoint.issued[0] not in f"{error} {log()}"


async def test_a_token_endpoint_that_is_away_is_waited_for(
    secure: SecureKafka, endpoint: TokenEndpoint, log: Callable[[], str]
) -> None:
    """An endpoint that restarts is no reason to end: it is said and tried again, as with a broker."""
    kafka = secure.settings("OAUTH", **with_token(endpoint) | {"sasl_oauth_token_url": NOBODY_LISTENS})
    with pytest.raises(BrokerUnreachableError) as raised:
        await wait_for_broker(kafka, timeout_s=0.5)
    check_told(raised.value, log(), f"token endpoint {NOBODY_LISTENS} does not answer")
    assert "trying again" in log()


async def test_a_password_in_the_clear_is_warned_of_once(secure: SecureKafka, log: Callable[[], str]) -> None:
    """However many connections are made, the operator is told once, by the setting that mends it."""
    for mechanism in ("SCRAM-SHA-512", "PLAIN", "PLAIN"):
        await wait_for_broker(secure.settings("CLEAR", sasl_mechanism=mechanism), timeout_s=DEADLINE_S)
    (warning,) = re.findall(r".*in the clear.*", log())
    assert "see kafka.security_protocol SASL_SSL" in warning
    assert '"mechanism":"PLAIN"' in warning.replace(" ", "")
