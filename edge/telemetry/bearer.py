"""Bearer tokens (RFC 6750): whether a request shows the one that is asked for."""

import hmac

import structlog
from aiohttp import web
from pydantic import SecretStr

log = structlog.get_logger(__name__)

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="stripsight"'}
"""Headers of an answer that refuses a stranger."""


def why_stranger(request: web.Request, token: SecretStr) -> str | None:
    """Return why a request is a stranger's; None if it shows the token."""
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return "a bearer token is needed: that of http.token"
    shown = given.strip().encode(errors="surrogateescape")
    if not hmac.compare_digest(shown, token.get_secret_value().encode()):
        log.warning("wrong token", path=request.path, remote=request.remote)
        return "the bearer token is not that of http.token"
    return None
