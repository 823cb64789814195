"""8-bit pictures as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]  # (H, W, 3), RGB
Levels = NDArray[np.float32]  # (H, W, 3), RGB: grey levels, 0 to 255 for a picture, that need not be whole


def pad_to_multiple(pixels: Pixels, scale: int) -> Pixels:
    """(H, W, 3), padded by reflection at the bottom and on the right until both sides are multiples of `scale`."""
    bottom, right = -pixels.shape[0] % scale, -pixels.shape[1] % scale
    return np.pad(pixels, ((0, bottom), (0, right), (0, 0)), mode="reflect")


def clamped(levels: NDArray[Any]) -> Pixels:
    """The nearest grey levels of any values: what lies outside of 0..255 becomes the nearer end."""
    pixels: Pixels = np.rint(np.clip(levels, 0, 255)).astype(np.uint8)
    return pixels


def noisy(pixels: Pixels, sigma: float, seed: int) -> Pixels:
    """(H, W, 3) with Gaussian noise of `sigma` grey levels; a seed stands for the same pattern at every sigma."""
    return clamped(pixels + sigma * np.random.default_rng(seed).normal(0, 1, pixels.shape))


def crop_to_multiple(pixels: Pixels, scale: int) -> Pixels:
    """(H, W, 3), cut at the bottom and on the right until both sides are multiples of `scale`."""
    height, width = pixels.shape[:2]
    return pixels[: height - height % scale, : width - width % scale]
