"""Training as a whole, on a model so small that it learns in seconds."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from edge.contracts.mask import Mask
from edge.errors import ModelFileError
from edge.training.engine import train as training
from edge.training.engine.config import TrainingConfig, parse_training_config
from edge.training.engine.stream import TrainingStream, to_example
from edge.training.engine.train import Run, Trainer
from edge.training.export import CLASS_NAMES, half_precision, write_folder
from edge.training.samples import Instance, Sample
from edge.vision.native.runtime import NativeRuntime

RAW: dict[str, Any] = {
    "VERSION": 2,
    "SEED": 3,
    "INPUT": {"MIN_SIZE_TEST": 0, "CROP": {"ENABLED": True, "TYPE": "absolute", "SIZE": [64, 96]}},
    "MODEL": {
        "MASK_ON": True,
        "WEIGHTS": "model.safetensors",
        "PIXEL_STD": [50.0, 50.0, 50.0],
        "BACKBONE": {"NAME": "build_resnet_fpn_backbone", "FREEZE_AT": 0},
        "RESNETS": {
            "DEPTH": 50,
            "OUT_FEATURES": ["res3", "res4", "res5"],
            "STEM_OUT_CHANNELS": 8,
            "RES2_OUT_CHANNELS": 8,
            "WIDTH_PER_GROUP": 4,
            "NORM": "BN",
        },
        "FPN": {"IN_FEATURES": ["res3", "res4", "res5"], "OUT_CHANNELS": 16},
        "ANCHOR_GENERATOR": {"SIZES": [[16], [32], [64], [128]], "ASPECT_RATIOS": [[1.0, 3.0]]},
        "RPN": {"IN_FEATURES": ["p3", "p4", "p5", "p6"], "POST_NMS_TOPK_TRAIN": 50},
        "ROI_HEADS": {
            "NAME": "StandardROIHeads",
            "IN_FEATURES": ["p3", "p4", "p5"],
            "NUM_CLASSES": 4,
            "BATCH_SIZE_PER_IMAGE": 16,
        },
        "ROI_BOX_HEAD": {"NAME": "FastRCNNConvFCHead", "NUM_FC": 1, "FC_DIM": 32, "POOLER_RESOLUTION": 7},
        "ROI_MASK_HEAD": {
            "NAME": "MaskRCNNConvUpsampleHead",
            "NUM_CONV": 1,
            "CONV_DIM": 16,
            "POOLER_RESOLUTION": 14,
        },
    },
    "SOLVER": {
        "IMS_PER_BATCH": 2,
        "BASE_LR": 0.004,
        "WARMUP_ITERS": 0,
        "CHECKPOINT_PERIOD": 2,
        "MAX_ITER": 4,
    },
}


def config() -> TrainingConfig:
    """The tiny config, parsed."""
    return parse_training_config(RAW)


def sample() -> Sample:
    """A bright square on noise."""
    image = np.random.default_rng(0).integers(40, 80, (64, 96)).astype(np.uint8)
    image[20:44, 30:54] = 220
    return Sample(image, (Instance(2, Mask.encode(np.ones((24, 24), np.bool_), x=30, y=20)),), "square")


def run(folder: Path, max_iter: int = 4) -> Run:
    """A run in a folder, with everything in this process."""
    return Run(folder=folder, config=config(), optimizer="adamw", max_iter=max_iter, workers=0)


def test_a_few_iterations_on_one_picture_lower_its_loss(tmp_path: Path) -> None:
    """All five losses are there and finite, and their sum falls."""
    torch.manual_seed(1)
    trainer = Trainer(run(tmp_path))
    batch = [to_example(sample())] * 2
    losses = [trainer.step(batch) for _ in range(8)]
    assert set(losses[0]) == {
        "loss",
        "loss_rpn_cls",
        "loss_rpn_loc",
        "loss_cls",
        "loss_box_reg",
        "loss_mask",
    }
    assert losses[-1]["loss"] < 0.8 * losses[0]["loss"]


def test_a_batch_without_defects_is_learned_from(tmp_path: Path) -> None:
    """A clean batch has losses for background and none for boxes and masks."""
    clean = to_example(Sample(sample().image, ()))
    losses = Trainer(run(tmp_path)).step([clean, clean])
    assert losses["loss_rpn_cls"] > 0
    assert losses["loss_rpn_loc"] == losses["loss_box_reg"] == losses["loss_mask"] == 0.0


def test_an_interrupted_run_goes_on_where_it_was_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two iterations, then a new process: it starts from the third, with the weights of the second."""
    monkeypatch.setattr(training, "synthetic_frames", lambda _count: [])
    first = training.train(run(tmp_path, max_iter=2), [sample()], [])
    resumed = Trainer(run(tmp_path))
    resumed.load_state_dict(torch.load(tmp_path / "last.pth", weights_only=True))
    assert resumed.iteration == 2
    for name, value in first.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name])
    assert training.train(run(tmp_path, max_iter=4), [sample()], []).iteration == 4
    records = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [record["iteration"] for record in records] == [2, 4]


def test_the_stream_repeats_with_its_seed() -> None:
    """Two streams of a seed give the same examples; all fit the crop."""
    first, again = (iter(TrainingStream([sample()], (64, 96), seed=4)) for _ in range(2))
    for _ in range(6):
        one, other = next(first), next(again)
        assert one.image.shape == (3, 64, 96)
        assert torch.equal(one.image, other.image)
        assert torch.equal(one.target.boxes, other.target.boxes)


def test_examples_carry_boxes_classes_and_masks() -> None:
    """Tensors agree with the sample they were made of."""
    example = to_example(sample())
    assert example.target.boxes.tolist() == [[30.0, 20.0, 54.0, 44.0]]
    assert example.target.classes.tolist() == [2]
    assert example.target.masks.sum() == 24 * 24


def test_an_exported_model_is_served(tmp_path: Path) -> None:
    """The folder that is written is one that the runtime loads, with names and thresholds."""
    source = tmp_path / "source.yaml"
    source.write_text(yaml.safe_dump(RAW))
    weights = half_precision(Trainer(run(tmp_path)).average.state)
    assert not any(name.endswith("num_batches_tracked") for name in weights)
    write_folder(tmp_path / "m", source, weights, name="tiny", thresholds=dict.fromkeys(CLASS_NAMES, 0.3))
    runtime = NativeRuntime(tmp_path / "m", device="cpu")
    assert runtime.model_name == "tiny"
    assert runtime.class_names == CLASS_NAMES
    assert len(runtime.infer([sample().image])) == 1


def test_weights_beyond_float16_are_refused() -> None:
    """The message names the tensor."""
    with pytest.raises(ModelFileError, match=r"stem\.weight"):
        half_precision({"stem.weight": torch.tensor([1e6])})
