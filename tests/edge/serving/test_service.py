"""``stripsight serve`` in process: images over a socket, the fake model behind it."""

import asyncio
import gzip
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import cv2
import msgspec
import numpy as np
import pytest

from edge.contracts import Defect, Inspection
from edge.errors import BrokenModelError, DrainTimeoutError
from edge.serving.answer import InspectedFrame, InspectedFrames, Problem
from edge.serving.service import Service
from edge.settings import HttpSettings, ModelSettings, PipelineSettings, ServeSettings, Settings
from edge.vision.detections import Detections
from edge.vision.fake import FakeRuntime
from edge.vision.runtime import Image
from tests.conftest import Until
from tests.support.http import get, total

TOKEN = "a-token-of-16-or-more"  # noqa: S105 # the one that the tests show
DEFAULTS = Settings(
    model=ModelSettings(runtime="fake", fake_defects=2),
    http=HttpSettings(port=0),
    serve=ServeSettings(max_images=3, max_image_bytes=20_000),
    pipeline=PipelineSettings(max_batch=4, max_wait_ms=5, queue_frames=3, drain_timeout_s=5),
)


class HeldRuntime(FakeRuntime):
    """A model that answers when it is let: it takes note of its batches, and may be broken."""

    def __init__(self) -> None:
        super().__init__(defects_per_frame=1)
        self.batches: list[int] = []
        self.is_let = threading.Event()
        self.is_broken = False

    def infer(self, images: Sequence[Image]) -> list[Detections]:
        """Wait, or fail."""
        self.batches.append(len(images))
        if self.is_broken:
            raise RuntimeError("the device is gone")
        assert self.is_let.wait(30)
        return super().infer(images)


@asynccontextmanager
async def serving(settings: Settings = DEFAULTS, **more: Any) -> AsyncIterator[Service]:
    """A service, ready; it is stopped in order when the block is left."""
    service, stop = Service(settings, **more), asyncio.Event()
    running = asyncio.create_task(service.run(stop))
    ready = asyncio.create_task(service.ready.wait())
    await asyncio.wait({running, ready}, return_when=asyncio.FIRST_COMPLETED)
    try:
        yield service
    finally:
        ready.cancel()
        stop.set()
        await running


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    """With the fake model."""
    async with serving() as service:
        yield service


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    """Of HTTP."""
    async with aiohttp.ClientSession() as session:
        yield session


def picture(width: int = 100) -> bytes:
    """A grey PNG."""
    return cv2.imencode(".png", np.full((50, width), 90, np.uint8))[1].tobytes()


def form(*images: bytes) -> aiohttp.FormData:
    """A form of images."""
    data = aiohttp.FormData(default_to_multipart=True)
    for image in images:
        data.add_field("image", image, filename="frame", content_type="image/png")
    return data


async def post(client: aiohttp.ClientSession, service: Service, data: Any, **more: Any) -> tuple[int, bytes]:
    """Let images be inspected; returns status and body."""
    async with client.post(f"{service.http_url}/v1/inspect", data=data, **more) as answer:
        return answer.status, await answer.read()


async def refused(
    client: aiohttp.ClientSession, service: Service, data: Any, **more: Any
) -> tuple[int, Problem]:
    """The same, of a request that is answered with a problem."""
    async with client.post(f"{service.http_url}/v1/inspect", data=data, **more) as answer:
        assert answer.content_type == "application/problem+json"
        problem = msgspec.json.decode(await answer.read(), type=Problem)
        assert problem.status == answer.status
        return answer.status, problem


async def test_one_image_is_answered_with_the_daemons_records(
    service: Service, client: aiohttp.ClientSession
) -> None:
    """An inspection and its defects, of the types that lie on Kafka."""
    status, body = await post(client, service, picture(), headers={"Content-Type": "image/png"})

    frame = msgspec.json.decode(body, type=InspectedFrame)
    assert status == 200
    assert isinstance(frame.inspection, Inspection)
    assert all(isinstance(defect, Defect) for defect in frame.defects)
    assert (frame.inspection.outcome, frame.inspection.defects) == ("inspected", len(frame.defects))
    assert len(frame.defects) == 2
    assert (frame.inspection.width_px, frame.inspection.height_px) == (100, 50)
    assert [defect.id for defect in frame.defects] == [f"{frame.inspection.id}#{n}" for n in (0, 1)]


