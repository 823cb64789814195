"""The example pictures, and what the page opens with."""

from __future__ import annotations

from fgrn.files import ASSETS

EXAMPLES = {path.stem: path for path in sorted((ASSETS / "examples").glob("*.png"))}
"""Paths by name."""
FIRST_EXAMPLE = "portrait"
FIRST_SCALE = 4
FIRST_METHODS = ("bicubic", "irn", "fgrn")
