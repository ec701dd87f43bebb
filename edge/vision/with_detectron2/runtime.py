"""The runtime over Detectron2 itself: whatever it or a project of it can build from a config."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from edge.errors import ModelMismatchError, UnsupportedModelError
from edge.vision.detections import Detections
from edge.vision.model_folder import DESCRIPTION_FILE
from edge.vision.native.precision import AUTO, FLOAT32, PRECISIONS
from edge.vision.native.serving import Job, TorchRuntime
from edge.vision.with_detectron2.build import build
from edge.vision.with_detectron2.instances import to_detections


class Detectron2Runtime(TorchRuntime):
    """A model folder served by Detectron2, a batch a call.

    Thresholds of single classes choose among the ``TEST.DETECTIONS_PER_IMAGE`` best that the model answers.

    Args:
        folder: the model folder: ``config.yaml``, weights, and optionally ``model.json``, which must name the
            classes when the architecture is neither an R-CNN nor a RetinaNet.
        device: torch's name of a device, or ``auto`` for CUDA where there is one.
        precision: of what torch's autocast lowers, nothing for ``auto``; scores and boxes are float32 always.
        threads: CPU threads of torch in this process; None for torch's choice.
        score_threshold: stands in for the thresholds of ``model.json`` and config.
        imports: modules to import, whose code is executed, or ``module:function`` to call it with the config.

    Raises:
        ModelError: the folder cannot be served.
        SettingsError: unknown device or precision, or an import that fails.
    """

    name = "detectron2"

    def __init__(
        self,
        folder: Path,
        *,
        device: str = "auto",
        precision: str = "float32",
        threads: int | None = None,
        score_threshold: float | None = None,
        imports: Sequence[str] = (),
    ) -> None:
        super().__init__(
            folder, device=device, precision=precision, threads=threads, score_threshold=score_threshold
        )
        if precision == AUTO:
            self.precision = FLOAT32
        if not self.class_names:
            raise ModelMismatchError(
                f"{folder / DESCRIPTION_FILE}: must name the classes, which the config of a "
                f"'{self.config.model.meta_architecture}' does not tell"
            )
        self._model = build(
            self.folder,
            imports=imports,
            score_threshold=float(self._thresholds.min()),
            device=self.device,
        )

    def _group(self, seen: tuple[int, int]) -> tuple[int, int]:
        """Images of exactly one size: how a model pads others is its own affair, and changes its answers."""
        return seen

    def _run(self, jobs: Sequence[Job]) -> list[Detections]:
        inputs = [self._as_detectron2_s(job) for job in jobs]
        with self._autocast():
            answers = self._model(inputs)
        return [self._detections(answer) for answer in answers]

    def _autocast(self) -> AbstractContextManager[object]:
        if self.precision == FLOAT32:
            return nullcontext()
        return torch.autocast(self._device.type, dtype=PRECISIONS[self.precision])

    def _as_detectron2_s(self, job: Job) -> dict[str, Tensor | int]:
        height, width = job.image.shape[:2]
        return {"image": self._input(job).expand(3, -1, -1).float(), "height": height, "width": width}

    def _detections(self, answer: dict[str, Any]) -> Detections:
        if "instances" not in answer:
            raise UnsupportedModelError(
                f"{self.folder.config_file}: MODEL.META_ARCHITECTURE: "
                f"'{self.config.model.meta_architecture}' answers {', '.join(answer)}, and no instances"
            )
        return to_detections(answer["instances"], self._thresholds)
