"""The figures of Stress and Benchmark. A method has one colour and one marker everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from plotly import graph_objects as go
from plotly.subplots import make_subplots

from fgrn.methods import METHODS
from fgrn.scores import METRICS
from lab import charts
from lab.benchmark.runs import PAPER_KEYS, Bench, paper_row
from lab.files import readable_size
from lab.stress.damage import CODECS, KINDS
from lab.stress.runs import Point, RatePoint, RateRun, StressRun

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
_BITS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20)
_TITLES = {"psnr_y": "PSNR-Y, dB", "ssim_y": "SSIM-Y"}


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
                line={"color": COLOURS[method], "width": 2},
                marker={"symbol": MARKERS[method], "size": 7},
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
    figure.update_xaxes(_axis(), title=KINDS[kind].axis, range=[least - margin, most + margin])
    figure.update_yaxes(_axis())
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
            marker = {"symbol": MARKERS[method], "size": 13, "line": {"width": 1.5, "color": "white"}}
            figure.add_trace(_rate_trace(points, label, mode="lines+markers", marker=marker))
    title = f"<b>Bytes</b> {run.subject}"
    figure.update_layout(charts.layout(480, title), hovermode="closest", yaxis_title="PSNR-Y, dB")
    # Below: on a phone so many entries stand in four rows, and would reach into the title.
    figure.update_layout(margin_t=40, legend={"x": 0, "xanchor": "left", "y": -0.2, "yanchor": "top"})
    texts = [f"{value:g}" for value in _BITS]
    figure.update_xaxes(
        _axis(), type="log", title="bits per pixel of the picture", tickvals=list(_BITS), ticktext=texts
    )
    figure.update_yaxes(_axis())
    return figure


def bench_figure(bench: Bench) -> go.Figure:
    """Mean and spread of every method as bars, and beside them what the paper reports."""
    figure = make_subplots(1, 2, subplot_titles=[_TITLES[key] for key in PAPER_KEYS], horizontal_spacing=0.12)
    methods = bench.settings.methods
    means, spreads = bench.means, bench.spreads
    labels = [METHODS[name].label for name in methods]
    colours = [COLOURS[name] for name in methods]
    for column, key in enumerate(PAPER_KEYS, start=1):
        ours = [means[name][key].value if key in means[name] else None for name in methods]
        errors = [spreads[name][key].value if key in spreads[name] else None for name in methods]
        paper = [paper_row(bench.dataset, bench.settings.scale, name).get(key) for name in methods]
        figure.add_trace(
            _bars(
                labels,
                ours,
                f"measured, {len(bench.done)} picture{'' if len(bench.done) == 1 else 's'}",
                METRICS[key].digits,
            )
            .update(marker={"color": colours}, error_y=_whiskers(errors))
            .update(showlegend=column == 1),
            row=1,
            col=column,
        )
        if any(value is not None for value in paper):
            # No pattern: it is found by an address, which changes with the tab and what is shown.
            outlined = {"color": [_faint(c) for c in colours], "line": {"color": colours, "width": 1.5}}
            figure.add_trace(
                _bars(labels, paper, "as the paper reports", METRICS[key].digits).update(
                    marker=outlined, showlegend=column == 1
                ),
                row=1,
                col=column,
            )
    figure.update_layout(charts.layout(300, ""), barmode="group", bargap=0.25, margin_t=64, legend_y=1.13)
    figure.update_annotations(font_size=13, font_weight=600)  # the titles
    figure.update_xaxes(_axis(), showgrid=False)
    figure.update_yaxes(_axis(), rangemode="tozero")
    return figure


def _level(reference: Point, amounts: Sequence[float], alone: bool) -> go.Scatter:
    """A dotted line where the method stands without damage; in the legend as long as it is `alone`, without a curve."""
    return go.Scatter(
        x=[amounts[0], amounts[-1]],
        y=[reference.psnr_y] * 2,
        mode="lines",
        line={"color": COLOURS[reference.method], "width": 1, "dash": "dot"},
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
        line={"color": COLOURS[series], "width": 1.5 if codec else 1, "dash": "solid" if codec else "dot"},
        hovertemplate=f"<b>{name}</b>, %{{customdata[0]}}<br>%{{customdata[1]}}, %{{x:.3f}} bits per pixel<br>"
        "%{y:.2f} dB, SSIM %{customdata[2]:.4f}<extra></extra>",
        **options,
    )


def _bars(labels: list[str], values: list[float | None], name: str, digits: int) -> go.Bar:
    return go.Bar(
        x=labels,
        y=values,
        name=name,
        hovertemplate=f"%{{x}}: %{{y:.{digits}f}}<extra>{name}</extra>",
    )


def _faint(colour: str) -> str:
    """A colour "#rrggbb" as a fill that the background shows through."""
    red, green, blue = bytes.fromhex(colour[1:])
    return f"rgba({red}, {green}, {blue}, 0.3)"


def _whiskers(errors: list[float | None]) -> dict[str, Any]:
    return {"type": "data", "array": errors, "color": charts.TEXT, "thickness": 1.5, "width": 5}


def _axis() -> dict[str, Any]:
    return {**charts.axis(), "title_font_size": 12.5, "title_standoff": 8}
