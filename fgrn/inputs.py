"""What callers hand over: pictures as arrays, PIL images or files, and sizes. Checked, with words that help."""

from __future__ import annotations

import operator
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from PIL import Image

from fgrn import images
from fgrn.images import LoadedImage
from fgrn.lr_info import LRInfo
from fgrn.pixels import Levels, Pixels

ImageLike = Pixels | Image.Image | LoadedImage | str | Path | bytes | BinaryIO
"""A picture as an array, of PIL, as `read_image` gives it, or its file: by name, content or stream."""


class RescaleError(ValueError):
    """A picture or request that cannot be served; the message says what, why and what next."""


def as_pixels(image: ImageLike) -> Pixels:
    """Any accepted picture as a uint8 array (H, W, 3).

    Raises:
        RescaleError: for an array that is no 8-bit picture, RGB (H, W, 3) or grey (H, W), and for anything else.
        fgrn.images.ImageError: for a file that cannot be read.
    """
    return read_picture(image)[0]


def read_picture(image: ImageLike) -> tuple[Pixels, LRInfo | None]:
    """`as_pixels`, and what the file says of restoring it."""
    if isinstance(image, Image.Image):
        image = images.from_pil(image)
    elif isinstance(image, str | Path | bytes | bytearray | memoryview) or hasattr(image, "read"):
        image = images.read_image(cast("str | Path | bytes | BinaryIO", image))
    if isinstance(image, LoadedImage):
        return image.pixels, image.info
    if not isinstance(image, np.ndarray):
        raise RescaleError(
            f"{type(image).__name__} is no picture: pass the name or the content of a file, a PIL image, or a uint8 "
            "array of numpy (H, W, 3)."
        )
    if image.dtype == np.uint8 and image.ndim == 2:
        return np.repeat(image[..., None], 3, axis=2), None
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise RescaleError(
            f"An array of shape {image.shape} and type {image.dtype} is no 8-bit picture: pass uint8 (H, W, 3), or "
            f"(H, W) for grey{_hint(image)}."
        )
    return image, None


def as_levels(x: Pixels | Levels) -> Pixels | Levels:
    """x for a decoder: (h, w, 3), uint8, or float32 grey levels as `Rescaler.from_lr` gives them.

    Raises:
        RescaleError: for anything else.
    """
    if (
        not isinstance(x, np.ndarray)
        or x.ndim != 3
        or x.shape[2] != 3
        or not x.size
        or x.dtype not in (np.uint8, np.float32)
    ):
        what = f"{x.shape} {x.dtype}" if isinstance(x, np.ndarray) else type(x).__name__
        raise RescaleError(
            f"{what} is no x: pass uint8 (h, w, 3), or float32 grey levels from 0 to 255 as from_lr gives them."
        )
    return x


def as_size(size: tuple[int, int]) -> tuple[int, int]:
    """(height, width) in pixels.

    Raises:
        RescaleError: if it is not two whole numbers from 1 on.
    """
    try:
        height, width = map(operator.index, size)
        if height > 0 and width > 0:
            return height, width
    except (TypeError, ValueError):
        pass
    raise RescaleError(f"{size!r} is no size: give (height, width) of the original, whole numbers of pixels.")


def _hint(array: np.ndarray[Any, Any]) -> str:
    """How an array that looks like a picture becomes one."""
    if array.ndim == 4:
        return ", one picture at a time"
    if array.ndim == 3 and array.shape[0] in (1, 3) and array.shape[2] not in (1, 3, 4):
        return ": picture.transpose(1, 2, 0) has its channels last"
    if array.ndim == 3 and array.shape[2] == 4:
        return ": picture[..., :3] is one without its alpha"
    if array.ndim == 3 and array.shape[2] == 1:
        return ": picture[..., 0] is a grey one"
    if array.dtype.kind == "f" and array.size and 0 <= array.min() and array.max() <= 1:
        return "; values from 0 to 1 become that by np.rint(255 * picture).astype(np.uint8)"
    if array.dtype.kind == "f":
        return "; grey levels become that by np.rint(picture.clip(0, 255)).astype(np.uint8)"
    return ""
