"""Histograms and spectra of x, LR and bicubic as Plotly figures."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from plotly import graph_objects as go

from lab import charts
from lab.latent.studies import PICTURES, Curves
from lab.latent.views import CHANNELS, decibels

# Each at least 3 : 1 against white and against the dark page, and apart for the colour-blind.
LINES = {"x": ("#d55e00", "solid"), "lr": ("#0b7bc1", "solid"), "bicubic": ("#7f7f7f", "dot")}


def histogram_figure(curves: Curves, channel: str) -> go.Figure:
    """The share of every grey level among the values of a channel, or of all three."""
    figure = _figure("Histogram", "grey level", "share of values, %")
    for key in PICTURES:
        counts = curves.histograms[key][list(CHANNELS[channel])].sum(axis=0)
        shares = np.where(counts > 0, 100 * counts / counts.sum(), np.nan)  # the axis has no place for 0
        _add(figure, key, np.arange(256), shares, "%{y:.3f} %")
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
            y=[None if math.isnan(value) else value for value in y.tolist()],
            name=PICTURES[key],
            mode="lines",
            connectgaps=False,
            line={"color": colour, "dash": dash, "width": 1.75},
            hovertemplate=hover,
        )
    )


def _figure(title: str, x: str, y: str) -> go.Figure:
    figure = go.Figure(layout=charts.layout(300, f"<b>{title}</b>"))
    # dragmode: on a phone, a finger on a plot scrolls the page
    figure.update_layout(title_font_size=15, hovermode="x unified", dragmode=False)
    figure.update_xaxes(charts.axis(), title=x)
    figure.update_yaxes(charts.axis(), title=y)
    return figure
