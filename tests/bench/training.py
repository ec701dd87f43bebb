"""Seconds of a training iteration: the native engine against Detectron2's DefaultTrainer.

Both learn from the same frames with the same config, drawing of frames included, turn and turn about in one
process with one thread, so that whatever else the machine does meets both.
"""

import logging
import statistics
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
import yaml
from rich.table import Table

from edge.training.engine.choices import Optimizer, Precision
from edge.training.engine.config import read_training_config
from edge.training.engine.distributed import Worker
from edge.training.engine.learner import Learner
from edge.training.engine.loader import BatchNumbers, batches
from edge.training.engine.sources import DataOptions, Share, build_stream, open_sets
from edge.training.engine.trainer import Trainer
from edge.training.synthetic.write import StripSettings, write_strip
from tests.bench.figures import add_ratios, new_table

FRAMES = 24
WARMUP_ITERATIONS = 2
TURN_ITERATIONS = 2
CPU = Worker(torch.device("cpu"))

# A narrow Mask R-CNN on crops of 512 x 256 px, as is trained for the edge.
CONFIG: dict[str, Any] = {
    "VERSION": 2,
    "SEED": 1,
    "INPUT": {
        "MIN_SIZE_TRAIN": [0],
        "MASK_FORMAT": "bitmask",
        "CROP": {"ENABLED": True, "TYPE": "absolute", "SIZE": [256, 512]},
    },
    "DATALOADER": {"NUM_WORKERS": 0},
    "MODEL": {
        "MASK_ON": True,
        "PIXEL_MEAN": [74.0, 74.0, 74.0],
        "PIXEL_STD": [51.5, 51.5, 51.5],
        "BACKBONE": {"NAME": "build_resnet_fpn_backbone", "FREEZE_AT": 0},
        "RESNETS": {
            "DEPTH": 50,
            "OUT_FEATURES": ["res2", "res3", "res4", "res5"],
            "STEM_OUT_CHANNELS": 32,
            "RES2_OUT_CHANNELS": 64,
            "WIDTH_PER_GROUP": 24,
            "NORM": "BN",
        },
        "FPN": {"IN_FEATURES": ["res2", "res3", "res4", "res5"], "OUT_CHANNELS": 64, "NORM": "BN"},
        "ANCHOR_GENERATOR": {
            "SIZES": [[24, 38], [56, 84], [120, 170], [240, 400]],
            "ASPECT_RATIOS": [[0.35, 1.0, 2.5, 8.0]],
        },
        "RPN": {
            "IN_FEATURES": ["p3", "p4", "p5", "p6"],
            "BATCH_SIZE_PER_IMAGE": 48,
            "PRE_NMS_TOPK_TRAIN": 500,
            "POST_NMS_TOPK_TRAIN": 300,
        },
        "ROI_HEADS": {
            "NAME": "StandardROIHeads",
            "IN_FEATURES": ["p2", "p3", "p4", "p5"],
            "NUM_CLASSES": 4,
            "BATCH_SIZE_PER_IMAGE": 48,
        },
        "ROI_BOX_HEAD": {
            "NAME": "FastRCNNConvFCHead",
            "NUM_FC": 2,
            "FC_DIM": 256,
            "POOLER_RESOLUTION": 7,
            "POOLER_SAMPLING_RATIO": 2,
        },
        "ROI_MASK_HEAD": {
            "NAME": "MaskRCNNConvUpsampleHead",
            "NUM_CONV": 2,
            "CONV_DIM": 64,
            "POOLER_RESOLUTION": 14,
            "POOLER_SAMPLING_RATIO": 2,
        },
    },
    "SOLVER": {"IMS_PER_BATCH": 4, "BASE_LR": 0.001, "MAX_ITER": 100000},
}


def why_not() -> str | None:
    """Return why there is nothing to compare with here; None if there is."""
    return None if find_spec("detectron2") else "Detectron2 is not installed"


def measure(repetitions: int) -> dict[str, Any]:
    """Seconds an iteration of each contestant, turn by turn."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_strip(folder / "strip", StripSettings(FRAMES, seed=1, balanced=True, defect_rate=1.0))
        config = folder / "config.yaml"
        config.write_text(yaml.safe_dump(CONFIG))
        contestants = {
            "native": _native(config, folder / "strip", Precision.FLOAT32),
            "detectron2": _detectron2(config, folder),
            "native, bfloat16": _native(config, folder / "strip", Precision.BFLOAT16),
        }
        for step in contestants.values():
            _seconds(step, WARMUP_ITERATIONS)
        figures: dict[str, list[float]] = {name: [] for name in contestants}
        for _ in range(repetitions):
            for name, step in contestants.items():
                figures[name].append(_seconds(step, TURN_ITERATIONS))
    ratios = [theirs / ours for ours, theirs in zip(figures["native"], figures["detectron2"], strict=True)]
    return {
        "subject": "training, 4 crops of 512 x 256",
        "seconds_per_iteration": figures,
        "ratios": {"native / detectron2, speed": ratios},
    }


def table_of(result: dict[str, Any]) -> Table:
    """Medians, and below them the ratio of native to Detectron2 with its spread."""
    table = new_table(result["subject"], "", "s/iteration")
    for name, values in result["seconds_per_iteration"].items():
        table.add_row(name, f"{statistics.median(values):.2f}")
    add_ratios(table, result["ratios"])
    return table


def _seconds(step: Callable[[], object], iterations: int) -> float:
    started = time.perf_counter()
    for _ in range(iterations):
        step()
    return (time.perf_counter() - started) / iterations


def _native(config_file: Path, strip: Path, precision: Precision) -> Callable[[], object]:
    config = read_training_config(config_file)
    of_data = DataOptions(data=(Share(strip),))
    stream = build_stream(open_sets(of_data, config), of_data, config)
    torch.manual_seed(1)
    learner = Learner(config, precision=precision)
    trainer = Trainer(config, learner, CPU, optimizer=Optimizer.SGD, decay=0.998)
    drawn = batches(stream, BatchNumbers(config.solver.ims_per_batch, first=0), 0)
    return lambda: trainer.step(next(drawn))


def _detectron2(config_file: Path, folder: Path) -> Callable[[], object]:
    from detectron2.utils.events import EventStorage  # noqa: PLC0415 - an extra

    from edge.training.with_detectron2 import trainer as theirs  # noqa: PLC0415

    logging.getLogger("detectron2").setLevel(logging.ERROR)
    config = read_training_config(config_file)
    (dataset,) = open_sets(DataOptions(data=(Share(folder / "strip"),)), config).learn
    cfg = theirs.build_config(
        config_file, [theirs.register(dataset, 0)], weights="", device="cpu", out=folder / "detectron2"
    )
    trainer = theirs.Trainer(cfg)
    storage = EventStorage()

    def step() -> None:
        with storage:
            trainer.run_step()
        trainer.scheduler.step()

    return step
