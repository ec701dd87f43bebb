"""The composition root of the service: settings in, a running daemon out."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack

import structlog

from edge import __version__
from edge.bus.connection import wait_for_broker
from edge.bus.publisher import Publisher
from edge.bus.sinks import AtLeastOnce, ExactlyOnce, Sink
from edge.bus.source import FrameSource
from edge.bus.topics import ensure_topics
from edge.bus.transactions import Transactions
from edge.pipeline.age_limit import AgeLimit
from edge.pipeline.decoding import DecodingStage
from edge.pipeline.delivery import DeliveryStage
from edge.pipeline.exchange import Load, ModelExchange
from edge.pipeline.identify import Identifier
from edge.pipeline.inference import InferenceStage
from edge.pipeline.supervisor import Pipeline
from edge.pipeline.triggers import exchange_when_asked, exchange_when_changed
from edge.settings import KafkaSettings, ModelSettings, PipelineSettings, Settings, TilingSettings
from edge.stopping import beside, unless_stopped
from edge.telemetry.health import CheckResult, Health
from edge.telemetry.http import HttpServer
from edge.telemetry.metrics import Metrics
from edge.telemetry.tracing import Tracer, open_tracer
from edge.vision.fake import FakeRuntime
from edge.vision.model_folder import learned_frame_px
from edge.vision.runtime import BUNDLED_MODEL, Runtime, load_runtime
from edge.vision.screen.loading import screened
from edge.vision.tiling.runtime import Tiling, tiled

log = structlog.get_logger(__name__)


def load_model(model: ModelSettings) -> Runtime:
    """Return the runtime that the settings ask for.

    Raises:
        ModelError: the model folder cannot be served.
        SettingsError: the device cannot be used here, or an import fails.
    """
    if model.runtime == "fake":
        fake = FakeRuntime(
            defects_per_frame=model.fake_defects,
            delay_ms_per_batch=model.fake_delay_ms,
            delay_ms_per_frame=model.fake_delay_per_frame_ms,
        )
        return tiled(_screened(fake, model), _tiling(model.tiling), None)
    folder = model.path or BUNDLED_MODEL
    runtime = load_runtime(
        model.runtime,
        folder,
        device=model.device,
        precision=model.precision,
        threads=model.threads,
        score_threshold=model.score_threshold,
        imports=model.imports,
    )
    return tiled(_screened(runtime, model), _tiling(model.tiling), learned_frame_px(folder))


def _screened(runtime: Runtime, model: ModelSettings) -> Runtime:
    return screened(runtime, model.screen.path, device=model.device, threshold=model.screen.threshold)


def _tiling(settings: TilingSettings) -> Tiling | None:
    if settings.mode == "off":
        return None
    size = (settings.width_px, settings.height_px) if settings.width_px and settings.height_px else None
    return Tiling(size, settings.overlap_px, settings.max_tiles)


class Daemon:
    """One edge daemon.

    ``ready`` is set once frames would be inspected as soon as they arrive. Whoever sets ``exchange_asked``
    makes it load its model anew, beside the one that serves.
    """

    def __init__(
        self, settings: Settings, *, metrics: Metrics | None = None, load: Load = load_model
    ) -> None:
        self.settings = settings
        self.metrics = metrics or Metrics()
        self.metrics.build.info({"version": __version__})
        self.ready = asyncio.Event()
        self.http_url = ""
        self.model = ModelExchange(settings.model, load, self.metrics)
        self.exchange_asked = asyncio.Event()
        self._source: FrameSource | None = None
        self._inference: InferenceStage | None = None
        self.health = Health()
        self.metrics.ready.set_function(lambda: self.health.readiness().ok)
        self.metrics.watch_device(lambda: self.runtime.device_use() if self.runtime else None)

    @property
    def runtime(self) -> Runtime | None:
        """The model that looks at the frames, once it is loaded."""
        return self.model.runtime

    def lag(self) -> Mapping[tuple[str, int], int]:
        """Return by (topic, partition) the frames that are not yet inspected and committed."""
        return self._source.lag() if self._source else {}

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until ``stop`` is set, then drain.

        Raises:
            ConfigurationError: something that the operator has to mend first.
            DrainTimeoutError: what was in flight could not be finished in time.
            BrokenModelError: the model fails on everything.
            StalledModelError: the model is at one batch for longer than ``stall_exit_s``.
        """
        self._register_checks()
        async with AsyncExitStack() as stack:
            pipeline = await unless_stopped(stop, self._start(stack))
            if pipeline is not None:
                async with beside(self._exchange_by_itself()):
                    await pipeline.run(stop)
        log.info("stopped")

    async def _start(self, stack: AsyncExitStack) -> Pipeline:
        """Bring up the parts in the order in which they need each other; health answers from the start."""
        settings, metrics = self.settings, self.metrics
        stack.callback(self.model.close)
        http = HttpServer(
            settings.http.host,
            settings.http.port,
            metrics.registry,
            self.health,
            model=self.model,
            token=settings.http.token,
        )
        self.http_url = (await stack.enter_async_context(http)).url
        log.info("serving metrics and health", url=self.http_url)
        tracer = await self._open_tracer(stack)
        self._inference = await self.model.start(stall_exit_s=settings.pipeline.stall_exit_s)
        stack.callback(self._inference.close)
        await wait_for_broker(settings.kafka)
        await ensure_topics(settings.kafka)
        source, sink = await _open_bus(settings.kafka, stack)
        self._source = source
        metrics.watch_lag(source.lag)
        metrics.watch_lost(source.lost)
        await source.ready()
        log.info("ready", topics=sorted({topic for topic, _ in source.assigned}))
        self.ready.set()
        age_limit = _age_limit(settings.pipeline)
        return Pipeline(
            source,
            decoding=DecodingStage(
                Identifier(settings.line, settings.cameras),
                threads=settings.pipeline.decode_threads,
                max_pixels=settings.pipeline.max_pixels,
                age_limit=age_limit,
            ),
            inference=self._inference,
            delivery=DeliveryStage(
                sink,
                settings.kafka,
                metrics,
                latency_objective_ms=settings.pipeline.latency_objective_ms,
                tracer=tracer,
            ),
            settings=settings.pipeline,
            metrics=metrics,
            age_limit=age_limit,
        )

    async def _open_tracer(self, stack: AsyncExitStack) -> Tracer | None:
        tracer = await asyncio.to_thread(open_tracer, self.settings.tracing, self.metrics)
        if tracer is not None:
            stack.push_async_callback(tracer.close)
        return tracer

    async def _exchange_by_itself(self) -> None:
        async with asyncio.TaskGroup() as triggers:
            triggers.create_task(exchange_when_asked(self.model, self.exchange_asked))
            if self.settings.model.watch:
                triggers.create_task(exchange_when_changed(self.model))

    def _register_checks(self) -> None:
        self.health.add_liveness("inference", self._check_inference)
        self.health.add_readiness("inference", self._check_inference)
        self.health.add_readiness("model", self._check_model)
        self.health.add_readiness("broker", self._check_broker)
        self.health.add_readiness("partitions", self._check_partitions)

    def _check_model(self) -> CheckResult:
        if self.runtime is None:
            return CheckResult(ok=False, detail="not loaded and warm yet")
        return CheckResult(ok=True, detail=f"{self.runtime.model_name} {self.runtime.model_version}")

    def _check_inference(self) -> CheckResult:
        busy_s = self._inference.busy_s if self._inference else 0.0
        stalled = busy_s > self.settings.pipeline.stall_timeout_s
        return CheckResult(ok=not stalled, detail=f"at a batch for {busy_s:.1f} s" if busy_s else "at rest")

    def _check_broker(self) -> CheckResult:
        reachable = self._source is not None and self._source.reachable
        return CheckResult(ok=reachable, detail=self.settings.kafka.bootstrap_servers)

    def _check_partitions(self) -> CheckResult:
        assigned = sorted(self._source.assigned) if self._source else []
        shown = ", ".join(f"{topic}:{partition}" for topic, partition in assigned)
        return CheckResult(ok=bool(assigned), detail=shown or "none assigned")


async def _open_bus(kafka: KafkaSettings, stack: AsyncExitStack) -> tuple[FrameSource, Sink]:
    """Open where frames come from and results go to, with the promise that the settings ask for."""
    if kafka.delivery == "exactly_once":
        transactions = await stack.enter_async_context(Transactions(kafka))
        source = await stack.enter_async_context(FrameSource(kafka, transactions=transactions))
        return source, ExactlyOnce(transactions, source)
    publisher = await stack.enter_async_context(Publisher(kafka))
    source = await stack.enter_async_context(FrameSource(kafka))
    return source, AtLeastOnce(publisher, source)


def _age_limit(pipeline: PipelineSettings) -> AgeLimit | None:
    """Return the limit that shedding keeps; blocking has none."""
    if pipeline.overload == "block" or pipeline.max_frame_age_ms is None:
        return None
    return AgeLimit(pipeline.max_frame_age_ms)
