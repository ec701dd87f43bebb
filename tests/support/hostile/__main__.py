"""Judges hostile records in a process of their own, in which a crash of a decoder ends nothing else.

Each record is written to the black box before it is judged: what lies there after a crash or a hang is the
culprit. The report is one JSON object on standard output; nothing is said on standard error, unless a record
is judged wrong.
"""

import argparse
import asyncio
import json
import pickle
import resource
import time
from collections import Counter
from pathlib import Path
from typing import BinaryIO

from hypothesis import HealthCheck, Phase, given, seed, settings

from edge.contracts.frame import RawFrame
from edge.telemetry.logging import configure_logging
from tests.support.hostile.judge import Court, memory_bytes
from tests.support.hostile.records import records

# Each round begins with a new memory of what was tried: one for all would grow, and slow the search down.
ROUND = 1000
# Of addresses, beyond what is taken at the start: whoever asks for more, if only to leave it alone, gets
# an error.
_ROOM_BYTES = 2**30


class Session:
    """Rounds of records, judged one after the other, and what became of them."""

    def __init__(self, runner: asyncio.Runner, black_box: BinaryIO) -> None:
        self._runner = runner
        self._black_box = black_box
        self._court = Court()
        self.outcomes: Counter[str] = Counter()
        self.longest_s = 0.0
        self.largest_bytes = 0

    def hold(self, number: int) -> None:
        """Judge the round of this number; it has the same records whenever it is held."""

        @seed(number)
        @settings(
            max_examples=ROUND,
            database=None,
            deadline=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        )
        @given(records())
        def judge(raw: RawFrame) -> None:
            self._judge(raw)

        judge()

    def _judge(self, raw: RawFrame) -> None:
        self._black_box.seek(0)
        self._black_box.write(pickle.dumps(raw))
        self._black_box.truncate()
        verdict = self._runner.run(self._court.judge(raw))
        self.outcomes[verdict.outcome] += 1
        self.longest_s = max(self.longest_s, verdict.took_s)
        self.largest_bytes = max(self.largest_bytes, verdict.took_bytes)


def main() -> None:
    """Judge the rounds from ``--first`` on, ``--rounds`` in all."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.hostile")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--black-box", type=Path, required=True)
    arguments = parser.parse_args()
    configure_logging("warning", "json")
    began_at, held = time.monotonic(), 0
    with asyncio.Runner() as runner, arguments.black_box.open("wb", buffering=0) as black_box:
        session = Session(runner, black_box)
        for number in range(arguments.first, arguments.first + arguments.rounds):
            session.hold(number)
            if not held:  # by now all libraries have set themselves up
                held = memory_bytes("VmRSS")
                _limit_addresses(memory_bytes("VmSize") + _ROOM_BYTES)
    report = {
        "cases": session.outcomes.total(),
        "outcomes": dict(session.outcomes.most_common()),
        "longest_s": round(session.longest_s, 3),
        "largest_bytes": session.largest_bytes,
        "grown_bytes": memory_bytes("VmRSS") - held,
        "took_s": round(time.monotonic() - began_at, 1),
    }
    print(json.dumps(report))  # noqa: T201 - read by whoever started us


def _limit_addresses(limit_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (limit_bytes, limit_bytes))


if __name__ == "__main__":
    main()
