"""The dashboards as JSON files: the same bytes each time, so that a change shows as a difference."""

from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana import kafka, line_overview, strip_quality, throughput

FOLDER = Path(__file__).parent / "dashboards"


def documents() -> dict[str, Dashboard]:
    """Return every dashboard by file name."""
    return {
        "line-overview.json": line_overview.dashboard(),
        "throughput-and-latency.json": throughput.dashboard(),
        "strip-quality.json": strip_quality.dashboard(),
        "kafka.json": kafka.dashboard(),
    }


def as_text(dashboard: Dashboard) -> str:
    """Return a dashboard as it stands in its file."""
    return JSONEncoder(sort_keys=True, indent=2, ensure_ascii=False).encode(dashboard) + "\n"


def write(folder: Path = FOLDER) -> None:
    """Write all dashboards."""
    folder.mkdir(exist_ok=True)
    for name, dashboard in documents().items():
        (folder / name).write_text(as_text(dashboard), encoding="utf-8")
