"""``docker compose --profile torchserve up``: the image from our Dockerfile, with an archive to serve."""

import json
import re
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from edge.cli import app
from edge.training.synthetic import SyntheticStrip
from producers.synthetic import encode_grey_jpeg
from tests.conftest import skip_or_fail
from tests.support.compose import ROOT, Compose, why_no_compose
from tests.support.torchserve import Answer, ask

# The first build fetches torch, which is gigabytes, and Java; what follows takes seconds.
BUILD_TIMEOUT_S = 1800
START_TIMEOUT_S = 240.0
pytestmark = pytest.mark.timeout(BUILD_TIMEOUT_S + 600)

SERVICE = "torchserve"


@pytest.fixture(scope="module")
def compose(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compose]:
    """TorchServe alone, up and healthy, with the bundled model's archive."""
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text()
    (python,) = re.findall(r"^ARG PYTHON_VERSION=(\S+)$", dockerfile, re.MULTILINE)
    if reason := why_no_compose({f"python:{python}-slim-bookworm"}):
        skip_or_fail("docker", reason)
    models = tmp_path_factory.mktemp("models")
    for folder in (
        models,
        *models.parents[:2],
    ):  # pytest's are for this user alone, the container's is another
        folder.chmod(0o755)
    packaged = CliRunner().invoke(app, ["package", "torchserve", "--out", str(models)])
    assert packaged.exit_code == 0, packaged.output
    compose = Compose({"STRIPSIGHT_MODELS": str(models)}, profiles="torchserve")
    compose("build", SERVICE, timeout_s=BUILD_TIMEOUT_S)
    try:
        compose("up", "--detach", "--no-build", "--wait", SERVICE, timeout_s=START_TIMEOUT_S)
        yield compose
    finally:
        compose("down", "--volumes", "--timeout", "5")


def post(compose: Compose, image: bytes, key: str | None) -> Answer:
    """Let a frame be inspected."""
    url = f"http://127.0.0.1:{compose.ports['TORCHSERVE_PORT']}/predictions/stripsight"
    return ask(url, key=key, body=image)


def test_it_inspects_frames_for_who_has_its_key(compose: Compose) -> None:
    """On the published port, with the key that lies inside; its metrics count the request."""
    image = encode_grey_jpeg(SyntheticStrip(seed=7).frame(0).image)
    keys = json.loads(compose("exec", SERVICE, "cat", "/tmp/key_file.json"))  # noqa: S108 # in the container

    assert post(compose, image, keys["inference"]["key"]).json["inspection"]["outcome"] == "inspected"
    assert post(compose, image, None).status == 400
    metrics = ask(f"http://127.0.0.1:{compose.ports['TORCHSERVE_METRICS_PORT']}/metrics")
    assert b'ts_inference_requests_total{model_name="stripsight"' in metrics.body


def test_it_can_do_little_harm(compose: Compose) -> None:
    """It runs as nobody in particular, on a root that is read-only."""
    container = compose.inspect(SERVICE)
    assert container["State"]["Health"]["Status"] == "healthy"
    assert container["HostConfig"]["ReadonlyRootfs"]
    assert container["Config"]["User"] == "10001:10001"


def test_it_stops_in_order(compose: Compose) -> None:
    """Before Docker would kill it. The last test: it ends the service."""
    compose("stop", SERVICE)
    assert compose.inspect(SERVICE)["State"]["ExitCode"] == 0
