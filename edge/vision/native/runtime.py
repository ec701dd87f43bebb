"""The native runtime: a model folder of Detectron2's, served by PyTorch and torchvision operators."""

from collections.abc import Sequence
from pathlib import Path

import torch

from edge.vision.detections import Detections
from edge.vision.model_folder import ModelFolder
from edge.vision.native.checkpoint import load_weights, read_weights
from edge.vision.native.heads import BoxHead
from edge.vision.native.layers import fold_norms
from edge.vision.native.postprocess import to_frame
from edge.vision.native.precision import AUTO, FLOAT32, cast, parts_of
from edge.vision.native.precision_trial import choose_precision
from edge.vision.native.rcnn import GeneralizedRCNN, build_model
from edge.vision.native.serving import Job, TorchRuntime


class NativeRuntime(TorchRuntime):
    """Detectron2's R-CNN models without Detectron2, batched end to end.

    Args:
        folder: the model folder: ``config.yaml``, weights, and optionally ``model.json``.
        device: torch's name of a device, or ``auto`` for CUDA where there is one.
        precision: of backbone and heads: ``float32``, ``bfloat16``, ``float16``, or ``auto`` for what this
            processor is quickest with; anchors, scores and boxes are float32 always.
        threads: CPU threads of torch in this process; None for torch's choice.
        score_threshold: stands in for the thresholds of ``model.json`` and config.

    Raises:
        ModelError: the folder cannot be served.
        SettingsError: unknown device or precision.
    """

    name = "native"
    _model: GeneralizedRCNN

    def __init__(
        self,
        folder: Path,
        *,
        device: str = "auto",
        precision: str = "float32",
        threads: int | None = None,
        score_threshold: float | None = None,
    ) -> None:
        super().__init__(
            folder, device=device, precision=precision, threads=threads, score_threshold=score_threshold
        )
        model = load_network(self.folder)
        model.roi_heads.score_thresholds.copy_(self._thresholds)
        if self._device.type == "cpu":
            for module in model.modules():
                if isinstance(module, BoxHead):
                    module.flatten_by_convolution()
        self._model = model.to(self._device).to(memory_format=torch.channels_last)
        if precision == AUTO:
            self.precision = choose_precision(self._model)
        elif precision != FLOAT32:
            for name in parts_of(self._model):
                cast(self._model.get_submodule(name), precision)

    def _group(self, seen: tuple[int, int]) -> tuple[int, int]:
        """Images that fill the same padded input."""
        return self._model.padded_size(*seen)

    def _run(self, jobs: Sequence[Job]) -> list[Detections]:
        inputs = [self._input(job) for job in jobs]
        raw = self._model(self._model.batch(inputs))
        return [
            to_frame(image_raw, job.seen, (job.image.shape[0], job.image.shape[1]))
            for image_raw, job in zip(raw, jobs, strict=True)
        ]


def load_network(folder: ModelFolder) -> GeneralizedRCNN:
    """Build a folder's network for inference, in float32 on the CPU, its batch norms folded.

    Raises:
        ModelError: its config or its weights cannot be served.
    """
    model = build_model(folder.config, source=str(folder.config_file))
    load_weights(model, read_weights(folder.weights_file), source=folder.weights_file)
    fold_norms(model)
    return model.eval().requires_grad_(False)
