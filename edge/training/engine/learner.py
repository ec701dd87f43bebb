"""What is trained: a model and, on top, the auxiliary head; from examples to losses."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from edge.training.engine.choices import Precision
from edge.training.engine.config import TrainingConfig
from edge.training.engine.dense import DenseHead, dense_loss, dense_targets
from edge.training.engine.losses import Target, losses_of_features
from edge.training.engine.transforms import Example
from edge.vision.native.rcnn import build_model

DTYPES = {Precision.FLOAT32: None, Precision.BFLOAT16: torch.bfloat16, Precision.FLOAT16: torch.float16}
_SYNCHRONISED = "SyncBN"


class Learner(nn.Module):
    """A detector in training; its forward pass, which DistributedDataParallel wraps, ends at the losses.

    Args:
        config: the model's and training's.
        dense_weight: of the auxiliary head's loss; 0 leaves the head away.
        precision: of the convolutions under autocast; boxes and losses are float32 always.
    """

    def __init__(
        self, config: TrainingConfig, *, dense_weight: float = 0.0, precision: Precision = Precision.FLOAT32
    ) -> None:
        super().__init__()
        self._config = config.model.model
        self._dense_weight = dense_weight
        self.precision = precision
        self._dtype = DTYPES[precision]
        self.model = build_model(config.model)
        self.dense: DenseHead | None = None
        if dense_weight:
            self.dense = DenseHead(
                self.model.backbone.strides,
                self.model.backbone.out_channels,
                self._config.roi_heads.num_classes,
            )
        self.to(memory_format=torch.channels_last)

    def synchronise_norms(self) -> None:
        """Let the norms that the config calls SyncBN share their statistics with the other processes."""
        config, model = self._config, self.model
        convert: Callable[[nn.Module], nn.Module] = nn.SyncBatchNorm.convert_sync_batchnorm
        if config.resnets.norm == _SYNCHRONISED:
            convert(model.backbone.bottom_up)
        if config.fpn.norm == _SYNCHRONISED:
            for name, child in model.backbone.named_children():
                if name.startswith("fpn_"):
                    convert(child)
        if config.roi_box_head.norm == _SYNCHRONISED:
            convert(model.roi_heads.get_submodule("box_head"))
        if config.roi_mask_head.norm == _SYNCHRONISED and model.roi_heads.mask_head is not None:
            convert(model.roi_heads.mask_head)

    def forward(self, images: Sequence[Tensor], targets: Sequence[Target]) -> dict[str, Tensor]:
        """Losses by name, whose sum is to be minimised, of images (1, Hi, Wi) uint8."""
        batch = self.model.batch(images)
        with torch.autocast(batch.pixels.device.type, self._dtype, enabled=self._dtype is not None):
            features = self.model.backbone(batch.pixels)
            losses = losses_of_features(self.model, self._config, features, batch, targets)
            if self.dense is not None:
                logits = self.dense(features)
        if self.dense is not None:
            wanted = dense_targets(targets, logits.shape, self.dense.stride).to(logits.device)
            losses["loss_dense"] = self._dense_weight * dense_loss(logits, wanted)
        return losses


def inputs_of(examples: Sequence[Example], device: torch.device) -> tuple[list[Tensor], list[Target]]:
    """Images and targets of a batch, on the device."""
    images = [example.image.to(device) for example in examples]
    targets = [Target(e.boxes.to(device), e.classes.to(device), e.masks.to(device)) for e in examples]
    return images, targets
