"""What happens when something on the Stress tab is clicked: values of components in and out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr

from fgrn.methods import METHODS
from lab import asked, lines, progress
from lab.files import holds
from lab.models import Models
from lab.page import text_download
from lab.progress import Progress
from lab.stress import kept, plots, runs, uploads, verdicts
from lab.stress.damage import KINDS
from lab.stress.rows import as_csv, file_name
from lab.stress.runs import RateRun, StressRun
from lab.ticket import SKIP, Ticket

HELP = (
    "The LR picture is damaged, then restored. Dotted lines: undamaged, the figure of Compare. Codecs run with "
    "Pillow's defaults (4:2:0 chroma, but for JPEG 4:4:4); PSNR and SSIM are those of the Y channel, as in Compare."
)
BYTES_HELP = (
    "Curves: the picture itself in a lossy format, quality 5 to 100. Points: a method's LR picture as PNG (right) and "
    "as lossless WebP (left), with what can be restored from it. Higher and further to the left is better."
)


class Drawn(NamedTuple):
    """New values of the components of a run: all plots of damage, or the one of bytes."""

    run: Any = SKIP
    status: Any = SKIP
    empty: Any = SKIP
    sentences: Any = SKIP
    plots: tuple[Any, ...] = ()

    def values(self) -> tuple[Any, ...]:
        """In the order of the components."""
        return (*self[:-1], *self.plots)


class StressHandlers:
    """The handlers of the tab, around the models of the page."""

    def __init__(self, models: Models) -> None:
        self.models = models

    def begin(
        self,
        path: str | None,
        scale: int,
        methods: list[str],
        kinds: list[str] | None,
        ticket: Ticket,
        run: StressRun | RateRun | None,
        click: float = 0,
    ) -> tuple[Any, ...]:
        """Check a request (`kinds` is None for bytes); end what still runs for this visitor; hand out a new ticket.

        The example goes, which is of another picture.
        """
        with ticket.apply(click) as new:
            asked.check_scale(scale)
            asked.check_methods(methods)
            if kinds is not None:
                uploads.check_kinds(kinds)
            uploads.open_subject(path)
            if kinds is None:
                granted = new.grant(path, scale, methods, kind="bytes")
            else:
                granted = new.grant(path, scale, methods, kinds, kind="stress")
        drawn, rates = Drawn(status=granted.in_place_of_newer, plots=(SKIP,) * len(KINDS)), (SKIP, SKIP)
        if granted is new:
            drawn = drawn._replace(status=progress.line(Progress("Waiting for its turn")))
            if run and run.kept:
                gone = gr.Plot(visible=False)
                drawn, rates = (
                    drawn._replace(run=None, sentences="", plots=(gone,) * len(KINDS)),
                    ("", gone),
                )
            elif run and run.progress.active:
                done = f"Broken off after {run.progress.done} of {run.progress.total} steps by another run."
                text, drawn = _words(_inactive(run), done), drawn._replace(run=_inactive(run))
                if isinstance(run, StressRun):
                    drawn = drawn._replace(sentences=text)
                else:
                    rates = (text, SKIP)
        return granted, *drawn.values(), *rates

    def first(self, run: StressRun | RateRun | None, ticket: Ticket) -> Any:
        """When the tab is opened and nothing was measured yet: the example, if it is there."""
        found = kept.load() if run is None and not ticket.asked else None
        if found is None or ticket.asked:  # a run may have begun meanwhile
            return SKIP
        damaged, weighed = found
        chart = _draw_rate(weighed)
        return (*_draw_stress(damaged, {}).values(), chart.sentences, *chart.plots)

    def on_stress(self, ticket: Ticket) -> Iterator[tuple[Any, ...]]:
        """The curves, a point at a time. Only the plot that has changed is sent."""
        counts: dict[str, int] = {}

        def show(run: StressRun) -> tuple[Any, ...]:
            return _draw_stress(run, counts).values()

        work = partial(uploads.stress, self.models, stop=ticket.stopped)
        yield from ticket.serve(work, show, _ended(len(KINDS)), "stress")

    def on_bytes(self, ticket: Ticket) -> Iterator[tuple[Any, ...]]:
        """The chart of bytes, a point at a time."""

        def show(run: RateRun) -> tuple[Any, ...]:
            return _draw_rate(run).values()

        work = partial(uploads.rate, self.models, stop=ticket.stopped)
        yield from ticket.serve(work, show, _ended(1), "bytes")

    def stop(self, run: StressRun | RateRun | None, ticket: Ticket, click: float = 0) -> tuple[Any, ...]:
        """What is drawn stays: run, status, and the words below the plots of either kind of run."""
        said = ticket.stop(click)
        if run is None or not run.progress.active:
            return SKIP, said, SKIP, SKIP
        drawn = _as_ended(run, "")
        words = drawn.sentences
        return drawn.run, drawn.status, *((words, SKIP) if isinstance(run, StressRun) else (SKIP, words))

    def outdated(
        self,
        run: StressRun | RateRun | None,
        kinds: list[str],
        path: str | None,
        scale: int,
        methods: list[str],
    ) -> str:
        """Whether what is shown was made from something else than what is chosen now."""
        if run is None or run.kept:
            return ""
        possible, _ = runs.possible(kinds)  # of what is ticked some may have been left out, with a notice
        shown = run.scale, set(run.methods), set(getattr(run, "kinds", possible))
        if holds(path, run.source) and shown == (scale, set(methods), set(possible)):
            return ""
        return lines.outdated(f"Still shown: the run {run.subject}, not what is chosen now.")

    def describe(self, path: str | None, scale: int, methods: list[str]) -> str:
        """What the next run will be about."""
        if not path:
            return '<div class="fg-info">Choose a picture in the Compare tab.</div>'
        labels = ", ".join(METHODS[name].label for name in methods if name in METHODS) or "no method"
        text = f"{Path(path).name}, ×{scale}, {labels}"
        return (
            f'<div class="fg-subject"><b>{escape(text)}</b>'
            '<span class="fg-info">Picture, scale and methods are those of the Compare tab.</span></div>'
        )


def _draw_stress(run: StressRun, shown: dict[str, int]) -> Drawn:
    figures = tuple(_plot(run, kind, shown) for kind in KINDS)
    return Drawn(run, progress.line(run.progress, run.notices), "", _words(run), figures)


def _ended(plots: int) -> Callable[[StressRun | RateRun | None, str], tuple[Any, ...]]:
    """`_as_ended` for so many plots, as `Ticket.serve` takes it."""
    return lambda run, problem: _as_ended(run, problem)._replace(plots=(SKIP,) * plots).values()


def _as_ended(run: StressRun | RateRun | None, problem: str) -> Drawn:
    """What does not come to its end, by an error or by Stop: its plots stay, and its figures as a file."""
    drawn = Drawn()
    if run:
        said = f"{lines.STOPPED} after {run.progress.done} of {run.progress.total} steps"
        words: tuple[str, ...] = ()
        if run.progress.active:
            run, words = _inactive(run, said), (f"{said}.",)
        drawn = Drawn(run, progress.line(run.progress, run.notices), "", _words(run, *words))
    if problem:
        drawn = drawn._replace(status=lines.failed(lines.BROKEN_OFF.format(problem)))
    return drawn


def _draw_rate(run: RateRun) -> Drawn:
    figure = gr.Plot(plots.rate_figure(run), visible=True) if run.points else SKIP
    return Drawn(run, progress.line(run.progress, run.notices), "", _words(run), (figure,))


def _plot(run: StressRun, kind: str, shown: dict[str, int]) -> Any:
    """The plot of a kind if it has changed; `shown` remembers how many points it had.

    All of them at the end: of snapshots in quick succession the browser can miss a plot that the next one leaves out.
    """
    if kind not in run.kinds:
        if shown.get(kind) == -1:
            return SKIP
        shown[kind] = -1
        return gr.Plot(visible=False)
    count = sum(p.kind in (kind, runs.UNDAMAGED) for p in run.points)
    if shown.get(kind) == count and run.progress.active:
        return SKIP
    shown[kind] = count
    return gr.Plot(plots.damage_figure(run, kind), visible=True) if count else gr.Plot(visible=False)


def _inactive(run: StressRun | RateRun, text: str = "") -> StressRun | RateRun:
    return replace(run, progress=replace(run.progress, text=text, active=False))


def _words(run: StressRun | RateRun, *more: str) -> str:
    """What is to be said of a run below its plots; once it has ended, with its figures as a file."""
    if isinstance(run, StressRun):
        said, help_text = verdicts.crossings(run), HELP
    else:
        said, help_text = [] if run.progress.active else verdicts.rates(run), BYTES_HELP
    items = "".join(f"<li>{escape(line)}</li>" for line in (*said, *more))
    listed = f'<ul class="fg-sentences">{items}</ul>' if items else ""
    ended = "" if run.progress.active else as_csv(run)
    link = f'<div class="fg-links">{text_download(ended, file_name(run), "CSV")}</div>' if ended else ""
    return f'{listed}<p class="fg-notes">{escape(help_text)}</p>{link}'
