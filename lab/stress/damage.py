"""What happens to LR pictures on their way: saved with loss, blurred, noised, resized. Pillow and numpy only."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter, features

from fgrn.pixels import Pixels, noisy

NOISE_SEED = 0  # the same noise for every method and every run

QUALITIES = (100, 95, 90, 80, 70, 60, 50, 40, 30)


@dataclass(frozen=True)
class Kind:
    """A kind of damage: `amounts` from the least on, `axis` says what they are."""

    name: str
    label: str
    axis: str
    amounts: tuple[float, ...]


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("jpeg", "JPEG", "quality of the LR JPEG", QUALITIES),
        Kind("jpeg444", "JPEG 4:4:4", "quality of the LR JPEG, colours in full", QUALITIES),
        Kind("webp", "WebP", "quality of the LR WebP", QUALITIES),
        Kind("avif", "AVIF", "quality of the LR AVIF", QUALITIES),
        Kind("blur", "Blur", "sigma of the blur, LR pixels", (0, 0.25, 0.5, 0.75, 1, 1.5, 2)),
        Kind("noise", "Noise", "sigma of the noise, grey levels", (0, 0.5, 1, 2, 4, 8, 16)),
        Kind("resize", "Resized by 1 or 2 pixels", "pixels added to each side, then back", (-2, -1, 0, 1, 2)),
    )
}
CODECS = ("jpeg", "jpeg444", "webp", "avif")
_FORMATS = {"jpeg": "JPEG", "jpeg444": "JPEG", "webp": "WEBP", "avif": "AVIF"}
_MODULES = {"JPEG": "jpg", "WEBP": "webp", "AVIF": "avif"}
_OPTIONS: dict[str, dict[str, int]] = {"jpeg444": {"subsampling": 0}}  # of Pillow; else its defaults


class DamageError(ValueError):
    """A kind of damage that cannot be done here; the message says why and what next."""


def check(kind: str) -> None:
    """Raise DamageError if this Pillow cannot write the format that a kind needs."""
    if kind in CODECS and not features.check(_MODULES[_FORMATS[kind]]):
        raise DamageError(
            f"{KINDS[kind].label} is left out: the Pillow of this server was built without it. "
            "Install Pillow again from its wheel."
        )


def encode(pixels: Pixels, codec: str, quality: float) -> bytes:
    """A picture (H, W, 3) as a JPEG, WebP or AVIF file with Pillow's defaults: 4:2:0 chroma but for "jpeg444".

    Raises:
        DamageError: if this Pillow cannot write the format, or the format cannot hold the picture.
    """
    return _saved(pixels, codec, quality=int(quality), **_OPTIONS.get(codec, {}))


def lossless_webp(pixels: Pixels) -> bytes:
    """A picture as a lossless WebP file, at the greatest effort.

    Raises:
        DamageError: as `encode`.
    """
    return _saved(pixels, "webp", lossless=True, quality=100, method=6)


def decode(data: bytes) -> Pixels:
    """The pixels of a file that `encode` made."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def damage(lr: Pixels, kind: str, amount: float) -> Pixels:
    """An LR picture (H, W, 3) after damage of `kind`, a key of KINDS; blur, noise and resize by 0 change nothing.

    Raises:
        DamageError: if it cannot be done with this Pillow or this picture.
        ValueError: for an unknown kind.
    """
    if kind in CODECS:
        return decode(encode(lr, kind, amount))
    if kind == "blur":
        return np.asarray(Image.fromarray(lr).filter(ImageFilter.GaussianBlur(amount))) if amount else lr
    if kind == "noise":
        return noisy(lr, amount, NOISE_SEED)
    if kind == "resize":
        height, width = lr.shape[:2]
        if not amount:
            return lr
        other = (max(1, width + int(amount)), max(1, height + int(amount)))
        resized = Image.fromarray(lr).resize(other, Image.Resampling.BICUBIC)
        return np.asarray(resized.resize((width, height), Image.Resampling.BICUBIC))
    raise ValueError(f"unknown kind of damage {kind!r}; choose one of {', '.join(KINDS)}")


def _saved(pixels: Pixels, codec: str, **options: int) -> bytes:
    """The file that Pillow writes; raises as `encode`."""
    check(codec)
    buffer = io.BytesIO()
    try:
        Image.fromarray(pixels).save(buffer, _FORMATS[codec], **options)
    except (OSError, ValueError, RuntimeError) as error:  # AVIF's RuntimeError: a side is too long
        raise DamageError(
            f"{KINDS[codec].label} cannot hold this picture ({error}). Use a smaller one."
        ) from error
    return buffer.getvalue()
