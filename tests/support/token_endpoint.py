"""The token endpoint of an identity provider, for the client credentials flow; its tokens are signed."""

import base64
import json
import math
import ssl
import time
from collections.abc import Callable, Mapping
from typing import Any, Self
from urllib.parse import unquote_plus

from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

_UNTOLD_LIFETIME_S = 3600

CLIENT, SECRET, AUDIENCE = "edge", "s3cret/with+signs:in it", "kafka"


class TokenSigner:
    """A key of the identity provider; by the document ``jwks`` brokers check its signatures (RFC 7517)."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        public = self._key.public_key().public_numbers()
        key = {"kty": "RSA", "kid": "test", "alg": "RS256", "use": "sig"}
        self.jwks = json.dumps({"keys": [key | {"n": _number(public.n), "e": _number(public.e)}]})

    def sign(self, claims: Mapping[str, Any]) -> str:
        """Return a JSON Web Token (RFC 7519)."""
        header = {"alg": "RS256", "kid": "test", "typ": "JWT"}
        text = ".".join(_base64(json.dumps(part).encode()) for part in (header, claims))
        signature = self._key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{text}.{_base64(signature)}"


class TokenEndpoint:
    """An HTTP server that gives tokens to the one client it knows, while in its ``async with``.

    ``url`` is where to ask, ``issued`` are its tokens so far, ``forms`` what it was asked with. ``answer``,
    where set, makes what it says instead, whoever asks. With a lifetime of None it does not tell any.
    """

    def __init__(
        self,
        signer: TokenSigner | None = None,
        *,
        lifetime_s: float | None = 3600,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.url = ""
        self.issued: list[str] = []
        self.forms: list[dict[str, str]] = []
        self.answer: Callable[[], web.Response] | None = None
        self.lifetime_s = lifetime_s
        self._signer = signer or TokenSigner()
        self._tls = tls
        app = web.Application()
        app.router.add_post("/token", self._serve)
        self._server = TestServer(app, scheme="https" if tls else "http")

    async def __aenter__(self) -> Self:
        await self._server.start_server(ssl=self._tls)
        self.url = str(self._server.make_url("/token"))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.close()

    async def _serve(self, request: web.Request) -> web.Response:
        self.forms.append({name: str(value) for name, value in (await request.post()).items()})
        if self.answer is not None:
            return self.answer()
        if self.forms[-1].get("grant_type") != "client_credentials":
            return web.json_response({"error": "unsupported_grant_type"}, status=400)
        if not _is_known(request.headers.get("Authorization", "")):
            return web.json_response({"error": "invalid_client", "error_description": "who?"}, status=401)
        return web.json_response(self._grant())

    def _grant(self) -> dict[str, Any]:
        lifetime_s = _UNTOLD_LIFETIME_S if self.lifetime_s is None else self.lifetime_s
        now, number = time.time(), len(self.issued)
        times = {"iat": int(now), "exp": math.ceil(now + lifetime_s)}
        claims = {"sub": CLIENT, "aud": AUDIENCE, "jti": str(number)} | times
        self.issued.append(self._signer.sign(claims))
        lifetime = {} if self.lifetime_s is None else {"expires_in": self.lifetime_s}
        return {"access_token": self.issued[-1], "token_type": "Bearer"} | lifetime


def _is_known(authorization: str) -> bool:
    kind, _, encoded = authorization.partition(" ")
    account = base64.b64decode(encoded).decode().split(":")
    return kind == "Basic" and [unquote_plus(part) for part in account] == [CLIENT, SECRET]


def _number(value: int) -> str:
    return _base64(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
