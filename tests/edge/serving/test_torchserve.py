"""TorchServe itself, with the archive that the command line makes of the bundled model."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from edge.cli import app
from edge.contracts import Defect
from edge.contracts.encoding import decode_record
from edge.training.synthetic import SyntheticStrip
from edge.vision import BUNDLED_MODEL
from edge.vision.model_folder import read_model_folder
from producers.synthetic import encode_grey_jpeg
from tests.conftest import SHARED_DATA
from tests.support.torchserve import Answer, TorchServe, ask

pytestmark = pytest.mark.timeout(400)

VERSION = read_model_folder(BUNDLED_MODEL).version
DRAWN, REAL = 3, 3
# Long enough for all requests of a test to come together, whatever else the machine does.
BATCH, DELAY_MS = 16, 1500


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of drawn frames, and of real ones where they are at hand."""
    folder, strip = tmp_path_factory.mktemp("frames"), SyntheticStrip(seed=7)
    for number in range(DRAWN):
        (folder / f"drawn-{number}.jpg").write_bytes(encode_grey_jpeg(strip.frame(number).image))
    for real in sorted((SHARED_DATA / "severstal" / "test_images").glob("*.jpg"))[:REAL]:
        (folder / f"real-{real.name}").write_bytes(real.read_bytes())
    return folder


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model store with the archive in it."""
    folder = tmp_path_factory.mktemp("store")
    arguments = ["package", "torchserve", "--out", folder, "--batch-size", BATCH]
    result = CliRunner().invoke(app, [str(word) for word in [*arguments, "--max-batch-delay-ms", DELAY_MS]])
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture(scope="module")
def torchserve(store: Path) -> Iterator[TorchServe]:
    """TorchServe, ready."""
    with TorchServe(store) as server:
        yield server


def post(server: TorchServe, image: bytes, **headers: str) -> Answer:
    """Let a frame be inspected."""
    url = f"{server.inference}/predictions/stripsight"
    return ask(url, key=server.key("inference"), body=image, **headers)


def post_together(server: TorchServe, images: list[bytes]) -> list[Answer]:
    """Let frames be inspected that come at the same time."""
    with ThreadPoolExecutor(len(images)) as pool:
        return list(pool.map(lambda image: post(server, image), images))


def test_it_finds_what_inspect_finds(torchserve: TorchServe, frames: Path) -> None:
    """The same classes, scores, boxes and masks as ``stripsight inspect`` tells of the same files."""
    files = sorted(frames.iterdir())
    told = CliRunner().invoke(app, ["inspect", str(frames), "--json"])
    lines = {Path(line["file"]): line for line in map(json.loads, told.stdout.splitlines())}

    answers = post_together(torchserve, [file.read_bytes() for file in files])

    assert sum(len(lines[file]["scores"]) for file in files) > 0
    for file, answer in zip(files, answers, strict=True):
        assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
        _assert_same(answer.json["defects"], lines[file])
        assert answer.json["inspection"]["outcome"] == "inspected"
        assert answer.json["inspection"]["model"] == lines[file]["model"]


def _assert_same(defects: list[dict[str, Any]], line: dict[str, Any]) -> None:
    found = [decode_record(json.dumps(defect).encode(), Defect) for defect in defects]
    boxes = [box for defect in found for box in _edges(defect)]
    assert [defect.class_name for defect in found] == line["class_names"]
    assert [defect.score for defect in found] == pytest.approx(line["scores"], abs=1e-4)
    assert boxes == pytest.approx([edge for box in line["boxes_px"] for edge in box], abs=0.05)
    areas = [sum(mask["counts"][1::2]) for mask in line["masks"] or []]
    assert [defect.area_px for defect in found] == pytest.approx(areas, rel=0.01, abs=3)


def _edges(defect: Defect) -> tuple[float, float, float, float]:
    box = defect.box_px
    return box.x0, box.y0, box.x1, box.y1


def test_a_corrupt_frame_fails_alone_in_its_batch(torchserve: TorchServe, frames: Path) -> None:
    """Its answer says what is wrong with it; its neighbours, in the same batch, are inspected."""
    good = [file.read_bytes() for file in sorted(frames.iterdir())[:3]]
    corrupt = good[0][:3000]

    *answers, bad = post_together(torchserve, [*good, corrupt])

    assert [answer.status for answer in answers] == [200, 200, 200]
    assert max(answer.json["inspection"]["times"]["batch"] for answer in answers) > 1
    assert (bad.status, bad.headers["content-type"]) == (422, "application/problem+json")
    assert bad.json["type"] == "urn:stripsight:problem:corrupt_image"
    assert bad.json["inspections"][0]["outcome"] == "failed"


def test_headers_tell_where_on_the_strip_a_frame_lies(torchserve: TorchServe, frames: Path) -> None:
    """CloudEvents' headers over HTTP mean what they mean on Kafka: millimetres come from them."""
    image = (frames / "drawn-0.jpg").read_bytes()

    answer = post(
        torchserve,
        image,
        content_type="image/jpeg",
        ce_camera="cam%201",
        ce_positionmm="1000",
        ce_pitchxmm="0.5",
        ce_pitchymm="0.25",
    )

    inspection = answer.json["inspection"]
    assert inspection["frame"]["camera"] == "cam 1"
    assert inspection["strip_mm"] == {"x0": 0.0, "y0": 1000.0, "x1": 800.0, "y1": 1064.0}


