"""Pictures with structure, made by a generator: no file, no licence."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw


def make_photo(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A synthetic photograph: smooth shading, coloured shapes with sharp borders, stripes, a little grain."""
    random = np.random.default_rng(seed)
    low = random.integers(40, 216, (4, 5, 3), dtype=np.uint8)
    image = Image.fromarray(low).resize((width, height), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(image)
    for _ in range(6):
        left, top = random.integers(0, [width, height])
        size = random.integers(max(3, min(height, width) // 8), max(4, min(height, width) // 3))
        box = (int(left), int(top), int(left + size), int(top + size))
        colour = tuple(int(value) for value in random.integers(0, 256, 3))
        (draw.ellipse if random.random() < 0.5 else draw.rectangle)(box, fill=colour)
    rows, columns = np.mgrid[:height, :width]
    angle = random.uniform(0, np.pi)
    stripes = 12 * np.sin((rows * np.sin(angle) + columns * np.cos(angle)) * 0.9) * (columns > width / 2)
    pixels = (
        np.asarray(image, dtype=np.float64) + stripes[..., None] + random.normal(0, 2, (height, width, 1))
    )
    rounded: np.ndarray = np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
    return rounded
