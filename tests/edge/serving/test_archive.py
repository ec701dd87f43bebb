"""The archive, read and served by TorchServe's Python half, without its server."""

import json
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest
import yaml

from edge.errors import BrokenModelError, ModelError, ModelFileError
from edge.serving.torchserve.archive import Batching, build
from edge.serving.torchserve.handler import Handler, settings_of
from edge.settings import CameraSettings, KafkaSettings, ModelSettings, PipelineSettings, Settings
from edge.vision import BUNDLED_MODEL, load_runtime
from tests.support.exports import Exports

with warnings.catch_warnings():  # it reads its version from a file that it does not close
    warnings.simplefilter("ignore", ResourceWarning)
    from ts.context import Context, RequestProcessor

FAKE = Settings(
    line="hot-2",
    model=ModelSettings(runtime="fake", fake_defects=2),
    kafka=KafkaSettings(
        security_protocol="SASL_SSL",
        sasl_username="user",
        sasl_password="not-to-be-told",  # noqa: S106
    ),
    pipeline=PipelineSettings(decode_threads=1, max_pixels=10_000),
    cameras={"cam1": CameraSettings(pitch_x_mm=0.5, pitch_y_mm=0.5)},
)
BATCHING = Batching(size=4, max_delay_ms=30, workers=2)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """The bundled model's archive, to be served by the fake runtime."""
    return build(FAKE, tmp_path / "store", name="steel", batching=BATCHING).file


@pytest.fixture
def unpacked(archive: Path, tmp_path: Path) -> Path:
    """The archive as TorchServe lays it out for a worker."""
    folder = tmp_path / "unpacked"
    zipfile.ZipFile(archive).extractall(folder)
    return folder


def context_of(folder: Path) -> Any:
    """TorchServe's own context of a worker on the CPU."""
    config = yaml.safe_load((folder / "model-config.yaml").read_text())
    return Context("steel", str(folder), {}, 4, None, "0.12.0", model_yaml_config=config)


@pytest.fixture
def context(unpacked: Path) -> Any:
    """The same, of the archive."""
    return context_of(unpacked)


@pytest.fixture
def handler(context: Any) -> Iterator[Handler]:
    """A handler that has loaded the archive."""
    handler = Handler()
    handler.initialize(context)
    yield handler
    handler.close()


def picture(width: int = 100) -> bytes:
    """A grey PNG."""
    return cv2.imencode(".png", np.full((50, width), 90, np.uint8))[1].tobytes()


