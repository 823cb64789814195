"""The Stress tab: components, handlers and endpoints. The picture, scale and methods are those of Compare."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from fgrn.methods import METHODS
from lab import compare, plots, progress
from lab.components import html, shown_errors, upload
from lab.files import stem
from lab.handlers import FIRST_SCALE, Handlers, Ticket
from lab.plain import plain_number
from lab.progress import Progress
from lab.queues import QUIET, SERIES, shown_waiting
from lab.stress import runs, verdicts
from lab.stress.damage import KINDS
from lab.stress.runs import RateRun, StressRun

FIRST_KINDS = ("jpeg", "noise")
HELP = (
    "The LR picture is damaged, then restored. Dotted lines: undamaged, the figure of Compare. Codecs run with "
    "Pillow's defaults (4:2:0 chroma); PSNR and SSIM are those of the Y channel, as in Compare."
)
BYTES_HELP = (
    "Curves: the picture itself in a lossy format, quality 5 to 100. Points: a method's LR picture as PNG (right) and "
    "as lossless WebP (left), with what can be restored from it. Higher and further to the left is better."
)

BROKEN_OFF = Progress("Broken off: see the message", active=False)

Drawn = tuple[Any, ...]  # state, status, sentences, plots


def build(
    page: Handlers, demo: gr.Blocks, image: gr.Image, scale: gr.Radio, methods: gr.CheckboxGroup
) -> None:
    """Build the tab inside the current `gr.Tab`, wire it, and add its endpoints."""
    tab = StressTab(page)
    run, ticket = gr.State(), gr.State(Ticket())
    with gr.Row():
        with gr.Column(scale=1, min_width=300, elem_classes="fg-controls"):
            subject = html(elem_id="stress-subject")
            kinds = gr.CheckboxGroup(
                [(kind.label, kind.name) for kind in KINDS.values()],
                value=list(FIRST_KINDS),
                label="Damage to the LR picture",
                elem_id="stress-kinds",
            )
            start = gr.Button("Damage and restore", variant="primary", elem_id="stress-run")
            with gr.Row():
                weigh = gr.Button("Compare bytes", elem_id="stress-bytes", scale=2, min_width=120)
                stop = gr.Button("Stop", elem_id="stress-stop", scale=1, min_width=80)
        with gr.Column(scale=3, min_width=320, elem_classes="fg-results"):
            status = html(_line(Progress("Nothing measured yet", active=False)), elem_id="stress-status")
            empty = html(_empty(), elem_id="stress-empty")
            with gr.Row(elem_classes="fg-plots"):
                curves = [
                    gr.Plot(show_label=False, container=False, visible=False, elem_id=f"stress-{name}")
                    for name in KINDS
                ]
            sentences = html(elem_id="stress-sentences")
            rate = gr.Plot(show_label=False, container=False, visible=False, elem_id="stress-rate")
            rate_sentences = html(elem_id="stress-rate-sentences")

    drawn = [run, status, empty, sentences, *curves]
    drawn_rate = [run, status, empty, rate_sentences, rate]
    request = [image, scale, methods]
    begun = start.click(tab.begin, [*request, kinds, ticket], [ticket, status], concurrency_limit=4, **QUIET)
    begun.success(
        tab.on_stress,
        [*request, kinds, ticket],
        drawn,
        trigger_mode="multiple",
        **shown_waiting(status, SERIES),
    )
    begun = weigh.click(
        tab.begin, [*request, gr.State(None), ticket], [ticket, status], concurrency_limit=4, **QUIET
    )
    begun.success(
        tab.on_bytes, [*request, ticket], drawn_rate, trigger_mode="multiple", **shown_waiting(status, SERIES)
    )
    stop.click(tab.stop, [run, ticket], [run, status], queue=False, **QUIET)
    gr.on(
        [demo.load, image.change, scale.change, methods.change],
        tab.describe,
        request,
        subject,
        concurrency_limit=4,
        trigger_mode="always_last",
        **QUIET,
    )
    _add_api(tab)


class StressTab:
    """The handlers of the tab, around the models of the page."""

    def __init__(self, page: Handlers) -> None:
        self.page = page

    def begin(
        self, path: str | None, scale: int, methods: list[str], kinds: list[str] | None, ticket: Ticket
    ) -> tuple[Ticket, str]:
        """Check a request (`kinds` is None for bytes); end what still runs for this visitor; hand out a new ticket."""
        with shown_errors():
            compare.check_request(scale, methods)
            if kinds is None:
                compare.open_picture(path)
            else:
                runs.check_kinds(kinds)
                runs.open_subject(path)
        ticket.valid = False
        return Ticket(waiting=True), _line(Progress("Waiting for its turn"))

    def on_stress(
        self, path: str | None, scale: int, methods: list[str], kinds: list[str], ticket: Ticket
    ) -> Iterator[Drawn]:
        """The curves, a point at a time. Only the plot that has changed is sent."""
        ticket.waiting = False
        nothing = (gr.skip(),) * (4 + len(KINDS))
        shown: dict[str, int] = {}
        try:
            with shown_errors():
                for run in self._stress(path, scale, methods, kinds, ticket.stopped):
                    if not ticket.valid:
                        break
                    yield (
                        run,
                        _line(run.progress, run.notices),
                        "",
                        _listed(verdicts.crossings(run), HELP),
                        *(_plot(run, kind, shown) for kind in KINDS),
                    )
        except gr.Error:
            yield (nothing[0], _line(BROKEN_OFF), *nothing[2:])
            raise
        if not ticket.valid:  # at its end Gradio sends the last values again, over what Stop has drawn
            yield nothing

    def on_bytes(self, path: str | None, scale: int, methods: list[str], ticket: Ticket) -> Iterator[Drawn]:
        """The chart of bytes, a point at a time."""
        ticket.waiting = False
        nothing = (gr.skip(),) * 5
        try:
            with shown_errors():
                for run in self._rate(path, scale, methods, ticket.stopped):
                    if not ticket.valid:
                        break
                    figure = gr.Plot(plots.rate_figure(run), visible=True) if run.points else gr.skip()
                    sentences = _listed(verdicts.rates(run) if not run.progress.active else [], BYTES_HELP)
                    yield run, _line(run.progress, run.notices), "", sentences, figure
        except gr.Error:
            yield (nothing[0], _line(BROKEN_OFF), *nothing[2:])
            raise
        if not ticket.valid:
            yield nothing

    def stop(self, run: StressRun | RateRun | None, ticket: Ticket) -> tuple[Any, str]:
        """What is drawn stays."""
        idle = ticket.stop()
        if run is None or not run.progress.active:
            return gr.skip(), _line(Progress(idle, active=False))
        text = f"Stopped after {run.progress.done} of {run.progress.total} steps"
        done = replace(run, progress=replace(run.progress, text=text, active=False))
        return done, _line(done.progress, done.notices)

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

    def stress_rows(
        self, image: str | None, scale: float, methods: list[str] | None, kinds: list[str] | None
    ) -> Iterator[tuple[list[dict[str, object]], list[str]]]:
        """Restore a picture from damaged LR pictures, as a stream: the rows so far, then one more in each answer.

        A row has method, damage ("none" or one of `kinds`), amount, psnr_y in dB and ssim_y. `kinds` are jpeg, webp,
        avif (amount: quality), blur, noise (sigma), resize (pixels); empty for all. Notices say what was left out.
        """
        with shown_errors():
            names = methods or self._available(scale)
            for run in self._stress(image, scale, names, kinds or list(KINDS), lambda: False):
                yield (
                    [
                        {
                            "method": p.method,
                            "damage": p.kind,
                            "amount": p.amount,
                            "psnr_y": plain_number(p.psnr_y),
                            "ssim_y": plain_number(p.ssim_y),
                        }
                        for p in run.points
                    ],
                    list(run.notices),
                )

    def rate_rows(
        self, image: str | None, scale: float, methods: list[str] | None
    ) -> Iterator[tuple[list[dict[str, object]], list[str]]]:
        """Bytes against quality, as a stream: the methods with their LR picture, codecs with the picture itself.

        A row has series (a method, or jpeg, webp, avif), setting, bytes, bits_per_pixel of the picture, psnr_y in dB
        and ssim_y.
        """
        with shown_errors():
            names = methods or self._available(scale)
            for run in self._rate(image, scale, names, lambda: False):
                yield (
                    [
                        {
                            "series": p.series,
                            "setting": p.setting,
                            "bytes": p.bytes,
                            "bits_per_pixel": p.bits_per_pixel,
                            "psnr_y": plain_number(p.psnr_y),
                            "ssim_y": plain_number(p.ssim_y),
                        }
                        for p in run.points
                    ],
                    list(run.notices),
                )

    def _available(self, scale: float) -> list[str]:
        number, _ = compare.check_request(scale, ["bicubic"])
        return self.page.models.available(number)

    def _stress(
        self, path: str | None, scale: float, methods: list[str], kinds: list[str], stop: Any
    ) -> Iterator[StressRun]:
        number, names = compare.check_request(scale, methods)
        chosen = runs.check_kinds(kinds)
        pixels = runs.open_subject(path)
        for run in runs.stress(self.page.models, pixels, number, names, chosen, stop):
            yield replace(run, subject=_subject(path, number))

    def _rate(self, path: str | None, scale: float, methods: list[str], stop: Any) -> Iterator[RateRun]:
        number, names = compare.check_request(scale, methods)
        pixels, _, _ = compare.open_picture(path)
        for run in runs.rate_distortion(self.page.models, pixels, number, names, stop):
            yield replace(run, subject=_subject(path, number))


def _add_api(tab: StressTab) -> None:
    with gr.Group(visible=False):
        image = upload(label="Picture")
        scale = gr.Number(FIRST_SCALE, precision=0, label="Scale")
        methods = gr.JSON([], label="Names of methods; empty for all that are available")
        kinds = gr.JSON([], label="Kinds of damage, of " + ", ".join(KINDS) + "; empty for all")
        rows, notices = gr.JSON(label="Rows"), gr.JSON(label="Notices")
    gr.on([], tab.stress_rows, [image, scale, methods, kinds], [rows, notices], api_name="stress", **SERIES)
    gr.on([], tab.rate_rows, [image, scale, methods], [rows, notices], api_name="bytes", **SERIES)


def _subject(path: str | None, scale: int) -> str:
    """What the plots are about: Compare may have moved on."""
    return f"of {stem(path or '')} at ×{scale}"


def _plot(run: StressRun, kind: str, shown: dict[str, int]) -> Any:
    """The plot of a kind if it has changed; `shown` remembers how many points it had."""
    if kind not in run.kinds:
        if shown.get(kind) == -1:
            return gr.skip()
        shown[kind] = -1
        return gr.Plot(visible=False)
    count = sum(p.kind in (kind, runs.UNDAMAGED) for p in run.points)
    if shown.get(kind) == count:
        return gr.skip()
    shown[kind] = count
    return gr.Plot(plots.damage_figure(run, kind), visible=True)


def _line(state: Progress, notices: tuple[str, ...] = ()) -> str:
    return progress.line(state, notices)


def _listed(lines: list[str], help_text: str) -> str:
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    listed = f'<ul class="fg-sentences">{items}</ul>' if items else ""
    return f'{listed}<p class="fg-notes">{escape(help_text)}</p>'


def _empty() -> str:
    return (
        '<div class="fg-empty"><p><b>Damage and restore</b> saves the LR picture as JPEG, WebP or AVIF, blurs it, adds '
        "noise or resizes it, and shows how much of the picture each method still gets back.</p>"
        "<p><b>Compare bytes</b> sets the size of the LR files against JPEG, WebP and AVIF of the picture itself.</p>"
        "<p>Either takes from some seconds to a few minutes, by picture and methods. Points appear as they are "
        "measured.</p></div>"
    )
