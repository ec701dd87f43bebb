"""The model is exchanged while frames flow, over Apache Kafka: no frame without a record, none with two."""

import asyncio
import shutil
import signal
import threading
from pathlib import Path
from typing import Self

import pytest

from edge.bus.publisher import Publisher
from edge.pipeline.exchange import Load
from edge.settings import HttpSettings, ModelSettings, Settings
from edge.vision.fake import FakeRuntime
from edge.vision.model_folder import read_model_folder
from edge.vision.runtime import BUNDLED_MODEL
from tests.support.http import ask
from tests.support.line import Log, daemon_process, frame, line_settings, picture
from tests.support.reader import Reader, committed, read_along, versions

TOKEN = "a-token-of-16-or-more"  # noqa: S105 # the one that the tests show
HTTP = HttpSettings(port=0, token=TOKEN)  # type: ignore[arg-type] # as pydantic reads it
OTHER_MODEL = Path(__file__).resolve().parents[2] / "models" / "neu-det"


class Cameras:
    """Publish a frame on each topic, again and again, while their block lasts."""

    def __init__(self, settings: Settings, publisher: Publisher, every_s: float) -> None:
        self._topics = settings.kafka.frame_topics or []
        self._publisher = publisher
        self._every_s = every_s
        self._stop = asyncio.Event()
        self.published = 0

    async def __aenter__(self) -> Self:
        self._publishing = asyncio.create_task(self._publish())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        await self._publishing

    async def _publish(self) -> None:
        while not self._stop.is_set():
            number = self.published // len(self._topics)
            await self._publisher.publish([frame(topic, number, picture(number)) for topic in self._topics])
            self.published += len(self._topics)
            await asyncio.sleep(self._every_s)


def fakes(let_go: threading.Event) -> Load:
    """Load a fake model by the name of its folder, with classes of its own; it takes until it is let go."""

    def load(settings: ModelSettings) -> FakeRuntime:
        name = settings.path.name if settings.path else "a"
        if settings.path:
            let_go.wait(30)
        runtime = FakeRuntime(class_names=(f"{name}-scratch",) * 4, delay_ms_per_batch=5)
        runtime.model_version = name
        return runtime

    return load


def check_one_switch(audit: Reader, topics: list[str], before: str, after: str) -> None:
    """In each camera's order of offsets the old model's frames come first, then the new one's."""
    for topic in topics:
        inspections = audit.of(topic)
        assert [one.frame.offset for one in inspections] == list(range(len(inspections)))
        seen = versions(inspections)
        switch = seen.index(after)
        assert seen == [before] * switch + [after] * (len(seen) - switch)
        assert switch > 0
    by_frame = {one.frame.id: one.model for one in audit.inspections}
    assert all(defect.model == by_frame[defect.frame.id] for defect in audit.defects)


async def test_frames_flow_while_the_model_is_exchanged(apache_kafka: str) -> None:
    """The old model inspects until the new one is ready; then each camera switches once; nothing is lost."""
    settings = await line_settings(apache_kafka, http=HTTP)
    topics, let_go = settings.kafka.frame_topics or [], threading.Event()
    async with read_along(settings, fakes(let_go)) as (daemon, publisher, audit):
        async with Cameras(settings, publisher, every_s=0.005) as cameras:
            await audit.until(lambda: len(audit.inspections) >= 20)
            exchange = asyncio.create_task(
                ask(f"{daemon.http_url}/model", "POST", token=TOKEN, body={"path": "/models/b"})
            )
            await audit.until(lambda: daemon.model.describe()["exchange_under_way"])  # type: ignore[index]
            loading = len(audit.inspections)
            await audit.until(lambda: len(audit.inspections) >= loading + 40)
            assert await ask(f"{daemon.http_url}/model", "POST", token=TOKEN) == (
                409,
                {"error": "another exchange is under way"},
            )
            let_go.set()
            status, told = await exchange
            assert (status, told["version"], told["before"]["version"]) == (200, "b", "a")
            await audit.until(lambda: versions(audit.inspections[-1:]) == ["b"])
            switched = len(audit.inspections)
            await audit.until(lambda: len(audit.inspections) >= switched + 20)
        await audit.close_account(cameras.published)
        status, ready = await ask(f"{daemon.http_url}/readyz")
        assert (status, ready["checks"]["model"]["detail"]) == (200, "fake b")
    check_one_switch(audit, topics, "a", "b")
    assert {defect.class_name for defect in audit.defects} == {"a-scratch", "b-scratch"}
    assert all(one.class_name[0] == one.model.version for one in audit.defects)
    assert await committed(settings.kafka) == {topic: len(audit.of(topic)) for topic in topics}


BUNDLED, OTHER = read_model_folder(BUNDLED_MODEL).version, read_model_folder(OTHER_MODEL).version


