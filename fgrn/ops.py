"""Tensor operations without parameters: squeeze, 8-bit quantiser, Haar transform.

All images are float tensors of shape (B, C, H, W); pictures have values in [0, 1], one grey level is 1/255.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

GREY_LEVELS = 255
UNDECIDED = 1 / 8  # grey levels: values so near the middle of two are no more of one than of the other


def channels_last(features: Tensor) -> Tensor:
    """The same values with the channels of a pixel side by side in memory, (B, C, H, W) as ever.

    Unlike `Tensor.contiguous(memory_format=torch.channels_last)` also where there is a single channel: its strides fit
    both layouts, torch then goes on in the other one, and the convolutions that follow take up to twice as long.
    """
    _, channels, height, width = features.shape
    strides = (channels * height * width, 1, channels * width, channels)
    if features.stride() == strides:
        return features
    moved = torch.empty_strided(features.shape, strides, dtype=features.dtype, device=features.device)
    return moved.copy_(features)


def memory_format(device: torch.device) -> torch.memory_format:
    """The layout in which convolutions in float32 are fastest: cuDNN turns channels that come last back to planes."""
    return torch.contiguous_format if device.type == "cuda" else torch.channels_last


def squeeze(image: Tensor, scale: int) -> Tensor:
    """Move each `scale` x `scale` block of pixels into channels (paper, Figure 2a).

    (B, C, scale*H, scale*W) -> (B, scale^2*C, H, W); `unsqueeze` is its inverse, no value is lost.
    """
    return functional.pixel_unshuffle(image, scale)


def unsqueeze(features: Tensor, scale: int) -> Tensor:
    """Inverse of `squeeze`, also known as pixel shuffle: (B, scale^2*C, H, W) -> (B, C, scale*H, scale*W)."""
    return functional.pixel_shuffle(features, scale)


def haar(image: Tensor) -> Tensor:
    """One level of the 2-D Haar transform as IRN defines it (Xiao et al., ECCV 2020).

    (B, C, 2H, 2W) -> (B, 4C, H, W). The first C channels are the block means; the others are the horizontal,
    vertical and diagonal differences, each divided by 4.
    """
    a, b = image[..., 0::2, 0::2], image[..., 0::2, 1::2]
    c, d = image[..., 1::2, 0::2], image[..., 1::2, 1::2]
    return torch.cat([a + b + c + d, a - b + c - d, a + b - c - d, a - b - c + d], dim=1) / 4


def inverse_haar(bands: Tensor) -> Tensor:
    """Inverse of `haar`: (B, 4C, H, W) -> (B, C, 2H, 2W)."""
    mean, horizontal, vertical, diagonal = bands.chunk(4, dim=1)
    a, b = mean + horizontal + vertical + diagonal, mean - horizontal + vertical - diagonal
    c, d = mean + horizontal - vertical - diagonal, mean - horizontal - vertical + diagonal
    blocks = torch.stack([a, b, c, d], dim=2)  # (B, C, 4, H, W), the four pixels of each block
    return unsqueeze(blocks.flatten(1, 2), 2)


class _StraightThroughQuantise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, image: Tensor) -> Tensor:
        ctx.save_for_backward(image)
        return image.clamp(0, 1).mul(GREY_LEVELS).round().div(GREY_LEVELS)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Tensor:
        (image,) = ctx.saved_tensors
        gradient = grad_outputs[0]
        # A descent step moves against the gradient: below 0 a positive one pushes further out, above 1 a negative.
        leaving = ((image < 0) & (gradient > 0)) | ((image > 1) & (gradient < 0))
        return gradient.masked_fill(leaving, 0)


def quantise(image: Tensor) -> Tensor:
    """Round to the 256 grey levels {0, 1/255, ..., 1}, with a straight-through gradient (paper, section 3.3).

    Deviation from the paper: outside [0, 1] the gradient passes only where a descent step leads back into the
    range. Passing all of it lets x saturate, after which nothing is learnt any more.

    Raises:
        TypeError: for a dtype other than float32 or float64; a half-precision type cannot hold the 256 levels.
    """
    if image.dtype not in (torch.float32, torch.float64):
        raise TypeError(
            f"quantise needs float32 or float64, not {image.dtype}: coarser types merge grey levels"
        )
    quantised: Tensor = _StraightThroughQuantise.apply(image)
    return quantised


def grey_levels(image: Tensor) -> Tensor:
    """The grey levels 0 to 255 to which `quantise` rounds, as uint8; without gradients, and in little memory."""
    return image.clamp(0, 1).mul_(GREY_LEVELS).round_().byte()


def nearly_quantise(image: Tensor) -> Tensor:
    """The grey levels 0 to 255 to which `quantise` rounds, but for values in the middle of two, which stay in between.

    Over the UNDECIDED part of a level around the middle the result goes evenly from the one to the other. This is for x
    as it comes back from LR, most of which is exact when rounded. Where rounding LR has made it undecided, half a level
    wrong for certain costs G_u less than a whole one half of the time; and where another device adds in another order,
    x moves a little instead of by a level. The paper does not say what G_u gets; ours was trained on rounded x.

    Returns float levels of the shape of `image`; rounded they are `grey_levels(image)`.
    """
    levels = image.clamp(0, 1).mul_(GREY_LEVELS)
    lower = levels.floor()
    return lower.add_(levels.sub_(lower).sub_(0.5).div_(UNDECIDED).add_(0.5).clamp_(0, 1))


def in_float32(function: Callable[[Tensor], Tensor], image: Tensor) -> Tensor:
    """Apply `function` outside any autocast region, on a float32 (or float64) input.

    bf16 resolves 1/256 just below 1, which is coarser than a grey level: whatever touches the 8-bit grid has to
    stay in float32, or training at x2 loses several dB late in the run.
    """
    with torch.autocast(image.device.type, enabled=False):
        return function(image if image.dtype == torch.float64 else image.float())


def in_autocast_precision(features: Tensor) -> Tensor:
    """The same values in the precision of the autocast region that this is in; as they are outside of one.

    For features that are concatenated with results of convolutions, which would else become float32 again.
    """
    device = features.device.type
    return features.to(torch.get_autocast_dtype(device)) if torch.is_autocast_enabled(device) else features


def require_float32() -> None:
    """Keep cuDNN from TF32 in this process: its 10-bit mantissa would break the round trip through F. GPU only."""
    torch.backends.cudnn.allow_tf32 = False
