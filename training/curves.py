"""Draw the curves of training runs: `python -m training.curves RUN [RUN ...] --out curves.html [--against samples]`.

One HTML file with everything in it, so that it opens without a network. Each run has one colour and the name of its
folder. The objectives of different stages are different quantities: a curve of a step's figures breaks where a new
stage begins, and a dotted vertical line and the objective's name stand there.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, groupby
from pathlib import Path
from typing import Any, Literal

from plotly import graph_objects
from plotly.subplots import make_subplots

from fgrn.files import write_atomic

logger = logging.getLogger(__name__)

Axis = Literal["samples", "minutes", "steps"]
Event = dict[str, Any]
Values = list[float | None]

AXES: dict[Axis, tuple[str, str]] = {  # the key of a line of the log, and what the axis is called
    "samples": ("samples", "HR patches seen"),
    "minutes": ("minutes", "minutes of training"),
    "steps": ("step", "steps"),
}
SPEED_WINDOW = 0.1  # minutes; the log rounds them to 0.001, so that a speed is off by 1 % at most
# Each at least 3 : 1 against white and against the dark page, and apart for the colour-blind.
COLOURS = ["#0b7bc1", "#d55e00", "#009270", "#b85c94", "#8a7a00", "#7f7f7f", "#7a68c8", "#c0504d"]


@dataclass(frozen=True)
class RunLog:
    """What a run has logged, without what was superseded. Each step also has its "speed", in samples per second."""

    name: str
    steps: tuple[Event, ...]
    checkpoints: tuple[Event, ...]


@dataclass(frozen=True)
class Curve:
    """One figure of the log in one panel."""

    panel: int
    event: Literal["step", "checkpoint"]
    key: str
    label: str
    dash: str = "solid"


PANELS = (
    "loss, running mean (another quantity in each stage)",
    "validation PSNR-Y, dB: through F and back; dotted: direct",
    "validation, LR against bicubic: PSNR-Y, dB; dotted: of RGB",
    "share of x that comes back exactly: validation; dotted: last batch, with --exactness",
    "learning rate",
    "samples per second",
)
CURVES = (
    Curve(0, "step", "loss", "loss"),
    Curve(1, "checkpoint", "psnr_y", "through F and back"),
    Curve(1, "checkpoint", "psnr_y_direct", "direct", dash="dot"),
    Curve(2, "checkpoint", "lr_psnr_y", "Y of LR against bicubic"),
    Curve(2, "checkpoint", "lr_psnr_rgb", "RGB of LR against bicubic", dash="dot"),
    Curve(3, "checkpoint", "x_exact", "x exact, validation"),
    Curve(3, "step", "x_exact", "x exact, last batch", dash="dot"),
    Curve(4, "step", "rate", "learning rate"),
    Curve(5, "step", "speed", "samples per second"),
)
COLUMNS = 2

# The page follows the system from light to dark. Plotly writes its colours into the elements, hence "important".
PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Training curves</title>
<style>
:root { color-scheme: light dark; }
body { margin: 0; background: Canvas; color: CanvasText; }
.js-plotly-plot text { fill: CanvasText !important; }
.js-plotly-plot .hovertext path { fill: Canvas !important; }
</style>
%s
"""


def read_run(folder: Path, name: str | None = None) -> RunLog:
    """The log of a run, read once, line by line. `name` defaults to the folder's.

    The last line may be half written. Any other line that cannot be read is named and skipped.

    Raises:
        FileNotFoundError: if the folder holds no log.jsonl.
    """
    path = folder / "log.jsonl"
    if not path.is_file():
        raise FileNotFoundError(f"{folder} is no run: it holds no log.jsonl")
    with path.open(encoding="utf-8", errors="replace") as lines:
        events = list(_current(_parsed(lines, path)))
    steps = tuple(event for event in events if event["event"] == "step")
    for step, speed in zip(steps, _speeds(steps), strict=True):
        step["speed"] = speed
    checkpoints = tuple(event for event in events if event["event"] == "checkpoint")
    return RunLog(name or folder.resolve().name, steps, checkpoints)


