"""The network between one daemon and the broker fails, while another daemon's is sound."""

from edge.settings import Settings
from tests.faults.conftest import LONG, Close
from tests.support.cameras import Cameras
from tests.support.kafka_broker import KafkaBroker
from tests.support.line import running
from tests.support.proxy import Proxy


def behind(proxy: Proxy, settings: Settings) -> Settings:
    """The same line, seen from the far end of the proxy."""
    kafka = settings.kafka.model_copy(update={"bootstrap_servers": f"127.0.0.1:{proxy.port}"})
    return settings.model_copy(update={"kafka": kafka})


async def test_connections_cut(settings: Settings, proxy: Proxy, close: Close) -> None:
    """All connections end and new ones are refused, again and again: the daemon connects anew and goes on."""
    async with running(behind(proxy, settings)), Cameras(settings.kafka) as cameras:
        for _ in range(20 if LONG else 3):
            await cameras.publish_more(40)
            await proxy.cut()
            await cameras.publish_more(20)
            proxy.heal()
        await cameras.publish_more(40)
        await cameras.finish()
        await close()


async def test_connections_stalled(settings: Settings, proxy: Proxy, close: Close) -> None:
    """Nothing comes through for longer than a session, then everything: what was late does no harm."""
    async with running(behind(proxy, settings)) as daemon, Cameras(settings.kafka) as cameras:
        for _ in range(5 if LONG else 1):
            await cameras.publish_more(40)
            proxy.stall()
            await cameras.publish_more(300)  # 3 s
            proxy.heal()
        await cameras.finish()
        await close()
        assert daemon.ready.is_set()


async def test_one_daemon_cut_off_while_another_takes_over(
    settings: Settings, broker: KafkaBroker, proxy: Proxy, close: Close
) -> None:
    """The other one takes the cameras; the one that was cut off finds its frames done, and adds nothing."""
    assert broker.bootstrap_servers == settings.kafka.bootstrap_servers
    async with (
        running(behind(proxy, settings)) as cut_off,
        running(settings) as other,
        Cameras(settings.kafka) as cameras,
    ):
        for _ in range(5 if LONG else 1):
            await cameras.publish_more(60)
            proxy.stall()
            while len(other.lag()) < 3:
                await cameras.publish_more(2)
            await cameras.publish_more(60)
            proxy.heal()
            while not cut_off.lag():
                await cameras.publish_more(2)
        await cameras.finish()
        await close()
