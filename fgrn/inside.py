"""What is between the 8-bit pictures: x before it is rounded, and the images on the way through F.

Values are grey levels, 0..255 for a picture; here they are neither rounded nor clipped.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fgrn.ops import GREY_LEVELS
from fgrn.pipeline import Pixels, Rescaler
from fgrn.tiles import in_tiles

Levels = NDArray[np.float32]  # (H, W, 3), RGB


def unrounded_x(rescaler: Rescaler, hr: Pixels) -> Levels:
    """HR (H, W, 3) -> x as the encoder makes it; clipped and rounded it is `rescaler.encode(hr)`."""
    scale = rescaler.scale
    bottom, right = -hr.shape[0] % scale, -hr.shape[1] % scale

    def encode(tile: Pixels) -> Levels:
        return _levels(rescaler.net.encode(_tensor(tile, rescaler.device)))

    with torch.inference_mode():
        return in_tiles(
            encode,
            np.pad(hr, ((0, bottom), (0, right), (0, 0)), mode="reflect"),
            side=rescaler.tile,
            reach=rescaler.net.reach.encode,
            zoom_in=scale,
            zoom_out=1,
        )


def path(rescaler: Rescaler, x: Pixels) -> list[Levels]:
    """x (H, W, 3) -> [l_0 = x, l_1, ..., l_K], one image for every cell of F; clipped and rounded l_K is LR.

    Methods without a flow have l_0 alone. Never in tiles: F needs little memory, but on pictures of several tiles
    single values of LR may round to the next level.
    """
    with torch.inference_mode():
        return [_levels(image) for image in rescaler.net.path(_tensor(x, rescaler.device))]


def _tensor(pixels: Pixels, device: torch.device) -> Tensor:
    copy = np.array(pixels, order="C")  # pictures may be read-only, which torch warns about
    return torch.from_numpy(copy).to(device).permute(2, 0, 1)[None].float() / GREY_LEVELS


def _levels(image: Tensor) -> Levels:
    array: Levels = image[0].mul(GREY_LEVELS).permute(1, 2, 0).contiguous().cpu().numpy()
    return array
