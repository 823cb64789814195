"""A network's function on 8-bit pixels: made a tensor, in tiles, in less memory where there is not enough."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fgrn.memory import release_freed_memory
from fgrn.ops import GREY_LEVELS, grey_levels
from fgrn.pixels import Levels, Pixels
from fgrn.tiles import in_tiles

TensorFunction = Callable[[Tensor], Tensor]
T = TypeVar("T")

SMALLEST_TILE = 96  # LR pixels on a side


def as_tensor(pixels: Pixels | Levels, device: torch.device) -> Tensor:
    """(H, W, 3) -> (1, 3, H, W), float32 in [0, 1], on `device`."""
    copy = np.array(pixels, order="C")  # pictures may be read-only, which torch warns about
    return torch.from_numpy(copy).to(device).permute(2, 0, 1)[None].float() / GREY_LEVELS


def as_array(image: Tensor) -> NDArray[Any]:
    """(1, 3, H, W) -> (H, W, 3) of the same type, in main memory."""
    array: NDArray[Any] = image[0].permute(1, 2, 0).contiguous().cpu().numpy()
    return array


def compute(
    function: TensorFunction,
    pixels: Pixels | Levels,
    *,
    device: torch.device,
    side: int,
    reach: int,
    zoom_in: int = 1,
    zoom_out: int = 1,
    finish: TensorFunction = grey_levels,
) -> NDArray[Any]:
    """`finish(function(pixels))`, in tiles if there are many pixels; in smaller ones if a GPU's memory is not enough.

    For `side`, `reach` and the zooms see `fgrn.tiles.in_tiles`. `finish` makes of each tile's result, float in [0, 1],
    what is wanted: 8-bit pixels, uint8, by default.
    """

    def of_tile(tile: Pixels | Levels) -> NDArray[Any]:
        with torch.inference_mode():
            return as_array(finish(function(as_tensor(tile, device))))

    def in_tiles_of(side: int) -> NDArray[Any]:
        return in_tiles(of_tile, pixels, side=side, reach=reach, zoom_in=zoom_in, zoom_out=zoom_out)

    return with_room(in_tiles_of, side, SMALLEST_TILE)


def with_room(work: Callable[[int], T], side: int, smallest: int) -> T:
    """`work(side)`, with half of the side and so on down to `smallest` as long as a GPU's memory is not enough."""
    while True:
        try:
            return work(side)
        except torch.OutOfMemoryError:
            if side <= smallest:
                raise
            side = max(side // 2, smallest)
        finally:
            release_freed_memory()
