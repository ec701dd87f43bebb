"""Hostile frames: whatever is published, no crash, no hang, no memory jump, and an outcome with a name.

Each round of a thousand records has a number, from which it can be held again:
``python -m tests.support.hostile --first NUMBER --black-box FILE``.
"""

import asyncio
import concurrent.futures
import json
import os
import pickle
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from edge.contracts.frame import FrameOrigin, Headers, RawFrame
from tests.support.hostile.corpus import FOLDER
from tests.support.hostile.judge import Court
from tests.support.hostile.pictures import pngs

LONG = bool(os.environ.get("STRIPSIGHT_TEST_LONG"))
ROUNDS, SESSIONS = (100, 2) if LONG else (3, 1)
TIMEOUT_S = 1800 if LONG else 100
REASONS = {"inspected", "corrupt_image", "bad_size", "unsupported_content_type", "empty"}
REASONS |= {"bad_header", "unknown_camera", "unreadable_record"}
# The search's own memory varies by as much; pictures that are never freed would be GiBs.
MOST_GROWTH_BYTES = 100 * 2**20


def raw_frame(value: bytes | None, *, headers: Headers = (), **changed: Any) -> RawFrame:
    """A record of a known camera."""
    fields = {"origin": FrameOrigin("frames.cam1", 0, 0), "timestamp_ms": 0, "key": b"cam1"}
    return RawFrame(headers=headers, value=value, **(fields | changed))


@pytest.mark.parametrize(
    "path", sorted(FOLDER.glob("*/*")), ids=lambda path: f"{path.parent.name}/{path.name}"
)
def test_kept_images_have_their_outcome(path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """What once was trouble, or would be for other decoders, ends as its folder says; nothing is written."""
    assert asyncio.run(Court().judge(raw_frame(path.read_bytes()))).outcome == path.parent.name
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("changed", "outcome"),
    [
        ({"headers": (("ce_positionmm", b"1e309"),)}, "bad_header"),
        ({"headers": (("ce_pitchxmm", b"nan"),)}, "bad_header"),
        ({"headers": (("ce_offsetmm", "\u0663".encode()),)}, "bad_header"),
        ({"headers": (("ce_sequence", b"9" * 10**6),)}, "bad_header"),
        ({"headers": (("ce_coil", b"\x1b[2J"),)}, "bad_header"),
        ({"headers": (("ce_time", b"9999-12-31T23:59:59-23:59"),)}, "bad_header"),
        ({"headers": (("ce_camera", b"\xff\xfe"),)}, "bad_header"),
        ({"headers": 100_000 * (("ce_coil", b"C-1"),)}, "inspected"),
        ({"headers": (("content-type", b"image/jpeg"),)}, "inspected"),
        ({"headers": (("content-type", b"image/x-mono8"),)}, "bad_size"),
        ({"headers": (("content-type", b"text/html"),)}, "unsupported_content_type"),
        ({"headers": (("ce_sequence", b"9223372036854775807"), ("ce_pitchymm", b"1000"))}, "inspected"),
        ({"key": bytes(range(256))}, "inspected"),
        ({"key": None, "origin": FrameOrigin("frames." + 240 * "x", 2**31 - 1, 2**63 - 1)}, "unknown_camera"),
        ({"timestamp_ms": -(2**63)}, "inspected"),
        ({"timestamp_ms": 2**63 - 1}, "inspected"),
        ({"error": "Invalid CRC \ud800"}, "unreadable_record"),
        ({"error": 10**6 * "x"}, "unreadable_record"),
    ],
    ids=lambda value: str(value)[:70],
)
async def test_kept_records_have_their_outcome(changed: dict[str, Any], outcome: str) -> None:
    """A whole image, and something else in its record that is hostile."""
    assert (await Court().judge(raw_frame(pngs()[0], **changed))).outcome == outcome


@pytest.mark.timeout(TIMEOUT_S + 20)
def test_whatever_is_published_has_an_outcome_with_a_name(tmp_path: Path) -> None:
    """Thousands of records, a hundred thousand in the long form, each judged; all outcomes are met."""
    share = -(-ROUNDS // SESSIONS)
    with concurrent.futures.ThreadPoolExecutor(SESSIONS) as threads:
        reports = list(
            threads.map(lambda n: hold(share, n * share, tmp_path / f"black-box-{n}"), range(SESSIONS))
        )
    print(*reports, sep="\n")  # noqa: T201 - shown by `pytest -s`, and when what follows fails
    outcomes: Counter[str] = sum((Counter(report["outcomes"]) for report in reports), Counter())
    assert set(outcomes) == REASONS
    assert outcomes.total() >= ROUNDS * 1000
    assert max(report["grown_bytes"] for report in reports) < MOST_GROWTH_BYTES


def hold(rounds: int, first: int, black_box: Path) -> dict[str, Any]:
    """Hold rounds in a process of their own; a crash or a hang there is a failure that names the record."""
    command = [sys.executable, "-m", "tests.support.hostile", "--black-box", str(black_box)]
    command += ["--rounds", str(rounds), "--first", str(first)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        pytest.fail(f"no end within {TIMEOUT_S} s, the last: {last_record(black_box)}")
    if done.returncode < 0:
        pytest.fail(f"{signal.Signals(-done.returncode).name} at {last_record(black_box)}\n{done.stderr}")
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "something was written past the log"
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def last_record(black_box: Path) -> str:
    """The record that was being judged, to be kept in the corpus."""
    raw = pickle.loads(black_box.read_bytes())  # noqa: S301 - we wrote it
    return f"{raw!r:.3000} (pickled in {black_box})"
