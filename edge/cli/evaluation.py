"""What ``stripsight evaluate`` and ``submit`` do between their options and what they show or write."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from edge.training.dataset import LabelledFrame
from edge.training.evaluation.classes import ClassOrder
from edge.training.evaluation.detect import LOWEST_SCORE, detect_all, read_grey
from edge.training.evaluation.judge import Origin, Tuning, evaluate_detections
from edge.training.evaluation.labelled import LabelledSet
from edge.training.evaluation.record import Evaluation
from edge.training.evaluation.stored import pool
from edge.training.evaluation.submission import Row, rows_of
from edge.training.samples import Sample
from edge.vision.detections import Detections
from edge.vision.model_folder import ModelFolder, learned_frame_px, read_model_folder
from edge.vision.runtime import Runtime, load_runtime
from edge.vision.screen.loading import screened
from edge.vision.tiling.runtime import Tiling, tiled


@dataclass(frozen=True, slots=True)
class Request:
    """What to judge on; without tuning the model's own thresholds count."""

    frames: LabelledSet
    tuning: Tuning | None
    pitch_y_mm: float


@dataclass(frozen=True, slots=True)
class Engine:
    """A model folder and how it runs."""

    folder: Path
    runtime: str
    device: str
    precision: str
    threads: int | None
    screen: Path | None = None

    def load(self, *, score_threshold: float | None = None) -> Runtime:
        """Load the model; without ``score_threshold`` its own thresholds count."""
        with Console(stderr=True).status("loading the model ..."):
            runtime = load_runtime(
                self.runtime,
                self.folder,
                device=self.device,
                precision=self.precision,
                threads=self.threads,
                score_threshold=score_threshold,
            )
            runtime.warmup()
            runtime = screened(runtime, self.screen, device=self.device)
        return tiled(runtime, Tiling(), learned_frame_px(self.folder))


@dataclass(frozen=True, slots=True)
class Result:
    """An evaluation, what it was made from, and the model that it is about."""

    evaluation: Evaluation
    frames: Sequence[Sample | LabelledFrame]
    found: list[Detections]
    model: ModelFolder | None

    def store_thresholds(self) -> None:
        """Write the evaluation's thresholds into the model's ``model.json``.

        Raises:
            ModelFileError: the ``model.json`` that is there is none.
        """
        if self.model is None:
            return
        from edge.training.model_writer import store_thresholds

        order = ClassOrder(self.model.class_names, self.evaluation.class_names)
        thresholds = order.to_model([figures.threshold for figures in self.evaluation.classes])
        store_thresholds(self.model.config_file.parent, self.model.class_names, thresholds)


def judge_model(engine: Engine, request: Request) -> Result:
    """Run the model on every frame."""
    folder = read_model_folder(engine.folder)
    order = ClassOrder(folder.class_names, request.frames.class_names)
    found, rate = inspected(engine.load(score_threshold=LOWEST_SCORE), request.frames.frames)
    origin = Origin(
        model_name=folder.name,
        model_version=folder.version,
        data=request.frames.name,
        thresholds=f"model {folder.name}",
        lowest_score=LOWEST_SCORE,
        frames_per_second=rate,
    )
    return _judged(request, request.frames, [order.detections(d) for d in found], folder, origin)


def judge_files(files: Sequence[Path], model: Path | None, request: Request) -> Result:
    """Take stored detections; the model, if there is one, has the thresholds."""
    folder = read_model_folder(model) if model else None
    pooled = pool(files, request.frames)
    origin = Origin(
        model_name=", ".join(pooled.models),
        data=request.frames.name,
        thresholds=f"model {folder.name}" if folder else "",
    )
    return _judged(request, pooled.frames, pooled.found, folder, origin, pooled.folds)


def inspected(runtime: Runtime, frames: Sequence[Sample | LabelledFrame]) -> tuple[list[Detections], float]:
    """Detections on each frame, with a progress bar, and frames per second."""
    with _progress() as bar:
        task = bar.add_task("inspecting", total=len(frames))
        return detect_all(runtime, frames, lambda: bar.advance(task))


def submission_rows(engine: Engine, images: Sequence[Path]) -> Iterator[Row]:
    """Inspect images one by one, at the model's own thresholds.

    Raises:
        CorruptImageError: one cannot be read.
    """
    thresholds = read_model_folder(engine.folder).score_thresholds
    runtime = engine.load()
    with _progress() as bar:
        for path in bar.track(images):
            image = read_grey(path)
            (found,) = runtime.infer([image])
            yield from rows_of(path.name, found, thresholds, (image.shape[0], image.shape[1]))


def _progress() -> Progress:
    columns = (TextColumn("inspecting"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))


def _judged(
    request: Request,
    frames: LabelledSet,
    found: list[Detections],
    model: ModelFolder | None,
    origin: Origin,
    folds: Sequence[str] | None = None,
) -> Result:
    thresholds = None
    if request.tuning is None and model is not None:
        thresholds = ClassOrder(model.class_names, frames.class_names).to_data(model.score_thresholds)
    evaluation = evaluate_detections(
        frames.frames,
        found,
        frames.class_names,
        thresholds=thresholds,
        tuning=request.tuning,
        has_masks=frames.has_masks,
        pitch_y_mm=request.pitch_y_mm,
        origin=origin,
        folds=folds,
    )
    return Result(evaluation, frames.frames, found, model)
