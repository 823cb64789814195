"""Image quality: PSNR and SSIM of Y, PSNR of RGB (numpy), NIQE and PIQE without a reference (pyiqa, lazily).

Protocol of the image-rescaling literature: 8-bit RGB in, Y = 16 + (65.481 R + 128.553 G + 24.966 B) / 255 not
rounded, `crop` pixels cut from each side, peak 255. SSIM after Wang et al., "Image Quality Assessment: From Error
Visibility to Structural Similarity", IEEE TIP 2004: 11x11 Gaussian of sigma 1.5, only where it fits whole.

Results without a meaning are never numbers: PSNR and SSIM give nan where no pixel (no window) is left after the
crop, and `Score.value` is None with the reason.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import chain
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from fgrn.files import ASSETS
from fgrn.pixels import Pixels
from fgrn.scores import Score

FloatArray = npt.NDArray[np.float64]
T = TypeVar("T")

NIQE_PARAMETERS = ASSETS / "metrics" / "niqe_modelparameters.mat"
NIQE_MIN_SIDE = 192  # two 96x96 blocks each way: with one block the score is a constant whatever the picture
PIQE_BLOCK = 16
WORSE_BLOCK, WORSE_LEVELS = 16, 2  # pixels, grey levels

_Y_WEIGHTS = np.array([65.481, 128.553, 24.966]) / 255
_Y_OFFSET = 16.0
_PEAK = 255.0
_C1, _C2 = (0.01 * _PEAK) ** 2, (0.03 * _PEAK) ** 2
_WINDOW, _SIGMA = 11, 1.5
# SSIM windows per tile side. 54 + 10 = 64 pixels: four float64 maps stay in the processor's cache, and the products
# stay below the size where OpenBLAS starts threads, which stalls for seconds when other processes want the cores.
_TILE = 54
_BAND = 64  # rows per step where no window is needed
_THREADS, _PARTS_PER_THREAD = 4, 4  # at most; at least, since threads have to be started


def luma(image: npt.NDArray[Any]) -> FloatArray:
    """Y of BT.601 in studio range (16..235), float64 and unrounded, from (..., 3) RGB in 0..255."""
    y: FloatArray = image[..., 0] * _Y_WEIGHTS[0]  # by planes: several times faster than image @ weights
    y += image[..., 1] * _Y_WEIGHTS[1]
    y += image[..., 2] * _Y_WEIGHTS[2]
    y += _Y_OFFSET
    return y


def psnr_y(a: Pixels, b: Pixels, crop: int) -> float:
    """PSNR of Y in dB between (H, W, 3) uint8 images, `crop` pixels cut from each side.

    Identical images give inf (pyiqa gives 80); nothing left after the crop gives nan. Raises ValueError for images
    of different shapes or types.
    """
    a, b = _cropped(a, b, crop)
    return _psnr(
        sum(_on_cores(lambda rows: float(np.sum((luma(a[rows]) - luma(b[rows])) ** 2)), _bands(a))),
        a[..., 0].size,
    )


def psnr_rgb(a: Pixels, b: Pixels, crop: int) -> float:
    """As `psnr_y`, over all samples of R, G and B."""
    a, b = _cropped(a, b, crop)

    def squared(rows: slice) -> int:
        error = np.subtract(a[rows], b[rows], dtype=np.int32)
        return int(np.sum(error * error, dtype=np.int64))

    return _psnr(float(sum(_on_cores(squared, _bands(a)))), a.size)


def ssim_y(a: Pixels, b: Pixels, crop: int) -> float:
    """Mean SSIM of Y, -1 to 1, between (H, W, 3) uint8 images, `crop` pixels cut from each side.

    nan if fewer than 11 pixels are left on a side. Raises ValueError for images of different shapes or types.

    The Gaussian is separable, so one tile of windows is G @ tile @ G.T with G the banded matrix of its 1-D taps:
    two small matrix products instead of 121 passes, and memory that does not grow with the picture.
    """
    a, b = _cropped(a, b, crop)
    height, width = int(a.shape[0]) - _WINDOW + 1, int(a.shape[1]) - _WINDOW + 1
    if height < 1 or width < 1:
        return math.nan

    def strip(rows: slice) -> list[float]:
        strip_a, strip_b = luma(a[rows]), luma(b[rows])
        tiles = (slice(left, left + _TILE + _WINDOW - 1) for left in range(0, width, _TILE))
        return [_ssim_sum(strip_a[:, columns], strip_b[:, columns]) for columns in tiles]

    strips = [slice(top, top + _TILE + _WINDOW - 1) for top in range(0, height, _TILE)]
    # Tile by tile in their order, so that the sum does not depend on the number of threads.
    return sum(chain.from_iterable(_on_cores(strip, strips))) / (height * width)


def niqe(image: Pixels) -> Score:
    """NIQE (Mittal et al. 2013), lower is better, of a (H, W, 3) uint8 image, by pyiqa with the shipped parameters.

    The first call loads pyiqa (several seconds). n/a below 192 pixels on the short side and where no block has
    texture. Raises ValueError for another shape or type.
    """
    _check(image)
    side = min(image.shape[:2])
    if side < NIQE_MIN_SIDE:
        return Score(None, f"LR too small: {side} px on the short side, NIQE needs {NIQE_MIN_SIDE}")
    if _is_constant(image):
        return Score(None, "the picture has one colour only")
    return _blind(_pyiqa_niqe, image)


def piqe(image: Pixels) -> Score:
    """PIQE (Venkatanath et al. 2015), 0 to 100, lower is better, of a (H, W, 3) uint8 image, by pyiqa.

    n/a below one 16x16 block and where no block has texture. Raises ValueError for another shape or type.
    """
    _check(image)
    side = min(image.shape[:2])
    if side < PIQE_BLOCK:
        return Score(None, f"LR too small: {side} px on the short side, PIQE needs {PIQE_BLOCK}")
    if _is_constant(image):
        return Score(None, "the picture has one colour only")
    return _blind(_pyiqa_piqe, image)


def worse_share(reference: Pixels, picture: Pixels, other: Pixels) -> float:
    """In how much of a picture it is clearly worse than another: a share from 0 to 1 of uint8 pictures (H, W, 3).

    Of the whole blocks of WORSE_BLOCK pixels a side, those whose root mean square error of RGB is larger by
    WORSE_LEVELS; 0 if there is none. Raises ValueError as `psnr_y`.
    """
    for found in (picture, other):
        _cropped(reference, found, 0)  # checks them
    height, width = (side // WORSE_BLOCK for side in reference.shape[:2])
    if not height or not width:
        return 0.0
    worse = 0
    for top in range(0, height * WORSE_BLOCK, WORSE_BLOCK):  # a row of blocks at a time: little memory
        rows = slice(top, top + WORSE_BLOCK), slice(width * WORSE_BLOCK)
        expected = reference[rows].astype(np.int32)
        ours, theirs = (
            np.sqrt(((found[rows] - expected) ** 2).reshape(WORSE_BLOCK, width, -1).mean((0, 2)))
            for found in (picture, other)
        )
        worse += int((ours > theirs + WORSE_LEVELS).sum())
    return float(worse / (height * width))


def _check(image: npt.NDArray[Any]) -> None:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"expected a (H, W, 3) uint8 image, got {image.shape} {image.dtype}")


def _cropped(a: Pixels, b: Pixels, crop: int) -> tuple[Pixels, Pixels]:
    _check(a)
    _check(b)
    if a.shape != b.shape:
        raise ValueError(f"images of different sizes cannot be compared: {a.shape[:2]} and {b.shape[:2]}")
    if crop < 0:
        raise ValueError(f"crop must be 0 or more, got {crop}")
    height, width = a.shape[:2]
    inner = slice(crop, max(crop, height - crop)), slice(crop, max(crop, width - crop))
    return a[inner], b[inner]


def _bands(image: Pixels) -> list[slice]:
    return [slice(top, top + _BAND) for top in range(0, image.shape[0], _BAND)]


def _on_cores(work: Callable[[slice], T], parts: list[slice]) -> list[T]:
    """The results of all parts in their order, by a few threads if it is worth it: numpy computes without the GIL."""
    threads = min(_THREADS, os.cpu_count() or 1, len(parts) // _PARTS_PER_THREAD)
    if threads < 2:
        return [work(part) for part in parts]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, parts))


def _psnr(squared_error: float, count: int) -> float:
    if count == 0:
        return math.nan
    return math.inf if squared_error == 0 else 10 * math.log10(_PEAK**2 * count / squared_error)


def _gaussian_rows() -> FloatArray:
    taps = np.exp(-((np.arange(_WINDOW) - _WINDOW // 2) ** 2) / (2 * _SIGMA**2))
    matrix = np.zeros((_TILE, _TILE + _WINDOW - 1))
    for row in range(_TILE):
        matrix[row, row : row + _WINDOW] = taps / taps.sum()
    return matrix


_GAUSSIAN = _gaussian_rows()


def _ssim_sum(a: FloatArray, b: FloatArray) -> float:
    """Sum of the SSIM of all windows inside one tile of Y; a top-left part of the matrix filters a smaller tile."""
    height, width = a.shape
    down = _GAUSSIAN[: height - _WINDOW + 1, :height]
    across = _GAUSSIAN[: width - _WINDOW + 1, :width].T
    maps = np.stack([a, b, a * a + b * b, a * b])
    mean_a, mean_b, power, product = down @ maps @ across
    mean_product, mean_power = mean_a * mean_b, mean_a * mean_a + mean_b * mean_b
    luminance = (2 * mean_product + _C1) / (mean_power + _C1)
    structure = (2 * (product - mean_product) + _C2) / (power - mean_power + _C2)
    return float(np.sum(luminance * structure))


def _is_constant(image: Pixels) -> bool:
    return bool((image == image[:1, :1]).all())


_blind_lock = threading.Lock()


def _blind(metric: Callable[[Any], float | None], image: Pixels) -> Score:
    """Run a pyiqa metric on the CPU, one at a time to bound memory. n/a, not an error, where pyiqa is not installed."""
    import torch

    with _blind_lock, torch.inference_mode():
        batch = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].float() / 255
        try:
            value = metric(batch)
        except ImportError as error:  # pyiqa is optional by its licence; its OpenCV may lack a system library
            return Score(None, f"pyiqa cannot be used here ({error})")
        except torch.linalg.LinAlgError:  # type: ignore[attr-defined]  # NIQE of flat blocks: statistics of nothing
            value = None
    if value is None:
        return Score(None, "no block of the picture has texture")
    if not math.isfinite(value):
        return Score(None, "no finite number for this picture")
    return Score(value)


@cache
def _niqe_model() -> Any:
    from pyiqa.archs.niqe_arch import NIQE

    # The path keeps pyiqa from downloading; the other arguments are its own defaults, named.
    return NIQE(test_y_channel=True, color_space="yiq", pretrained_model_path=str(NIQE_PARAMETERS))


def _pyiqa_niqe(batch: Any) -> float:
    return float(_niqe_model()(batch))


def _pyiqa_piqe(batch: Any) -> float | None:
    # The function, not the PIQE module, which keeps its last result and so is not thread-safe.
    from pyiqa.archs.piqe_arch import piqe as compute

    score, _, _, active = compute(batch)
    return float(score) if bool(active.any()) else None
