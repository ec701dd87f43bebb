"""The way to the broker: waiting for it, and what is never said."""

import asyncio
import gc
import ssl
import warnings
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from edge.bus.connection import client_arguments, wait_for_broker
from edge.bus.mock_cluster import MockCluster
from edge.bus.producing import start_producer
from edge.bus.publisher import Publisher
from edge.errors import BrokerUnreachableError, SettingsError
from edge.settings import KafkaSettings

Until = Callable[..., Awaitable[object]]

NOBODY_LISTENS = "127.0.0.1:1"
SASL = {"security_protocol": "SASL_PLAINTEXT", "sasl_username": "edge", "sasl_password": "hunter2"}


async def test_a_broker_that_answers_is_not_waited_for(kafka: KafkaSettings) -> None:
    """With a broker at work, waiting says nothing."""
    with capture_logs() as log:
        await wait_for_broker(kafka)
    assert log == []


async def test_a_broker_that_is_late_is_retried_and_said_so(until: Until) -> None:
    """Each attempt that fails is in the log with the address, and the first that succeeds is enough."""
    with MockCluster() as broker, capture_logs() as log:
        address = broker.bootstrap_servers
        broker.set_down()
        waiting = asyncio.create_task(wait_for_broker(KafkaSettings(bootstrap_servers=address)))
        await until(lambda: len(log) >= 2)
        broker.set_up()
        await waiting
    assert {line["log_level"] for line in log} == {"warning"}
    assert all(address in line["error"] for line in log)
    assert log[0]["wait_s"] < log[1]["wait_s"]


async def test_waiting_ends_with_the_address() -> None:
    """A wait with a limit ends with an error that names where nobody answered."""
    with pytest.raises(BrokerUnreachableError, match=NOBODY_LISTENS):
        await wait_for_broker(KafkaSettings(bootstrap_servers=NOBODY_LISTENS), timeout_s=0.1)


async def test_a_client_waits_for_its_broker(until: Until) -> None:
    """A publisher started before its broker is ready as soon as that is there."""
    with MockCluster() as broker, capture_logs() as log:
        broker.set_down()
        publisher = Publisher(KafkaSettings(bootstrap_servers=broker.bootstrap_servers))
        starting = asyncio.create_task(publisher.__aenter__())
        await until(lambda: log)
        broker.set_up()
        await starting
        await publisher.__aexit__()


async def test_a_start_that_is_cancelled_leaves_no_connection_open(kafka: KafkaSettings) -> None:
    """However far it had come: assignments come and go while producers start."""
    with warnings.catch_warnings(record=True) as complaints:
        warnings.simplefilter("always")
        for halves in range(30):  # of a millisecond
            starting = asyncio.create_task(start_producer(kafka, transactional_id="cut short"))
            await asyncio.wait([starting], timeout=halves / 2000)
            starting.cancel()
            await asyncio.wait([starting])
            if not starting.cancelled():
                await starting.result().stop()
        del starting
        gc.collect()
    assert [str(complaint.message) for complaint in complaints] == []


async def test_the_password_is_in_no_message() -> None:
    """Neither log nor error tell the secret."""
    kafka = KafkaSettings.model_validate({"bootstrap_servers": NOBODY_LISTENS} | SASL)
    with capture_logs() as log, pytest.raises(BrokerUnreachableError) as raised:
        await wait_for_broker(kafka, timeout_s=0.3)
    assert "hunter2" not in f"{log} {raised.value!r}"
    assert "SASL_PLAINTEXT" in str(raised.value)


def test_credentials_reach_the_client() -> None:
    """User, password and mechanism are handed on; without SASL there are none."""
    arguments = client_arguments(KafkaSettings.model_validate(SASL))
    assert (arguments["sasl_plain_username"], arguments["sasl_plain_password"]) == ("edge", "hunter2")
    assert arguments["sasl_mechanism"] == "PLAIN"
    assert not any(name.startswith("sasl") for name in client_arguments(KafkaSettings()))


def test_tls_checks_the_broker() -> None:
    """With SSL, certificate and host name of the broker are verified."""
    context = client_arguments(KafkaSettings(security_protocol="SSL"))["ssl_context"]
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_bad_ca_file_is_named(tmp_path: Path, content: str | None) -> None:
    """A file of authorities that is missing or holds none is a wrong setting."""
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(SettingsError, match=r"kafka\.ssl_ca_file.*ca\.pem"):
        client_arguments(KafkaSettings(security_protocol="SSL", ssl_ca_file=path))
