"""A quick look at a network during training: held-out images, the whole 8-bit path."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from fgrn.metrics import psnr_y
from fgrn.models import RescalingNet
from fgrn.ops import quantise
from fgrn.resize import bicubic_downscale

CROP = 160  # pixels a side: a check every few minutes must not cost minutes


@torch.no_grad()
def validate(net: RescalingNet, images: Sequence[Tensor]) -> dict[str, float]:
    """Means over the central crops of `images` (uint8, (3, H, W)).

    Returns Y-PSNR in dB of the reconstruction after F and F^-1 (`psnr_y`), of G_u(x) without them
    (`psnr_y_direct`), of LR against bicubic (`lr_psnr_y`), and the share of x that comes back exactly (`x_exact`).
    A PSNR without any error is left out: JSON has no infinity.
    """
    device = next(net.parameters()).device
    rows = []
    for image in images:
        side = min(CROP, *image.shape[1:]) // net.scale * net.scale
        top, left = (image.shape[1] - side) // 2, (image.shape[2] - side) // 2
        hr = image[None, :, top : top + side, left : left + side].to(device).float() / 255
        x = quantise(net.encode(hr))
        lr = quantise(net.to_lr(x))
        recovered = quantise(net.from_lr(lr))
        crop = net.scale
        rows.append(
            {
                "psnr_y": psnr_y(_to_uint8(net.decode(recovered)), _to_uint8(hr), crop),
                "psnr_y_direct": psnr_y(_to_uint8(net.decode(x)), _to_uint8(hr), crop),
                "lr_psnr_y": psnr_y(_to_uint8(lr), _to_uint8(bicubic_downscale(hr, net.scale)), 0),
                "x_exact": float(((recovered - x).abs() < 0.5 / 255).float().mean()),
            }
        )
    means = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    return {name: mean for name, mean in means.items() if math.isfinite(mean)}


def _to_uint8(image: Tensor) -> np.ndarray:
    pixels: np.ndarray = image[0].clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).cpu().numpy()
    return pixels
