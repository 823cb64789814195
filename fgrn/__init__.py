"""FGRN: image rescaling by flow guidance (Li et al., BMVC 2021), with IRN and bicubic to compare.

import fgrn

rescaler = fgrn.load("fgrn", scale=4)
lr = rescaler.downscale("photo.jpg")  # uint8 (H/4, W/4, 3)
hr = rescaler.upscale(lr)             # uint8 (H, W, 3)
result = fgrn.rescale(rescaler, "photo.jpg")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fgrn.checkpoint import CheckpointError
    from fgrn.images import ImageError, read_image
    from fgrn.inputs import RescaleError
    from fgrn.pipeline import Rescaler, Result, load, rescale

__all__ = [
    "CheckpointError",
    "ImageError",
    "RescaleError",
    "Rescaler",
    "Result",
    "load",
    "read_image",
    "rescale",
]

__version__ = "0.1.0"

_MODULES = {
    "CheckpointError": "checkpoint",
    "ImageError": "images",
    "RescaleError": "inputs",
    "read_image": "images",
}  # others: pipeline


def __getattr__(name: str) -> Any:
    """Import the public names on first use: torch takes seconds, which `python -m fgrn --help` need not wait."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_MODULES.get(name, 'pipeline')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
