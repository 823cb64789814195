"""What there is to see of x and its LR picture: views, histograms, spectra and errors.

Arrays in, arrays out. Levels are grey levels that are neither rounded nor clipped, Pixels are 8-bit pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fgrn.pixels import Pixels, clamped

CHANNELS = {"rgb": (0, 1, 2), "r": (0,), "g": (1,), "b": (2,)}
GREY = 128  # of a difference of zero
GAINS = (32, 16, 8, 4, 2, 1)  # to choose among automatically
SPECTRUM_BINS = 48
FLOOR = 1e-3  # grey levels squared: what is below counts as this much, for the logarithm

# Errors of x and their colours: apart in lightness too, on the dimmed picture behind them.
ERROR_COLOURS = ((1, "#7dd3fc"), (2, "#facc15"), (4, "#ef4444"))


class View(StrEnum):
    """How levels are turned into a picture."""

    CLAMPED = "clamped"
    STRETCHED = "stretched"
    DIFFERENCE = "difference"
    FROM_X = "from_x"

    @property
    def reference(self) -> str:
        """The picture that the others are shown minus of; "" where values are shown."""
        return {View.DIFFERENCE: "bicubic", View.FROM_X: "x"}.get(self, "")


def extent(levels: NDArray[Any]) -> list[tuple[float, float]]:
    """The smallest and the largest level of every channel."""
    return [(float(levels[..., c].min()), float(levels[..., c].max())) for c in range(levels.shape[-1])]


def stretched(levels: NDArray[Any]) -> Pixels:
    """Every channel from its smallest to its largest level, shown as 0 to 255; a constant one is grey."""
    low, high = levels.min(axis=(0, 1)), levels.max(axis=(0, 1))
    span = np.where(high > low, high - low, 1)
    return clamped(np.where(high > low, (levels - low) / span * 255, GREY))


def difference(levels: NDArray[Any], reference: NDArray[Any], gain: float) -> Pixels:
    """128 + gain * (levels - reference): grey where they agree, lighter where `levels` is larger."""
    return clamped(GREY + gain * (levels.astype(np.float32) - reference))


def automatic_gain(change: NDArray[Any]) -> int:
    """The largest gain with which `difference` shows 99 % of the values of a change without clipping them."""
    most = float(np.percentile(np.abs(change), 99))
    return next((gain for gain in GAINS if gain * most <= 255 - GREY), GAINS[-1])


def view(levels: NDArray[Any], kind: View, channel: str, reference: NDArray[Any], gain: float) -> Pixels:
    """The picture (H, W, 3) of a view; a single channel, a key of CHANNELS, is shown as grey."""
    chosen = CHANNELS[channel]
    if kind.reference:
        picture = difference(levels[..., chosen], reference[..., chosen], gain)
    else:
        picture = (stretched if kind is View.STRETCHED else clamped)(levels[..., chosen])
    return picture if len(chosen) == 3 else picture.repeat(3, axis=2)


def histogram(pixels: Pixels) -> NDArray[np.int64]:
    """How often each of the 256 levels occurs in every channel: (3, 256)."""
    return np.stack([np.bincount(pixels[..., c].ravel(), minlength=256) for c in range(3)])


def spectrum(pixels: Pixels) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Frequencies in cycles per pixel up to 0.5, and the mean power there of every channel (3, n).

    In grey levels squared, so that white noise of sigma s has s^2 at every frequency. The mean is taken off and a Hann
    window put on, for the edges of the picture are no part of it; frequencies without a sample are left out.
    """
    height, width = pixels.shape[:2]
    window = np.outer(np.hanning(height), np.hanning(width))
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    columns = np.full(width // 2 + 1, 2.0)  # rfft2 leaves out the mirrored half ...
    columns[0] = 1  # ... but this column is its own mirror image; that of 0.5, if there is one, is in no ring
    weights = np.broadcast_to(columns, radius.shape)
    bins = np.minimum((radius * 2 * SPECTRUM_BINS).astype(np.intp), SPECTRUM_BINS)  # the last: the corners
    counts = np.bincount(bins.ravel(), weights.ravel(), SPECTRUM_BINS + 1)[:SPECTRUM_BINS]
    powers = []
    for c in range(3):
        values = pixels[..., c].astype(np.float64)
        power = np.abs(np.fft.rfft2((values - values.mean()) * window)) ** 2 / (window**2).sum()
        sums = np.bincount(bins.ravel(), (weights * power).ravel(), SPECTRUM_BINS + 1)[:SPECTRUM_BINS]
        powers.append(sums[counts > 0] / counts[counts > 0])
    frequencies = (np.arange(SPECTRUM_BINS) + 0.5) / (2 * SPECTRUM_BINS)
    return frequencies[counts > 0], np.stack(powers)


def decibels(power: NDArray[np.float64]) -> NDArray[np.float64]:
    """10 log10 of a power in grey levels squared, from `FLOOR` on."""
    result: NDArray[np.float64] = 10 * np.log10(np.maximum(power, FLOOR))
    return result


@dataclass(frozen=True)
class Exactness:
    """How well x came back: the share of exact values, the largest error in grey levels, values by error 0, 1, ..."""

    share: float
    largest: int
    counts: tuple[int, ...]


def exactness(x: Pixels, recovered: Pixels) -> Exactness:
    """Compare x with round(F^-1(LR))."""
    counts = np.bincount(_error(x, recovered).ravel())
    return Exactness(float(np.mean(x == recovered)), len(counts) - 1, tuple(int(n) for n in counts))


def error_map(x: Pixels, recovered: Pixels, channel: str) -> Pixels:
    """x dimmed to grey, and in the ERROR_COLOURS where it did not come back; of "rgb" the worst channel counts."""
    chosen = CHANNELS[channel]
    error = _error(x, recovered)[..., chosen].max(axis=2)
    picture = clamped((24 + 0.4 * x[..., chosen].mean(axis=2))[..., None].repeat(3, axis=2))
    for least, colour in ERROR_COLOURS:
        picture[error >= least] = tuple(bytes.fromhex(colour[1:]))
    return picture


def root_mean_square(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    """The root of the mean squared difference of every channel, in grey levels."""
    squares = (a.astype(np.float32) - b.astype(np.float32)) ** 2
    result: NDArray[np.float64] = np.sqrt(squares.mean(axis=(0, 1), dtype=np.float64))
    return result


def _error(a: Pixels, b: Pixels) -> NDArray[np.int16]:
    error: NDArray[np.int16] = np.abs(a.astype(np.int16) - b)
    return error
