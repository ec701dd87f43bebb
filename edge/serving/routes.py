"""``POST /v1/inspect``: images in, the daemon's records out. ``GET /openapi.json`` describes it."""

import asyncio
from collections.abc import Awaitable
from http import HTTPStatus
from typing import Protocol

import msgspec
from aiohttp import web
from pydantic import SecretStr

from edge.contracts.frame import RawFrame
from edge.errors import OverloadedError, RequestError, SlowRequestError, StrangerError
from edge.serving.answer import (
    PROBLEM_CONTENT_TYPE,
    InspectedFrame,
    InspectedFrames,
    Problem,
    problem,
    problem_of,
)
from edge.serving.bodies import Images, read_images
from edge.serving.openapi import describe
from edge.settings import ServeSettings
from edge.telemetry.bearer import CHALLENGE, why_stranger
from edge.telemetry.http import Page

INSPECT, OPENAPI = "/v1/inspect", "/openapi.json"

# The largest request there may be, 256 MiB, takes 20 s at 100 Mbit/s.
_BODY_TIMEOUT_S = 30.0

# A batch takes a second on a CPU.
_RETRY_AFTER = {"Retry-After": "1"}


class Inspects(Protocol):
    """Whoever has the model."""

    def require_ready(self) -> None:
        """Raise NotReadyError unless frames would be inspected now."""

    async def inspect(self, raw: RawFrame) -> InspectedFrame:
        """Return what is found on a frame."""


class InspectRoutes:
    """Handlers of the service's own pages.

    ``most_images`` bounds how many are in hand at a time, of all requests together: read, and not yet
    answered. With a ``token``, whoever wants anything inspected has to show it.
    """

    def __init__(
        self, service: Inspects, limits: ServeSettings, *, most_images: int, token: SecretStr | None
    ) -> None:
        self._service = service
        self._limits = limits
        self._most_images = max(most_images, limits.max_images)
        self._token = token
        self.in_hand = 0

    def pages(self) -> list[Page]:
        """What the HTTP server is to serve beside its own."""
        return [
            Page("POST", INSPECT, self.inspect, "an image, or a form of several, to be inspected"),
            Page("GET", OPENAPI, self.openapi, "the description of that"),
        ]

    async def openapi(self, _: web.Request) -> web.Response:
        """Describe the service."""
        return web.json_response(describe(self._limits, needs_token=self._token is not None))

    async def inspect(self, request: web.Request) -> web.Response:
        """Answer with the records of one image, with those of several in a list, or with the problem.

        Of several images some may fail; where all do, there is nothing but the problem.
        """
        places = _Places(self)
        try:
            self._admit(request)
            images = await _in_time(read_images(request, self._limits, places.take))
            results = await asyncio.gather(*(self._service.inspect(frame) for frame in images.frames))
        except RequestError as error:
            return _refusal(error)
        finally:
            places.give_back()
        if (wrong := problem_of(results)) is not None:
            return _problem(wrong)
        return _json(InspectedFrames(results) if images.is_form else results[0])

    def take_place(self) -> None:
        """Count an image in.

        Raises:
            OverloadedError: there are as many as may be.
        """
        if self.in_hand >= self._most_images:
            raise OverloadedError(f"{self.in_hand} images wait already (pipeline.queue_frames)")
        self.in_hand += 1

    def _admit(self, request: web.Request) -> None:
        self._service.require_ready()
        why = None if self._token is None else why_stranger(request, self._token)
        if why is not None:
            raise StrangerError(why)


class _Places:
    """The places that the images of one request take."""

    def __init__(self, routes: InspectRoutes) -> None:
        self._routes = routes
        self._taken = 0

    def take(self) -> None:
        self._routes.take_place()
        self._taken += 1

    def give_back(self) -> None:
        self._routes.in_hand -= self._taken


async def _in_time(reading: Awaitable[Images]) -> Images:
    """A client that stalls must not keep its places for ever.

    Raises:
        SlowRequestError: it does.
    """
    try:
        async with asyncio.timeout(_BODY_TIMEOUT_S):
            return await reading
    except TimeoutError:
        raise SlowRequestError(f"the body was not there within {_BODY_TIMEOUT_S:g} s") from None


def _json(body: msgspec.Struct) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), content_type="application/json")


def _problem(body: Problem, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(body),
        status=body.status,
        content_type=PROBLEM_CONTENT_TYPE,
        headers=headers,
    )


def _refusal(error: RequestError) -> web.Response:
    body = problem(error.reason, str(error))
    headers = CHALLENGE if body.status == HTTPStatus.UNAUTHORIZED else None
    return _problem(body, _RETRY_AFTER if error.retriable else headers)