def ask(handler: Handler, context: Any, requests: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Let TorchServe's batch of requests be handled; each is what its body's parts are called."""
    headers = [{"ce-camera": "cam1", **{name: {} for name in request}} for request in requests]
    context.request_processor = [RequestProcessor(of_one) for of_one in headers]
    return [json.loads(answer) for answer in handler.handle(requests, context)]


def test_it_holds_the_model_and_how_it_is_batched(archive: Path) -> None:
    """Name and version in the manifest, TorchServe's keys in its config, and the model's files unchanged."""
    with zipfile.ZipFile(archive) as file:
        manifest = json.loads(file.read("MAR-INF/MANIFEST.json"))["model"]
        config = yaml.safe_load(file.read("model-config.yaml"))
        weights = file.read("model/model.safetensors")

    assert (manifest["modelName"], manifest["modelVersion"]) == ("steel", "fb33d4c63a0a")
    assert (config["minWorkers"], config["maxWorkers"]) == (2, 2)
    assert (config["batchSize"], config["maxBatchDelay"]) == (4, 30)
    assert weights == (BUNDLED_MODEL / "model.safetensors").read_bytes()


def test_it_takes_along_what_is_known_of_cameras_and_no_secret(archive: Path) -> None:
    """The line and the cameras' pitch travel with the model; where Kafka is, and its password, do not."""
    with zipfile.ZipFile(archive) as file:
        ours = yaml.safe_load(file.read("model-config.yaml"))["stripsight"]
        everything = b"".join(file.read(name) for name in file.namelist())

    assert ours["line"] == "hot-2"
    assert ours["cameras"]["cam1"]["pitch_x_mm"] == 0.5
    assert ours.keys() == {"line", "cameras", "model", "pipeline"}
    assert b"not-to-be-told" not in everything


def test_the_models_name_survives_another_folder(tmp_path: Path) -> None:
    """A folder without model.json gives its name to the model; inside the archive it is called otherwise."""
    source = tmp_path / "my-steel"
    source.mkdir()
    for name in ("config.yaml", "model.safetensors"):
        (source / name).write_bytes((BUNDLED_MODEL / name).read_bytes())
    settings = Settings(model=ModelSettings(path=source, runtime="fake"))

    archive = build(settings, tmp_path / "store", name="steel", batching=BATCHING)

    assert json.loads(zipfile.ZipFile(archive.file).read("model/model.json")) == {"name": "my-steel"}


def test_an_archive_takes_the_place_of_the_one_before(archive: Path) -> None:
    """In one step, and nothing else is left in the store."""
    build(FAKE, archive.parent, name="steel", batching=BATCHING)

    assert list(archive.parent.iterdir()) == [archive]


def test_a_folder_that_cannot_be_served_is_not_packaged(tmp_path: Path) -> None:
    """The store stays as it is."""
    store = tmp_path / "store"
    with pytest.raises(ModelFileError, match="no such model folder"):
        build(
            Settings(model=ModelSettings(path=tmp_path / "nowhere")), store, name="steel", batching=BATCHING
        )
    assert not store.exists()


def test_a_name_that_torchserve_does_not_take_is_refused(tmp_path: Path) -> None:
    """In the archiver's own words, and nothing is left behind."""
    with pytest.raises(ModelError, match="regular expression filter for model name"):
        build(FAKE, tmp_path / "store", name="no good", batching=BATCHING)
    assert list((tmp_path / "store").iterdir()) == []


def test_a_batch_is_answered_in_order_and_a_bad_frame_alone(handler: Handler, context: Any) -> None:
    """Each answer has the status of its own frame; those that were looked at were one batch."""
    requests = [{"body": picture(40)}, {"body": picture()[:60]}, {"body": b""}, {"data": picture(80)}]

    first, corrupt, empty, last = ask(handler, context, requests)

    assert [context.get_response_status(index)[0] for index in range(4)] == [200, 422, 422, 200]
    assert [frame["inspection"]["width_px"] for frame in (first, last)] == [40, 80]
    assert [frame["inspection"]["times"]["batch"] for frame in (first, last)] == [2, 2]
    assert [len(frame["defects"]) for frame in (first, last)] == [2, 2]
    assert (corrupt["title"], empty["title"]) == ("Corrupt image", "Empty")
    assert context.get_response_content_type(1) == "application/problem+json"


def test_what_is_no_image_is_told_from_what_is_too_large(handler: Handler, context: Any) -> None:
    """A type that nobody decodes is 415; the limit of pixels is the archive's."""
    text, large = ask(handler, context, [{"body": b"not an image"}, {"body": picture(300)}])

    assert (text["status"], large["status"]) == (415, 422)
    assert "the limit is 10000" in large["detail"]


def test_the_same_frame_has_the_same_id(handler: Handler, context: Any) -> None:
    """Ids come from the image and what was said of it, so that a repeated request makes no second frame."""
    once, again, other = ask(handler, context, [{"body": picture(n)} for n in (40, 40, 41)])

    assert once["inspection"]["id"] == again["inspection"]["id"] != other["inspection"]["id"]


def test_a_gpu_is_the_one_that_torchserve_has_chosen(unpacked: Path) -> None:
    """Unless the archive names a device itself."""
    context = context_of(unpacked)
    context.system_properties["gpu_id"] = 3
    assert settings_of(context).model.device == "cuda:3"
    context.model_yaml_config["stripsight"]["model"]["device"] = "cpu"
    assert settings_of(context).model.device == "cpu"


def test_a_worker_whose_model_is_broken_ends(
    handler: Handler, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TorchServe then starts another; to go on answering errors would mend nothing."""

    def fail(*_: object) -> None:
        raise RuntimeError("the device is gone")

    monkeypatch.setattr(handler._runtime, "infer", fail)
    with pytest.raises(SystemExit) as ended:
        ask(handler, context, [{"body": picture()}])
    assert ended.value.code == 1
    assert isinstance(ended.value.__cause__, BrokenModelError)


def test_it_describes_its_model(handler: Handler, context: Any) -> None:
    """As the management API asks for it."""
    context.request_processor = [RequestProcessor({"describe": "True"})]

    (description,) = map(msgspec.json.decode, handler.handle([{}], context))

    assert (description["name"], description["runtime"]) == ("fake", "fake")


def test_a_clients_header_does_not_make_its_frame_a_description(handler: Handler, context: Any) -> None:
    """Every request of a batch has an answer of its own, whatever headers one of them carries."""
    context.request_processor = [
        RequestProcessor({"describe": "True", "ce-camera": "cam1"}) for _ in range(2)
    ]

    answers = [json.loads(answer) for answer in handler.handle([{"body": picture()}] * 2, context)]
    (alone,) = (json.loads(answer) for answer in handler.handle([{"body": picture()}], context))

    assert [len(answer["defects"]) for answer in (*answers, alone)] == [2, 2, 2]


@pytest.mark.timeout(600)
def test_an_exported_model_travels_with_its_graphs(exports: Exports, tmp_path: Path) -> None:
    """What the worker unpacks is served as the folder was that it was made of."""
    source = exports("onnx", "float32")
    settings = Settings(model=ModelSettings(path=source, runtime="onnx"))

    archive = build(settings, tmp_path / "store", name="steel", batching=BATCHING)
    zipfile.ZipFile(archive.file).extractall(tmp_path / "unpacked")

    runtime = load_runtime("onnx", tmp_path / "unpacked" / "model")
    assert runtime.model_version == load_runtime("onnx", source).model_version
