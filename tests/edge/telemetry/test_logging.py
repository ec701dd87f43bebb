import io
import json
import logging
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from edge.settings import MASK, KafkaSettings
from edge.telemetry.logging import configure_logging, join_logging, mask_secrets

SECRET = "hunter2"  # noqa: S105 # it is what must not show

Read = Callable[[], list[dict[str, Any]]]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def stderr(capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    return lambda: capsys.readouterr().err


@pytest.fixture
def lines(stderr: Callable[[], str]) -> Read:
    return lambda: [json.loads(line) for line in stderr().splitlines()]


def fail_with_secret_in_a_local() -> None:
    password = SECRET
    raise ValueError(f"wrong after {len(password)} characters")


def test_lines_are_json_away_from_a_terminal(lines: Read) -> None:
    """A collector gets one object a line, with level, logger and time in UTC."""
    configure_logging("info", "auto")
    structlog.get_logger("edge.pipeline").info("batch", frames=8, wait_ms=1.5)
    (line,) = lines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", line.pop("timestamp"))
    assert line == {
        "level": "info",
        "logger": "edge.pipeline",
        "event": "batch",
        "frames": 8,
        "wait_ms": 1.5,
    }


def test_lines_begin_with_time_level_logger_and_event(lines: Read) -> None:
    """People who read the raw log find the same columns on every line."""
    configure_logging("info", "json")
    structlog.get_logger("x").info("batch", frames=8)
    assert list(lines()[0]) == ["timestamp", "level", "logger", "event", "frames"]


def test_terminal_gets_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal the log is for people."""
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    configure_logging("info", "auto")
    structlog.get_logger("x").info("batch", frames=8)
    assert "\x1b[" in terminal.getvalue()
    assert "batch" in terminal.getvalue()


def test_console_away_from_a_terminal_has_no_colours(stderr: Callable[[], str]) -> None:
    """The console format may be asked for in a file, too."""
    configure_logging("info", "console")
    structlog.get_logger("x").info("batch", frames=8)
    text = stderr()
    assert "frames=8" in text
    assert "\x1b" not in text


def test_json_on_a_terminal_on_demand(monkeypatch: pytest.MonkeyPatch) -> None:
    """The json format holds on a terminal, too."""
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    configure_logging("info", "json")
    structlog.get_logger("x").info("batch")
    assert json.loads(terminal.getvalue())["event"] == "batch"


def test_standard_logging_takes_the_same_way(lines: Read) -> None:
    """What libraries log has the same shape, their extra fields included."""
    configure_logging("info", "json")
    logging.getLogger("aiokafka.conn").warning("no %s", "broker", extra={"node": 1})
    (line,) = lines()
    assert (line["logger"], line["level"], line["event"]) == ("aiokafka.conn", "warning", "no broker")
    assert line["node"] == 1
    assert line["timestamp"].endswith("Z")


@pytest.mark.parametrize("logger", [structlog.get_logger("ours"), logging.getLogger("theirs")])
def test_level_holds_for_all(lines: Read, logger: Any) -> None:
    """What is less severe than the level stays out, from our loggers and from libraries'."""
    configure_logging("warning", "json")
    logger.info("quiet")
    logger.warning("loud")
    assert [line["event"] for line in lines()] == ["loud"]


def test_kafka_client_never_logs_at_debug(lines: Read) -> None:
    """At debug the client would write out its authentication."""
    configure_logging("debug", "json")
    logging.getLogger("aiokafka.conn").debug("Request 1: SaslAuthenticate")
    structlog.get_logger("ours").debug("seen")
    assert [line["event"] for line in lines()] == ["seen"]


@pytest.mark.parametrize("logger", [structlog.get_logger("ours"), logging.getLogger("theirs")])
def test_exceptions_are_structured(lines: Read, logger: Any) -> None:
    """A traceback is data: type, message and frames, and never the values of locals."""
    configure_logging("info", "json")
    try:
        fail_with_secret_in_a_local()
    except ValueError:
        logger.exception("failed")
    (line,) = lines()
    (exception,) = line["exception"]
    assert (exception["exc_type"], exception["exc_value"]) == ("ValueError", "wrong after 7 characters")
    assert exception["frames"][-1]["name"] == "fail_with_secret_in_a_local"
    assert SECRET not in json.dumps(line)


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_tracebacks_on_the_console_show_no_locals(
    monkeypatch: pytest.MonkeyPatch, stream: type[io.StringIO]
) -> None:
    """A pretty traceback does not tell secrets, either."""
    monkeypatch.setattr(sys, "stderr", output := stream())
    configure_logging("info", "console")
    try:
        fail_with_secret_in_a_local()
    except ValueError:
        structlog.get_logger("x").exception("failed")
    assert "wrong after 7 characters" in output.getvalue()
    assert SECRET not in output.getvalue()


def test_secrets_are_masked_at_any_depth(stderr: Callable[[], str]) -> None:
    """Keys that sound like secrets, and SecretStr under any key, do not show."""
    configure_logging("info", "json")
    structlog.contextvars.bind_contextvars(auth_token=SECRET)
    kafka = KafkaSettings(sasl_password=SecretStr(SECRET))
    structlog.get_logger("x").info(
        "connecting",
        Password=SECRET,
        sasl_username=SECRET,
        value=SecretStr(SECRET),
        nested={"client_secret": SECRET, "list": [{"api_key": SECRET}, SecretStr(SECRET)]},
        pair=(SecretStr(SECRET), 1),
        settings=kafka,
        dump=kafka.model_dump(),
        host="localhost",
    )
    logging.getLogger("library").info("login", extra={"password": SECRET})
    text = stderr()
    assert SECRET not in text
    first = json.loads(text.splitlines()[0])
    assert (first["host"], first["Password"], first["pair"]) == ("localhost", MASK, [MASK, 1])


def test_secret_that_is_not_set_shows_as_such() -> None:
    """That a password is missing may be told."""
    assert mask_secrets(None, "info", {"sasl_password": None}) == {"sasl_password": None}


@given(
    st.recursive(
        st.integers() | st.text() | st.none(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["host", "port"]), inner),
    )
)
def test_masking_leaves_everything_else_alone(value: Any) -> None:
    """Data without secrets goes through unchanged."""
    assert mask_secrets(None, "info", {"data": value}) == {"data": value}


