"""Strokes that a visitor paints on an LR picture, and the picture with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fgrn.pixels import Pixels, clamped


@dataclass(frozen=True)
class Stroke:
    """A line of the brush: points (column, row) in pixels of the LR picture, from its upper left corner."""

    points: tuple[tuple[float, float], ...]
    radius: float
    levels: int


def brushed(lr: Pixels, strokes: Sequence[Stroke]) -> Pixels:
    """Each stroke adds its levels once wherever it passes, to all colours."""
    changed = lr.astype(np.int32)
    last = np.zeros(lr.shape[:2], np.int32)  # which stroke has passed a pixel last: in each it counts once
    for number, stroke in enumerate(strokes, 1):
        for part, passed in _passed(stroke, lr.shape[0], lr.shape[1]):
            new = passed & (last[part] != number)
            changed[part][new] += stroke.levels
            last[part][new] = number
    return clamped(changed)


def reached(stroke: Stroke) -> float:
    """At most how many pixels have to be looked at to paint a stroke."""
    side = 2 * stroke.radius + 2
    ends = zip(stroke.points, stroke.points[1:] or stroke.points, strict=False)
    return sum((abs(x1 - x0) + side) * (abs(y1 - y0) + side) for (x0, y0), (x1, y1) in ends)


def _passed(
    stroke: Stroke, height: int, width: int
) -> Iterator[tuple[tuple[slice, slice], NDArray[np.bool_]]]:
    """For each piece of the line a part of the picture, and which of its pixels have their centre within the radius.

    A point hits its pixel however small the radius is.
    """
    for (x0, y0), (x1, y1) in zip(stroke.points, (*stroke.points[1:], stroke.points[-1]), strict=True):
        radius = max(stroke.radius, 0.71)
        top, bottom = max(0, int(min(y0, y1) - radius)), max(0, int(max(y0, y1) + radius) + 1)
        left, right = max(0, int(min(x0, x1) - radius)), max(0, int(max(x0, x1) + radius) + 1)
        rows, columns = np.ogrid[top : min(bottom, height), left : min(right, width)]
        y, x = rows + 0.5 - y0, columns + 0.5 - x0
        along = (x * (x1 - x0) + y * (y1 - y0)) / (((x1 - x0) ** 2 + (y1 - y0) ** 2) or 1)
        along = along.clip(0, 1)
        distance = (x - along * (x1 - x0)) ** 2 + (y - along * (y1 - y0)) ** 2
        yield (slice(top, bottom), slice(left, right)), distance <= radius**2
