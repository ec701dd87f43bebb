"""``stripsight train``: from labelled frames and Detectron2's config to a model folder."""

from pathlib import Path
from typing import Annotated

import typer

from edge.training.engine.choices import Augmentation, Engine, Optimizer, Precision, Stage

_SIGNALLED = 128  # exit codes of a process that a signal has ended begin here


def train(
    data: Annotated[
        list[str],
        typer.Option(
            help="Labelled frames to learn from, and their share of the draws.", metavar="DIR[=SHARE]"
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            help="Folder of the run; goes on with a run that is in it.", metavar="DIR", file_okay=False
        ),
    ],
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", "-c", help="Detectron2's config.yaml.", metavar="YAML", exists=True, dir_okay=False
        ),
    ] = None,
    stage: Annotated[
        Stage,
        typer.Option(help="What to train; a screen needs no config, and calibrates on held-out frames."),
    ] = Stage.MODEL,
    miss_rate: Annotated[
        float,
        typer.Option(help="Of a screen: share of frames with defects that it may miss.", min=1e-4, max=0.5),
    ] = 0.01,
    validation: Annotated[
        list[Path] | None,
        typer.Option(help="Labelled frames to choose the best weights by.", metavar="DIR", exists=True),
    ] = None,
    split: Annotated[
        Path | None,
        typer.Option(help="Folds, as `stripsight data split` writes them.", exists=True, dir_okay=False),
    ] = None,
    fold: Annotated[
        int | None, typer.Option(help="Fold of --split to validate on instead of learning from it.", min=0)
    ] = None,
    init: Annotated[
        str | None,
        typer.Option(
            help="Model folder, run's folder or checkpoint to begin with, 'imagenet' or 'fresh'; "
            "default: the config's MODEL.WEIGHTS.",
            metavar="MODEL",
        ),
    ] = None,
    optimizer: Annotated[
        Optimizer, typer.Option(help="AdamW takes fewer iterations from scratch.")
    ] = Optimizer.SGD,
    minutes: Annotated[
        float | None,
        typer.Option(
            help="Let the schedule end after this time instead of SOLVER.MAX_ITER (a screen's: 15).", min=0.01
        ),
    ] = None,
    augment: Annotated[
        Augmentation,
        typer.Option(
            help="Vary exposure and tone (light), or blur, noise, shading and stretch as well (strong)."
        ),
    ] = Augmentation.NONE,
    balance: Annotated[
        bool, typer.Option("--balance", help="Draw classes more evenly, and take crops where defects are.")
    ] = False,
    paste: Annotated[
        str | None,
        typer.Option(
            help="Share of draws that show defects of a set (default: all) on other frames of it.",
            metavar="[DIR=]SHARE",
        ),
    ] = None,
    dense_loss: Annotated[
        float, typer.Option(help="Weight of an auxiliary head that labels pixels; 0 is none.", min=0.0)
    ] = 0.0,
    ema: Annotated[
        float,
        typer.Option(
            help="Decay of the averaged weights, which are judged and kept; 0 is none.", min=0.0, max=0.99999
        ),
    ] = 0.998,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, or auto.")] = "auto",
    precision: Annotated[
        Precision | None,
        typer.Option(
            help="Of the convolutions; default: by SOLVER.AMP, float16 on GPUs and bfloat16 on CPUs."
        ),
    ] = None,
    threads: Annotated[int, typer.Option(help="CPU threads of each process.", min=1)] = 1,
    engine: Annotated[Engine, typer.Option(help="Who trains.")] = Engine.NATIVE,
) -> None:
    """Train a model: config.yaml, metrics.jsonl, checkpoints and at the end a model folder lie in --out.

    The config's SOLVER, INPUT, DATALOADER and TEST mean what they mean to Detectron2; the options are what
    goes beyond. Ctrl-C saves and stops; the same command goes on. On several GPUs or CPU processes:
    torchrun --nproc-per-node 2 -m edge.cli train ...

    With --stage screen it is a screen that learns from --data: a cheap first look at every frame.
    """
    from edge.errors import SettingsError
    from edge.training.engine.run import TrainingOptions
    from edge.training.engine.sources import DataOptions, Share

    if (split is None) != (fold is None):
        raise SettingsError("--split and --fold go together")
    if stage == Stage.SCREEN:
        from edge.cli.train_screen import run
        from edge.training.screen.run import DEFAULT_MINUTES, ScreenOptions

        if config is not None:
            raise SettingsError("--stage screen: has no --config: its network is always the same")
        run(
            ScreenOptions(
                data=tuple(Path(place) for place in data),
                out=out,
                init=None if init is None else Path(init),
                validation=tuple(validation or ()),
                folds=None if split is None else _folds(split),
                fold=fold,
                miss_rate=miss_rate,
                minutes=minutes or DEFAULT_MINUTES,
                device=device,
                threads=threads,
            )
        )
        return
    if config is None:
        raise SettingsError("--config: a model needs Detectron2's config.yaml")
    options = TrainingOptions(
        config=config,
        out=out,
        data=DataOptions(
            data=tuple(Share.parse(text) for text in data),
            paste=None if paste is None else Share.parse(paste),
            validation=tuple(validation or ()),
            folds=None if split is None else _folds(split),
            fold=fold,
            balance=balance,
            augmentation=augment,
        ),
        optimizer=optimizer,
        dense_weight=dense_loss,
        init=init,
        minutes=minutes,
        decay=ema,
        device=device,
        precision=precision,
        threads=threads,
    )
    if engine == Engine.DETECTRON2:
        from edge.training.with_detectron2.command import train as train_there

        train_there(options)
        return
    from consumers.output import writing_into
    from edge.training.engine.run import train as train_here

    with writing_into(out):
        signal_number = train_here(options)
    if signal_number:
        raise typer.Exit(_SIGNALLED + signal_number)


def _folds(split: Path) -> dict[str, int]:
    from edge.training.data.split import read_split

    return read_split(split)
