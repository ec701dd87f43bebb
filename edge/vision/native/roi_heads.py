"""From proposals to detections: Mask R-CNN's second stage (https://arxiv.org/abs/1703.06870); the cascade."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torchvision.ops import batched_nms

from edge.vision.native.boxes import BoxCoder, clip
from edge.vision.native.config import Config
from edge.vision.native.heads import BoxHead, BoxPredictor, MaskHead
from edge.vision.native.poolers import BoxPooler

ALIGNED_POOLER = "ROIAlignV2"


@dataclass(frozen=True, slots=True)
class BoxDetections:
    """One image's detections, best first: boxes (D, 4) px of the model's input, scores and classes (D,)."""

    boxes: Tensor
    scores: Tensor
    classes: Tensor


class RoiHeads(nn.Module):
    """The heads that both kinds of second stage share.

    ``score_thresholds`` is a (K,) buffer: a detection of class k is kept when its score is greater.
    """

    score_thresholds: Tensor

    def __init__(self, config: Config, in_channels: int, strides: Mapping[str, int]) -> None:
        super().__init__()
        model = config.model
        self.in_features = model.roi_heads.in_features
        self.num_classes = model.roi_heads.num_classes
        self.nms_iou = model.roi_heads.nms_thresh_test
        self.max_detections = config.test.detections_per_image
        thresholds = torch.full((self.num_classes,), model.roi_heads.score_thresh_test)
        self.register_buffer("score_thresholds", thresholds, persistent=False)
        level_strides = [strides[name] for name in self.in_features]
        self.box_pooler = BoxPooler(
            model.roi_box_head.pooler_resolution,
            level_strides,
            sampling_ratio=model.roi_box_head.pooler_sampling_ratio,
            aligned=model.roi_box_head.pooler_type == ALIGNED_POOLER,
        )
        self.mask_pooler: BoxPooler | None = None
        self.mask_head: MaskHead | None = None
        if model.mask_on:
            self.mask_pooler = BoxPooler(
                model.roi_mask_head.pooler_resolution,
                level_strides,
                sampling_ratio=model.roi_mask_head.pooler_sampling_ratio,
                aligned=model.roi_mask_head.pooler_type == ALIGNED_POOLER,
            )
            self.mask_head = MaskHead(model.roi_mask_head, in_channels, self.num_classes)

    def detect(
        self,
        features: Mapping[str, Tensor],
        proposals: Sequence[Tensor],
        image_sizes: Sequence[tuple[int, int]],
    ) -> list[BoxDetections]:
        """Classify and refine each image's proposals (R, 4); sizes are (height, width) px without padding."""
        boxes, scores = self.score(features, proposals, image_sizes)
        return [
            select_detections(
                image_boxes,
                image_scores,
                size,
                thresholds=self.score_thresholds,
                nms_iou=self.nms_iou,
                max_detections=self.max_detections,
            )
            for image_boxes, image_scores, size in zip(boxes, scores, image_sizes, strict=True)
        ]

    def score(
        self,
        features: Mapping[str, Tensor],
        proposals: Sequence[Tensor],
        image_sizes: Sequence[tuple[int, int]],
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Return for each image boxes (R, K or 1, 4) and foreground scores (R, K)."""
        raise NotImplementedError

    def mask_logits(self, features: Mapping[str, Tensor], boxes: Sequence[Tensor]) -> Tensor:
        """Return (R, K or 1, 2r, 2r) mask logits of all images' boxes (Ri, 4), one after the other."""
        if self.mask_pooler is None or self.mask_head is None:
            raise TypeError("this model has no mask head")
        logits: Tensor = self.mask_head(
            self.mask_pooler([features[name] for name in self.in_features], boxes)
        )
        return logits

    def mask_probabilities(
        self, features: Mapping[str, Tensor], detections: Sequence[BoxDetections]
    ) -> list[Tensor]:
        """Return for each image (D, 2r, 2r) float32 probabilities of each detection's own class."""
        logits = self.mask_logits(features, [d.boxes for d in detections]).float()
        classes = torch.cat([d.classes for d in detections])
        channel = torch.zeros_like(classes) if logits.shape[1] == 1 else classes
        probabilities = logits[torch.arange(len(logits), device=logits.device), channel].sigmoid()
        return list(torch.split(probabilities, [len(d.classes) for d in detections]))


class StandardRoiHeads(RoiHeads):
    """One box head and predictor."""

    def __init__(self, config: Config, in_channels: int, strides: Mapping[str, int]) -> None:
        super().__init__(config, in_channels, strides)
        self.box_head = BoxHead(config.model.roi_box_head, in_channels)
        self.box_predictor = BoxPredictor(config.model.roi_box_head, self.box_head.out_size, self.num_classes)
        self.box_coder = BoxCoder(config.model.roi_box_head.bbox_reg_weights)

    def predict(self, features: Mapping[str, Tensor], boxes: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Return logits (R, K + 1) and deltas (R, K*4 or 4) of all images' boxes (Ri, 4) in order."""
        pooled = self.box_pooler([features[name] for name in self.in_features], boxes)
        logits, deltas = self.box_predictor(self.box_head(pooled))
        return logits, deltas

    def score(
        self,
        features: Mapping[str, Tensor],
        proposals: Sequence[Tensor],
        image_sizes: Sequence[tuple[int, int]],  # noqa: ARG002 - the cascade clips between its stages
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Return for each image boxes (R, K or 1, 4) and foreground scores (R, K)."""
        logits, deltas = self.predict(features, proposals)
        boxes = self.box_coder.decode(deltas, torch.cat(list(proposals)))
        boxes = boxes.view(len(boxes), boxes.shape[1] // 4, 4)
        counts = [len(image_proposals) for image_proposals in proposals]
        return list(torch.split(boxes, counts)), list(torch.split(self.box_predictor.scores(logits), counts))


class CascadeRoiHeads(RoiHeads):
    """Cascade R-CNN (https://arxiv.org/abs/1712.00726): each stage refines the boxes of the one before.

    Scores are the mean over the stages; boxes are those of the last.
    """

    def __init__(self, config: Config, in_channels: int, strides: Mapping[str, int]) -> None:
        super().__init__(config, in_channels, strides)
        weights = config.model.roi_box_cascade_head.bbox_reg_weights
        self.box_coders = [BoxCoder(stage_weights) for stage_weights in weights]
        self.box_head = nn.ModuleList()
        self.box_predictor = nn.ModuleList()
        for _ in weights:
            head = BoxHead(config.model.roi_box_head, in_channels)
            self.box_head.append(head)
            self.box_predictor.append(
                BoxPredictor(config.model.roi_box_head, head.out_size, self.num_classes)
            )

    def predict_stage(
        self, stage: int, features: Mapping[str, Tensor], boxes: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Return logits (R, K + 1) and deltas (R, 4) of all images' boxes (Ri, 4) at one stage."""
        pooled = self.box_pooler([features[name] for name in self.in_features], boxes)
        logits, deltas = self.box_predictor[stage](self.box_head[stage](pooled))
        return logits, deltas

    def score(
        self,
        features: Mapping[str, Tensor],
        proposals: Sequence[Tensor],
        image_sizes: Sequence[tuple[int, int]],
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Return for each image boxes (R, 1, 4) and foreground scores (R, K)."""
        counts = [len(image_proposals) for image_proposals in proposals]
        stage_scores: list[Tensor] = []
        boxes = list(proposals)
        for stage, coder in enumerate(self.box_coders):
            if stage:
                boxes = [clip(b, size) for b, size in zip(boxes, image_sizes, strict=True)]
            logits, deltas = self.predict_stage(stage, features, boxes)
            stage_scores.append(self._predictor(stage).scores(logits))
            boxes = list(torch.split(coder.decode(deltas, torch.cat(boxes)), counts))
        scores = torch.stack(stage_scores).sum(dim=0) * (1.0 / len(stage_scores))
        return [image_boxes[:, None] for image_boxes in boxes], list(torch.split(scores, counts))

    def _predictor(self, stage: int) -> BoxPredictor:
        predictor = self.box_predictor[stage]
        assert isinstance(predictor, BoxPredictor)  # noqa: S101 - ModuleList forgets its type
        return predictor


def select_detections(
    boxes: Tensor,
    scores: Tensor,
    image_size: tuple[int, int],
    *,
    thresholds: Tensor,
    nms_iou: float,
    max_detections: int,
) -> BoxDetections:
    """Choose one image's detections: above their class's threshold, NMS by class, the best of what is left.

    Args:
        boxes: (R, K, 4), or (R, 1, 4) when the classes share boxes.
        scores: (R, K).
        image_size: (height, width) px to which boxes are clipped.
        thresholds: (K,).
        nms_iou: of two boxes of a class with a larger IoU the lower score goes.
        max_detections: negative for no limit.
    """
    finite = boxes.flatten(1).isfinite().all(dim=1) & scores.isfinite().all(dim=1)
    boxes, scores = clip(boxes[finite], image_size), scores[finite]
    rows, classes = torch.nonzero(scores > thresholds, as_tuple=True)
    chosen_boxes = boxes[rows, 0] if boxes.shape[1] == 1 else boxes[rows, classes]
    chosen_scores = scores[rows, classes]
    kept = batched_nms(chosen_boxes, chosen_scores, classes, nms_iou)
    kept = kept[:max_detections] if max_detections >= 0 else kept
    return BoxDetections(chosen_boxes[kept], chosen_scores[kept], classes[kept])
