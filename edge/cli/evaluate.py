"""``stripsight evaluate``: how good a model is on labelled frames."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from edge.cli.model_options import Device, Precision, Runtime, RuntimeName, Threads
from edge.errors import SettingsError


class TuningTarget(StrEnum):
    """What thresholds can be tuned for."""

    dice = "dice"
    f1 = "f1"
    false_alarms = "false-alarms"


def evaluate(
    data: Annotated[
        Path | None,
        typer.Option(help="Labelled frames: a folder of Severstal's format, or COCO json.", exists=True),
    ] = None,
    synthetic: Annotated[
        int | None, typer.Option(help="Instead of --data: frames of strip to draw.", metavar="N", min=1)
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the synthetic strip.", min=0)] = 42,
    balanced: Annotated[
        bool, typer.Option("--balanced", help="Synthetic strip that makes no class rare.")
    ] = False,
    split: Annotated[
        Path | None, typer.Option(help="File of `data split`; with --fold.", exists=True, dir_okay=False)
    ] = None,
    fold: Annotated[
        int | None, typer.Option(help="Judge the frames of this fold of the split alone.", min=0)
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(help="Folder with Detectron2's config.yaml and weights.", exists=True, file_okay=False),
    ] = None,
    detections: Annotated[
        list[Path] | None,
        typer.Option(
            help="Instead of running the model: a detections.json; several, of several folds, are pooled.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    tune: Annotated[
        TuningTarget | None,
        typer.Option(help="Tune the thresholds on these frames, instead of taking the model's."),
    ] = None,
    most_false_alarms: Annotated[
        float, typer.Option(help="With --tune false-alarms: allowed for each clean frame.", min=0.0)
    ] = 0.3,
    store: Annotated[
        bool, typer.Option("--store", help="With --tune: write the thresholds into the model's model.json.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for evaluation.json and detections.json.", metavar="DIR", file_okay=False),
    ] = None,
    screen: Annotated[
        Path | None,
        typer.Option(
            help="Folder of a screen; the model then sees what it lets through.",
            metavar="DIR",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    pitch_y_mm: Annotated[
        float | None,
        typer.Option(help="mm of strip a pixel row; default: 0.2, as replayed cameras assume.", min=1e-3),
    ] = None,
    runtime: Runtime = RuntimeName.native,
    device: Device = "auto",
    precision: Precision = "float32",
    threads: Threads = None,
) -> None:
    """Judge a model on labelled frames: Kaggle's Dice, COCO's AP, defects missed and false alarms.

    Without --tune the thresholds are those of the model folder. Thresholds that are tuned on the very frames
    they are judged on flatter a model; the line "cross-tuned" says by how much.
    """
    _refuse(
        {
            "--data or --synthetic is needed, and not both": (data is None) == (synthetic is None),
            "--split and --fold belong together, and to --data": (split is None) != (fold is None)
            or (split is not None and data is None),
            "--model is needed, or --detections that one has left": model is None and not detections,
            "--detections have no thresholds: name the --model, or --tune them": model is None
            and tune is None,
            "--screen is for a --model that runs, not for --detections": screen is not None
            and bool(detections),
            "--store needs thresholds to store (--tune), and a --model to store them in": store
            and (model is None or tune is None),
        }
    )
    from consumers.output import writing_into
    from edge.cli.evaluation import Engine, Request, judge_files, judge_model
    from edge.cli.evaluation_tables import show
    from edge.training.evaluation.judge import ASSUMED_PITCH_Y_MM, Tuning
    from edge.training.evaluation.labelled import drawn, from_files
    from edge.training.evaluation.stored import write

    request = Request(
        frames=from_files(data, split, fold) if data else drawn(synthetic or 0, seed=seed, balanced=balanced),
        tuning=Tuning(tune.value, most_false_alarms) if tune else None,
        pitch_y_mm=pitch_y_mm or ASSUMED_PITCH_Y_MM,
    )
    if out is not None:
        with writing_into(out):  # before the model runs for an hour
            out.mkdir(parents=True, exist_ok=True)
    if detections:
        result = judge_files(detections, model, request)
    else:
        result = judge_model(Engine(model or Path(), runtime, device, precision, threads, screen), request)
    # Tables come last: whoever pipes them into `head` gets the files all the same.
    if out is not None:
        with writing_into(out):
            write(out, result.evaluation, result.frames, result.found)
    if store:
        result.store_thresholds()
    show(result.evaluation)


def _refuse(contradictions: dict[str, bool]) -> None:
    """Raise the first of these messages that is true."""
    for message, true in contradictions.items():
        if true:
            raise SettingsError(message)
