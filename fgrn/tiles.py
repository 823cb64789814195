"""Large pictures piece by piece: every tile is computed with as much around it as the network looks at.

A tile's source reaches `reach` pixels beyond its core wherever the picture goes on, and ends where the picture ends;
so padding falls where it would fall without tiles, and the core's values depend on nothing that is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Value = TypeVar("Value", bound=np.generic)


@dataclass(frozen=True)
class Window:
    """A stretch of one axis: the core that a tile yields, and the source that it needs for that. Half-open."""

    core: tuple[int, int]
    source: tuple[int, int]

    def of_source(self, scale: int) -> slice:
        """The source, on an axis `scale` times as fine."""
        return slice(self.source[0] * scale, self.source[1] * scale)

    def of_core(self, scale: int) -> slice:
        """The core, on an axis `scale` times as fine."""
        return slice(self.core[0] * scale, self.core[1] * scale)

    def of_core_in_source(self, scale: int) -> slice:
        """The core within what was computed from the source, on an axis `scale` times as fine."""
        start = self.source[0]
        return slice((self.core[0] - start) * scale, (self.core[1] - start) * scale)


def windows(length: int, side: int, reach: int) -> list[Window]:
    """Cut an axis into the fewest cores of at most `side`, of nearly equal length."""
    count = max(1, -(-length // side))
    edges = [i * length // count for i in range(count + 1)]
    return [
        Window((start, stop), (max(0, start - reach), min(length, stop + reach)))
        for start, stop in pairwise(edges)
    ]


def in_tiles(
    function: Callable[[Any], NDArray[Value]],
    pixels: NDArray[Any],
    *,
    side: int,
    reach: int,
    zoom_in: int,
    zoom_out: int,
) -> NDArray[Value]:
    """`function(pixels)`, computed tile by tile.

    On a grid of LR pixels `function` takes (H * zoom_in, W * zoom_in, 3) to (H * zoom_out, W * zoom_out, 3) and looks
    at most `reach` LR pixels far. Cores of the tiles are at most `side` LR pixels wide and high.
    """
    height, width = pixels.shape[0] // zoom_in, pixels.shape[1] // zoom_in
    if height <= side and width <= side:
        return function(pixels)
    result = None
    for rows in windows(height, side, reach):
        for columns in windows(width, side, reach):
            tile = function(pixels[rows.of_source(zoom_in), columns.of_source(zoom_in)])
            if result is None:
                result = np.empty((height * zoom_out, width * zoom_out, 3), tile.dtype)
            core = tile[rows.of_core_in_source(zoom_out), columns.of_core_in_source(zoom_out)]
            result[rows.of_core(zoom_out), columns.of_core(zoom_out)] = core
    assert result is not None
    return result


def in_patches(
    function: Callable[[Tensor], Tensor], features: Tensor, *, size: tuple[int, int], reach: int
) -> Tensor:
    """`function(features)` of (B, C, H, W), computed in patches of at most `size` = (height, width) pixels.

    For maps that keep height and width, look at most `reach` pixels far, and need much more memory inside than for
    what goes in and comes out.
    """
    height, width = features.shape[-2:]
    if height <= size[0] and width <= size[1]:
        return function(features)
    result = None
    for rows in windows(height, size[0], reach):
        for columns in windows(width, size[1], reach):
            patch = function(features[..., rows.of_source(1), columns.of_source(1)])
            if result is None:
                shape = (patch.shape[0], patch.shape[1], height, width)
                kind: Any = {"dtype": patch.dtype, "device": patch.device}
                result = torch.empty(shape, memory_format=torch.channels_last, **kind)
            core = patch[..., rows.of_core_in_source(1), columns.of_core_in_source(1)]
            result[..., rows.of_core(1), columns.of_core(1)] = core
    assert result is not None
    return result
