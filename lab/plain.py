"""Figures as plain values, for programs that call the page's endpoints."""

from __future__ import annotations

import math


def plain_number(value: float | None) -> float | str | None:
    """A figure for JSON, which has neither infinity nor nan: "inf", "-inf" and None."""
    if value is None or math.isnan(value):
        return None
    return value if math.isfinite(value) else str(value)
