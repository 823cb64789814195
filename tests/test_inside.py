"""x before rounding and the path through F agree with the pipeline, bit for bit after rounding."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fgrn import inside
from fgrn.pipeline import Rescaler, load
from tests.conftest import Photo

pytestmark = pytest.mark.usefixtures("use_tiny_weights")


def rounded(levels: np.ndarray) -> np.ndarray:
    """As `fgrn.ops.quantise`."""
    pixels: np.ndarray = np.rint(np.clip(levels, 0, 255)).astype(np.uint8)
    return pixels


@pytest.mark.parametrize("method", ["bicubic", "irn", "fgrn", "du_none"])
@pytest.mark.parametrize("size", [(48, 64), (49, 66)])
def test_rounded_it_is_what_the_pipeline_makes(method: str, size: tuple[int, int], photo: Photo) -> None:
    rescaler, hr = load(method, 4, device="cpu"), photo(*size)
    x = rescaler.encode(hr)
    unrounded = inside.unrounded_x(rescaler, hr)
    assert unrounded.dtype == np.float32
    np.testing.assert_array_equal(rounded(unrounded), x)
    path = inside.path(rescaler, x)
    assert len(path) == (3 if method == "fgrn" else 1)
    np.testing.assert_allclose(path[0], x, atol=1e-4)
    np.testing.assert_array_equal(rounded(path[-1]), rescaler.to_lr(x))


def test_tiles_make_no_difference(photo: Photo) -> None:
    whole: Rescaler = load("fgrn", 2, device="cpu")
    hr = photo(97, 131)
    tiled = inside.unrounded_x(replace(whole, tile=24), hr)
    np.testing.assert_allclose(tiled, inside.unrounded_x(whole, hr), atol=1e-3)
