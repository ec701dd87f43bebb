"""The composition root of ``stripsight serve``: the daemon's model behind HTTP, without Kafka."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from ipaddress import ip_address
from typing import TypeVar

import structlog

from edge import __version__
from edge.contracts.frame import RawFrame
from edge.daemon import load_model
from edge.errors import DrainTimeoutError, NotReadyError
from edge.pipeline.decoding import DecodingStage
from edge.pipeline.exchange import Load, ModelExchange
from edge.pipeline.identify import Identifier
from edge.pipeline.inference import InferenceStage
from edge.pipeline.triggers import exchange_when_asked, exchange_when_changed
from edge.serving.answer import InspectedFrame
from edge.serving.batches import Batches
from edge.serving.http_frame import with_unnamed_camera
from edge.serving.routes import InspectRoutes
from edge.settings import Settings
from edge.stopping import beside, unless_stopped
from edge.telemetry.health import CheckResult, Health
from edge.telemetry.http import HttpServer
from edge.telemetry.metrics import Metrics
from edge.vision.runtime import Runtime

log = structlog.get_logger(__name__)

T = TypeVar("T")

_GLANCE_S = 0.01  # while what is in hand is finished


class Service:
    """Answers ``POST /v1/inspect``, and all that the daemon answers, until it is stopped.

    ``ready`` is set once frames would be inspected. Whoever sets ``exchange_asked`` makes it load its model
    anew, beside the one that serves.
    """

    def __init__(
        self, settings: Settings, *, metrics: Metrics | None = None, load: Load = load_model
    ) -> None:
        self.settings = settings
        self.metrics = metrics or Metrics()
        self.metrics.build.info({"version": __version__})
        self.health = Health()
        self.model = ModelExchange(settings.model, load, self.metrics)
        self.exchange_asked = asyncio.Event()
        self.ready = asyncio.Event()
        self.http_url = ""
        self._inference: InferenceStage | None = None
        self._batches: Batches | None = None
        self._is_stopping = False
        self._routes = InspectRoutes(
            self,
            settings.serve,
            most_images=settings.pipeline.queue_frames,
            token=settings.http.token,
        )
        self.metrics.ready.set_function(lambda: self.health.readiness().ok)
        self.metrics.watch_device(lambda: self._of_runtime(lambda runtime: runtime.device_use()))

    def require_ready(self) -> None:
        """Tell whoever asks now to ask later.

        Raises:
            NotReadyError: the model is still being loaded, or the service is stopping.
        """
        if self._is_stopping:
            raise NotReadyError("the service is stopping")
        if self._batches is None:
            raise NotReadyError("the model is still being loaded")

    async def inspect(self, raw: RawFrame) -> InspectedFrame:
        """Return what is found on a frame.

        Raises:
            NotReadyError: as above; or the model is broken, and the service about to end.
        """
        if self._batches is None:
            raise NotReadyError("the model is still being loaded")
        return await self._batches.inspect(raw)

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until ``stop`` is set; then take nothing more, and answer what is in hand.

        Raises:
            ConfigurationError: something that the operator has to mend first.
            DrainTimeoutError: what was in hand could not be answered in time.
            BrokenModelError: the model fails on everything.
            StalledModelError: the model is at one batch for longer than ``stall_exit_s``.
        """
        self._register_checks()
        async with AsyncExitStack() as stack:
            batches = await unless_stopped(stop, self._start(stack))
            if batches is not None:
                async with beside(self._exchange_by_itself()):
                    await self._serve(batches, stop)
        log.info("stopped")

    async def _start(self, stack: AsyncExitStack) -> Batches:
        """Health answers from the start; images once the model is warm."""
        settings = self.settings
        stack.callback(self.model.close)
        http = HttpServer(
            settings.http.host,
            settings.http.port,
            self.metrics.registry,
            self.health,
            model=self.model,
            token=settings.http.token,
            more=self._routes.pages(),
        )
        self.http_url = (await stack.enter_async_context(http)).url
        log.info("serving", url=self.http_url)
        if settings.http.token is None and not _is_loopback(settings.http.host):
            log.warning("anybody who reaches this address may have images inspected: http.token is not set")
        self._inference = await self.model.start(stall_exit_s=settings.pipeline.stall_exit_s)
        stack.callback(self._inference.close)
        decoding = DecodingStage(
            Identifier(settings.line, with_unnamed_camera(settings.cameras)),
            threads=settings.pipeline.decode_threads,
            max_pixels=settings.pipeline.max_pixels,
        )
        stack.callback(decoding.close)
        self._batches = Batches(self._inference, decoding, settings.pipeline, self.metrics)
        log.info("ready", url=f"{self.http_url}/v1/inspect")
        self.ready.set()
        return self._batches

    async def _serve(self, batches: Batches, stop: asyncio.Event) -> None:
        looking, stopped = asyncio.create_task(batches.run()), asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({looking, stopped}, return_when=asyncio.FIRST_COMPLETED)
            self._is_stopping = True
            if looking.done():
                looking.result()  # it ends by itself with a failure alone
            async with asyncio.timeout(self.settings.pipeline.drain_timeout_s):
                await self._drain(batches)
                await looking
        except TimeoutError:
            raise DrainTimeoutError(
                f"{self._routes.in_hand} images were not answered within "
                f"{self.settings.pipeline.drain_timeout_s:g} s"
            ) from None
        finally:
            for task in (looking, stopped):
                task.cancel()
            await asyncio.wait({looking, stopped})

    async def _drain(self, batches: Batches) -> None:
        log.info("draining", images=self._routes.in_hand)
        while self._routes.in_hand:  # noqa: ASYNC110 - clients come to an end in many ways, each without an event
            await asyncio.sleep(_GLANCE_S)
        await batches.close()

    async def _exchange_by_itself(self) -> None:
        async with asyncio.TaskGroup() as triggers:
            triggers.create_task(exchange_when_asked(self.model, self.exchange_asked))
            if self.settings.model.watch:
                triggers.create_task(exchange_when_changed(self.model))

    def _register_checks(self) -> None:
        self.health.add_liveness("inference", self._check_inference)
        self.health.add_readiness("inference", self._check_inference)
        self.health.add_readiness("model", self._check_model)
        self.health.add_readiness("stopping", self._check_stopping)

    def _check_model(self) -> CheckResult:
        name = self._of_runtime(lambda runtime: f"{runtime.model_name} {runtime.model_version}")
        return CheckResult(ok=name is not None, detail=name or "not loaded and warm yet")

    def _check_inference(self) -> CheckResult:
        busy_s = self._inference.busy_s if self._inference else 0.0
        stalled = busy_s > self.settings.pipeline.stall_timeout_s
        return CheckResult(ok=not stalled, detail=f"at a batch for {busy_s:.1f} s" if busy_s else "at rest")

    def _check_stopping(self) -> CheckResult:
        return CheckResult(ok=not self._is_stopping, detail="yes" if self._is_stopping else "no")

    def _of_runtime(self, ask: Callable[[Runtime], T]) -> T | None:
        return ask(self.model.runtime) if self.model.runtime else None


def _is_loopback(host: str) -> bool:
    """Whether an address is this machine's alone; of names, only the one that always is."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
