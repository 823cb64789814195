"""The curves of the Stress tab as Plotly figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from plotly import graph_objects as go

from fgrn.methods import METHODS
from fgrn.scores import readable_size
from lab import charts
from lab.stress.damage import CODECS, KINDS
from lab.stress.runs import Point, RatePoint, RateRun, StressRun

_BITS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20)


def damage_figure(run: StressRun, kind: str) -> go.Figure:
    """PSNR-Y of every method against the amount of one kind of damage, which grows to the right."""
    figure = go.Figure()
    amounts = KINDS[kind].amounts
    for method in run.methods:
        points = [p for p in run.points if p.method == method and p.kind == kind]
        reference = run.reference(method)
        if reference is not None:
            figure.add_trace(_level(reference, amounts, alone=not points))
        figure.add_trace(
            go.Scatter(
                x=[p.amount for p in points],
                y=[p.psnr_y for p in points],
                customdata=[[p.ssim_y] for p in points],
                name=METHODS[method].label,
                legendgroup=method,
                mode="lines+markers",
                line={"color": charts.COLOURS[method], "width": 2},
                marker={"symbol": charts.MARKERS[method], "size": 7},
                hovertemplate="%{y:.2f} dB, SSIM %{customdata[0]:.4f}",
            )
        )
    least, most = amounts[0], amounts[-1]
    margin = (most - least) * 0.04  # negative for qualities, whose axis runs down
    figure.update_layout(
        charts.layout(320, f"<b>{KINDS[kind].label}</b> {run.subject}"),
        hovermode="x unified",
        yaxis_title="PSNR-Y, dB",
    )
    figure.update_xaxes(
        charts.titled_axis(), title_text=KINDS[kind].axis, range=[least - margin, most + margin]
    )
    figure.update_yaxes(charts.titled_axis())
    return figure


def rate_figure(run: RateRun) -> go.Figure:
    """PSNR-Y against bits per HR pixel: codecs as curves, methods as points."""
    figure = go.Figure()
    for codec in CODECS:
        points = sorted((p for p in run.points if p.series == codec), key=lambda p: p.bytes)
        if points:
            figure.add_trace(
                _rate_trace(points, KINDS[codec].label, mode="lines+markers", marker={"size": 5})
            )
    for method in run.methods:
        points = [p for p in run.points if p.series == method]
        if points:
            label = f"{METHODS[method].label} ×{run.scale}"
            marker = {"symbol": charts.MARKERS[method], "size": 13, "line": {"width": 1.5, "color": "white"}}
            figure.add_trace(_rate_trace(points, label, mode="lines+markers", marker=marker))
    title = f"<b>Bytes</b> {run.subject}"
    figure.update_layout(charts.layout(480, title), hovermode="closest", yaxis_title="PSNR-Y, dB")
    # Below: on a phone so many entries stand in four rows, and would reach into the title.
    figure.update_layout(margin_t=40, legend={"x": 0, "xanchor": "left", "y": -0.2, "yanchor": "top"})
    texts = [f"{value:g}" for value in _BITS]
    figure.update_xaxes(
        charts.titled_axis(),
        type="log",
        title_text="bits per pixel of the picture",
        tickvals=list(_BITS),
        ticktext=texts,
    )
    figure.update_yaxes(charts.titled_axis())
    return figure


def _level(reference: Point, amounts: Sequence[float], alone: bool) -> go.Scatter:
    """A dotted line where the method stands without damage; in the legend as long as it is `alone`, without a curve."""
    return go.Scatter(
        x=[amounts[0], amounts[-1]],
        y=[reference.psnr_y] * 2,
        mode="lines",
        line={"color": charts.COLOURS[reference.method], "width": 1, "dash": "dot"},
        name=METHODS[reference.method].label,
        legendgroup=reference.method,
        showlegend=alone,
        hoverinfo="skip",
    )


def _rate_trace(points: Sequence[RatePoint], name: str, **options: Any) -> go.Scatter:
    series = points[0].series
    codec = series in CODECS
    return go.Scatter(
        x=[p.bits_per_pixel for p in points],
        y=[p.psnr_y for p in points],
        customdata=[[p.setting, readable_size(p.bytes), p.ssim_y] for p in points],
        name=name,
        line={
            "color": charts.COLOURS[series],
            "width": 1.5 if codec else 1,
            "dash": "solid" if codec else "dot",
        },
        hovertemplate=f"<b>{name}</b>, %{{customdata[0]}}<br>%{{customdata[1]}}, %{{x:.3f}} bits per pixel<br>"
        "%{y:.2f} dB, SSIM %{customdata[2]:.4f}<extra></extra>",
        **options,
    )