def half_of(model: Path, folder: Path) -> Path:
    """A folder into which only half of the weights were copied so far."""
    shutil.copytree(model, folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])
    return folder


async def test_real_models_are_exchanged_and_broken_ones_refused(apache_kafka: str, tmp_path: Path) -> None:
    """What is wrong with a folder is told, and the old model goes on; a sound one of other classes serves."""
    settings = await line_settings(
        apache_kafka, cameras=1, http=HTTP, model=ModelSettings(device="cpu", threads=1)
    )
    mixed = shutil.copytree(BUNDLED_MODEL, tmp_path / "mixed")
    shutil.copy(OTHER_MODEL / "model.safetensors", mixed)
    broken = {
        tmp_path / "nothing": "there is no such model folder",
        half_of(OTHER_MODEL, tmp_path / "half"): "model.safetensors: cannot be read",
        mixed: "does not fit its config",
    }
    (topic,) = settings.kafka.frame_topics or []
    async with read_along(settings) as (daemon, publisher, audit):
        model_url = f"{daemon.http_url}/model"
        for number, (folder, told) in enumerate(broken.items()):
            status, answer = await ask(model_url, "POST", token=TOKEN, body={"path": str(folder)})
            assert (status, told in answer["error"]) == (422, True)
            await publisher.publish([frame(topic, number, picture(number))])
        await audit.close_account(3)
        status, answer = await ask(model_url, "POST", token=TOKEN, body={"path": str(OTHER_MODEL)})
        assert (status, answer["version"], answer["before"]["version"]) == (200, OTHER, BUNDLED)
        await publisher.publish([frame(topic, 3, picture(3))])
        await audit.close_account(4)
        assert (await ask(model_url))[1]["path"] == str(OTHER_MODEL)
        exchanges = daemon.metrics.model_exchanges
        assert [exchanges.labels(outcome)._value.get() for outcome in ("exchanged", "refused")] == [1, 3]
    assert versions(audit.inspections) == [BUNDLED] * 3 + [OTHER]


@pytest.mark.parametrize("watch", [False, True], ids=["SIGHUP", "changed files"])
async def test_a_folder_that_changed_is_loaded_anew(apache_kafka: str, tmp_path: Path, watch: bool) -> None:
    """On SIGHUP, or by itself: half a model is refused, the whole one serves; the process goes on."""
    folder = shutil.copytree(BUNDLED_MODEL, tmp_path / "model")
    settings = await line_settings(
        apache_kafka, cameras=1, model=ModelSettings(path=folder, device="cpu", threads=1, watch=watch)
    )
    (topic,) = settings.kafka.frame_topics or []

    async def replace(model: Path) -> None:
        shutil.rmtree(folder)
        shutil.copytree(model, folder)
        if not watch:
            process.send_signal(signal.SIGHUP)

    async with (
        Reader(settings.kafka) as audit,
        daemon_process(settings, stderr=asyncio.subprocess.PIPE) as process,
        Publisher(settings.kafka) as publisher,
    ):
        log = Log(process)
        await log.line("ready")
        half = half_of(OTHER_MODEL, tmp_path / "half")
        for number, (model, event) in enumerate(
            [(half, "model refused, the one before goes on"), (OTHER_MODEL, "model exchanged")]
        ):
            await replace(model)
            await log.line(event)
            await publisher.publish([frame(topic, number, picture(number))])
            await audit.close_account(number + 1)
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
    assert versions(audit.inspections) == [BUNDLED, OTHER]


async def test_the_token_is_told_to_nobody(apache_kafka: str, tmp_path: Path) -> None:
    """Neither the log, at its most talkative, nor any page of the port has it, whatever is asked with it."""
    settings = await line_settings(apache_kafka, cameras=1)
    body = {"path": str(tmp_path)}
    async with daemon_process(
        settings, stderr=asyncio.subprocess.PIPE, STRIPSIGHT_HTTP__TOKEN=TOKEN, STRIPSIGHT_LOG__LEVEL="debug"
    ) as process:
        log, wrong = Log(process), TOKEN[:-1]
        url = (await log.line("serving metrics and health"))["url"]
        await log.line("ready")
        told = [
            await ask(f"{url}{path}", token=TOKEN) for path in ("/", "/model", "/readyz", "/no", "/metrics")
        ]
        told += [
            await ask(f"{url}/model", "POST", token=token, body=body) for token in (TOKEN, wrong, f"{TOKEN}x")
        ]
        await log.line("wrong token")
        process.send_signal(signal.SIGTERM)
        await log.line("stopped")
    assert [status for status, _ in told] == [200, 200, 200, 404, 200, 200, 401, 401]
    assert TOKEN not in str(told)
    assert wrong not in log.text
