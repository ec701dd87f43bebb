"""Models that come and go: what is tried before it serves, and what is refused while the old one goes on."""

import asyncio
import gc
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from edge.errors import ExchangeBusyError, ModelFileError, ModelRefusedError
from edge.pipeline.decode import Image
from edge.pipeline.exchange import Load, ModelExchange
from edge.pipeline.inference import InferenceStage
from edge.settings import ModelSettings
from edge.telemetry.metrics import Metrics
from edge.vision.detections import Detections
from edge.vision.fake import FakeRuntime
from tests.conftest import Until


class ReadRuntime(FakeRuntime):
    """A model whose version is what its folder says."""

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        assert settings.path is not None
        self.folder = settings.path
        self.model_version = (settings.path / "model.json").read_text()
        if self.model_version == "broken":
            raise ModelFileError(f"{settings.path}: broken")
        self.seen: list[tuple[int, ...]] = []
        self.warm = self.closed = False

    def warmup(self) -> None:
        """Remember."""
        self.warm = True

    def infer(self, images: Sequence[Image]) -> list[Detections]:
        """Remember what was seen."""
        self.seen += [image.shape for image in images]
        return super().infer(images)

    def close(self) -> None:
        """Remember."""
        self.closed = True


MakeFolder = Callable[[str], Path]


@pytest.fixture
def folder(tmp_path: Path) -> MakeFolder:
    """A model folder of a version, its name the same."""

    def make(version: str) -> Path:
        made = tmp_path / version
        made.mkdir()
        (made / "model.json").write_text(version)
        return made

    return make


@asynccontextmanager
async def started(
    folder: Path, load: Load = ReadRuntime, exchange_timeout_s: float = 10
) -> AsyncIterator[tuple[ModelExchange, InferenceStage, Metrics]]:
    """An exchange whose first model serves."""
    metrics = Metrics()
    settings = ModelSettings(path=folder, exchange_timeout_s=exchange_timeout_s)
    exchange = ModelExchange(settings, load, metrics)
    stage = await exchange.start(stall_exit_s=0)
    try:
        yield exchange, stage, metrics
    finally:
        stage.close()
        exchange.close()


def outcomes(metrics: Metrics) -> tuple[float | None, ...]:
    """How many exchanges were made, and how many refused."""
    return tuple(
        metrics.registry.get_sample_value("stripsight_model_exchanges_total", {"outcome": outcome})
        for outcome in ("exchanged", "refused")
    )


def served(stage: InferenceStage) -> ReadRuntime:
    """The model that looks."""
    assert isinstance(stage.runtime, ReadRuntime)
    return stage.runtime


async def test_another_model_takes_over_warm_and_tried(folder: MakeFolder) -> None:
    """It has looked at the frames that were seen last before it serves; the one before is let go."""
    async with started(folder("a")) as (exchange, stage, metrics):
        before = served(stage)
        stage.sample = (np.zeros((20, 30), np.uint8), np.zeros((40, 50, 3), np.uint8))
        exchanged = await exchange.exchange(folder("b"))
        after = served(stage)
        assert (exchanged.version, exchanged.before.version) == ("b", "a")
        assert (after.model_version, after.warm, after.seen) == ("b", True, [(20, 30), (40, 50, 3)])
        assert (before.closed, after.closed) == (True, False)
        assert outcomes(metrics) == (1, 0)
        assert exchange.describe() == {
            "name": "fake",
            "version": "b",
            "runtime": "fake",
            "device": "none",
            "precision": "none",
            "classes": after.class_names,
            "path": str(after.folder),
            "exchange_under_way": False,
        }
        info = {"name": "fake", "version": "b", "runtime": "fake", "device": "none", "precision": "none"}
        assert metrics.registry.get_sample_value("stripsight_model_info", info) == 1


async def test_without_frames_a_drawn_picture_is_the_trial(folder: MakeFolder) -> None:
    """A line at rest can exchange its model, too."""
    async with started(folder("a")) as (exchange, stage, _):
        await exchange.exchange(folder("b"))
        assert served(stage).seen == [(256, 256)]


async def test_without_a_path_the_folder_is_that_of_the_model_that_serves(folder: MakeFolder) -> None:
    """After an exchange, that is the new one's."""
    async with started(folder("a")) as (exchange, stage, _):
        second = folder("b")
        await exchange.exchange(second)
        (second / "model.json").write_text("c")
        await exchange.exchange()
        assert served(stage).model_version == "c"


class NanRuntime(ReadRuntime):
    """The second model answers what cannot be right."""

    def infer(self, images: Sequence[Image]) -> list[Detections]:
        """Spoil the scores."""
        found = super().infer(images)
        for detections in found:
            detections.scores[:] = np.nan
        return found


class CuriousRuntime(ReadRuntime):
    """The second model answers too little."""

    def infer(self, images: Sequence[Image]) -> list[Detections]:
        """Leave one out."""
        return super().infer(images)[1:]


