"""MATLAB-style bicubic resizing by integer factors: the baseline, the guidance y_bic and the start of G_d and G_u.

The kernel is Keys' cubic with a = -0.5; shrinking stretches it by the scale (antialiasing); borders are extended
symmetrically, edge pixel included. This is MATLAB's `imresize(image, factor, "bicubic")` in floating point.
Explicit sums of shifted slices instead of a convolution: the value of a pixel then depends neither on the size of
the picture nor on the kernel that a library picks.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

REACH = 2
"""LR pixels that both functions look beyond a pixel: the kernel's support is (-2, 2)."""


def bicubic_downscale(image: Tensor, scale: int) -> Tensor:
    """Antialiased bicubic: (B, C, scale*H, scale*W) -> (B, C, H, W).

    The result is not clamped: it overshoots [0, 1] by up to about 15 % at edges.

    Raises:
        ValueError: if a side is no multiple of `scale`.
    """
    if image.shape[-2] % scale or image.shape[-1] % scale:
        raise ValueError(
            f"bicubic_downscale: {image.shape[-1]} x {image.shape[-2]} pixels are no multiple of {scale}; pad first"
        )
    return _shrink(_shrink(image, scale, dim=-2), scale, dim=-1)


def bicubic_upscale(image: Tensor, scale: int) -> Tensor:
    """Bicubic interpolation: (B, C, H, W) -> (B, C, scale*H, scale*W). Not clamped."""
    return _enlarge(_enlarge(image, scale, dim=-1), scale, dim=-2)


def cubic_kernel(distance: float) -> float:
    """Keys' cubic convolution kernel with a = -0.5 (Keys 1981, equation 15); support (-2, 2)."""
    t = abs(distance)
    if t <= 1:
        return 1.5 * t**3 - 2.5 * t**2 + 1
    return -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2 if t < 2 else 0.0


@cache
def _taps(centre: float, stretch: int) -> tuple[tuple[int, float], ...]:
    """(offset, weight) of the samples under a kernel at `centre`, stretched by `stretch`; weights sum to 1."""
    reach = 2 * stretch + 1
    weights = {d: cubic_kernel((centre - d) / stretch) for d in range(-reach, reach + stretch)}
    total = sum(weights.values())
    return tuple((d, weight / total) for d, weight in weights.items() if weight)


def _extend(image: Tensor, border: int, dim: int) -> Tensor:
    """Symmetric extension (edge pixel repeated) by `border` on both ends of `dim`, of any length."""
    size = image.shape[dim]
    index = torch.arange(-border, size + border, device=image.device) % (2 * size)
    return image.index_select(dim, torch.minimum(index, 2 * size - 1 - index))


def _shrink(image: Tensor, scale: int, dim: int) -> Tensor:
    size, border = image.shape[dim] // scale, 2 * scale
    extended = _extend(image, border, dim)
    # Output i lies at (i + 1/2) * scale - 1/2: the same taps for every i, `scale` samples apart.
    shrunk = image.new_zeros(())
    for offset, weight in _taps((scale - 1) / 2, scale):
        start = border + offset
        index = [slice(None)] * image.ndim
        index[dim] = slice(start, start + (size - 1) * scale + 1, scale)
        shrunk = shrunk + weight * extended[tuple(index)]
    return shrunk


def _enlarge(image: Tensor, scale: int, dim: int) -> Tensor:
    size, border = image.shape[dim], 2
    extended = _extend(image, border, dim)
    phases = []
    for phase in range(scale):  # output q * scale + phase lies at q + (phase + 1/2) / scale - 1/2
        taps = _taps((phase + 0.5) / scale - 0.5, 1)
        phases.append(sum(weight * extended.narrow(dim, border + offset, size) for offset, weight in taps))
    axis = dim % image.ndim
    return torch.stack([torch.as_tensor(phase) for phase in phases], dim=axis + 1).flatten(axis, axis + 1)