async def test_images_of_a_form_are_answered_in_order_and_a_bad_one_alone(
    service: Service, client: aiohttp.ClientSession
) -> None:
    """The list is as long as the form; what is wrong with one is said in its inspection."""
    status, body = await post(client, service, form(picture(40), picture()[:60], picture(80)))

    first, corrupt, last = msgspec.json.decode(body, type=InspectedFrames).results
    assert status == 200
    assert [frame.inspection.width_px for frame in (first, last)] == [40, 80]
    assert (corrupt.inspection.outcome, corrupt.inspection.reason) == ("failed", "corrupt_image")
    assert corrupt.defects == []


async def test_a_form_of_which_no_image_can_be_inspected_is_a_problem(
    service: Service, client: aiohttp.ClientSession
) -> None:
    """The status is that of the first image, and the records of all are there."""
    status, problem = await refused(client, service, form(picture()[:60], b""))

    assert (status, problem.title) == (422, "Corrupt image")
    assert [inspection.reason for inspection in problem.inspections] == ["corrupt_image", "empty"]


async def test_headers_tell_where_on_the_strip_an_image_lies(
    service: Service, client: aiohttp.ClientSession
) -> None:
    """Of the request, and before them those of the part."""
    with aiohttp.MultipartWriter("form-data") as parts:
        parts.append(picture(), {"Content-Type": "image/png", "ce-positionmm": "500", "ce-coil": "C%2F7"})
        parts.append(picture(), {"Content-Type": "image/png"})
    pitch = {"ce-pitchxmm": "0.5", "ce-pitchymm": "0.5", "ce-positionmm": "100"}

    _, body = await post(client, service, parts, headers=pitch)

    first, second = msgspec.json.decode(body, type=InspectedFrames).results
    assert first.inspection.frame.coil == "C/7"
    assert [frame.inspection.strip_mm and frame.inspection.strip_mm.y0 for frame in (first, second)] == [
        500,
        100,
    ]


async def test_images_that_come_together_are_one_batch(client: aiohttp.ClientSession, until: Until) -> None:
    """Requests that wait behind a busy model share the next one, up to the limit."""
    runtime = HeldRuntime()
    async with serving(load=lambda _: runtime) as service:
        first = asyncio.create_task(post(client, service, picture(10)))
        await until(lambda: runtime.batches)
        others = [asyncio.create_task(post(client, service, picture(20 + n))) for n in range(2)]
        await until(lambda: service._routes.in_hand == 3)
        runtime.is_let.set()
        answers = await asyncio.gather(first, *others)

    assert [status for status, _ in answers] == [200, 200, 200]
    assert runtime.batches == [1, 2]


async def test_more_images_than_may_wait_are_refused(client: aiohttp.ClientSession, until: Until) -> None:
    """With when to come again; those that wait are answered."""
    runtime = HeldRuntime()
    async with serving(load=lambda _: runtime) as service:
        waiting = asyncio.create_task(post(client, service, form(picture(1), picture(2), picture(3))))
        await until(lambda: service._routes.in_hand == 3)
        async with client.post(f"{service.http_url}/v1/inspect", data=picture()) as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
            assert (await answer.json(content_type=None))["type"] == "urn:stripsight:problem:overloaded"
        runtime.is_let.set()
        assert (await waiting)[0] == 200
    assert service._routes.in_hand == 0


