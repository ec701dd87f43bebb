"""What TorchServe calls in each of its workers: batches of requests in, the daemon's records out."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec
import structlog

from edge import __version__
from edge.contracts.frame import RawFrame
from edge.daemon import load_model
from edge.errors import BrokenModelError, ModelError
from edge.pipeline.decoding import DecodingStage
from edge.pipeline.identify import Identifier
from edge.pipeline.inference import InferenceStage
from edge.serving.answer import PROBLEM_CONTENT_TYPE, InspectedFrame, inspected, problem_of
from edge.serving.http_frame import raw_frame, with_unnamed_camera
from edge.settings import ModelSettings, Settings
from edge.telemetry.logging import join_logging
from edge.vision.runtime import Runtime

log = structlog.get_logger(__name__)

MODEL_FOLDER = "model"
"""Where in the archive the model folder lies."""
SECTION = "stripsight"
"""Section of the archive's model-config.yaml that holds settings of the daemon."""

# TorchServe calls the body of a request so; a part of a form has the name that its sender gave it.
_BODY = "body"
_WORKER_FAILED = 1  # exit code

Request = Mapping[str, Any]


class Context(Protocol):
    """What a handler may ask of ``ts.context.Context``."""

    system_properties: Mapping[str, Any]
    model_yaml_config: Mapping[str, Any]

    def get_all_request_header(self, idx: int) -> Mapping[str, Any]:
        """Headers of a request of the batch, and for each part of its body the part's own."""

    def set_response_status(self, code: int = 200, phrase: str = "", idx: int = 0) -> None:
        """Set the status of one answer."""

    def set_response_content_type(self, idx: int, value: str) -> None:
        """Set the media type of one answer."""


class Handler:
    """The daemon's decoding and inference, one batch at a time.

    A frame that cannot be inspected fails alone: its answer has a status of its own, those of its neighbours
    have theirs. When the model fails on everything, the worker ends, and TorchServe starts another.
    """

    def initialize(self, context: Context) -> None:
        """Load the archive's model and warm it.

        Raises:
            ModelError: the model folder cannot be served.
            SettingsError: the device cannot be used here.
        """
        settings = settings_of(context)
        join_logging(settings.log.level)
        self._runner = asyncio.Runner()
        self._runtime = load_model(settings.model)
        self._runtime.warmup()
        self._inference = InferenceStage(self._runtime)
        self._decoding = DecodingStage(
            Identifier(settings.line, with_unnamed_camera(settings.cameras)),
            threads=settings.pipeline.decode_threads,
            max_pixels=settings.pipeline.max_pixels,
        )
        log.info("model warm", **description_of(self._runtime))

    def handle(self, requests: Sequence[Request], context: Context) -> list[bytes]:
        """Return an answer for each request of a batch, in their order.

        Raises:
            SystemExit: the model fails on everything.
        """
        if _asks_for_description(requests, context):
            return [msgspec.json.encode(description_of(self._runtime))]
        frames = [
            _frame_of(request, context.get_all_request_header(index))
            for index, request in enumerate(requests)
        ]
        try:
            results = self._runner.run(self._inspect(frames))
        except BrokenModelError as error:
            log.error("the worker ends", error=str(error))  # noqa: TRY400 - where it was raised tells nothing
            raise SystemExit(_WORKER_FAILED) from error
        return [_answer(result, context, index) for index, result in enumerate(results)]

    def close(self) -> None:
        """Give back what was taken; TorchServe ends the worker's process instead."""
        self._runner.close()
        self._decoding.close()
        self._inference.close()
        self._runtime.close()

    async def _inspect(self, frames: Sequence[RawFrame]) -> list[InspectedFrame]:
        works = [self._decoding.identify(frame) for frame in frames]
        await asyncio.gather(*(self._decoding.start(work) for work in works))
        _, model = await self._inference.infer(works)
        return [inspected(work, model) for work in works]


def settings_of(context: Context) -> Settings:
    """Return the archive's settings, with its model on the GPU that TorchServe has chosen for the worker."""
    settings = Settings.model_validate(context.model_yaml_config.get(SECTION, {}))
    properties = context.system_properties
    folder = Path(properties["model_dir"]) / MODEL_FOLDER
    if not folder.is_dir():
        raise ModelError(f"{folder}: the archive holds no model folder; `stripsight package` makes one")
    model: dict[str, object] = {"path": folder}
    if settings.model.device == "auto" and properties.get("gpu_id") is not None:
        model["device"] = f"cuda:{properties['gpu_id']}"
    merged = ModelSettings.model_validate(settings.model.model_dump() | model)
    return settings.model_copy(update={"model": merged})


def description_of(runtime: Runtime) -> dict[str, object]:
    """Tell which model serves, and how."""
    return {
        "name": runtime.model_name,
        "version": runtime.model_version,
        "classes": list(runtime.class_names),
        "runtime": runtime.name,
        "device": runtime.device,
        "precision": runtime.precision,
        "stripsight": __version__,
    }


def _asks_for_description(requests: Sequence[Request], context: Context) -> bool:
    """``GET /models/<name>?customized=true`` arrives alone, and carries a header and nothing else.

    Clients can send such a header, too: with an image, or in a batch with others, it means nothing.
    """
    return (
        len(requests) == 1 and not requests[0] and context.get_all_request_header(0).get("describe") == "True"
    )


def _frame_of(request: Request, headers: Mapping[str, Any]) -> RawFrame:
    """The image is the body, or the first part of a form."""
    name = _BODY if _BODY in request else next(iter(request), _BODY)
    image = request.get(name)
    of_part = headers.get(name)
    return raw_frame(
        bytes(image) if isinstance(image, bytes | bytearray) else b"",
        ((key, value) for key, value in headers.items() if isinstance(value, str)),
        content_type=_content_type(of_part) if isinstance(of_part, Mapping) else None,
    )


def _content_type(of_part: Mapping[str, Any]) -> str | None:
    """Bytes that came without a type (``curl -T``) are called so by TorchServe, and tell it themselves."""
    value = of_part.get("content-type")
    return value.decode() if isinstance(value, bytes) else value


def _answer(frame: InspectedFrame, context: Context, index: int) -> bytes:
    problem = problem_of([frame])
    if problem is None:
        context.set_response_content_type(index, "application/json")
        return msgspec.json.encode(frame)
    context.set_response_status(problem.status, problem.title, index)
    context.set_response_content_type(index, PROBLEM_CONTENT_TYPE)
    return msgspec.json.encode(problem)
