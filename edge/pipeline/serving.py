"""A model at work: its answers are checked, and its failures traced to the frames that cause them."""

from collections.abc import Iterator, Sequence

import structlog

from edge.contracts.results import ModelReference
from edge.errors import BrokenModelError, InferenceError, ModelMemoryError
from edge.pipeline.answers import check_answer, check_count
from edge.pipeline.decode import Image
from edge.pipeline.trial import try_out
from edge.pipeline.work import ServedModel, Work
from edge.vision.detections import Detections
from edge.vision.runtime import Runtime

log = structlog.get_logger(__name__)


class Serving:
    """One model, asked from one thread.

    ``frames_that_fit`` is how many frames a call may have, learned when one ran out of memory; None while
    none did.
    """

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.model = ServedModel(
            ModelReference(runtime.model_name, runtime.model_version, runtime.precision), runtime.class_names
        )
        self.frames_that_fit: int | None = None

    def look(self, works: Sequence[Work]) -> None:
        """Give every decoded frame its detections or its error.

        Raises:
            BrokenModelError: the model fails on everything; no frame is to blame.
        """
        for part in _parts(works, self.frames_that_fit or len(works)):
            self._look_or_halve(part)
        if all(work.error is not None for work in works):
            self._try_model(works[0].error)

    def close(self) -> None:
        """Let the model go."""
        try:
            self.runtime.close()
        except Exception:
            log.exception("the model before could not be let go", model=self.model.reference.version)

    def _look_or_halve(self, works: Sequence[Work]) -> None:
        """A batch that fails is halved and tried again, until a frame fails alone; its neighbours go on."""
        failure = self._ask(works)
        if failure is None:
            return
        log.warning("inference failed", frames=len(works), reason=failure.reason, error=str(failure))
        if len(works) == 1:
            works[0].fail(failure)
            return
        half = (len(works) + 1) // 2
        self._look_or_halve(works[:half])
        self._look_or_halve(works[half:])
        if isinstance(failure, ModelMemoryError):
            self._learn(works, half)

    def _ask(self, works: Sequence[Work]) -> InferenceError | None:
        """Ask the model once; returns why nothing of what it answered counts, or None.

        What a failed call still holds is let go when this returns: halves need the memory.
        """
        images = [work.image for work in works if work.image is not None]
        try:
            answers = self.runtime.infer(images)
            check_count(answers, images)
        except Exception as error:  # noqa: BLE001 - whatever a model raises is the frame's failure, not the line's
            return _as_inference_error(error)
        for work, image, answer in zip(works, images, answers, strict=True):
            self._take(work, image, answer)
        return None

    def _take(self, work: Work, image: Image, answer: Detections) -> None:
        try:
            check_answer(answer, image, self.model.class_names)
        except Exception as error:  # noqa: BLE001 - an answer may be anything
            failure = _as_inference_error(error)
            log.warning("wrong answer", frame=work.reference.id, error=str(failure))
            work.fail(failure)
        else:
            work.detections = answer.moved(work.first_column, 0)

    def _learn(self, works: Sequence[Work], half: int) -> None:
        """Offer no more frames a call than fit, so that not every batch fails first.

        A frame that does not even fit alone tells nothing about how many others do.
        """
        if any(isinstance(work.error, ModelMemoryError) for work in works):
            return
        self.frames_that_fit = min(half, self.frames_that_fit or half)
        log.warning(
            "memory is too small for such batches; smaller ones from now on",
            frames=len(works),
            frames_that_fit=self.frames_that_fit,
        )

    def _try_model(self, failure: Exception | None) -> None:
        """When nothing but failures came out, see whether the model still works at all.

        After a fault of the device every call fails. Blaming the frames would send the whole strip to the
        dead letters; instead the daemon ends with them uncommitted, and a restart inspects them.
        """
        try:
            try_out(self.runtime)
        except Exception as error:
            raise BrokenModelError(
                f"model {self.runtime.model_name} fails on every frame and on its own warm-up: "
                f"{type(error).__name__}: {error} (first: {failure})"
            ) from error


def _parts(works: Sequence[Work], largest: int) -> Iterator[Sequence[Work]]:
    for start in range(0, len(works), largest):
        yield works[start : start + largest]


def _as_inference_error(error: Exception) -> InferenceError:
    """Name the failure by its type; without its traceback, which holds what the call had in memory."""
    if isinstance(error, InferenceError):
        return error.with_traceback(None)
    kind = ModelMemoryError if isinstance(error, MemoryError) else InferenceError
    return kind(f"{type(error).__name__}: {error}")
