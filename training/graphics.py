"""Patches that photographs lack: flat colours, gradients, waves, stripes, and photographs in grey or in vivid colours.

G_d hides much of the picture in the colours of x. Trained on photographs alone, whose channels go together, G_d and G_u
know nothing of a saturated area or of colours that change on their own, and miss them by dozens of grey levels.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from fgrn.ops import quantise

NUMBERS = 16  # random numbers that a patch takes
SHORTEST, LONGEST = 4.0, 160.0  # pixels: periods of waves and stripes
LUMA = (0.299, 0.587, 0.114)  # BT.601
MOST_VIVID = 4.0  # times the distance of a colour from grey

Kind = Callable[[Tensor, list[float]], Tensor]
"""Makes of a patch (3, P, P) and NUMBERS - 1 numbers in [0, 1) another patch, not yet clamped or rounded."""


def drawn(patches: Tensor, numbers: Tensor, share: float) -> Tensor:
    """Draw or recolour a share of the patches; the others are as they were.

    `patches` (B, 3, P, P), float32 in [0, 1]; `numbers` (B, NUMBERS) in [0, 1) decide everything, the first of each
    row whether and what is drawn. Whatever is drawn is rounded to grey levels, as pictures are.
    """
    kinds, result = list(KINDS.values()), patches.clone()
    for i, row in enumerate(numbers.tolist()):
        if row[0] < share:
            draw = kinds[int(row[0] / share * len(kinds))]
            result[i] = quantise(draw(patches[i], row[1:]))
    return result


def luma(image: Tensor) -> Tensor:
    """Of RGB (..., 3, H, W): (..., 1, H, W)."""
    red, green, blue = image.split(1, dim=-3)  # no tensor of weights: a CUDA graph cannot record its making
    result: Tensor = LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue
    return result


def _colour(patch: Tensor, numbers: list[float]) -> Tensor:
    """(3, 1, 1): each channel is 0 or 1 half of the time, else anything between."""
    return (2 * patch.new_tensor(numbers)[:, None, None] - 0.5).clamp(0, 1)


def _along(patch: Tensor, turn: float) -> Tensor:
    """(P, P): the place of each pixel along a direction, in pixels from the middle."""
    side = patch.shape[-1]
    places = torch.arange(side, device=patch.device) - (side - 1) / 2
    angle = 2 * math.pi * turn
    return math.cos(angle) * places + math.sin(angle) * places[:, None]


def _period(number: float) -> float:
    period: float = SHORTEST * (LONGEST / SHORTEST) ** number
    return period


def _flat(patch: Tensor, n: list[float]) -> Tensor:
    return _colour(patch, n[:3]).expand_as(patch)


def _gradient(patch: Tensor, n: list[float]) -> Tensor:
    """From one colour to another, over half of the longest period at the most."""
    here = (_along(patch, n[6]) / (_period(n[7]) / 2) + 0.5).clamp(0, 1)
    return torch.lerp(_colour(patch, n[:3]), _colour(patch, n[3:6]), here)


def _waves(patch: Tensor, n: list[float]) -> Tensor:
    """A sine in each channel, of its own period, direction and phase."""
    channels = []
    for turn, period, phase, middle in zip(n[:3], n[3:6], n[6:9], n[9:12], strict=True):
        height = n[12] / 2
        wave = torch.sin(2 * math.pi * (_along(patch, turn) / _period(period) + phase))
        channels.append(height + (1 - 2 * height) * middle + height * wave)
    return torch.stack(channels)


def _stripes(patch: Tensor, n: list[float]) -> Tensor:
    """Two colours with sharp edges; of a long period, one edge or none."""
    side = torch.sin(2 * math.pi * (_along(patch, n[6]) / _period(n[7]) + n[8])) > 0
    return torch.where(side, _colour(patch, n[:3]), _colour(patch, n[3:6]))


def _grey(patch: Tensor, n: list[float]) -> Tensor:
    return luma(patch).expand_as(patch)


def _vivid(patch: Tensor, n: list[float]) -> Tensor:
    return torch.lerp(_grey(patch, n), patch, 1 + (MOST_VIVID - 1) * n[0])


KINDS: dict[str, Kind] = {
    "flat": _flat,
    "gradient": _gradient,
    "waves": _waves,
    "stripes": _stripes,
    "grey": _grey,
    "vivid": _vivid,
}
"""Every kind by its name."""
