"""Layers with parameters: residual block, dense block, and the affine coupling shared by FGRN's F and IRN."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from fgrn.ops import channels_last
from fgrn.tiles import in_patches

INITIAL_GAIN = (
    0.1  # residual branches start small, as in the published IRN: deep stacks then train from step one
)


def convolution(in_channels: int, out_channels: int, gain: float | None = None) -> nn.Conv2d:
    """A 3 x 3 convolution that keeps the size; `gain` scales the initial weights (0: a zero start), the bias is 0."""
    layer = nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1)
    if (
        gain is not None and not layer.weight.is_meta
    ):  # there, numbers without values would take seconds to draw
        nn.init.xavier_normal_(layer.weight)
        assert layer.bias is not None
        nn.init.zeros_(layer.bias)
        layer.weight.data.mul_(gain)
    return layer


class ResidualBlock(nn.Module):
    """features + conv(relu(conv(features))), without normalisation (EDSR; paper, section 3.3)."""

    REACH = 2  # pixels

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = convolution(channels, channels)
        self.conv2 = convolution(channels, channels, gain=INITIAL_GAIN)

    def forward(self, features: Tensor) -> Tensor:
        """(B, channels, H, W) -> (B, channels, H, W)."""
        branch: Tensor = self.conv2(functional.relu(self.conv1(features)))
        return features + branch


class DenseBlock(nn.Module):
    """Five densely connected 3 x 3 convolutions, zero at the start (IRN's `DenseBlock`; paper, section 3.3).

    Inside it has many more channels than outside. Outside of training, large pictures are computed in patches, so that
    this memory stays bounded.
    """

    DEPTH = 5
    REACH = DEPTH  # pixels
    PATCH = 256

    def __init__(self, in_channels: int, out_channels: int, growth: int) -> None:
        super().__init__()
        inner = [
            convolution(in_channels + i * growth, growth, gain=INITIAL_GAIN) for i in range(self.DEPTH - 1)
        ]
        last = convolution(in_channels + (self.DEPTH - 1) * growth, out_channels, gain=0.0)
        self.convs = nn.ModuleList([*inner, last])

    def forward(self, features: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, out_channels, H, W)."""
        if torch.is_grad_enabled():
            return self._dense(features)
        return in_patches(self._dense, features, side=self.PATCH, reach=self.REACH)

    def _dense(self, features: Tensor) -> Tensor:
        features = channels_last(features)
        *inner, last = self.convs
        for conv in inner:
            grown = functional.leaky_relu(conv(features), negative_slope=0.2)
            features = torch.cat([features, grown], dim=1)
        result: Tensor = last(features)
        return result


class AffineCoupling(nn.Module):
    """Additive, then affine coupling of two groups of channels (paper, equations 5 and 6).

        l1' = l1 + alpha(l2)
        l2' = l2 * exp(beta(l1')) + phi(l1')

    The exponent is bounded to (-1, 1) by `2 sigmoid(.) - 1` as in the published IRN, so that no cell scales by more
    than e. FGRN's flow cell splits 1 + 2 colour channels; IRN's block splits 3 low-frequency channels from the rest.
    The dense blocks start at zero, hence the coupling starts as the identity.
    """

    REACH = 2 * DenseBlock.REACH  # alpha, then beta and phi of its result

    def __init__(self, channels1: int, channels2: int, growth: int) -> None:
        super().__init__()
        self.split = (channels1, channels2)
        self.alpha = DenseBlock(channels2, channels1, growth)
        self.beta = DenseBlock(channels1, channels2, growth)
        self.phi = DenseBlock(channels1, channels2, growth)

    def _exponent(self, l1: Tensor) -> Tensor:
        exponent: Tensor = torch.tanh(self.beta(l1) / 2)  # = 2 sigmoid(beta) - 1
        return exponent

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """(B, channels1 + channels2, H, W) -> the same shape, and log|det| of the Jacobian per sample, shape (B,)."""
        l1, l2 = features.split(self.split, dim=1)
        l1 = l1 + self.alpha(l2)
        exponent = self._exponent(l1)
        l2 = l2 * exponent.exp() + self.phi(l1)
        return torch.cat([l1, l2], dim=1), exponent.sum(dim=(1, 2, 3))

    def inverse(self, features: Tensor) -> Tensor:
        """Undo `forward` (equation 6): (B, channels1 + channels2, H, W) -> the same shape."""
        l1, l2 = features.split(self.split, dim=1)
        l2 = (l2 - self.phi(l1)) * (-self._exponent(l1)).exp()
        l1 = l1 - self.alpha(l2)
        return torch.cat([l1, l2], dim=1)