class ColdRuntime(ReadRuntime):
    """The second model does not warm up."""

    def warmup(self) -> None:
        """Fail."""
        raise RuntimeError("no kernel image")


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (NanRuntime, r"model fake b does not pass its trial: InferenceError: .*score nan"),
        (CuriousRuntime, r"answered 0 frames when asked for 1"),
        (ColdRuntime, r"RuntimeError: no kernel image"),
    ],
)
async def test_a_model_that_does_not_pass_is_refused(
    folder: MakeFolder, kind: type[ReadRuntime], told: str
) -> None:
    """The caller learns why; the old model goes on, and the new one's memory is given back."""
    candidates: list[ReadRuntime] = []

    def load(settings: ModelSettings) -> ReadRuntime:
        runtime = ReadRuntime(settings) if not candidates else kind(settings)
        candidates.append(runtime)
        return runtime

    async with started(folder("a"), load) as (exchange, stage, metrics):
        with pytest.raises(ModelRefusedError, match=told):
            await exchange.exchange(folder("b"))
        assert (served(stage).model_version, served(stage).closed) == ("a", False)
        assert candidates[1].closed
        assert outcomes(metrics) == (0, 1)


async def test_a_folder_that_cannot_be_loaded_is_refused(folder: MakeFolder) -> None:
    """And the next exchange goes as if nothing had been."""
    async with started(folder("a")) as (exchange, stage, metrics):
        with pytest.raises(ModelRefusedError, match="broken: broken"):
            await exchange.exchange(folder("broken"))
        assert exchange.folder.name == "a"
        await exchange.exchange(folder("b"))
        assert served(stage).model_version == "b"
        assert outcomes(metrics) == (1, 1)


async def test_files_that_change_while_they_are_loaded_are_refused(folder: MakeFolder) -> None:
    """A version is that of config and weights together; of half of each there is none."""
    second = folder("b")

    def load(settings: ModelSettings) -> ReadRuntime:
        runtime = ReadRuntime(settings)
        if settings.path == second:
            (second / "model.safetensors").write_bytes(b"new weights")
        return runtime

    async with started(folder("a"), load) as (exchange, stage, _):
        with pytest.raises(ModelRefusedError, match="its files changed while they were being loaded"):
            await exchange.exchange(second)
        assert served(stage).model_version == "a"


async def test_a_refused_model_does_not_leave_smaller_batches_behind(folder: MakeFolder) -> None:
    """It may have been the new one that took the memory."""
    async with started(folder("a")) as (exchange, stage, _):
        stage._serving.frames_that_fit = 2
        with pytest.raises(ModelRefusedError):
            await exchange.exchange(folder("broken"))
        assert stage._serving.frames_that_fit is None


async def test_one_exchange_at_a_time(folder: MakeFolder) -> None:
    """A second one meanwhile is told so; the first goes on."""
    entered, let_go = threading.Event(), threading.Event()

    def load(settings: ModelSettings) -> ReadRuntime:
        if settings.path and settings.path.name == "b":
            entered.set()
            let_go.wait(10)
        return ReadRuntime(settings)

    async with started(folder("a"), load) as (exchange, stage, metrics):
        first = asyncio.create_task(exchange.exchange(folder("b")))
        await asyncio.to_thread(entered.wait, 10)
        assert (exchange.describe() or {})["exchange_under_way"] is True
        with pytest.raises(ExchangeBusyError, match="another exchange is under way"):
            await exchange.exchange(folder("c"))
        let_go.set()
        await first
        assert served(stage).model_version == "b"
        assert outcomes(metrics) == (1, 0)


async def test_before_the_first_model_there_is_nothing_to_exchange(folder: MakeFolder) -> None:
    """Whoever asks too early is told to come again."""
    exchange = ModelExchange(ModelSettings(path=folder("a")), ReadRuntime, Metrics())
    assert exchange.describe() is None
    with pytest.raises(ExchangeBusyError, match="first model"):
        await exchange.exchange()


async def test_a_model_that_loads_for_ever_is_refused(folder: MakeFolder) -> None:
    """After the deadline another exchange can be asked for; the thread that hangs is left behind."""
    let_go = threading.Event()

    def load(settings: ModelSettings) -> ReadRuntime:
        if settings.path and settings.path.name == "b":
            let_go.wait(10)
        return ReadRuntime(settings)

    async with started(folder("a"), load, exchange_timeout_s=0.05) as (exchange, stage, _):
        with pytest.raises(ModelRefusedError, match=r"within 0\.05 s \(model\.exchange_timeout_s\)"):
            await exchange.exchange(folder("b"))
        await exchange.exchange(folder("c"))
        assert served(stage).model_version == "c"
        let_go.set()


async def test_a_timeout_of_the_disk_is_not_taken_for_the_deadline(folder: MakeFolder) -> None:
    """What a network's disk raises is told in its own words."""

    def load(settings: ModelSettings) -> ReadRuntime:
        if settings.path and settings.path.name == "b":
            raise TimeoutError("nfs server not responding")
        return ReadRuntime(settings)

    async with started(folder("a"), load) as (exchange, _, _metrics):
        with pytest.raises(ModelRefusedError, match="TimeoutError: nfs server not responding"):
            await exchange.exchange(folder("b"))


async def test_nothing_refers_to_a_model_that_was_let_go(folder: MakeFolder, until: Until) -> None:
    """Neither the stage nor the threads keep it: it vanishes without a garbage collection."""
    gc.collect()
    gc.disable()
    try:
        async with started(folder("a")) as (exchange, stage, _):
            before = weakref.ref(served(stage))
            await exchange.exchange(folder("b"))
            await until(lambda: before() is None)
    finally:
        gc.enable()