def test_warnings_are_logged(lines: Read) -> None:
    """A library's warning is a line like any other."""
    configure_logging("info", "json")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    (line,) = lines()
    assert (line["logger"], line["level"]) == ("py.warnings", "warning")
    assert "DeprecationWarning: old" in line["event"]


def test_values_that_are_not_json_are_shown_as_they_print(lines: Read) -> None:
    """Logging an odd object never raises."""
    configure_logging("info", "json")
    structlog.get_logger("x").info("odd", value=b"\xff", kind=int)
    (line,) = lines()
    assert (line["value"], line["kind"]) == ("b'\\xff'", "<class 'int'>")


def test_setting_up_again_replaces_the_first(stderr: Callable[[], str]) -> None:
    """Lines are never logged twice."""
    configure_logging("info", "json")
    configure_logging("info", "json")
    structlog.get_logger("x").info("once")
    assert len(stderr().splitlines()) == 1


def test_somebody_elses_logging_is_joined_and_not_changed(caplog: pytest.LogCaptureFixture) -> None:
    """Our events go through the handlers that are there, as JSON lines with secrets masked."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level

    join_logging("warning")
    log = structlog.get_logger("edge.somewhere")
    log.info("too little")
    log.warning("something", token=SECRET)

    assert (root.handlers, root.level) == (handlers, level)
    (line,) = [json.loads(record.getMessage()) for record in caplog.records]
    assert (line["event"], line["level"], line["logger"]) == ("something", "warning", "edge.somewhere")
    assert line["token"] == MASK
