"""Layers with parameters: residual block, dense block, and the affine coupling shared by FGRN's F and IRN."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from fgrn.ops import channels_last, in_autocast_precision
from fgrn.tiles import in_patches

INITIAL_GAIN = 0.1  # residual branches start small, as in the published IRN: deep stacks train from step one
NARROW = 10  # output channels: below, kernels that compute 8 or 16 of them at a time waste most of their work
LEAK = 0.2  # slope of dense blocks' activations below 0, as in the published IRN
WIDE = 64  # output channels that float32 kernels of GPUs compute at a time
TENSOR_CORE_CHANNELS = 8  # 16-bit kernels of GPUs want multiples of it; else they copy everything first


def convolution(in_channels: int, out_channels: int, gain: float | None = None) -> nn.Conv2d:
    """A 3 x 3 convolution that keeps the size; `gain` scales the initial weights (0: a zero start), the bias is 0."""
    layer = nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1)
    if gain is not None and not layer.weight.is_meta:  # there, numbers without values take seconds to draw
        nn.init.xavier_normal_(layer.weight)
        assert layer.bias is not None
        nn.init.zeros_(layer.bias)
        layer.weight.data.mul_(gain)
    return layer


def convolve_parts(layer: nn.Conv2d, parts: Sequence[Tensor]) -> Tensor:
    """`layer(torch.cat(parts, dim=1))` for a 3 x 3 `convolution`, without writing the concatenation to memory.

    A narrow layer is computed as a 1 x 3 convolution to three times as many channels, one group for each row of the
    kernel, that are then shifted and added: the same arithmetic, in better filled vectors.
    """
    narrow = layer.out_channels < NARROW
    weight = layer.weight
    if narrow:
        weight = weight.permute(2, 0, 1, 3).reshape(-1, layer.in_channels, 1, 3)
    padding = (0, 1) if narrow else (1, 1)
    weights = weight.split([part.shape[1] for part in parts], dim=1)
    pairs = zip(parts, weights, strict=True)
    result = reduce(add, (functional.conv2d(part, weight, padding=padding) for part, weight in pairs))
    if narrow:
        above, here, below = functional.pad(result, (0, 0, 1, 1)).split(layer.out_channels, dim=1)
        result = above[:, :, :-2] + here[:, :, 1:-1] + below[:, :, 2:]
    return result + cast(Tensor, layer.bias)[:, None, None]


class ResidualBlock(nn.Module):
    """features + conv(act(conv(features))), without normalisation (EDSR; paper, section 3.3).

    `act` is the identity above 0 and multiplies by `leak` below. The paper's is ReLU, leak 0; in long trainings some of
    its channels end up below 0 everywhere, and then neither do nor learn anything.

    Outside of training, a CPU computes large pictures in strips, so that what is inside stays in its caches. On a GPU
    that would be three times as many small kernels.
    """

    REACH = 2  # pixels
    STRIP = 128  # rows

    def __init__(self, channels: int, leak: float = 0.0) -> None:
        super().__init__()
        self.leak = leak
        self.conv1 = convolution(channels, channels)
        self.conv2 = convolution(channels, channels, gain=INITIAL_GAIN)

    def forward(self, features: Tensor) -> Tensor:
        """(B, channels, H, W) -> (B, channels, H, W)."""
        if torch.is_grad_enabled() or features.is_cuda:
            return self._residual(features)
        strip = (self.STRIP, features.shape[-1])
        return in_patches(self._residual, features, size=strip, reach=self.REACH)

    def _residual(self, features: Tensor) -> Tensor:
        inner = functional.leaky_relu(self.conv1(features), self.leak, inplace=True)
        branch: Tensor = self.conv2(inner)
        return features + branch


class DenseBlock(nn.Module):
    """Five densely connected 3 x 3 convolutions, zero at the start (IRN's `DenseBlock`; paper, section 3.3).

    Inside it has many more channels than outside. Outside of training, a CPU computes large pictures in patches, so
    that this memory stays bounded, and a GPU in one piece: there the tiles become smaller instead (`fgrn.compute`).
    """

    DEPTH = 5
    REACH = DEPTH  # pixels
    PATCH = (256, 256)

    def __init__(self, in_channels: int, out_channels: int, growth: int) -> None:
        super().__init__()
        inner = [
            convolution(in_channels + i * growth, growth, gain=INITIAL_GAIN) for i in range(self.DEPTH - 1)
        ]
        last = convolution(in_channels + (self.DEPTH - 1) * growth, out_channels, gain=0.0)
        self.convs = nn.ModuleList([*inner, last])

    def forward(self, features: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, out_channels, H, W)."""
        features = in_autocast_precision(features)
        if torch.is_grad_enabled():
            return self.dense(channels_last(features))  # always in one layout: `dense` may be compiled for it
        if features.is_cuda:
            return self.in_wide_steps(features)
        return in_patches(self.dense, features, size=self.PATCH, reach=self.REACH)

    def dense(self, features: Tensor) -> Tensor:
        """`forward`, for pictures of any size in one piece."""
        if features.is_cuda and features.dtype in (torch.bfloat16, torch.float16):
            return self.in_aligned_channels(features)
        features = channels_last(features)
        *inner, fourth, last = self.convs
        for conv in inner:
            features = torch.cat([features, _activated(conv(features))], dim=1)
        return convolve_parts(cast(nn.Conv2d, last), [features, _activated(fourth(features))])

    def in_aligned_channels(self, features: Tensor) -> Tensor:
        """`dense`, with channels of zeros that bring all their numbers to multiples of TENSOR_CORE_CHANNELS.

        (B, in_channels, H, W) -> (B, out_channels, H, W), with gradients as those of `dense`.
        """
        count = features.shape[1]
        gap = -count % TENSOR_CORE_CHANNELS
        features = channels_last(functional.pad(features, (0, 0, 0, 0, 0, gap)))
        *inner, last = (cast(nn.Conv2d, conv) for conv in self.convs)
        for conv in inner:
            weight = _with_gap(conv.weight, count, gap)
            grown = functional.conv2d(features, weight, conv.bias, padding=1)
            features = torch.cat([features, functional.leaky_relu(grown, LEAK)], dim=1)
        more = -last.out_channels % TENSOR_CORE_CHANNELS
        weight = functional.pad(_with_gap(last.weight, count, gap), (0, 0, 0, 0, 0, 0, 0, more))
        bias = functional.pad(cast(Tensor, last.bias), (0, more))
        return functional.conv2d(features, weight, bias, padding=1)[:, : last.out_channels]

    def in_wide_steps(self, features: Tensor) -> Tensor:
        """`dense` as a GPU likes it: what a convolution gives is convolved at once for all that come after it.

        (B, in_channels, H, W) -> (B, out_channels, H, W). So the first kernels have many outputs instead of the last
        ones many inputs, for the same arithmetic. Not for training: sums are added to, and activated, where they are.
        """
        *inner, last = (cast(nn.Conv2d, conv) for conv in self.convs)
        growth = inner[0].out_channels
        sums = _convolve_for(inner, features, start=0)
        sums += torch.cat([cast(Tensor, conv.bias) for conv in inner])[:, None, None]
        for done in range(1, len(inner) + 1):
            grown = _activated(sums[:, growth * (done - 1) : growth * done])
            if later := inner[done:]:
                start = features.shape[1] + growth * (done - 1)
                sums[:, growth * done :] += _convolve_for(later, grown, start)
        return convolve_parts(last, [features, sums])


def _convolve_for(layers: Sequence[nn.Conv2d], features: Tensor, start: int) -> Tensor:
    """What `features`, the inputs from `start` on, contribute to each of some convolutions, one after the other."""
    end = start + features.shape[1]
    weight = torch.cat([layer.weight[:, start:end] for layer in layers])
    outputs = len(weight)
    if outputs > WIDE // 2:  # kernels compute 32 or 64 outputs at a time; 64 take less time than 48
        weight = functional.pad(weight, (0, 0, 0, 0, 0, 0, 0, -outputs % WIDE))
    return functional.conv2d(features, weight, padding=1)[:, :outputs]


def _with_gap(weight: Tensor, at: int, gap: int) -> Tensor:
    """The weight of a convolution with zeros for `gap` inputs that come after the first `at`."""
    if not gap:
        return weight
    zeros = weight.new_zeros(weight.shape[0], gap, *weight.shape[2:])
    return torch.cat([weight[:, :at], zeros, weight[:, at:]], dim=1)


def _activated(features: Tensor) -> Tensor:
    return functional.leaky_relu(features, LEAK, inplace=True)


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
