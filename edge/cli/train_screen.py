"""``stripsight train --stage screen``: progress, and what came of it."""

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from consumers.output import writing_into
from edge.training.screen.run import ScreenOptions, train_screen
from edge.vision.screen.card import Card


def run(options: ScreenOptions) -> None:
    """Train a screen, and tell how good it is; raises what ``train_screen`` raises."""
    console = Console()
    columns = (TextColumn("training"), BarColumn(), TimeRemainingColumn(), TextColumn("{task.fields[loss]}"))
    with writing_into(options.out), Progress(*columns, console=console) as bar:
        task = bar.add_task("training", total=1.0, loss="")
        card = train_screen(
            options,
            progress=lambda part, loss: bar.update(task, completed=part, loss=f"loss {loss:.3f}"),
            say=lambda text: console.print(text, highlight=False),
        )
    console.print(_summary(card, options), highlight=False, soft_wrap=True)


def _summary(card: Card, options: ScreenOptions) -> str:
    told = card.calibration
    return (
        f"{options.out}: threshold {card.threshold:.4g}; of {told.frames_with_defects} held-out frames with "
        f"defects it misses {told.missed} (with {told.confidence:.0%} confidence at most "
        f"{told.miss_rate_at_most:.2%} of all), of {told.clean_frames} clean ones it lets "
        f"{told.clean_passed} through to the model"
    )
