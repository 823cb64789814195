"""A quick look at a network during training: held-out images, the whole 8-bit path."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
from torch import Tensor

from fgrn.metrics import psnr_rgb, psnr_y
from fgrn.models import RescalingNet
from fgrn.ops import GREY_LEVELS, grey_levels, nearly_quantise, quantise
from fgrn.pipeline import MIN_SIDE
from fgrn.resize import bicubic_downscale
from training.data import read_pixels, split_validation, training_files

logger = logging.getLogger(__name__)

CROP = 160  # pixels a side: a check every few minutes must not cost minutes


def held_out(folders: Sequence[Path], count: int) -> list[Tensor]:
    """`middles` of what a training on these folders holds out, for all who measure on it."""
    _, files = split_validation(training_files(folders), count)
    return middles(files)


def middles(files: Sequence[Path]) -> list[Tensor]:
    """The central squares of at most `CROP` pixels a side, uint8 (3, S, S). What is broken or too small is skipped.

    Raises:
        ValueError: if there are files, and none of them can be used.
    """
    squares = []
    for path in files:
        pixels = read_pixels(path)
        if pixels is None:
            continue
        side = min(CROP, *pixels.shape[:2])
        if side < MIN_SIDE:
            logger.warning("skipped %s: a side is below %d pixels", path.name, MIN_SIDE)
            continue
        top, left = ((length - side) // 2 for length in pixels.shape[:2])
        square = pixels[top : top + side, left : left + side].copy()  # the rest goes
        squares.append(torch.from_numpy(square).permute(2, 0, 1))
    if files and not squares:
        raise ValueError(f"none of the {len(files)} held-out images can be used: hold out others, or more")
    return squares


@torch.no_grad()
def validate(net: RescalingNet, images: Sequence[Tensor]) -> dict[str, float]:
    """Means over the central crops of `images` (uint8, (3, H, W)).

    Returns Y-PSNR in dB of the reconstruction after F and F^-1 (`psnr_y`), of G_u(x) without them
    (`psnr_y_direct`), of LR against bicubic (`lr_psnr_y`, of all three colours `lr_psnr_rgb`), and the share of x that
    comes back exactly (`x_exact`).
    Images without any error have no PSNR and are left out of its mean; without any other it is left out too.
    """
    if not images:
        raise ValueError("there are no held-out images to measure on: hold out 1 or more")
    device = next(net.parameters()).device
    rows = []
    for image in images:
        side = min(CROP, *image.shape[1:]) // net.scale * net.scale
        top, left = (image.shape[1] - side) // 2, (image.shape[2] - side) // 2
        hr = image[None, :, top : top + side, left : left + side].to(device).float() / GREY_LEVELS
        x = quantise(net.encode(hr))
        lr = quantise(net.to_lr(x))
        recovered = nearly_quantise(net.from_lr(lr)) / GREY_LEVELS
        crop, bicubic_lr = net.scale, _pixels(bicubic_downscale(hr, net.scale))
        rows.append(
            {
                "psnr_y": psnr_y(_pixels(net.decode(recovered)), _pixels(hr), crop),
                "psnr_y_direct": psnr_y(_pixels(net.decode(x)), _pixels(hr), crop),
                "lr_psnr_y": psnr_y(_pixels(lr), bicubic_lr, 0),
                "lr_psnr_rgb": psnr_rgb(_pixels(lr), bicubic_lr, 0),
                "x_exact": float(((recovered - x).abs() < 0.5 / GREY_LEVELS).float().mean()),
            }
        )
    finite = {name: [row[name] for row in rows if math.isfinite(row[name])] for name in rows[0]}
    return {name: fmean(values) for name, values in finite.items() if values}


def _pixels(image: Tensor) -> np.ndarray:
    pixels: np.ndarray = grey_levels(image)[0].permute(1, 2, 0).cpu().numpy()
    return pixels
