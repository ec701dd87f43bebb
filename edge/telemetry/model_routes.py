"""The model over HTTP: ``GET /model`` tells which one serves, ``POST /model`` exchanges it."""

from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Protocol

import msgspec
from aiohttp import web
from pydantic import SecretStr

from edge.contracts.results import ModelReference
from edge.errors import ExchangeBusyError, ModelRefusedError
from edge.telemetry.bearer import CHALLENGE, why_stranger


class Exchanged(msgspec.Struct, frozen=True, kw_only=True):
    """An exchange that was made: the model that serves now, and the one before."""

    name: str
    version: str
    seconds: float
    before: ModelReference


class Wanted(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``POST /model``; without a path it is the folder of the model that serves."""

    path: Annotated[str, msgspec.Meta(min_length=1)] | None = None


class ModelControl(Protocol):
    """Whoever holds the model."""

    def describe(self) -> Mapping[str, object] | None:
        """Tell which model serves; None while the first one is being loaded."""

    async def exchange(self, path: Path | None = None) -> Exchanged:
        """Let the model of this folder take over.

        Raises:
            ExchangeBusyError: not now.
            ModelRefusedError: not this one.
        """


class ModelRoutes:
    """Handlers of ``/model``. Whoever changes anything has to show the token; without one nobody can."""

    def __init__(self, model: ModelControl, token: SecretStr | None) -> None:
        self._model = model
        self._token = token

    async def get(self, _: web.Request) -> web.Response:
        """Tell which model serves."""
        description = self._model.describe()
        if description is None:
            return refusal(HTTPStatus.SERVICE_UNAVAILABLE, "the first model is still being loaded")
        return web.json_response(description, headers={"Cache-Control": "no-store"})

    async def post(self, request: web.Request) -> web.Response:
        """Exchange it; the answer comes when the new model has taken over, or was refused."""
        if (refused := self._refuse_stranger(request)) is not None:
            return refused
        body = await request.read()
        if body and request.content_type != "application/json":
            return refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the body must be application/json, or empty")
        try:
            wanted = msgspec.json.decode(body, type=Wanted) if body else Wanted()
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return refusal(HTTPStatus.BAD_REQUEST, f'the body is not {{"path": "..."}}: {error}')
        return await self._exchange(Path(wanted.path) if wanted.path else None)

    async def _exchange(self, path: Path | None) -> web.Response:
        try:
            exchanged = await self._model.exchange(path)
        except ExchangeBusyError as error:
            return refusal(HTTPStatus.CONFLICT, str(error))
        except ModelRefusedError as error:
            return refusal(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))
        return web.json_response(msgspec.to_builtins(exchanged))

    def _refuse_stranger(self, request: web.Request) -> web.Response | None:
        if self._token is None:
            return refusal(
                HTTPStatus.FORBIDDEN, "http.token is not set: without one nothing can be changed over HTTP"
            )
        why = why_stranger(request, self._token)
        return None if why is None else refusal(HTTPStatus.UNAUTHORIZED, why, CHALLENGE)


def refusal(status: HTTPStatus, error: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """Answer that it was not done, and why."""
    return web.json_response({"error": error}, status=status, headers=headers)
