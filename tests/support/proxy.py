"""A network that can be cut: a TCP proxy between a client and its broker."""

import asyncio
import contextlib
from typing import Self

_CHUNK_BYTES = 64 * 1024


class Proxy:
    """Forwards a port of 127.0.0.1 to another one.

    ``cut`` ends all connections and refuses new ones, as when a switch goes down; ``stall`` leaves them open
    and forwards nothing, as when a cable is pulled; ``heal`` lets everything through again.
    """

    def __init__(self, port: int, upstream_port: int) -> None:
        self.port = port
        self._upstream_port = upstream_port
        self._open = asyncio.Event()
        self._open.set()
        self._is_cut = False
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._end_connections()

    async def cut(self) -> None:
        """End all connections, and every new one at once."""
        self._is_cut = True
        await self._end_connections()

    def stall(self) -> None:
        """Swallow nothing, forward nothing."""
        self._open.clear()

    def heal(self) -> None:
        """Be a good network again."""
        self._is_cut = False
        self._open.set()

    async def _end_connections(self) -> None:
        connections = list(self._connections)
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            if not self._is_cut:
                await self._forward(reader, writer)
        writer.transport.abort()
        self._connections.discard(task)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", self._upstream_port)
        try:
            ways = {
                asyncio.create_task(self._pump(reader, upstream_writer)),
                asyncio.create_task(self._pump(upstream_reader, writer)),
            }
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        finally:
            upstream_writer.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(_CHUNK_BYTES):
            await self._open.wait()
            sink.write(data)
            await sink.drain()
