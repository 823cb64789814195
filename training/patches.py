"""Training patches: crops, flips and rotations that depend on (seed, sample number) alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from training.data import Images
from training.graphics import NUMBERS, drawn


@dataclass(frozen=True)
class PatchSampler:
    """Random square patches with the eight flips and rotations (paper, section 4.1), cut where the pixels are.

    Stateless: sample n is a function of (seed, n), whatever the batch size and the number of processes. So a resumed
    run sees the samples that the uninterrupted one would have seen, two processes see together what one would see
    with the double batch, and every method compared sees the same ones.
    """

    images: Images
    patch: int
    batch_size: int
    seed: int
    graphics: float = 0.0  # share of the samples that are drawn or recoloured (training/graphics.py)

    def batch(self, first: int, device: torch.device) -> Tensor:
        """Samples first, ..., first + batch_size - 1: (batch_size, 3, patch, patch), float32 in [0, 1], on `device`."""
        # A sample takes one block of Philox's counter, four numbers: picture, row, column, orientation.
        random = np.random.Generator(np.random.Philox(key=self.seed, counter=first))
        picture, top, left, orientation = random.random((self.batch_size, 4)).T
        chosen = (picture * len(self.images)).astype(np.int64)
        widths = self.images.widths[chosen]
        rows = (top * (self.images.heights[chosen] - self.patch + 1)).astype(np.int64)
        columns = (left * (widths - self.patch + 1)).astype(np.int64)
        corners = self.images.starts[chosen] + rows * widths + columns
        source = self.images.pixels.device
        numbers = torch.from_numpy(np.stack([corners, widths, (8 * orientation).astype(np.int64)])).to(source)
        corner, width, turned = numbers[..., None, None]
        place = _orientations(self.patch, source)[turned[:, 0, 0]]  # (batch_size, patch, patch)
        index = corner + place // self.patch * width + place % self.patch
        patches = self.images.pixels[index].permute(0, 3, 1, 2)
        patches = patches.to(device, non_blocking=True).float() / 255
        if not self.graphics:
            return patches
        # A stream of its own: with and without graphics, the others are the same.
        random = np.random.Generator(np.random.Philox(key=[self.seed, 1], counter=first * (NUMBERS // 4)))
        return drawn(patches, torch.from_numpy(random.random((self.batch_size, NUMBERS))), self.graphics)


@lru_cache
def _orientations(patch: int, device: torch.device) -> Tensor:
    """(8, patch, patch): the places 0 ... patch^2 - 1 of a patch's pixels, turned by quarters, then mirrored too."""
    places = torch.arange(patch * patch, device=device).view(patch, patch)
    turned = [places.rot90(quarter) for quarter in range(4)]
    return torch.stack([*turned, *(view.flip(1) for view in turned)])