def figure(runs: Sequence[RunLog], against: Axis = "samples") -> graph_objects.Figure:
    """All curves of all runs; the x axes of the panels move together."""
    key, axis_title = AXES[against]
    rows = math.ceil(len(PANELS) / COLUMNS)
    layout = {"shared_xaxes": "all", "horizontal_spacing": 0.07, "vertical_spacing": 0.08}
    drawing = make_subplots(rows, COLUMNS, subplot_titles=PANELS, **layout)
    for run, colour in zip(runs, cycle(COLOURS), strict=False):
        named = False
        for curve in CURVES:
            points = _points(run, curve, key)
            if any(value is not None for value in points[1]):
                trace = _trace(run.name, curve, points, colour).update(showlegend=not named)
                drawing.add_trace(trace, *_place(curve.panel))
                named = True
        _mark_stages(drawing, run, key, colour)
    clear, grey, faint = "rgba(0, 0, 0, 0)", "#767676", "rgba(128, 128, 128, 0.25)"
    drawing.update_xaxes(showticklabels=True, gridcolor=faint, zerolinecolor=faint)
    drawing.update_xaxes(title_text=axis_title, row=rows)
    drawing.update_yaxes(gridcolor=faint, zerolinecolor=faint, automargin=True, exponentformat="power")
    drawing.update_yaxes(type="log", row=1, col=1)
    drawing.update_yaxes(tickformat=".1%", row=2, col=2)
    drawing.update_yaxes(rangemode="tozero", row=3)
    drawing.update_annotations(font_size=13)
    return drawing.update_layout(
        height=1100,
        margin={"l": 60, "r": 20, "t": 90, "b": 50},
        paper_bgcolor=clear,
        plot_bgcolor=clear,
        font={"family": "system-ui, sans-serif", "size": 12, "color": grey},
        legend={"orientation": "h", "y": 1.03, "yanchor": "bottom", "bgcolor": clear},
        modebar={"bgcolor": clear, "color": grey, "activecolor": grey},
    )


def page(drawing: graph_objects.Figure) -> str:
    """A figure as an HTML page with nothing outside it."""
    shown = {"responsive": True, "displaylogo": False}
    plot: str = drawing.to_html(full_html=False, include_plotlyjs=True, config=shown)
    return PAGE % plot


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m training.curves", description="Draw training runs.")
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folder of a run")
    parser.add_argument("--out", required=True, type=Path, help="the HTML file to write")
    parser.add_argument("--against", choices=AXES, default="samples", help="the x axis (default: samples)")
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        runs = list(map(read_run, arguments.runs, _names(arguments.runs)))
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(arguments.out, page(figure(runs, arguments.against)).encode())
    except OSError as error:
        logger.error("cannot draw: %s", error)
        return 2
    for run in runs:
        if not run.steps and not run.checkpoints:
            logger.warning("%s has logged nothing yet", run.name)
    return 0


def _names(folders: Sequence[Path]) -> list[str]:
    """The folders' names; their paths, if two have the same name."""
    names = [folder.resolve().name for folder in folders]
    return names if len(set(names)) == len(names) else [str(folder) for folder in folders]


def _parsed(lines: Iterable[str], path: Path) -> Iterator[Event]:
    """The events of a log: steps with step, samples, minutes and objective, checkpoints with minutes."""
    unreadable = 0
    for number, line in enumerate(lines, start=1):
        if unreadable:
            logger.warning("skipped line %d of %s: it cannot be read", unreadable, path)
            unreadable = 0
        event = _event(line)
        if event is None:
            unreadable = number  # no word about it if it is the last: the run may be writing it
        elif event["event"] in ("step", "checkpoint"):
            yield event


def _event(line: str) -> Event | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    if not isinstance(event, dict):
        return None
    needed = ("step", "samples", "minutes") if event.get("event") == "step" else ("minutes",)
    whole = all(_number(event, key) is not None for key in needed)
    return {"event": "", "objective": "", "stage": None, **event} if whole else None


