"""Enters frames in the account as they are published."""

from collections.abc import Sequence

from edge.bus.publisher import Record
from edge.demo.account import Account
from producers.camera import FramePublisher


class CountingPublisher:
    """A publisher for one camera of the demo; what it is asked to publish is owed an outcome."""

    def __init__(self, publisher: FramePublisher, account: Account, camera: str) -> None:
        self._publisher = publisher
        self._account = account
        self._camera = camera

    async def publish(self, records: Sequence[Record]) -> None:
        """Publish frames and wait for their acknowledgement."""
        for record in records:
            self._account.publish(self._camera, len(record.value or b""))
        await self._publisher.publish(records)
