"""Histograms and spectra of x, LR and bicubic as Plotly figures that read on a light and on a dark page.

Gradio bundles plotly.js 3: nothing here needs a later one. The background is the page's; where the style sheet
(lab/latent.css) is missing, the text is a grey that reads on both.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from plotly import graph_objects as go

from lab.latent.studies import PICTURES, Curves
from lab.latent.views import CHANNELS, decibels

# Each at least 3 : 1 against white and against the dark page, and apart for the colour-blind.
LINES = {"x": ("#d55e00", "solid"), "lr": ("#0b7bc1", "solid"), "bicubic": ("#7f7f7f", "dot")}
_GRID = "rgba(128, 138, 152, 0.25)"
_TEXT = "#7a8799"


def histogram_figure(curves: Curves, channel: str) -> go.Figure:
    """The share of every grey level among the values of a channel, or of all three."""
    figure = _figure("Histogram", "grey level", "share of values, %")
    for key in PICTURES:
        counts = curves.histograms[key][list(CHANNELS[channel])].sum(axis=0)
        _add(figure, key, np.arange(256), 100 * counts / counts.sum(), "%{y:.3f} %")
    # Logarithmic: the clipped values at both ends would flatten all the others.
    figure.update_yaxes(type="log", dtick=1, exponentformat="none")
    return figure


def spectrum_figure(curves: Curves, channel: str) -> go.Figure:
    """Power against frequency, of a channel or the mean of all three."""
    figure = _figure("Log spectrum", "cycles per LR pixel", "power, dB")
    for key in PICTURES:
        power = curves.spectra[key][list(CHANNELS[channel])].mean(axis=0)
        _add(figure, key, curves.frequencies, decibels(power), "%{y:.1f} dB")
    figure.update_xaxes(range=[0, 0.5])
    return figure


def _add(figure: go.Figure, key: str, x: NDArray[Any], y: NDArray[Any], hover: str) -> None:
    colour, dash = LINES[key]
    figure.add_trace(
        go.Scatter(
            x=x.tolist(),
            y=[value if value > 0 or "dB" in hover else None for value in y.tolist()],
            name=PICTURES[key],
            mode="lines",
            connectgaps=False,
            line={"color": colour, "dash": dash, "width": 1.75},
            hovertemplate=hover,
        )
    )


def _figure(title: str, x: str, y: str) -> go.Figure:
    figure = go.Figure(
        layout=go.Layout(
            template=go.layout.Template(),
            height=300,
            autosize=True,
            title={"text": f"<b>{title}</b>", "x": 0, "xref": "paper", "y": 0.98, "yanchor": "top"},
            title_font_size=15,
            margin={"l": 8, "r": 8, "t": 44, "b": 8},
            paper_bgcolor="rgba(0,0,0,0)",
            plot_bgcolor="rgba(0,0,0,0)",
            font={"color": _TEXT, "size": 12.5, "family": "system-ui, sans-serif"},
            legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1.02, "yanchor": "bottom"},
            showlegend=True,
            hovermode="x unified",
            dragmode=False,  # on a phone, a finger on a plot scrolls the page
        )
    )
    axis = {"gridcolor": _GRID, "zeroline": False, "linecolor": _GRID, "automargin": True}
    figure.update_xaxes(**axis, title=x)
    figure.update_yaxes(**axis, title=y)
    return figure
