"""The example pictures, and what the page opens with."""

from __future__ import annotations

from pathlib import Path

EXAMPLES = {
    path.stem: path
    for path in sorted((Path(__file__).resolve().parent.parent / "assets" / "examples").glob("*.png"))
}
"""Paths by name."""
FIRST_EXAMPLE = "portrait"
FIRST_SCALE = 4
FIRST_METHODS = ("bicubic", "irn", "fgrn")
