"""What ``stripsight inspect`` shows: progress, a table or JSON lines, pictures, and the sum."""

import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from consumers.output import writing_into
from consumers.palette import style_of_class
from consumers.pictures import counted, draw, encode_jpeg, scene_of_detections
from edge.cli.inspection import FailedFile, InspectedFile, json_line
from edge.vision import Runtime

# A table that goes to a file has room for long paths.
_FILE_WIDTH = 200


class Report:
    """Takes the files as they come; ``failed`` counts those that could not be inspected.

    Standard output carries the result alone, the table or the JSON lines; all else goes to standard error.

    Making it and adding to it raise OutputError where pictures cannot be written.
    """

    def __init__(self, runtime: Runtime, *, as_json: bool, pictures: Path | None) -> None:
        self.failed = 0
        self._inspected = 0
        self._runtime = runtime
        self._as_json = as_json
        self._pictures = pictures
        if pictures is not None:
            with writing_into(pictures):
                pictures.mkdir(parents=True, exist_ok=True)
        self._picture_names: set[str] = set()
        self._defects: Counter[int] = Counter()
        self._table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        self._table.add_column("file", overflow="fold")
        self._table.add_column("size px", justify="right", no_wrap=True)
        self._table.add_column("defects", justify="right")
        self._table.add_column("classes, best score of each")
        self._errors = Console(stderr=True)
        self._progress = _progress_bar(self._errors)
        self._task: TaskID | None = None
        self._started_at = time.monotonic()

    @contextmanager
    def progress(self, files: int) -> Iterator[None]:
        """Show a progress bar, if there is somebody to see it."""
        self._task = self._progress.add_task("inspecting", total=files)
        self._started_at = time.monotonic()
        with self._progress:
            yield

    def add(self, file: InspectedFile | FailedFile) -> None:
        """Show what came of a file."""
        if self._as_json:
            sys.stdout.buffer.write(json_line(file, self._runtime) + b"\n")
            sys.stdout.buffer.flush()
        if isinstance(file, FailedFile):
            self.failed += 1
            self._errors.print(
                Text.assemble(("failed ", "bold red"), f"{file.path}: {file.error}"), soft_wrap=True
            )
        else:
            self._add_inspected(file)
        if self._task is not None:
            self._progress.advance(self._task)

    def finish(self) -> None:
        """Print the table and the sum."""
        seconds = time.monotonic() - self._started_at
        if not self._as_json and self._inspected:
            Console(width=None if sys.stdout.isatty() else _FILE_WIDTH).print(self._table)
        self._errors.print(self._sum(seconds), soft_wrap=True)

    def _add_inspected(self, file: InspectedFile) -> None:
        self._inspected += 1
        found = file.detections
        self._defects.update(found.classes.tolist())
        height, width = file.image.shape[:2]
        self._table.add_row(str(file.path), f"{width} × {height}", f"{len(found)}", self._classes_of(file))
        if self._pictures is not None:
            self._write_picture(file, self._pictures)

    def _classes_of(self, file: InspectedFile) -> Text:
        """Tell of each class the best score, and how many more defects there are of it."""
        classes, scores = file.detections.classes.tolist(), file.detections.scores.tolist()
        counts, best = Counter(classes), dict(zip(reversed(classes), reversed(scores), strict=True))
        parts = []
        for class_id, score in sorted(best.items(), key=lambda item: -item[1]):
            name = f"● {self._runtime.class_names[class_id]}"
            more = f" +{counts[class_id] - 1}" if counts[class_id] > 1 else ""
            parts.append(Text.assemble((name, style_of_class(class_id)), f" {score:.2f}", (more, "dim")))
        return Text("  ").join(parts)

    def _write_picture(self, file: InspectedFile, folder: Path) -> None:
        model = f"{self._runtime.model_name} {self._runtime.model_version}"
        scene = scene_of_detections(
            file.detections, self._runtime.class_names, title=file.path.name, remarks=(model,)
        )
        picture = encode_jpeg(draw(file.image, scene))
        with writing_into(folder):
            (folder / self._picture_name(file.path)).write_bytes(picture)

    def _picture_name(self, path: Path) -> str:
        """Name a picture after its image, and apart from it: it may lie in the same folder."""
        name, number = f"{path.stem}.annotated.jpg", 1
        while name in self._picture_names:
            number += 1
            name = f"{path.stem}-{number}.annotated.jpg"
        self._picture_names.add(name)
        return name

    def _sum(self, seconds: float) -> Text:
        names = self._runtime.class_names
        text = Text.assemble((f"{self._inspected:,}", "bold"), " inspected")
        if self.failed:
            text.append(f", {self.failed:,} failed", style="bold red")
        text.append(f", {counted(self._defects.total(), 'defect')}")
        if self._defects:
            counts = ", ".join(
                f"{names[class_id]} {count}" for class_id, count in sorted(self._defects.items())
            )
            text.append(f" ({counts})")
        if self._inspected:
            text.append(f"; {seconds / self._inspected * 1000:.0f} ms an image", style="dim")
        return text


def _progress_bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
