"""LR files: what made them, and what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass

from fgrn.images import LoadedImage
from fgrn.inputs import RescaleError
from fgrn.lr_info import LRInfo
from fgrn.methods import METHODS, label, restored_by


@dataclass(frozen=True)
class Source:
    """How to restore an LR image: what its file says, completed by what the user says."""

    method: str
    scale: int
    info: LRInfo | None  # what the file says: size of the original, digest of the weights
    notices: tuple[str, ...] = ()


def notices_of(lr: LoadedImage) -> tuple[str, ...]:
    """What is known of an LR file that makes the restored picture worse than it could be."""
    if lr.lossless:
        return lr.notices
    lossy = (
        f"This {lr.format} file may be compressed with losses, which change the grey levels that restoring depends "
        "on: expect a much worse picture than from the original LR PNG."
    )
    return (*lr.notices, lossy)


def source_of(lr: LoadedImage, method: str | None = None, scale: int | None = None) -> Source:
    """Decide how an LR file is to be restored.

    Raises:
        RescaleError: if the file carries no information and the user names no method or scale, or if the two
            contradict each other.
    """
    notices, info, method = notices_of(lr), lr.info, method and restored_by(method)
    if info is None:
        if method is None or scale is None:
            missing = [name for name, value in (("method", method), ("scale", scale)) if value is None]
            unnamed = (
                "This file does not say which method and scale made it (it is not an LR PNG of this program, or its "
                f"text chunk was removed or damaged): name the {' and the '.join(missing)}."
            )
            raise RescaleError(" ".join((*notices, unnamed)))
        return Source(method, scale, None, notices)
    if (method or info.method) != info.method or (scale or info.scale) != info.scale:
        raise RescaleError(
            f"This LR PNG was made by {label(info.method)} x{info.scale}; restored as {label(method or info.method)} "
            f"x{scale or info.scale} it would give a wrong picture. Leave method and scale to the file."
        )
    if info.method not in METHODS:
        raise RescaleError(
            f"This LR PNG was made by {info.method!r}, a method that this version does not know."
        )
    return Source(info.method, info.scale, info, notices)
