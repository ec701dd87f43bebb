"""The regression check: ratios of this run against those that were stored, never times."""

import json
import statistics
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

BASELINE = Path(__file__).with_name("baseline.json")

# By how much a median may fall behind before it counts, where the baseline says nothing else. Ratios of two
# measurements on a machine at other work vary by 5 to 10 %.
TOLERANCE = 0.15

Results = Mapping[str, Mapping[str, Any]]


def regressions(results: Results, baseline: Results) -> Iterator[str]:
    """Yield a sentence for each stored ratio that this run falls behind, or did not take.

    Args:
        results: by subject, what was measured; ``ratios`` are lists, the larger the better.
        baseline: by subject and name, ``ratio`` and ``tolerance``. Subjects that did not run are passed over.
    """
    for subject, stored in baseline.items():
        if subject not in results:
            continue
        taken = _ratios(results[subject])
        for name, expected in stored.items():
            if name not in taken:
                yield f"{subject}: {name}: was not measured"
                continue
            ratio, least = statistics.median(taken[name]), _least(expected)
            if ratio < least:
                yield (
                    f"{subject}: {name}: {ratio:.3f} is below {least:.3f}, "
                    f"which is {expected['ratio']:.3f} less {expected['tolerance']:.0%}"
                )


def read_baseline(path: Path = BASELINE) -> dict[str, dict[str, Any]]:
    """Return the stored ratios."""
    stored: dict[str, dict[str, Any]] = json.loads(path.read_text())
    return stored


def write_baseline(results: Results, path: Path = BASELINE) -> None:
    """Store the ratios of the subjects that ran; tolerances that are there stay, and so do other subjects."""
    stored = read_baseline(path) if path.exists() else {}
    for subject, result in results.items():
        before = stored.get(subject, {})
        stored[subject] = {
            name: {
                "ratio": round(statistics.median(ratios), 3),
                "tolerance": before.get(name, {}).get("tolerance", TOLERANCE),
            }
            for name, ratios in _ratios(result).items()
        }
    path.write_text(json.dumps(stored, indent=2, ensure_ascii=False) + "\n")


def _ratios(result: Mapping[str, Any]) -> dict[str, list[float]]:
    """A subject with a single ratio may call it so."""
    named: dict[str, list[float]] = result.get("ratios", {})
    return named | ({"ratio": result["ratio"]} if "ratio" in result else {})


def _least(expected: Mapping[str, float]) -> float:
    return expected["ratio"] * (1 - expected["tolerance"])
