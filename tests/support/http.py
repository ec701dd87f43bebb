"""The daemon's port, asked as Prometheus and operators ask it."""

import asyncio
import json
import urllib.error
import urllib.request
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

DEADLINE_S = 60.0  # on a busy machine


async def get(url: str) -> str:
    """Fetch a page, as Prometheus does."""

    def fetch() -> str:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - the daemon's own address
            return str(answer.read().decode())

    return await asyncio.to_thread(fetch)


def total(metrics: str, name: str, **labels: str) -> float:
    """The sum of a metric's samples that carry these labels."""
    return sum(
        sample.value
        for family in text_string_to_metric_families(metrics)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


async def ask(
    url: str, method: str = "GET", *, token: str | None = None, body: object = None
) -> tuple[int, Any]:
    """Ask the daemon's port for a page; returns status and page, from JSON where it is that."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, method=method)  # noqa: S310 - the daemon's own address
    if data is not None:
        request.add_header("Content-Type", "application/json")
    if token is not None:
        request.add_header("Authorization", f"Bearer {token}")
    return await asyncio.to_thread(_answer, request)


def _answer(request: urllib.request.Request) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(request, timeout=DEADLINE_S) as answer:  # noqa: S310 - as above
            return answer.status, _page(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, _page(error)


def _page(answer: Any) -> Any:
    text = answer.read().decode()
    return json.loads(text) if answer.headers.get_content_type() == "application/json" else text
