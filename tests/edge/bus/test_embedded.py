"""The embedded broker: a child that serves Kafka's protocol and never outlives its parent."""

import asyncio
import signal
import sys

import pytest

from edge.bus.embedded import EmbeddedBroker
from edge.bus.publisher import Publisher, Record
from edge.bus.source import FrameSource
from edge.bus.topics import existing_topics
from edge.errors import BusError
from edge.settings import KafkaSettings

STARTS_WITHIN_S = 2.0

PARENT = """
import asyncio
from edge.bus.embedded import EmbeddedBroker

async def main():
    async with EmbeddedBroker() as broker:
        print(broker.bootstrap_servers, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def is_listening(address: str) -> bool:
    host, port = address.split(":")
    try:
        _, writer = await asyncio.open_connection(host, int(port))
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


async def ends(address: str) -> None:
    """Wait until nobody listens at an address."""
    async with asyncio.timeout(5):
        while await is_listening(address):  # noqa: ASYNC110 - the death of another process has no event
            await asyncio.sleep(0.01)


async def test_frames_pass_and_commits_hold() -> None:
    """It starts in no time; what is published is read in a group, committed, and not read again."""
    async with asyncio.timeout(STARTS_WITHIN_S):
        broker = await EmbeddedBroker().__aenter__()
    try:
        await broker.create_topic("frames.cam1")
        kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
        async with Publisher(kafka) as publisher, FrameSource(kafka) as source:
            assert source.assigned == {("frames.cam1", 0)}
            await publisher.publish([Record("frames.cam1", value=b"1"), Record("frames.cam1", value=b"2")])
            while not (frames := await source.poll(1)):
                pass
            source.done(frames[0].origin)
            await source.commit()
        async with FrameSource(kafka.model_copy(update={"group_id": "another"})) as source:
            assert source.assigned == {("frames.cam1", 0)}
    finally:
        await broker.__aexit__()


async def test_topics_have_the_partitions_asked_for() -> None:
    """Topics are created once, with one partition unless told otherwise."""
    async with EmbeddedBroker() as broker:
        kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
        await broker.create_topic("frames.cam1")
        await broker.create_topic("frames.cam2", 3)
        assert await existing_topics(kafka) == {"frames.cam1", "frames.cam2"}
        async with FrameSource(kafka) as source:
            assert len(source.assigned) == 4
        with pytest.raises(BusError, match=r"frames\.cam1.*already exists"):
            await broker.create_topic("frames.cam1")


async def test_it_ends_with_its_context() -> None:
    """Afterwards nobody listens, and no topic can be created."""
    async with EmbeddedBroker() as broker:
        address = broker.bootstrap_servers
        assert await is_listening(address)
    assert not await is_listening(address)
    with pytest.raises(BusError, match="not running"):
        await broker.create_topic("late")


@pytest.mark.parametrize("death", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
async def test_it_dies_with_its_parent(death: signal.Signals) -> None:
    """However the parent ends, the broker ends, too."""
    parent = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PARENT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert parent.stdout is not None
    address = (await parent.stdout.readline()).decode().strip()
    assert await is_listening(address)
    parent.send_signal(death)
    await parent.wait()
    await ends(address)


async def test_ctrl_c_at_the_terminal_does_not_reach_it() -> None:
    """It is in no process group of its parent, which still needs it while it drains."""
    async with EmbeddedBroker() as broker:
        assert broker.pid is not None
        with open(f"/proc/{broker.pid}/stat") as stat:  # noqa: ASYNC230, PTH123 - a file of the kernel
            group = int(stat.read().rpartition(")")[2].split()[2])
        assert group == broker.pid
