"""The Stress tab: components and wiring. The picture, scale and methods are those of Compare."""

from __future__ import annotations

from typing import Any

import gradio as gr

from lab import progress
from lab.compare.handlers import Handlers
from lab.components import REQUESTS, SentNumber, click_number, clicked, html, upload
from lab.examples import FIRST_SCALE
from lab.progress import Progress
from lab.queues import CHECK, QUIET, SERIES, shown_waiting
from lab.stress.api import StressApi
from lab.stress.damage import KINDS
from lab.stress.handlers import StressHandlers
from lab.stress.kept import FIRST_KINDS
from lab.stress.uploads import MAX_PIXELS
from lab.ticket import Ticket


def build(
    page: Handlers,
    demo: gr.Blocks,
    whole: gr.Tab,
    image: gr.Image,
    scale: gr.Radio,
    methods: gr.CheckboxGroup,
) -> None:
    """Build the tab inside the current `gr.Tab`, wire it, and add its endpoints."""
    tab = StressHandlers(page.models)
    run, ticket, click = gr.State(), gr.State(Ticket()), click_number()
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
                weigh = gr.Button(
                    "Compare bytes", elem_id="stress-bytes", elem_classes=REQUESTS, scale=2, min_width=120
                )
                stop = gr.Button("Stop", elem_id="stress-stop", scale=1, min_width=80)
            html(
                f'<div class="fg-info">Pictures of up to {MAX_PIXELS // 1_000_000} megapixels: '
                "each is restored or coded some fifty times.</div>"
            )
            old = html(elem_id="stress-outdated")
        with gr.Column(scale=3, min_width=320, elem_classes="fg-results"):
            status = html(
                progress.line(Progress("Nothing measured yet", active=False)), elem_id="stress-status"
            )
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
    request: list[Any] = [image, scale, methods]
    everything = [*drawn, rate_sentences, rate]
    ran = []
    for button, damages, work, shown in (
        (start, kinds, tab.on_stress, drawn),
        (weigh, gr.State(None), tab.on_bytes, drawn_rate),
    ):
        begun = button.click(
            tab.begin,
            [*request, damages, ticket, run, click],
            [ticket, *everything],
            js=clicked(button),
            concurrency_limit=4,
            **QUIET,
        )
        begun.failure(Ticket.refused, ticket, status, queue=False, **QUIET)
        ran.append(
            begun.success(work, ticket, shown, trigger_mode="multiple", **shown_waiting(status, SERIES))
        )
    whole.select(tab.first, [run, ticket], everything, queue=False, **QUIET)
    stopped = [run, status, sentences, rate_sentences]
    ran.append(stop.click(tab.stop, [run, ticket, click], stopped, js=clicked(stop), queue=False, **QUIET))
    for looks in (*(c.change for c in (*request, kinds)), *(event.then for event in ran)):
        looks(tab.outdated, [run, kinds, *request], old, **CHECK)
    gr.on(
        [demo.load, image.change, scale.change, methods.change],
        tab.describe,
        request,
        subject,
        concurrency_limit=4,
        trigger_mode="always_last",
        **QUIET,
    )
    _add_api(StressApi(page.models))


def _add_api(api: StressApi) -> None:
    with gr.Group(visible=False):
        image = upload(label="Picture")
        scale = SentNumber(FIRST_SCALE, precision=0, label="Scale")
        methods = gr.JSON([], label="Names of methods; empty for all but the refined")
        kinds = gr.JSON([], label="Kinds of damage, of " + ", ".join(KINDS) + "; empty for all")
        rows, notices = gr.JSON(label="Rows"), gr.JSON(label="Notices")
    gr.on([], api.stress_rows, [image, scale, methods, kinds], [rows, notices], api_name="stress", **SERIES)
    gr.on([], api.rate_rows, [image, scale, methods], [rows, notices], api_name="bytes", **SERIES)


def _empty() -> str:
    return (
        '<div class="fg-empty"><p><b>Damage and restore</b> saves the LR picture as JPEG, WebP or AVIF, blurs it, adds '
        "noise or resizes it, and shows how much of the picture each method still gets back.</p>"
        "<p><b>Compare bytes</b> sets the size of the LR files against JPEG, WebP and AVIF of the picture itself.</p>"
        "<p>Either takes from some seconds to a few minutes, by picture and methods. Points appear as they are "
        "measured.</p></div>"
    )
