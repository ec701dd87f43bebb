"""``make bench``: contestants in turn within one run, as a table, as JSON, and as ratios that may not fall.

``make bench ARGS="--only decode,pipeline --repetitions 5"``; ``ARGS=--check`` fails when a ratio fell behind
``tests/bench/baseline.json``. Frames/s depend on the machine, ratios much less.
"""

import argparse
import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

import structlog
from rich.console import Console

from tests.bench.check import read_baseline, regressions, write_baseline
from tests.bench.machine import machine, versions
from tests.bench.registry import SUBJECTS, subject, why_not

REGRESSED = 1  # exit code
LOG_COLUMNS = 160


def main() -> int:
    """Measure, print the tables, write the figures, and compare if asked to."""
    arguments = _arguments()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    # Into a file or a log no figure is cut off.
    console, began_on = Console(width=None if sys.stdout.isatty() else LOG_COLUMNS), machine()
    results = _measure(arguments.only, arguments.repetitions, console)
    report = {
        "machine": began_on | {"load_at_end": os.getloadavg()[0]},
        "versions": versions(),
        "repetitions": arguments.repetitions,
        "subjects": results,
    }
    arguments.json.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    if arguments.write_baseline:
        write_baseline(results)
    if not arguments.check:
        return 0
    behind = list(regressions(results, read_baseline()))
    for sentence in behind:
        console.print(f"[red]regressed[/red] {sentence}", highlight=False)
    return REGRESSED if behind else 0


def _measure(names: list[str], repetitions: int, console: Console) -> dict[str, Any]:
    results = {}
    for name in names:
        module = subject(name)
        if reason := why_not(module):
            console.print(f"{name}: not measured, {reason}", highlight=False)
            continue
        results[name] = module.measure(repetitions)
        console.print(module.table_of(results[name]))
    return results


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument(
        "--only", type=_subjects, default=list(SUBJECTS), help=f"some of {', '.join(SUBJECTS)}"
    )
    parser.add_argument("--repetitions", type=int, default=3, help="turns of each contestant")
    parser.add_argument("--json", type=Path, default=Path("bench.json"), help="where the figures go")
    parser.add_argument("--check", action="store_true", help="fail when a ratio fell behind the baseline")
    parser.add_argument("--write-baseline", action="store_true", help="store this run's ratios")
    return parser.parse_args()


def _subjects(text: str) -> list[str]:
    names = text.split(",")
    if unknown := sorted(set(names) - set(SUBJECTS)):
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: not one of {', '.join(SUBJECTS)}")
    return names


if __name__ == "__main__":
    sys.exit(main())