def _stage(event: Event) -> tuple[Any, str]:
    """What tells the stages of a run apart: two may have one objective. Old logs have no numbers of stages."""
    return event["stage"], event["objective"]


def _current(events: Iterable[Event]) -> list[Event]:
    """The events in order of steps, without those that a resumed run went back behind.

    A run that goes on from a checkpoint counts from there again: what it had logged beyond it is no longer part of its
    history. A checkpoint of an old log, without step or samples, has those of the step before it.
    """
    history: list[Event] = []
    for event in events:
        if event["event"] == "checkpoint" and history:
            event = {key: history[-1][key] for key in ("step", "samples") if key in history[-1]} | event
        while history and _order(history[-1]) >= _order(event):
            history.pop()
        history.append(event)
    return history


def _order(event: Event) -> tuple[float, bool]:
    """By step; the checkpoint of a step comes after its figures."""
    return _number(event, "step") or 0, event["event"] == "checkpoint"


def _speeds(steps: Sequence[Event]) -> Iterator[float | None]:
    """Samples per second at each step, since the last one at least SPEED_WINDOW before it in the same stage."""
    start = 0
    for i, step in enumerate(steps):
        if _stage(step) != _stage(steps[start]):
            start = i
        while start + 1 < i and step["minutes"] - steps[start + 1]["minutes"] >= SPEED_WINDOW:
            start += 1
        minutes = step["minutes"] - steps[start]["minutes"]
        samples = step["samples"] - steps[start]["samples"]
        yield samples / (60 * minutes) if minutes >= SPEED_WINDOW else None


def _points(run: RunLog, curve: Curve, key: str) -> tuple[Values, Values]:
    """x and y of a curve; None, which breaks the line, before a new stage and where there is no finite figure."""
    events: list[Event] = []
    for event in run.steps if curve.event == "step" else run.checkpoints:
        if events and curve.event == "step" and _stage(event) != _stage(events[-1]):
            events.append({key: event.get(key), "stage": event["stage"], "objective": event["objective"]})
        events.append(event)
    return _columns(events, key, curve.key)


def _columns(events: Sequence[Event], x: str, y: str) -> tuple[Values, Values]:
    return [_number(event, x) for event in events], [_number(event, y) for event in events]


def _number(event: Event, key: str) -> float | None:
    value = event.get(key)
    usable = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return value if usable else None


def _trace(name: str, curve: Curve, points: tuple[Values, Values], colour: str) -> graph_objects.Scatter:
    x, y = points
    return graph_objects.Scatter(
        x=x,
        y=y,
        name=name,
        legendgroup=name,
        mode="lines" if curve.event == "step" and len(y) > 1 else "lines+markers",
        line={"color": colour, "dash": curve.dash, "width": 1.8},
        marker={"color": colour, "size": 5},
        hovertemplate=f"{curve.label} %{{y}} at %{{x:,}}<extra>{name}</extra>",
    )


def _mark_stages(drawing: graph_objects.Figure, run: RunLog, key: str, colour: str) -> None:
    """The objective's name where a stage begins, in the first panel; a vertical line there in all of them."""
    begins = [next(stage) for _, stage in groupby(run.steps, key=_stage)]
    names = _trace(run.name, CURVES[0], _columns(begins, key, "loss"), colour).update(
        text=[step["objective"] for step in begins],
        mode="markers+text",
        textposition="middle right",
        marker={"size": 7, "symbol": "circle-open"},
        hoverinfo="skip",
        showlegend=False,
    )
    drawing.add_trace(names, *_place(0))
    for step in begins[1:]:
        line = {"color": colour, "dash": "dot", "width": 1}
        drawing.add_vline(step[key], exclude_empty_subplots=False, line=line, legendgroup=run.name)


def _place(panel: int) -> tuple[int, int]:
    """Row and column of a panel, from 1 on as Plotly counts."""
    return panel // COLUMNS + 1, panel % COLUMNS + 1


if __name__ == "__main__":
    raise SystemExit(main())
