"""What is between the 8-bit pictures: x before it is rounded, and the images on the way through F.

Values are grey levels, 0..255 for a picture; here they are neither rounded nor clipped.
"""

from __future__ import annotations

import torch
from torch import Tensor

from fgrn.compute import as_array, as_tensor, compute
from fgrn.ops import GREY_LEVELS
from fgrn.pipeline import Rescaler
from fgrn.pixels import Levels, Pixels, pad_to_multiple


def unrounded_x(rescaler: Rescaler, hr: Pixels) -> Levels:
    """HR (H, W, 3) -> x as the encoder makes it; clipped and rounded it is x, before it is refined if it is."""
    return compute(
        rescaler.net.encode,
        pad_to_multiple(hr, rescaler.scale),
        device=rescaler.device,
        side=rescaler.tile,
        reach=rescaler.net.reach.encode,
        zoom_in=rescaler.scale,
        finish=_levels,
    )


def path(rescaler: Rescaler, x: Pixels) -> list[Levels]:
    """x (H, W, 3) -> [l_0 = x, l_1, ..., l_K], one image for every cell of F; clipped and rounded l_K is LR.

    Methods without a flow have l_0 alone. Never in tiles: F needs little memory, but on pictures of several tiles
    single values of LR may round to the next level.
    """
    with torch.inference_mode():
        return [as_array(_levels(image)) for image in rescaler.net.path(as_tensor(x, rescaler.device))]


def _levels(image: Tensor) -> Tensor:
    return image.mul(GREY_LEVELS)
