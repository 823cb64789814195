"""What the Plotly figures of all tabs share, so that they read on a light and on a dark page.

The background is the page's, and so is the colour of the text (lab/tabs.css). Gradio bundles
plotly.js 3: nothing here needs a later one.
"""

from __future__ import annotations

from typing import Any

from plotly import graph_objects as go

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
