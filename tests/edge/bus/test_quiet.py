"""The log stays readable while the broker is gone."""

import logging

import pytest

import edge.bus.connection  # noqa: F401 - it sets the filters
from edge.bus.quiet import RepetitionFilter


def test_a_message_is_said_once_in_an_interval(caplog: pytest.LogCaptureFixture) -> None:
    """Of the same message only the first is let through, whatever its arguments; others are not held up."""
    logger = logging.getLogger("test_quiet")
    logger.addFilter(RepetitionFilter())
    for attempt in range(100):
        logger.error("no answer from %s", attempt)
    logger.error("gave up")
    assert [record.getMessage() for record in caplog.records] == ["no answer from 0", "gave up"]


def test_after_the_interval_it_is_said_again(caplog: pytest.LogCaptureFixture) -> None:
    """What goes on is not forgotten."""
    logger = logging.getLogger("test_quiet.again")
    logger.addFilter(RepetitionFilter(interval_s=0))
    logger.error("no answer")
    logger.error("no answer")
    assert len(caplog.records) == 2


def test_aiokafkas_loggers_are_filtered() -> None:
    """Whoever talks to Kafka here has aiokafka's repetitions filtered, once."""
    for name in ("client", "consumer.fetcher", "consumer.group_coordinator", "producer.sender"):
        filters = logging.getLogger(f"aiokafka.{name}").filters
        assert [type(each) for each in filters] == [RepetitionFilter]
