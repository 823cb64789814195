"""The bars of the Benchmark tab as a Plotly figure."""

from __future__ import annotations

from typing import Any

from plotly import graph_objects as go
from plotly.subplots import make_subplots

from fgrn.methods import METHODS
from fgrn.scores import METRICS
from lab import charts
from lab.benchmark.runs import PAPER_KEYS, Bench, paper_row

_TITLES = {"psnr_y": "PSNR-Y, dB", "ssim_y": "SSIM-Y"}


def bench_figure(bench: Bench) -> go.Figure:
    """Mean and spread of every method as bars, and beside them what the paper reports."""
    figure = make_subplots(1, 2, subplot_titles=[_TITLES[key] for key in PAPER_KEYS], horizontal_spacing=0.12)
    methods = bench.settings.methods
    means, spreads = bench.means, bench.spreads
    labels = [METHODS[name].label for name in methods]
    colours = [charts.COLOURS[name] for name in methods]
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
    figure.update_xaxes(charts.titled_axis(), showgrid=False)
    figure.update_yaxes(charts.titled_axis(), rangemode="tozero")
    return figure


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
