"""What is computed for each box: features, class and box, and mask."""

import torch
from torch import Tensor, nn

from edge.vision.native.config import RoiBoxHead, RoiMaskHead
from edge.vision.native.layers import Conv2d, init_msra, init_normal, init_xavier


class BoxHead(nn.Sequential):
    """3x3 convolutions, then fully connected layers; ``out_size`` numbers come out for each box."""

    def __init__(self, config: RoiBoxHead, in_channels: int) -> None:
        super().__init__()
        self.resolution = config.pooler_resolution
        channels = in_channels
        for k in range(1, config.num_conv + 1):
            conv = Conv2d(channels, config.conv_dim, 3, bias=not config.norm, norm=config.norm, relu=True)
            init_msra(conv)
            self.add_module(f"conv{k}", conv)
            channels = config.conv_dim
        self.add_module("flatten", nn.Flatten())
        self.out_size = channels * config.pooler_resolution**2
        for k in range(1, config.num_fc + 1):
            fc = nn.Linear(self.out_size, config.fc_dim)
            init_xavier(fc)
            self.add_module(f"fc{k}", fc)
            self.add_module(f"fc_relu{k}", nn.ReLU())
            self.out_size = config.fc_dim

    @torch.no_grad()
    def flatten_by_convolution(self) -> None:
        """Make the first fully connected layer a convolution with a single place; for inference on a CPU.

        Cells need not be copied from channels-last into rows then, and it is oneDNN that multiplies, a fifth
        quicker on AMD's processors than what is behind torch's linear layers.
        """
        fc = self._modules.get("fc1")
        if not isinstance(fc, nn.Linear):
            return
        side = self.resolution
        conv = nn.Conv2d(fc.in_features // side**2, fc.out_features, side)
        conv.weight = nn.Parameter(fc.weight.view(conv.weight.shape))
        conv.bias = fc.bias
        self.flatten = nn.Identity()
        self.fc1 = nn.Sequential(conv, nn.Flatten())


class BoxPredictor(nn.Module):
    """Class logits and box deltas of each box, in float32 whatever precision the convolutions have."""

    def __init__(self, config: RoiBoxHead, in_size: int, num_classes: int) -> None:
        super().__init__()
        self.cls_score = nn.Linear(in_size, num_classes + 1)
        self.bbox_pred = nn.Linear(in_size, 4 if config.cls_agnostic_bbox_reg else num_classes * 4)
        init_normal(self.cls_score, std=0.01)
        init_normal(self.bbox_pred, std=0.001)
        self.sigmoid = config.use_sigmoid_ce

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map (R, F) to logits (R, K + 1), background last, and deltas (R, K*4), or class-agnostic (R, 4)."""
        with torch.autocast(x.device.type, enabled=False):
            x = x.to(self.cls_score.weight.dtype)
            return self.cls_score(x), self.bbox_pred(x)

    def scores(self, logits: Tensor) -> Tensor:
        """Turn logits (R, K + 1) into the scores (R, K) of the foreground classes."""
        probabilities = logits.sigmoid() if self.sigmoid else logits.softmax(dim=-1)
        return probabilities[:, :-1]


class MaskHead(nn.Sequential):
    """3x3 convolutions, a deconvolution that doubles the resolution, and mask logits (R, K or 1, 2r, 2r)."""

    def __init__(self, config: RoiMaskHead, in_channels: int, num_classes: int) -> None:
        super().__init__()
        channels = in_channels
        for k in range(1, config.num_conv + 1):
            conv = Conv2d(channels, config.conv_dim, 3, bias=not config.norm, norm=config.norm, relu=True)
            init_msra(conv)
            self.add_module(f"mask_fcn{k}", conv)
            channels = config.conv_dim
        deconv = nn.ConvTranspose2d(channels, config.conv_dim, kernel_size=2, stride=2)
        init_msra(deconv)
        predictor = nn.Conv2d(config.conv_dim, 1 if config.cls_agnostic_mask else num_classes, kernel_size=1)
        init_normal(predictor, std=0.001)
        self.add_module("deconv", deconv)
        self.add_module("deconv_relu", nn.ReLU(inplace=True))
        self.add_module("predictor", predictor)
