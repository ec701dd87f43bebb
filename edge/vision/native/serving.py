"""What runtimes on torch share: device, precision, the size that a model sees, and batches of one shape."""

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import structlog
import torch
from torch import Tensor, nn

from edge.errors import ModelMemoryError
from edge.vision.detections import Detections
from edge.vision.device import DeviceUse
from edge.vision.model_folder import read_model_folder
from edge.vision.native.devices import device_use, usable_device
from edge.vision.native.memory import free_cache, is_out_of_memory
from edge.vision.native.precision import AUTO, FLOAT32, check_precision
from edge.vision.native.preprocess import resized_size, to_input
from edge.vision.runtime import Image, require_image

# When the config leaves frames as they are.
WARMUP_SIDE_PX = 256

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """One image of a call: its place in the call, and the (height, width) px that the model will see."""

    index: int
    image: Image
    seen: tuple[int, int]


class TorchRuntime(ABC):
    """A model folder on torch; how the model itself is built and asked is for its subclasses to say.

    Args:
        folder: the model folder: ``config.yaml``, weights, and optionally ``model.json``.
        device: torch's name of a device, or ``auto`` for CUDA where there is one.
        precision: of the convolutions, ``auto`` for the subclass to choose; anchors, scores and boxes are
            float32 always.
        threads: CPU threads of torch in this process; None for torch's choice.
        score_threshold: stands in for the thresholds of ``model.json`` and config.

    Raises:
        SettingsError: unknown device or precision.
        ModelError: the folder cannot be read.
    """

    name: str
    _model: nn.Module

    def __init__(
        self,
        folder: Path,
        *,
        device: str = "auto",
        precision: str = "float32",
        threads: int | None = None,
        score_threshold: float | None = None,
    ) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        self.precision = check_precision(precision)
        self._device = usable_device(device)
        self.device = str(self._device)
        if precision in {AUTO, FLOAT32}:
            # CUDA's convolutions would otherwise round to TF32's 10 bits.
            torch.backends.cudnn.allow_tf32 = False
        self.folder = read_model_folder(folder)
        self.model_name = self.folder.name
        self.model_version = self.folder.version
        self.class_names = self.folder.class_names
        self.config = self.folder.config
        thresholds = torch.tensor(self.folder.score_thresholds)
        self._thresholds = (
            thresholds if score_threshold is None else torch.full_like(thresholds, score_threshold)
        )
        self._shrunk_shapes: set[tuple[int, int]] = set()

    def warmup(self) -> None:
        """Run once on an empty frame, so that kernels are chosen and memory is there."""
        limits = self.config.input
        side = min(limits.min_size_test or WARMUP_SIDE_PX, limits.max_size_test)
        self.infer([np.zeros((side, side), np.uint8)])

    def infer(self, images: Sequence[Image]) -> list[Detections]:
        """Detect on (H, W) grey or (H, W, 3) BGR images; one entry out for each in.

        Images of one group run as one batch, and the grouping is such that each is answered as if alone.

        Raises:
            InferenceError: an image is neither (H, W) grey nor (H, W, 3) BGR uint8.
            ModelMemoryError: memory does not suffice; what the call had taken is free again.
        """
        try:
            return self._infer(images)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            told = str(error).split("\n", 1)[0]
        # Only here: until an error is forgotten, its traceback holds every tensor of the call.
        free_cache()
        raise ModelMemoryError(f"{len(images)} frames on {self.device}: {told}")

    def device_use(self) -> DeviceUse | None:
        """Tell how much of the GPU is in use; None on a CPU."""
        return device_use(self._device)

    def close(self) -> None:
        """Give the memory of the weights back.

        Nothing else refers to them: they go without a garbage collection, which would stop all threads for
        some 200 ms.
        """
        del self._model
        free_cache()

    @torch.inference_mode()
    def _infer(self, images: Sequence[Image]) -> list[Detections]:
        groups: dict[tuple[int, int], list[Job]] = defaultdict(list)
        for index, image in enumerate(images):
            require_image(image)
            seen = self._seen_size(image)
            groups[self._group(seen)].append(Job(index, image, seen))
        found = {
            job.index: detections
            for jobs in groups.values()
            for job, detections in zip(jobs, self._run(jobs), strict=True)
        }
        return [found[index] for index in range(len(images))]

    @abstractmethod
    def _group(self, seen: tuple[int, int]) -> tuple[int, int]:
        """Return for the (height, width) px that the model sees of an image what its batch has in common."""

    @abstractmethod
    def _run(self, jobs: Sequence[Job]) -> list[Detections]:
        """Run images of one group as one batch."""

    def _input(self, job: Job) -> Tensor:
        """Return the resized image as uint8 (3, H, W) in INPUT.FORMAT's order, or (1, H, W) if it is grey."""
        return to_input(job.image, job.seen, rgb=self.config.input.format == "RGB").to(self._device)

    def _seen_size(self, image: Image) -> tuple[int, int]:
        """Return the (height, width) px that the model sees, and warn once for each shape that shrinks."""
        height, width = image.shape[:2]
        seen = resized_size(height, width, self.config.input)
        if min(seen) < min(height, width) and (height, width) not in self._shrunk_shapes:
            self._shrunk_shapes.add((height, width))
            log.warning(
                "frames are shrunk before the model sees them, and small defects with them",
                frame_px=f"{width}x{height}",
                seen_px=f"{seen[1]}x{seen[0]}",
                min_size_test=self.config.input.min_size_test,
                max_size_test=self.config.input.max_size_test,
            )
        return seen