def test_it_tells_which_model_it_serves(torchserve: TorchServe) -> None:
    """The version of the archive is the model's, and the handler tells classes and runtime."""
    url = f"{torchserve.management}/models/stripsight?customized=true"

    (told,) = ask(url, key=torchserve.key("management")).json

    assert (told["modelVersion"], told["batchSize"], told["maxBatchDelay"]) == (VERSION, BATCH, DELAY_MS)
    assert told["customizedMetadata"]["version"] == VERSION
    assert told["customizedMetadata"]["runtime"] == "native"
    assert len(told["customizedMetadata"]["classes"]) == 4


def test_the_images_health_check_passes(torchserve: TorchServe) -> None:
    """It finds the key where TorchServe was started, and shows it."""
    assert torchserve.health() == 0


def test_its_metrics_count_what_was_asked(torchserve: TorchServe, frames: Path) -> None:
    """TorchServe counts requests, and the time that our handler took is among its gauges."""
    before = _requests(torchserve)

    assert post(torchserve, (frames / "drawn-0.jpg").read_bytes()).status == 200

    assert _requests(torchserve) == before + 1
    assert "PredictionTime{" in _metrics(torchserve)


def _requests(server: TorchServe) -> float:
    families = text_string_to_metric_families(_metrics(server))
    return sum(
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == "ts_inference_requests_total" and sample.labels["model_name"] == "stripsight"
    )


def _metrics(server: TorchServe) -> str:
    return ask(f"{server.metrics}/metrics").body.decode()


def test_strangers_are_refused(torchserve: TorchServe, frames: Path) -> None:
    """Without a key nothing is inspected, and with the key of inference nothing is managed."""
    image = (frames / "drawn-0.jpg").read_bytes()

    without = ask(f"{torchserve.inference}/predictions/stripsight", body=image)
    wrong = ask(f"{torchserve.management}/models", key=torchserve.key("inference"))

    assert (without.status, wrong.status) == (400, 400)
    assert without.json["type"] == wrong.json["type"] == "InvalidKeyException"


def test_models_from_elsewhere_are_refused(torchserve: TorchServe) -> None:
    """What is served is what the configuration names: the management API adds no model, whoever asks."""
    url = f"{torchserve.management}/models?url=http://127.0.0.1:9/evil.mar"

    answer = ask(url, key=torchserve.key("management"), body=b"")

    assert (answer.status, answer.json["type"]) == (405, "MethodNotAllowedException")


def test_it_is_stopped_in_order(torchserve: TorchServe) -> None:
    """After ``torchserve --stop`` neither server nor worker is left. The last test: it ends the server."""
    assert torchserve.is_running()

    torchserve.stop()

    assert torchserve.health() == 1
    assert torchserve.exit_code in {0, 143}, torchserve.log()  # Java's own code for an end by SIGTERM
    torchserve.wait_until_gone()