@pytest.mark.parametrize(
    ("data", "headers", "status", "reason"),
    [
        (picture()[:60], {"Content-Type": "image/png"}, 422, "corrupt_image"),
        (b"", {"Content-Type": "image/png"}, 422, "empty"),
        (b"no image", {}, 415, "unsupported_content_type"),
        (b"{}", {"Content-Type": "application/json"}, 415, "unsupported_content_type"),
        (picture(), {"ce-camera": "cam1"}, 422, "unknown_camera"),
        (picture(), {"ce-pitchxmm": "wide"}, 422, "bad_header"),
        (bytes(20_001), {"Content-Type": "image/png"}, 413, "too_large"),
        (bytes(100), {"Content-Type": "image/x-mono8"}, 422, "bad_size"),
        (b"--x\r\n\r\n", {"Content-Type": "multipart/form-data; boundary=x"}, 422, "malformed_request"),
        (
            b"--x\r\na\0b: c\r\n\r\n",
            {"Content-Type": "multipart/form-data; boundary=x"},
            422,
            "malformed_request",
        ),
        (b"x", {"Content-Type": "multipart/form-data"}, 422, "malformed_request"),
        (b"--x--\r\n", {"Content-Type": "multipart/form-data; boundary=x"}, 422, "malformed_request"),
    ],
)
async def test_what_cannot_be_inspected_is_told_as_a_problem(  # noqa: PLR0917 # two fixtures, four values
    service: Service,
    client: aiohttp.ClientSession,
    data: bytes,
    headers: dict[str, str],
    status: int,
    reason: str,
) -> None:
    """Status and reason say what to mend; nothing of it stays in hand."""
    told, problem = await refused(client, service, data, headers=headers)

    assert (told, problem.type) == (status, f"urn:stripsight:problem:{reason}")
    assert problem.detail
    assert service._routes.in_hand == 0


async def test_more_images_than_a_request_may_have_are_refused(
    service: Service, client: aiohttp.ClientSession
) -> None:
    """The message names the setting."""
    status, problem = await refused(client, service, form(*[picture()] * 4))

    assert (status, problem.title) == (413, "Too large")
    assert "serve.max_images" in problem.detail


async def test_an_image_that_is_large_when_unpacked_is_refused(
    service: Service, client: aiohttp.ClientSession
) -> None:
    """A small body that is compressed is held to the same limit, and is never unpacked whole."""
    bomb = gzip.compress(bytes(50_000_000))

    status, problem = await refused(
        client, service, bomb, headers={"Content-Encoding": "gzip", "Content-Type": "image/png"}
    )

    assert (status, problem.type) == (413, "urn:stripsight:problem:too_large")


async def test_a_client_that_stalls_loses_its_place(
    service: Service, monkeypatch: pytest.MonkeyPatch, until: Until
) -> None:
    """A body that does not come is waited for so long and no longer."""
    monkeypatch.setattr("edge.serving.routes._BODY_TIMEOUT_S", 0.2)
    host, port = service.http_url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        b"POST /v1/inspect HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 9\r\n\r\n"
    )

    assert (await reader.readline()).startswith(b"HTTP/1.1 408")
    await until(lambda: service._routes.in_hand == 0)
    writer.close()
    await writer.wait_closed()


async def test_with_a_token_strangers_are_refused(client: aiohttp.ClientSession) -> None:
    """Who shows it is answered; the others learn what is missing."""
    guarded = DEFAULTS.model_copy(update={"http": HttpSettings(port=0, token=TOKEN)})
    async with serving(guarded) as service:
        known = await post(client, service, picture(), headers={"Authorization": f"Bearer {TOKEN}"})
        async with client.post(f"{service.http_url}/v1/inspect", data=picture()) as answer:
            assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, 'Bearer realm="stripsight"')
        wrong, problem = await refused(client, service, picture(), headers={"Authorization": "Bearer no"})
        async with client.get(f"{service.http_url}/openapi.json") as answer:
            operation = (await answer.json())["paths"]["/v1/inspect"]["post"]

    assert known[0] == 200
    assert (wrong, problem.title) == (401, "Unauthorized")
    assert TOKEN not in problem.detail
    assert operation["security"] == [{"bearer": []}]


