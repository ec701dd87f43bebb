"""``stripsight train --stage screen``: from labelled frames to a screen's folder."""

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import safetensors.torch
import torch

from edge.contracts.results import ModelReference
from edge.errors import DatasetError
from edge.training.data import open_dataset
from edge.training.dataset import LabelledFrame
from edge.training.model_writer import half_precision
from edge.training.screen.calibrate import calibrate, require_enough
from edge.training.screen.learn import Progress, learn
from edge.vision.native.devices import usable_device
from edge.vision.screen.card import CARD_FILE, WEIGHTS_FILE, Card
from edge.vision.screen.network import ScreenNetwork
from edge.vision.screen.screen import Screen, read_network

_BATCH_FRAMES = 8
DEFAULT_MINUTES = 15.0

# Without a validation set every third frame is held out: a bound takes many frames with defects.
_HELD_OUT_OF = 3


@dataclass(frozen=True, slots=True)
class ScreenOptions:
    """What a screen learns from (``data``) and is calibrated on.

    It begins with the weights of the screen in ``init``, or with fresh ones. Held out are all frames of
    ``validation``, else those of ``fold`` of ``folds`` (by name), else a third.
    """

    data: tuple[Path, ...]
    out: Path
    init: Path | None = None
    validation: tuple[Path, ...] = ()
    folds: dict[str, int] | None = None
    fold: int | None = None
    miss_rate: float = 0.01
    minutes: float = DEFAULT_MINUTES
    device: str = "auto"
    threads: int = 1


def train_screen(
    options: ScreenOptions,
    *,
    progress: Progress = lambda _part, _loss: None,
    say: Callable[[str], None] = lambda _: None,
) -> Card:
    """Train, calibrate and write a screen.

    Raises:
        DatasetError: a set cannot be read, or there is nothing to learn from.
        SettingsError: too few frames with defects are held out for such a miss rate.
        CorruptImageError: a picture cannot be read.
        ModelError: the screen to begin with cannot be read.
        TrainingDivergedError: the loss is not finite.
    """
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    device = usable_device(options.device)
    learned, held = _frames(options)
    require_enough(sum(bool(frame.instances) for frame in held), options.miss_rate)
    say(f"{len(learned)} frames to learn from, {len(held)} to calibrate on")
    network = read_network(options.init) if options.init else ScreenNetwork()
    iterations = learn(network, learned, minutes=options.minutes, device=device, progress=progress)
    network.load_state_dict({name: half.float() for name, half in _halves(network).items()})
    screen = Screen(network, ModelReference("", ""), 0.0, str(device))
    scored = list(scores_of(screen, held))
    threshold, calibration = calibrate(
        [score for frame, score in scored if frame.instances],
        [score for frame, score in scored if not frame.instances],
        options.miss_rate,
    )
    card = Card(
        name=options.out.resolve().name,
        threshold=threshold,
        learned_from=f"{len(learned)} frames in {iterations} iterations",
        calibration=calibration,
    )
    write_screen(options.out, network, card)
    return card


def scores_of(screen: Screen, frames: Sequence[LabelledFrame]) -> Iterator[tuple[LabelledFrame, float]]:
    """Score frames from their files, batch after batch.

    Raises:
        CorruptImageError: a picture cannot be read.
    """
    for first in range(0, len(frames), _BATCH_FRAMES):
        batch = frames[first : first + _BATCH_FRAMES]
        yield from zip(batch, screen.scores([frame.read_picture() for frame in batch]), strict=True)


def write_screen(out: Path, network: ScreenNetwork, card: Card) -> None:
    """Write weights, in float16, and card, the card last: a folder without it was interrupted."""
    out.mkdir(parents=True, exist_ok=True)
    (out / WEIGHTS_FILE).write_bytes(safetensors.torch.save(_halves(network)))
    (out / CARD_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(card), indent=2) + b"\n")


def _halves(network: ScreenNetwork) -> dict[str, torch.Tensor]:
    return half_precision(network.state_dict())


def _frames(options: ScreenOptions) -> tuple[list[LabelledFrame], list[LabelledFrame]]:
    """Frames to learn from, and frames that are held out."""
    data = [frame for path in options.data for frame in open_dataset(path).frames]
    held = [frame for path in options.validation for frame in open_dataset(path).frames]
    if not options.validation:
        held = [frame for frame in data if _is_held_out(frame, options)]
        data = [frame for frame in data if not _is_held_out(frame, options)]
    known = {frame.path.resolve() for frame in data}
    if both := next((frame for frame in held if frame.path.resolve() in known), None):
        raise DatasetError(f"{both.path}: is to be learned from and held out; calibration takes other frames")
    if not any(frame.instances for frame in data) or all(frame.instances for frame in data):
        raise DatasetError("a screen learns to tell frames with defects from clean ones: there must be both")
    return data, held


def _is_held_out(frame: LabelledFrame, options: ScreenOptions) -> bool:
    if options.folds is not None:
        return options.folds.get(frame.name) == options.fold
    return zlib.crc32(frame.name.encode(errors="surrogateescape")) % _HELD_OUT_OF == 0
