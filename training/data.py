"""Training patches: folders of images, decoded once; crops and flips that depend on (seed, step) alone."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

logger = logging.getLogger(__name__)

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"}


def list_images(folder: Path) -> list[Path]:
    """All image files below `folder`, sorted by name.

    Raises:
        FileNotFoundError: if there is no such folder, or no image in it.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is no folder: --data takes folders of images")
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    if not files:
        raise FileNotFoundError(f"{folder} holds no image ({', '.join(sorted(IMAGE_SUFFIXES))})")
    return files


def read_images(files: Sequence[Path], smallest: int) -> list[Tensor]:
    """Decode files to uint8 tensors (3, H, W). Broken ones, and those below `smallest` pixels, are named and skipped.

    Raises:
        ValueError: if none is left.
    """
    images = []
    for path in files:
        try:
            with Image.open(path) as picture:
                pixels = np.array(picture.convert("RGB"))
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            logger.warning("skipped %s: %s", path.name, error)
            continue
        if min(pixels.shape[:2]) < smallest:
            logger.warning(
                "skipped %s: %d x %d is below %d", path.name, pixels.shape[1], pixels.shape[0], smallest
            )
            continue
        images.append(torch.from_numpy(pixels).permute(2, 0, 1).contiguous())
    if not images:
        raise ValueError(
            f"none of {len(files)} images can be used: each needs at least {smallest} pixels a side"
        )
    return images


def split_validation(files: Sequence[Path], count: int) -> tuple[list[Path], list[Path]]:
    """(training, validation): `count` evenly spaced files are held out, the same ones for the same folder."""
    if count >= len(files):
        raise ValueError(f"cannot hold out {count} of {len(files)} images")
    held_out = {round((i + 0.5) * len(files) / count) for i in range(count)} if count else set()
    training = [path for i, path in enumerate(files) if i not in held_out]
    return training, [path for i, path in enumerate(files) if i in held_out]


@dataclass(frozen=True)
class PatchSampler:
    """Random square patches with the eight flips and rotations (paper, section 4.1).

    Stateless: `batch(step)` is a function of (seed, rank, step), so a resumed run sees the samples that the
    uninterrupted one would have seen, and every method compared sees the same ones.
    """

    images: Sequence[Tensor]  # uint8 (3, H, W)
    patch: int
    batch_size: int
    seed: int
    rank: int = 0

    def batch(self, step: int, device: torch.device) -> Tensor:
        """Patches (batch_size, 3, patch, patch), float32 in [0, 1], on `device`."""
        random = np.random.Generator(np.random.Philox(key=[self.seed, self.rank], counter=[0, 0, 0, step]))
        patches = []
        for _ in range(self.batch_size):
            image = self.images[int(random.integers(len(self.images)))]
            top = int(random.integers(image.shape[1] - self.patch + 1))
            left = int(random.integers(image.shape[2] - self.patch + 1))
            patch = image[:, top : top + self.patch, left : left + self.patch]
            turns, mirrored = int(random.integers(4)), bool(random.integers(2))
            patch = patch.rot90(turns, dims=(1, 2))
            patches.append(patch.flip(2) if mirrored else patch)
        return torch.stack(patches).to(device, non_blocking=True).float() / 255
