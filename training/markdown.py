"""Markdown tables."""

from __future__ import annotations

Rows = list[list[str]]


def markdown(header: list[str], rows: Rows) -> str:
    """A Markdown table; the first column is left-aligned, the others right-aligned."""
    align = ["---"] + ["---:"] * (len(header) - 1)
    return "".join(f"| {' | '.join(row)} |\n" for row in [header, align, *rows])