async def test_health_and_metrics_are_the_daemons(service: Service, client: aiohttp.ClientSession) -> None:
    """It is ready, tells its model, and counts frames, defects and stages under the daemon's names."""
    await post(client, service, form(picture(40), picture()[:60]))

    async with client.get(f"{service.http_url}/readyz") as answer:
        checks = (await answer.json())["checks"]
    async with client.get(f"{service.http_url}/model") as answer:
        assert (await answer.json())["name"] == "fake"
    metrics = await get(f"{service.http_url}/metrics")
    assert answer.status == 200
    assert checks.keys() == {"inference", "model", "stopping"}
    assert total(metrics, "stripsight_frames_total", camera="http", outcome="inspected") == 1
    assert total(metrics, "stripsight_frames_total", camera="http", outcome="failed") == 1
    assert total(metrics, "stripsight_defects_total") == 2
    assert total(metrics, "stripsight_ready") == 1


async def test_a_stop_answers_what_is_in_hand_and_takes_no_more(
    client: aiohttp.ClientSession, until: Until
) -> None:
    """Whoever waits is answered; who comes meanwhile is told to go elsewhere, and readiness says so."""
    runtime = HeldRuntime()
    service, stop = Service(DEFAULTS, load=lambda _: runtime), asyncio.Event()
    running = asyncio.create_task(service.run(stop))
    await service.ready.wait()
    waiting = asyncio.create_task(post(client, service, picture()))
    await until(lambda: runtime.batches)

    stop.set()
    await until(lambda: not service.health.readiness().ok)
    late, problem = await refused(client, service, picture())
    runtime.is_let.set()

    assert (late, problem.detail) == (503, "the service is stopping")
    assert (await waiting)[0] == 200
    await running


async def test_what_cannot_be_answered_in_time_is_told(client: aiohttp.ClientSession, until: Until) -> None:
    """A model that does not come to an end does not hold up the stop for longer than the settings say."""
    runtime = HeldRuntime()
    hurried = DEFAULTS.pipeline.model_copy(update={"drain_timeout_s": 0.1})
    service = Service(DEFAULTS.model_copy(update={"pipeline": hurried}), load=lambda _: runtime)
    stop = asyncio.Event()
    running = asyncio.create_task(service.run(stop))
    await service.ready.wait()
    waiting = asyncio.create_task(refused(client, service, picture()))
    await until(lambda: runtime.batches)

    stop.set()

    with pytest.raises(DrainTimeoutError, match="1 images were not answered"):
        await running
    assert (await waiting)[0] == 503
    runtime.is_let.set()


async def test_a_broken_model_ends_the_service_and_nobody_waits_on(client: aiohttp.ClientSession) -> None:
    """What is in hand is answered with 503, and whoever restarts the service sees it end."""
    runtime = HeldRuntime()
    runtime.is_broken = True
    service = Service(DEFAULTS, load=lambda _: runtime)
    running = asyncio.create_task(service.run(asyncio.Event()))
    await service.ready.wait()

    status, problem = await refused(client, service, picture())

    assert (status, problem.type) == (503, "urn:stripsight:problem:not_ready")
    with pytest.raises(BrokenModelError, match="the device is gone"):
        await running


async def test_before_the_model_is_there_images_are_refused(
    client: aiohttp.ClientSession, until: Until
) -> None:
    """Health answers from the start, images when the model is warm."""
    is_let = threading.Event()

    def load(_: ModelSettings) -> FakeRuntime:
        assert is_let.wait(30)
        return FakeRuntime()

    service, stop = Service(DEFAULTS, load=load), asyncio.Event()
    running = asyncio.create_task(service.run(stop))
    await until(lambda: service.http_url)
    status, problem = await refused(client, service, picture())
    is_let.set()
    await service.ready.wait()
    stop.set()
    await running

    assert (status, problem.detail) == (503, "the model is still being loaded")


@pytest.mark.parametrize("content_type", ["image/jpeg", "multipart/form-data; boundary=x"])
async def test_a_body_that_is_not_packed_as_it_says_is_a_problem(
    service: Service, client: aiohttp.ClientSession, content_type: str
) -> None:
    """It is the client's, told as such, and nothing of the service has failed."""
    headers = {"Content-Type": content_type, "Content-Encoding": "gzip"}
    async with client.post(f"{service.http_url}/v1/inspect", data=b"no gzip", headers=headers) as answer:
        assert answer.status in (400, 422)
        assert answer.content_type == "application/problem+json"
