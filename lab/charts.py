"""What the Plotly figures of all tabs share, so that they read on a light and on a dark page.

A method has one colour and one marker everywhere.

The background is the page's, and so is the colour of the text (lab/tabs.css). Gradio bundles
plotly.js 3: nothing here needs a later one.
"""

from __future__ import annotations

from typing import Any

from plotly import graph_objects as go

# Each at least 3 : 1 against white and against the dark page, and apart for the colour-blind.
COLOURS = {
    "bicubic": "#7f7f7f",
    "irn": "#d55e00",
    "fgrn": "#0b7bc1",
    "fgrn_refined": "#00878f",
    "du_none": "#b85c94",
    "du_bic": "#8a7a00",
    "jpeg": "#009270",
    "jpeg444": "#4d7c0f",
    "webp": "#7a68c8",
    "avif": "#c0504d",
}
MARKERS = {
    "bicubic": "circle",
    "irn": "square",
    "fgrn": "diamond",
    "fgrn_refined": "diamond-tall",
    "du_none": "triangle-up",
    "du_bic": "triangle-down",
}
TEXT = "#7a8799"  # where the style sheet is missing: readable on both
_GRID = "rgba(128, 138, 152, 0.25)"
# Buttons of Plotly whose work a drag or a double click does; saving and going back stay.
_NEEDLESS = ["zoom2d", "pan2d", "select2d", "lasso2d", "zoomIn2d", "zoomOut2d", "autoScale2d"]


def layout(height: int, title: str) -> go.Layout:
    """A figure of so many pixels in height, as wide as its place: title and buttons, legend, plot."""
    return go.Layout(
        template=go.layout.Template(),
        height=height,
        autosize=True,
        title={"text": title, "x": 0, "xref": "paper", "y": 0.98, "yanchor": "top", "font": {"size": 14}},
        margin={"l": 8, "r": 8, "t": 64, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": TEXT, "size": 12.5, "family": "system-ui, sans-serif"},
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1.02, "yanchor": "bottom"},
        showlegend=True,
        modebar={"remove": _NEEDLESS, "bgcolor": "rgba(0,0,0,0)", "color": TEXT, "activecolor": TEXT},
    )


def axis() -> dict[str, Any]:
    """An axis with a faint grid."""
    return {"gridcolor": _GRID, "zeroline": False, "linecolor": _GRID, "automargin": True}


def titled_axis() -> dict[str, Any]:
    """An axis whose title is small, and close to it."""
    return {**axis(), "title_font_size": 12.5, "title_standoff": 8}
