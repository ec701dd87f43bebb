"""Convolution with norm and activation under Detectron2's parameter names; norms; weight initialisation."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from edge.vision.native.support import GROUP_NORM_GROUPS


class FrozenBatchNorm2d(nn.Module):
    """Batch norm whose statistics and affine parameters are fixed buffers.

    One that was not born frozen keeps the counter of its steps, as Detectron2's does.
    """

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor | None

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.register_buffer("weight", torch.ones(channels))
        self.register_buffer("bias", torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels) - eps)
        self.register_buffer("num_batches_tracked", None)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (N, C, H, W)."""
        return functional.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, training=False, eps=self.eps
        )

    @classmethod
    def frozen(cls, norm: nn.BatchNorm2d) -> "FrozenBatchNorm2d":
        """Return a frozen copy of a batch norm."""
        frozen = cls(norm.num_features, norm.eps)
        frozen.num_batches_tracked = norm.num_batches_tracked
        frozen.load_state_dict(norm.state_dict())
        return frozen


def _group_norm(channels: int) -> nn.Module:
    return nn.GroupNorm(GROUP_NORM_GROUPS, channels)


# SyncBN has BN's parameters and, at inference, its arithmetic; training on several devices converts it with
# torch.nn.SyncBatchNorm.convert_sync_batchnorm.
NORMS: dict[str, Callable[[int], nn.Module]] = {
    "BN": nn.BatchNorm2d,
    "SyncBN": nn.BatchNorm2d,
    "FrozenBN": FrozenBatchNorm2d,
    "GN": _group_norm,
}


class Conv2d(nn.Conv2d):
    """Convolution, then norm (named in ``NORMS``, or none for ``""``), then ReLU if asked for."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = False,
        norm: str = "",
        relu: bool = False,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride=stride,
            padding=dilation * (kernel_size // 2),
            dilation=dilation,
            groups=groups,
            bias=bias,
        )
        self.norm = NORMS[norm](out_channels) if norm else None
        self.relu = relu

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's name of the argument
        """Map (N, C, H, W) to (N, C', H', W')."""
        x = super().forward(input)
        if self.norm is not None:
            x = self.norm(x)
        return functional.relu_(x) if self.relu else x


def freeze(module: nn.Module) -> None:
    """Stop training a module: no gradients, and batch norms become frozen ones."""
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    for child in module.modules():
        if isinstance(child, Conv2d) and isinstance(child.norm, nn.BatchNorm2d):
            child.norm = FrozenBatchNorm2d.frozen(child.norm)


@torch.no_grad()
def fold_norms(module: nn.Module) -> None:
    """Merge batch norms into their convolutions: less to compute at inference, no longer to be trained."""
    for conv in module.modules():
        if isinstance(conv, Conv2d) and isinstance(conv.norm, (nn.BatchNorm2d, FrozenBatchNorm2d)):
            norm = conv.norm.state_dict()
            scale = norm["weight"] * (norm["running_var"] + conv.norm.eps).rsqrt()
            bias = torch.zeros_like(scale) if conv.bias is None else conv.bias
            conv.weight = nn.Parameter(conv.weight * scale.view(-1, 1, 1, 1))
            conv.bias = nn.Parameter((bias - norm["running_mean"]) * scale + norm["bias"])
            conv.norm = None


def init_msra(layer: nn.Conv2d | nn.ConvTranspose2d) -> None:
    """Initialise for ReLU: He et al., https://arxiv.org/abs/1502.01852, fan-out mode."""
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def init_xavier(layer: nn.Conv2d | nn.Linear) -> None:
    """Initialise uniformly with unit gain over the fan-in, as Caffe2's XavierFill does."""
    nn.init.kaiming_uniform_(layer.weight, a=1)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def init_normal(layer: nn.Conv2d | nn.Linear, std: float) -> None:
    """Initialise with zero-mean Gaussian weights and zero biases."""
    nn.init.normal_(layer.weight, std=std)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
