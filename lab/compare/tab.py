"""The Compare tab: components and wiring. Its picture, scale and methods are those of Latent x and Stress too."""

from __future__ import annotations

import json
from typing import NamedTuple

import gradio as gr
from gradio.events import Dependency

from fgrn.methods import METHODS, SCALES
from lab import links, table, viewer
from lab.at_once import complain
from lab.compare.handlers import Handlers
from lab.compare.shown import Shown
from lab.components import NamedChoices, click_number, clicked, html, pictures, upload
from lab.examples import EXAMPLES, FIRST_EXAMPLE, FIRST_SCALE
from lab.queues import CHECK, METRIC, QUIET, shown_waiting
from lab.ticket import Ticket

RUN = """() => {
    document.querySelector('#run').click();
    const below = matchMedia('(max-width: 768px)').matches; // the pictures are below the controls
    document.querySelector('#viewer-stage')?.focus({ preventScroll: true });
    (below ? document.querySelector('#status') : document.body).scrollIntoView();
}"""
# A large picture is read before there is anything to say: meanwhile the line turns.
ASKED = (
    "(...values) => { document.querySelector('#status .fg-status')?.classList.add('fg-asked'); return %s; }"
)
ANSWERED = "() => document.querySelector('#status .fg-asked')?.classList.remove('fg-asked')"
OPENED = """linked => {
    const names = NAMES; // Gradio's buttons have pictures and no names
    document.querySelectorAll('#examples .gallery-item').forEach((e, i) => e.setAttribute('aria-label', names[i]));
    if (linked) document.querySelector('#run').click();
    window.fgrnOpened = true;
    const url = new URL(location);
    const tab = (url.searchParams.get('tab') ?? 'compare').trim().toLowerCase().replaceAll(' ', '-');
    if (TABS.includes(tab)) return;
    url.searchParams.delete('tab'); // which there is not
    history.replaceState(null, '', url);
}""".replace("NAMES", json.dumps([f"Example: {name}" for name in EXAMPLES])).replace(
    "TABS", json.dumps(links.TAB_NAMES)
)
SHOW_ADDRESS = """query => {
    const shown = new URLSearchParams(query);
    window.fgrnShowAddress = () => {
        const url = new URL(location);
        for (const key of ['example', 'scale', 'methods'])
            shown.has(key) ? url.searchParams.set(key, shown.get(key)) : url.searchParams.delete(key);
        history.replaceState(null, '', url);
    };
    window.fgrnShowAddress();
}"""


class Request(NamedTuple):
    """What the visitor asks about, and what there is to see of it."""

    image: gr.Image
    scale: gr.Radio
    methods: gr.CheckboxGroup
    missing: gr.HTML  # why other methods cannot be used
    hidden: gr.State  # ticked methods that there are not at this scale
    tabs: gr.Tabs
    seen: gr.State  # of shown.Shown
    ran: list[Dependency]  # events with which the networks of a run are done


def build(page: Handlers, demo: gr.Blocks, badge: gr.HTML, tabs: gr.Tabs) -> Request:
    """Build the tab inside the current `gr.Tab` and wire it; its address decides how it opens."""
    ticket, seen, hidden, click = gr.State(Ticket()), gr.State(Shown()), gr.State([]), click_number()
    # a State has no value in the browser
    linked, address, refusal = (
        gr.Checkbox(visible=False),
        gr.Textbox(visible=False),
        gr.Textbox(visible=False),
    )
    with gr.Row():
        with gr.Column(scale=1, min_width=300, elem_classes="fg-controls"):
            image = upload(
                value=str(EXAMPLES[FIRST_EXAMPLE]),
                label="Picture",
                height=220,
                elem_id="picture",
            )
            facts = html(page.describe_first(), elem_id="facts")
            examples = gr.Examples(
                [[str(path)] for path in EXAMPLES.values()],
                image,
                label="Examples",
                elem_id="examples",
            )
            scale = gr.Radio(
                [(f"×{s}", s) for s in SCALES], value=FIRST_SCALE, label="Scale", elem_id="scale"
            )
            methods = NamedChoices(
                [(METHODS["bicubic"].label, "bicubic")], value=["bicubic"], label="Methods", elem_id="methods"
            )
            with gr.Row():
                start = gr.Button("Run", variant="primary", elem_id="run", scale=2, min_width=120)
                stop = gr.Button("Stop", elem_id="stop", scale=1, min_width=80)
            missing = html(elem_id="missing")
        with gr.Column(scale=3, min_width=320, elem_classes="fg-results"):
            first = page.first_view()
            outdated = html(elem_id="outdated")
            status = html(first.status, elem_id="status")
            shots = viewer.component("viewer", regions=True, value=first.viewer)
            numbers = html(first.table, elem_id="numbers")
            html(table.help_text())
            files = pictures(value=first.files, elem_id="files")

    drawn = [status, numbers, shots, files]
    drawing = [ticket, seen]
    request = [image, scale, methods, *drawing, click]
    chosen = [image, scale, methods, seen]
    all_ran = [demo.load(page.watch_example, drawing, drawn, concurrency_limit=None, **QUIET)]
    clicked_run = ASKED % f"({clicked(start)})(...values)"
    for begins, number in ((start.click, clicked_run), (examples.load_input_event.success, None)):
        begun = begins(
            page.begin_at_once,
            request,
            [refusal, ticket, address, outdated, *drawn],
            js=number,
            queue=False,
            **QUIET,
        )
        begun.then(None, None, None, js=ANSWERED)
        ran = begun.success(page.on_run, drawing, drawn, trigger_mode="multiple", **shown_waiting(status))
        all_ran.append(ran)
        # again: an example brings its picture, which is another one until it is drawn
        ran.success(page.outdated, chosen, outdated, **CHECK)
        ran.success(page.measure, drawing, drawn, trigger_mode="multiple", **METRIC, **QUIET)
    image.upload(page.chosen, drawing, status, queue=False, **QUIET)
    for changes in (image.change, scale.change, methods.change):
        changes(page.outdated, chosen, outdated, **CHECK)
    refused = refusal.change(complain, refusal, concurrency_limit=None, **QUIET)
    refused.failure(Ticket.refused, ticket, status, queue=False, **QUIET)
    stopped = stop.click(page.stop, [*drawing, click], drawn, js=clicked(stop), queue=False, **QUIET)
    stopped.success(page.measure_stopped, drawing, drawn, **METRIC, **QUIET)
    shots.select(page.measure_region, seen, numbers, concurrency_limit=4, trigger_mode="multiple", **QUIET)

    opened = [badge, image, scale, methods, missing, tabs, address, linked]
    demo.load(page.opened, None, opened, concurrency_limit=None, **QUIET).success(
        None, linked, None, js=OPENED
    )
    address.change(None, address, None, js=SHOW_ADDRESS)
    ticked = [methods, missing, hidden]
    scale.input(
        page.rechoose, [scale, methods, hidden], ticked, trigger_mode="always_last", queue=False, **QUIET
    )
    image.change(page.describe, [image, scale], facts, concurrency_limit=4, **QUIET)
    return Request(image, scale, methods, missing, hidden, tabs, seen, all_ran)
