"""What makes a daemon exchange its model by itself."""

import asyncio
import os
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from edge.errors import ModelFileError, ModelRefusedError
from edge.pipeline import triggers
from edge.pipeline.exchange import ModelExchange
from edge.pipeline.triggers import exchange_when_asked, exchange_when_changed
from edge.settings import ModelSettings
from edge.stopping import beside
from edge.telemetry.metrics import Metrics
from edge.vision.fake import FakeRuntime
from edge.vision.fingerprint import Fingerprint, fingerprint
from tests.conftest import Until

LOOK_EVERY_S = 0.02


class Models:
    """Loads what a folder says, and remembers what it was asked for."""

    def __init__(self, folder: Path) -> None:
        self.loaded: list[str] = []
        self.folder = folder
        self.exchange = ModelExchange(ModelSettings(path=folder), self.load, Metrics())

    def load(self, settings: ModelSettings) -> FakeRuntime:
        """Load, unless the file says otherwise."""
        assert settings.path is not None
        version = (settings.path / "model.json").read_text()
        self.loaded.append(version)
        if version.startswith("half"):
            raise ModelFileError("half of a file")
        runtime = FakeRuntime()
        runtime.model_version = version
        return runtime

    @property
    def version(self) -> str:
        """Of the model that serves."""
        assert self.exchange.runtime is not None
        return self.exchange.runtime.model_version

    def write(self, version: str) -> None:
        """Put another model into the folder."""
        (self.folder / "model.json").write_text(version)

    @asynccontextmanager
    async def with_(self, trigger: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
        """Start with the first model, and let a trigger act."""
        stage = await self.exchange.start(stall_exit_s=0)
        try:
            async with beside(trigger):
                yield
        finally:
            stage.close()
            self.exchange.close()


@pytest.fixture
def models(tmp_path: Path) -> Models:
    """With a first one."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.json").write_text("a")
    return Models(folder)


class Looks:
    """Counts the looks at a folder; while ``growing``, a file changes before each of them."""

    def __init__(self) -> None:
        self.count = 0
        self.growing = False

    def __call__(self, folder: Path) -> Fingerprint:
        """Look."""
        if self.growing:
            with (folder / "model.pth").open("ab") as file:
                file.write(b"more")
        found = fingerprint(folder)
        self.count += 1
        return found


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Looks:
    """Of the trigger, not of the loader."""
    looks = Looks()
    monkeypatch.setattr(triggers, "fingerprint", looks)
    return looks


async def test_a_signal_exchanges_the_model(models: Models, until: Until) -> None:
    """Each time it is asked; a refused one changes nothing, and the next is heard."""
    asked = asyncio.Event()
    async with models.with_(exchange_when_asked(models.exchange, asked)):
        for version, serves in (("b", "b"), ("half", "b"), ("c", "c")):
            models.write(version)
            count = len(models.loaded)
            asked.set()
            await until(lambda count=count: len(models.loaded) > count)
            await until(lambda serves=serves: models.version == serves and not asked.is_set())


async def test_changed_files_exchange_the_model(models: Models, until: Until) -> None:
    """Once they lie still; those that were loaded at the start are not loaded again."""
    async with models.with_(exchange_when_changed(models.exchange, LOOK_EVERY_S)):
        models.write("b")
        await until(lambda: models.version == "b")
        assert models.loaded == ["a", "b"]


async def test_half_a_model_is_refused_once_and_tried_again_when_it_changes(
    models: Models, looks: Looks, until: Until
) -> None:
    """What was refused is not tried over and over."""
    async with models.with_(exchange_when_changed(models.exchange, LOOK_EVERY_S)):
        models.write("half")
        await until(lambda: "half" in models.loaded)
        seen = looks.count
        await until(lambda: looks.count > seen + 5)
        models.write("half and more")
        await until(lambda: "half and more" in models.loaded)
        models.write("b")
        await until(lambda: models.version == "b")
    assert models.loaded == ["a", "half", "half and more", "b"]


async def test_files_that_are_being_copied_are_left_alone(models: Models, looks: Looks, until: Until) -> None:
    """As long as they look different at each look, nothing is loaded."""
    async with models.with_(exchange_when_changed(models.exchange, LOOK_EVERY_S)):
        looks.growing = True
        await until(lambda: looks.count > 10)
        assert models.loaded == ["a"]
        looks.growing = False
        await until(lambda: len(models.loaded) == 2)


async def test_a_link_that_points_elsewhere_is_a_change(tmp_path: Path, until: Until) -> None:
    """The usual way to replace a folder in one step."""
    for version in ("a", "b"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "model.json").write_text(version)
        os.utime(tmp_path / version / "model.json", (0, 0))
    link = tmp_path / "current"
    link.symlink_to("a")
    models = Models(link)
    async with models.with_(exchange_when_changed(models.exchange, LOOK_EVERY_S)):
        (tmp_path / "next").symlink_to("b")
        (tmp_path / "next").replace(link)
        await until(lambda: models.version == "b")


async def test_a_refused_folder_elsewhere_is_no_change_of_this_one(
    models: Models, looks: Looks, until: Until
) -> None:
    """Whoever tried another folder in vain does not get this one loaded again."""
    elsewhere = models.folder.parent / "elsewhere"
    async with models.with_(exchange_when_changed(models.exchange, LOOK_EVERY_S)):
        with pytest.raises(ModelRefusedError, match="elsewhere"):
            await models.exchange.exchange(elsewhere)
        seen = looks.count
        await until(lambda: looks.count > seen + 5)
    assert models.loaded == ["a"]
