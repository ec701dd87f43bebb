"""The decoding stage: frames in threads of their own, so that the next batch is ready when the model is."""

import asyncio
import time
from functools import partial

import structlog

from edge.contracts.frame import FrameMetadata, RawFrame
from edge.contracts.image_header import MONO8, read_image_header
from edge.contracts.results import FrameReference
from edge.errors import FrameError
from edge.pipeline.age_limit import AgeLimit
from edge.pipeline.decode import Image, decode_image
from edge.pipeline.identify import Identifier
from edge.pipeline.locate import measured_from
from edge.pipeline.work import Work
from edge.pipeline.worker import Worker
from edge.vision.strip_edges import find_strip_edges, inspected_columns

log = structlog.get_logger(__name__)


class DecodingStage:
    """Identifies each frame as it is taken in, and starts its decoding.

    With an ``age_limit``, frames that are too old are skipped: at intake, and once more when their decoding
    would begin. Of them only the size is read, so that their millimetres are accounted for.
    """

    def __init__(
        self, identifier: Identifier, *, threads: int, max_pixels: int, age_limit: AgeLimit | None = None
    ) -> None:
        self._identifier = identifier
        self._max_pixels = max_pixels
        self._age_limit = age_limit
        self._worker = Worker("decode", threads=threads)

    def identify(self, raw: RawFrame) -> Work:
        """Return what is known of a frame before it is decoded; one that is no frame is failed already."""
        taken_in_at = asyncio.get_running_loop().time()
        try:
            frame = self._identifier.identify(raw)
        except Exception as error:  # noqa: BLE001 - no frame, whatever is in it, may end the daemon
            return Work(raw, self._identifier.reference(raw), taken_in_at, error=_as_frame_error(error, raw))
        reference = FrameReference.of(frame.origin, frame.metadata)
        work = Work(raw, reference, taken_in_at, metadata=frame.metadata)
        if self._age_limit is not None:
            self._skip_if_too_old(work, frame.metadata, self._age_limit.headroom_s)
        return work

    def start(self, work: Work) -> asyncio.Future[Work]:
        """Return the frame's work to come; it never raises a FrameError, the work carries it."""
        if not work.needs_model:
            done: asyncio.Future[Work] = asyncio.get_running_loop().create_future()
            done.set_result(work)
            return done
        return self._worker.start(partial(self._decode, work))

    def decoded_bytes(self, raw: RawFrame) -> int:
        """Return how much memory the frame's pixels will take, as far as its first bytes tell."""
        value = raw.value or b""
        header = read_image_header(value)
        if header is None:
            return len(value)
        pixels = header.width_px * header.height_px
        return min(pixels, self._max_pixels) * (1 if header.grey else 3)

    def close(self) -> None:
        """End the threads, without waiting for what they are at."""
        self._worker.close()

    def _decode(self, work: Work) -> Work:
        started_at = time.perf_counter()
        work.decode_began_at = time.monotonic()  # the event loop's clock, read in a thread
        try:
            self._decode_into(work)
        except Exception as error:  # noqa: BLE001 - as above
            work.fail(_as_frame_error(error, work.raw))
        work.decode_s = time.perf_counter() - started_at
        return work

    def _decode_into(self, work: Work) -> None:
        value, metadata = work.raw.value or b"", work.metadata
        assert metadata is not None  # noqa: S101 - identified before it was decoded
        self._skip_if_too_old(work, metadata)
        if work.skipped is not None:
            return
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
        self._leave_strip(work, work.image, metadata)

    def _leave_strip(self, work: Work, image: Image, metadata: FrameMetadata) -> None:
        """Cut off what lies beside the strip and measure from its edge, if the camera's settings say so."""
        seen = self._identifier.edges_seen(metadata.camera)
        if seen is None:
            return
        work.strip_edges = edges = find_strip_edges(image, seen)
        work.metadata = measured_from(edges, metadata)
        work.first_column, end = inspected_columns(edges, image.shape[1])
        work.image = image[:, work.first_column : end]

    def _skip_if_too_old(self, work: Work, metadata: FrameMetadata, headroom_s: float = 0.0) -> None:
        """Read no more than the size of a frame that is too old: its millimetres are accounted for."""
        limit = self._age_limit
        if limit is None or not limit.is_passed(metadata.captured_at, headroom_s=headroom_s):
            return
        header = read_image_header(work.raw.value or b"")
        if header is not None:
            work.width_px, work.height_px = header.width_px, header.height_px
        elif metadata.content_type == MONO8:
            work.width_px, work.height_px = metadata.width_px, metadata.height_px
        limit.apply(work, headroom_s=headroom_s)


def _as_frame_error(error: Exception, raw: RawFrame) -> FrameError:
    """What nobody foresaw is a defect of ours: it is said with its traceback, and the frame fails."""
    if isinstance(error, FrameError):
        return error
    log.error("unforeseen failure", frame=raw.origin.id, exc_info=error)
    return FrameError(f"{type(error).__name__}: {error}")
