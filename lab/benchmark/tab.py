"""The Benchmark tab: components and wiring."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from fgrn.methods import METHODS, SCALES
from fgrn.record import PROTOCOLS
from lab import progress
from lab.asked import MAX_PIXELS, MAX_UPLOAD
from lab.benchmark import archive
from lab.benchmark.handlers import UPLOAD, UPLOADS, BenchmarkHandlers
from lab.compare.handlers import Handlers
from lab.compare.tab import RUN, Request
from lab.components import LIMITED, NamedChoices, SentNumber, click_number, clicked, html, pictures
from lab.examples import FIRST_SCALE
from lab.progress import Progress
from lab.queues import QUIET, SERIES, shown_waiting
from lab.table import help_text
from lab.ticket import Ticket

PROTOCOL = (
    "8-bit pictures throughout. PSNR and SSIM of the restored picture, with as many pixels as the scale cut from each "
    "side: -Y on the Y channel, -RGB on all three. A picture counts as soon as every method has done it. Bold is the "
    "best of the column; what is so by construction does not compete. What was measured beforehand has no times: "
    "it was not measured side by side."
)
ROWS = Path(__file__).with_name("rows.js")
HELP = (
    "NIQE and PIQE judge the LR picture and take some seconds each. The ZIP of a run that is made here repeats it: "
    "python -m fgrn repeat NAME.zip FOLDER"
)


def build(page: Handlers, demo: gr.Blocks, whole: gr.Tab, request: Request) -> None:
    """Build the tab inside the current `gr.Tab`, wire it, and add its endpoint; its pictures open in Compare."""
    tab = BenchmarkHandlers(page)
    run, own, ticket, click = gr.State(), gr.State(), gr.State(Ticket()), click_number()
    with gr.Row():
        with gr.Column(scale=1, min_width=300, elem_classes="fg-controls"):
            dataset = gr.Dropdown(
                [UPLOADS],
                value=UPLOAD,
                label="Pictures",
                elem_id="bench-set",
                visible=False,
            )
            files = gr.File(
                label="Pictures, or a ZIP of them",
                file_count="multiple",
                height=170,
                elem_id="bench-files",
                elem_classes=LIMITED,
            )
            scale = gr.Radio(
                [(f"×{s}", s) for s in SCALES], value=FIRST_SCALE, label="Scale", elem_id="bench-scale"
            )
            methods = NamedChoices(
                [(METHODS["bicubic"].label, "bicubic")],
                value=["bicubic"],
                label="Methods",
                info="Of a run here. What was measured beforehand shows all that there are.",
                elem_id="bench-methods",
            )
            protocol = gr.Radio(
                [(text, name) for name, text in PROTOCOLS.items()],
                value="paper",
                label="Sizes that are no multiple of the scale",
                elem_id="bench-protocol",
            )
            blind = gr.Checkbox(False, label="NIQE and PIQE of the LR pictures", elem_id="bench-blind")
            with gr.Row():
                start = gr.Button("Run", variant="primary", elem_id="bench-run", scale=2, min_width=120)
                stop = gr.Button("Stop", elem_id="bench-stop", scale=1, min_width=80)
            old = html(elem_id="bench-outdated")
        with gr.Column(scale=3, min_width=320, elem_classes="fg-results"):
            measured = gr.Radio(
                visible=False,
                label="Measured beforehand with these weights, at the scale chosen",
                elem_id="bench-kept",
            )
            status = html(
                progress.line(Progress("Nothing measured yet", active=False)), elem_id="bench-status"
            )
            table = html(_empty(), elem_id="bench-summary")
            downloads = pictures(elem_id="bench-links")
            plot = gr.Plot(show_label=False, container=False, visible=False, elem_id="bench-plot")
            rows = gr.HTML(js_on_load=ROWS.read_text("utf-8"), apply_default_css=False, elem_id="bench-rows")
            html(f'<p class="fg-notes">{HELP}</p>{help_text(PROTOCOL)}')

    drawn = [run, status, plot, table, downloads, rows]
    chosen: list[Any] = [dataset, files, scale, methods, protocol, blind]
    begun = start.click(
        tab.begin,
        [ticket, *chosen, click],
        [ticket, status, measured, old],
        js=clicked(start),
        concurrency_limit=4,
        **QUIET,
    )
    begun.failure(Ticket.refused, ticket, status, queue=False, **QUIET)
    ran = begun.success(tab.on_run, ticket, drawn, trigger_mode="multiple", **shown_waiting(status, SERIES))
    stopped = stop.click(tab.stop, [run, ticket, click], drawn, js=clicked(stop), queue=False, **QUIET)
    scale.input(tab.choices, [scale, methods], methods, trigger_mode="always_last", queue=False, **QUIET)
    whole.select(tab.first, [scale, run, ticket], [measured, own, *drawn], queue=False, **QUIET)
    seen = [
        chooses(
            tab.show_kept,
            [measured, scale, run, own, ticket],
            [measured, own, *drawn],
            trigger_mode="always_last",
            queue=False,
            **QUIET,
        )
        for chooses in (measured.input, scale.input)
    ]
    changes = [component.change for component in chosen]
    ends = [event.then for event in (ran, stopped, *seen)]
    for looks in (*changes, *ends):
        looks(tab.outdated, [run, *chosen], old, trigger_mode="always_last", queue=False, **QUIET)
    dataset.change(lambda name: gr.File(visible=name == UPLOAD), dataset, files, queue=False, **QUIET)
    in_compare = [
        request.image,
        request.scale,
        request.methods,
        request.missing,
        request.hidden,
        request.tabs,
    ]
    opened = rows.select(tab.open_in_compare, run, in_compare, concurrency_limit=4, **QUIET)
    opened.success(None, None, None, js=RUN)
    demo.load(tab.opened, None, [scale, methods, dataset], queue=False, **QUIET)
    _add_api(tab)


def _add_api(tab: BenchmarkHandlers) -> None:
    with gr.Group(visible=False):
        files = gr.File(label="Pictures or ZIPs", file_count="multiple")
        dataset = gr.Textbox("", label="Name of a picture set of the server; empty for the files")
        scale = SentNumber(FIRST_SCALE, precision=0, label="Scale")
        methods = gr.JSON([], label="Names of methods; empty for all but the refined")
        protocol = gr.Textbox("paper", label="Protocol, one of " + ", ".join(PROTOCOLS))
        blind = gr.Checkbox(False, label="NIQE and PIQE of the LR pictures")
        rows, summary = gr.JSON(label="Rows"), gr.JSON(label="Summary")
        documents = gr.File(label="CSV, JSON, ZIP", file_count="multiple")
    inputs = [files, dataset, scale, methods, protocol, blind]
    gr.on([], tab.rows, inputs, [rows, summary, documents], api_name="benchmark", **SERIES)


def _empty() -> str:
    return (
        '<div class="fg-empty"><p><b>Upload pictures, or a ZIP of them</b>, nested folders included. Every picture '
        "goes through every method; a row appears as soon as it is measured, then mean and spread.</p>"
        f"<p>At most {archive.MAX_PICTURES} pictures of {MAX_PIXELS // 1_000_000} megapixels; "
        f"each file or ZIP up to {MAX_UPLOAD} MB. "
        "The figures can be downloaded as CSV and JSON, "
        "and as a ZIP that repeats the run from the command line.</p></div>"
    )
