"""The decoding stage: frames in threads of their own, so that the next batch is ready when the model is."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import structlog

from edge.contracts.frame import RawFrame
from edge.contracts.image_header import read_image_header
from edge.contracts.results import FrameReference
from edge.errors import FrameError
from edge.pipeline.decode import decode_image
from edge.pipeline.identify import Identifier
from edge.pipeline.work import Work

log = structlog.get_logger(__name__)


class DecodingStage:
    """Starts the decoding of each frame as it is taken in."""

    def __init__(self, identifier: Identifier, *, threads: int, max_pixels: int) -> None:
        self._identifier = identifier
        self._max_pixels = max_pixels
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")

    def start(self, raw: RawFrame) -> asyncio.Future[Work]:
        """Return the frame's work to come; it never raises a FrameError, the work carries it."""
        loop = asyncio.get_running_loop()
        work = self._identify(raw, taken_in_at=loop.time())
        if work.error is not None:
            done: asyncio.Future[Work] = loop.create_future()
            done.set_result(work)
            return done
        return loop.run_in_executor(self._pool, self._decode, work)

    def decoded_bytes(self, raw: RawFrame) -> int:
        """Return how much memory the frame's pixels will take, as far as its first bytes tell."""
        value = raw.value or b""
        header = read_image_header(value)
        if header is None:
            return len(value)
        pixels = header.width_px * header.height_px
        return min(pixels, self._max_pixels) * (1 if header.grey else 3)

    def close(self) -> None:
        """End the threads; decoding that has not begun is dropped."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _identify(self, raw: RawFrame, *, taken_in_at: float) -> Work:
        try:
            frame = self._identifier.identify(raw)
        except Exception as error:  # noqa: BLE001 - no frame, whatever is in it, may end the daemon
            return Work(raw, self._identifier.reference(raw), taken_in_at, error=_as_frame_error(error, raw))
        reference = FrameReference.of(frame.origin, frame.metadata)
        return Work(raw, reference, taken_in_at, metadata=frame.metadata)

    def _decode(self, work: Work) -> Work:
        started_at = time.perf_counter()
        try:
            self._decode_into(work)
        except Exception as error:  # noqa: BLE001 - as above
            work.fail(_as_frame_error(error, work.raw))
        work.decode_s = time.perf_counter() - started_at
        return work

    def _decode_into(self, work: Work) -> None:
        value, metadata = work.raw.value or b"", work.metadata
        assert metadata is not None  # noqa: S101 - identified before it was decoded
        header = read_image_header(value)
        if header is not None:  # known for a corrupt frame, too: its millimetres are accounted for
            work.width_px, work.height_px = header.width_px, header.height_px
        work.image = decode_image(
            value,
            metadata.content_type,
            width_px=metadata.width_px,
            height_px=metadata.height_px,
            max_pixels=self._max_pixels,
        )
        work.height_px, work.width_px = work.image.shape[:2]


def _as_frame_error(error: Exception, raw: RawFrame) -> FrameError:
    """What nobody foresaw is a defect of ours: it is said with its traceback, and the frame fails."""
    if isinstance(error, FrameError):
        return error
    log.error("unforeseen failure", frame=raw.origin.id, exc_info=error)
    return FrameError(f"{type(error).__name__}: {error}")
