"""Models come and go: the first one, and others loaded beside it, which take over between two batches."""

import asyncio
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import structlog

from edge.errors import ExchangeBusyError, ModelFileError, ModelRefusedError, StripsightError
from edge.pipeline.inference import InferenceStage
from edge.pipeline.trial import load_and_try
from edge.pipeline.worker import Result, Worker
from edge.settings import ModelSettings
from edge.telemetry.metrics import Metrics
from edge.telemetry.model_routes import Exchanged
from edge.vision.fingerprint import Fingerprint, fingerprint
from edge.vision.runtime import BUNDLED_MODEL, Runtime

log = structlog.get_logger(__name__)

Load = Callable[[ModelSettings], Runtime]


class ModelExchange:
    """Holds the model that looks at the frames, and exchanges it without a stop; one exchange at a time."""

    def __init__(self, settings: ModelSettings, load: Load, metrics: Metrics) -> None:
        self._settings = settings  # its path is that of the model that serves
        self._load = load
        self._metrics = metrics
        self._inference: InferenceStage | None = None
        self._is_busy = False
        self._worker = Worker("load")
        self._tried: dict[Path, Fingerprint] = {}

    @property
    def runtime(self) -> Runtime | None:
        """The model that the next batch will see; None while the first one is being loaded."""
        return self._inference.runtime if self._inference else None

    @property
    def folder(self) -> Path:
        """Where the model that serves was loaded from."""
        return _folder(self._settings)

    @property
    def tried(self) -> Fingerprint:
        """The files of that folder as they were before the last attempt to load them."""
        return self._tried.get(self.folder, ())

    async def start(self, *, stall_exit_s: float) -> InferenceStage:
        """Load and warm the first model, in a thread that a stop need not wait for.

        Raises:
            ModelError: the model folder cannot be served.
            SettingsError: the device cannot be used here, or an import fails.
        """

        def load() -> Runtime:
            runtime = self._load_whole(self._settings)
            runtime.warmup()
            return runtime

        runtime = await self._in_a_thread(load)
        self._tell(runtime, "model warm")
        self._inference = InferenceStage(runtime, stall_exit_s=stall_exit_s)
        return self._inference

    def describe(self) -> Mapping[str, object] | None:
        """Tell which model serves; None while the first one is being loaded."""
        runtime = self.runtime
        if runtime is None:
            return None
        return {
            **_description(runtime),
            "classes": runtime.class_names,
            "path": str(self.folder),
            "exchange_under_way": self._is_busy,
        }

    async def exchange(self, path: Path | None = None) -> Exchanged:
        """Let another model take over; returns once it has, and the one before is let go.

        Args:
            path: its folder; None for the folder of the model that serves, whose files may be others by now.

        Raises:
            ExchangeBusyError: another exchange is under way, or the first model is still being loaded.
            ModelRefusedError: it cannot be loaded, does not pass its trial, or takes too long; the model that
                serves goes on.
        """
        if self._inference is None:
            raise ExchangeBusyError("the first model is still being loaded")
        if self._is_busy:
            raise ExchangeBusyError("another exchange is under way")
        self._is_busy = True
        try:
            return await self._exchange(self._inference, path)
        finally:
            self._is_busy = False

    def close(self) -> None:
        """Let the thread end after what it is at, without waiting for it."""
        self._worker.close()

    async def _exchange(self, inference: InferenceStage, path: Path | None) -> Exchanged:
        """1. load, warm and try beside the one that serves  2. switch  3. let the one before go."""
        started_at = time.monotonic()
        settings = self._settings.model_copy(update={"path": path}) if path else self._settings
        try:
            runtime = await self._load_beside(inference, settings)
        except Exception as error:
            inference.forget_what_fits()  # it may have been this one that took the memory
            raise self._refusal(settings, error) from error
        before = inference.switch(runtime)
        self._settings = settings
        self._metrics.model_exchanges.labels("exchanged").inc()
        self._tell(runtime, "model exchanged", before=before.model.reference.version)
        await inference.let_go(before)
        return Exchanged(
            name=runtime.model_name,
            version=runtime.model_version,
            seconds=round(time.monotonic() - started_at, 3),
            before=before.model.reference,
        )

    async def _load_beside(self, inference: InferenceStage, settings: ModelSettings) -> Runtime:
        sample, load = inference.sample, partial(self._load_whole, settings)
        try:
            async with asyncio.timeout(settings.exchange_timeout_s) as deadline:
                return await self._in_a_thread(partial(load_and_try, load, sample))
        except TimeoutError as error:
            if not deadline.expired():
                raise
            raise ModelRefusedError(
                f"it was not loaded, warm and tried within {settings.exchange_timeout_s:g} s "
                "(model.exchange_timeout_s)"
            ) from error

    async def _in_a_thread(self, call: Callable[[], Result]) -> Result:
        """Call in one thread for all loading: allocators keep memory by thread. It is left if it hangs."""
        try:
            return await self._worker.run(call)
        except asyncio.CancelledError:
            self._worker.close()
            self._worker = Worker("load")
            raise

    def _load_whole(self, settings: ModelSettings) -> Runtime:
        """Load a folder that does not change meanwhile: its version has to be that of its weights."""
        folder = _folder(settings)
        files = self._tried[folder] = fingerprint(folder)
        runtime = self._load(settings)
        if fingerprint(folder) != files:
            runtime.close()
            raise ModelFileError(f"{folder}: its files changed while they were being loaded")
        return runtime

    def _refusal(self, settings: ModelSettings, error: Exception) -> ModelRefusedError:
        reason = str(error) if isinstance(error, StripsightError) else f"{type(error).__name__}: {error}"
        self._metrics.model_exchanges.labels("refused").inc()
        log.warning("model refused, the one before goes on", path=str(_folder(settings)), reason=reason)
        return ModelRefusedError(reason)

    def _tell(self, runtime: Runtime, event: str, **more: str) -> None:
        description = _description(runtime)
        self._metrics.model.info(description)
        log.info(event, **description, **more)


def _folder(settings: ModelSettings) -> Path:
    return settings.path or BUNDLED_MODEL


def _description(runtime: Runtime) -> dict[str, str]:
    return {
        "name": runtime.model_name,
        "version": runtime.model_version,
        "runtime": runtime.name,
        "device": runtime.device,
        "precision": runtime.precision,
    }
