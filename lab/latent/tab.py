"""The Latent x tab: components and wiring. The picture and the scale are those of Compare."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr

from fgrn.methods import METHODS
from lab import lines
from lab.at_once import AtOnce, complain
from lab.compare.handlers import Handlers
from lab.components import REQUESTS, LenientSlider, SentNumber, click_number, clicked, html, pictures, upload
from lab.examples import FIRST_SCALE
from lab.latent import changes, markup
from lab.latent.api import LatentApi
from lab.latent.changes import KINDS
from lab.latent.handlers import LatentHandlers
from lab.latent.looks import Looks
from lab.latent.painting import Painting
from lab.latent.studies import STUDIED, WHY_NOT
from lab.latent.views import View
from lab.queues import CHECK, NETWORK, QUIET, shown_waiting
from lab.ticket import Ticket

BRUSH = Path(__file__).with_name("brush.js")
VIEWS = [
    ("Clamped", View.CLAMPED),
    ("Min to max", View.STRETCHED),
    ("Minus bicubic", View.DIFFERENCE),
    ("Minus x", View.FROM_X),
]
COLOURS = [("RGB", "rgb"), ("R", "r"), ("G", "g"), ("B", "b")]
FAST: dict[str, Any] = {"queue": False, "trigger_mode": "always_last", **QUIET}

Fast = Callable[..., None]  # adds an event that is answered at once: `_fast`, but for its first two arguments


def _fast(
    at_once: AtOnce,
    refusal: gr.Textbox,
    when: Callable[..., Any],
    handler: Callable[..., Any],
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    **options: Any,
) -> None:
    when(at_once.handler(handler, len(outputs)), [*inputs], [refusal, *outputs], **{**FAST, **options})


class ChangeParts(NamedTuple):
    """The components that a new study draws anew: the brush and what came back, and of which change."""

    brush: gr.HTML
    note: gr.HTML
    back: gr.HTML
    given: gr.State
    old: gr.HTML


def build(page: Handlers, whole: gr.Tab, image: gr.Image, scale: gr.Radio) -> None:
    """Build the tab inside the current `gr.Tab`, wire it, and add its endpoints."""
    tab = LatentHandlers(page)
    study, painting, looks = gr.State(), gr.State(Painting()), gr.State(Looks())
    ticket, changing, click = gr.State(Ticket()), gr.State(Ticket()), click_number()
    wanted = gr.State(STUDIED[0])  # the method, also at a scale that does not have it
    refusal = gr.Textbox(visible=False)  # a State has no value in the browser
    refusal.change(complain, refusal, concurrency_limit=None, **QUIET)
    fast = partial(_fast, AtOnce(), refusal)
    with gr.Row(elem_classes="fg-latent"):
        with gr.Column(scale=1, min_width=300, elem_classes="fg-controls"):
            method = gr.Radio(
                [(METHODS[name].label, name) for name in STUDIED],
                value=STUDIED[0],
                label="Method",
                info="Picture and scale are those of the Compare tab.",
                elem_id="latent-method",
            )
            missing = html(elem_id="latent-missing")
            with gr.Row():
                start = gr.Button("Run", variant="primary", elem_id="latent-run", scale=2, min_width=120)
                stop = gr.Button("Stop", elem_id="latent-stop", scale=1, min_width=80)
            outdated = html(elem_id="latent-outdated")
            view = gr.Radio(VIEWS, value=View.CLAMPED, label="View", elem_id="latent-view")
            channel = gr.Radio(COLOURS, value="rgb", label="Channel", elem_id="latent-channel")
            gain = LenientSlider(1, 32, 8, step=1, label="Gain of differences", elem_id="latent-gain")
        with gr.Column(scale=3, min_width=320, elem_classes="fg-results"):
            status = html(lines.status("Nothing computed yet", False), elem_id="latent-status")
            empty = html(markup.EMPTY.format(why=WHY_NOT), elem_id="latent-empty")
            with gr.Column(visible=False, elem_id="latent-results") as results:
                said = html(elem_id="latent-said")
                pair = pictures(elem_id="latent-pair")
                with gr.Column(elem_id="latent-flow") as flow:
                    html(markup.heading("The path through F", PATH))
                    cell = LenientSlider(0, 4, 0, step=1, label="Cells applied", elem_id="latent-cell")
                    path = pictures(elem_id="latent-path")
                html(markup.heading("Histogram and spectrum", CURVES))
                with gr.Row(elem_classes="fg-plots"):
                    histogram = gr.Plot(show_label=False, container=False, elem_id="latent-histogram")
                    spectrum = gr.Plot(show_label=False, container=False, elem_id="latent-spectrum")
                errors = pictures(elem_id="latent-errors")
                html(markup.heading("Change the LR picture", CHANGE))
                change = _change_section(tab, fast, study, painting, changing, gain, click)
                html(markup.EXPLAINED.format(why=WHY_NOT))

    seen = [pair, path, histogram, spectrum, errors]
    drawn = [status, empty, results, said, flow, cell, *seen, *change]
    request = [image, method, scale, ticket, changing]
    granted = [ticket, status, outdated, change.note]
    chosen = [image, method, scale, study]
    begun = start.click(
        tab.begin, [*request, click], granted, js=clicked(start), concurrency_limit=4, **QUIET
    )
    begun.failure(Ticket.refused, ticket, status, queue=False, **QUIET)
    opened = whole.select(tab.opened, [*request, painting], granted, concurrency_limit=4, **QUIET)
    for asked in (begun, opened):
        ran = asked.success(
            tab.on_run, ticket, [study, status], trigger_mode="multiple", **shown_waiting(status)
        )
        fast(ran.success, tab.draw, [study, painting, looks, view, channel, gain], drawn)
        ran.then(tab.outdated, chosen, outdated, **CHECK)
    for changes_choice in (image.change, method.change, scale.change):
        changes_choice(tab.outdated, chosen, outdated, **CHECK)
    stop.click(Ticket.stop, [ticket, click], status, js=clicked(stop), queue=False, **QUIET)
    shown = [study, looks, view, channel, gain, cell]
    for changes_view in (view.input, gain.input):
        fast(changes_view, tab.views.show_view, shown, seen)
    fast(channel.input, tab.views.show_channel, shown, seen)
    fast(cell.input, tab.views.show_cell, shown, seen)

    gr.on(None, lambda: tab.choices(FIRST_SCALE, STUDIED[0]), None, [method, missing], queue=False, **QUIET)
    method.input(lambda name: name, method, wanted, queue=False, **QUIET)
    scale.change(tab.choices, [scale, wanted], [method, missing], queue=False, **QUIET)
    _add_api(LatentApi(page.models, page.store))


PATH = (
    "F turns x into the LR picture in cells. Each cell changes one colour by what the two others say, then scales and "
    "shifts those two by what the first has become; from cell to cell the colours take turns. The images between need "
    "not look like anything: what one cell shifts, the next ones take back. View: Minus x shows what all cells so far "
    "have changed."
)
CURVES = (
    "How often each grey level occurs, and how strong fine detail (right) is beside coarse detail (left)."
)
CHANGE = (
    "Part of what restoring needs is in the lowest bits of the LR picture. Change them and see what comes back: random "
    "noise harms more than the same shift of every value, and ×2 suffers more than ×4."
)


def _change_section(
    tab: LatentHandlers,
    fast: Fast,
    study: gr.State,
    painting: gr.State,
    ticket: gr.State,
    gain: gr.Slider,
    click: gr.Number,
) -> ChangeParts:
    """What a visitor does to the LR picture, and what comes back."""
    most, sigma_most, radius_most = (
        changes.MAX_LEVELS,
        changes.MAX_SIGMA,
        changes.MAX_RADIUS,
    )
    with gr.Row(elem_classes="fg-stacked"):
        kind = gr.Radio(
            [(label, name) for name, label in KINDS.items()],
            value="level",
            label="Kind",
            elem_id="latent-kind",
        )
        levels = LenientSlider(-most, most, 1, step=1, label="Grey levels added", elem_id="latent-levels")
        sigma = LenientSlider(
            0, sigma_most, 1, step=0.5, label="Sigma, grey levels", visible=False, elem_id="latent-sigma"
        )
        seed = gr.Number(0, precision=0, label="Seed", visible=False, elem_id="latent-seed")
        radius = LenientSlider(
            1,
            radius_most,
            4,
            step=1,
            label="Radius, LR pixels",
            visible=False,
            interactive=True,  # though only brush.js reads it
            elem_id="latent-radius",
        )
    with gr.Column(visible=False) as canvas:
        brush = pictures(elem_id="latent-brush")
        brush.js_on_load = BRUSH.read_text(encoding="utf-8")
        with gr.Row():
            gr.Button("Undo", size="sm", elem_id="latent-undo", min_width=80)  # both belong to brush.js
            gr.Button("Clear", size="sm", elem_id="latent-clear", min_width=80)
    with gr.Row():
        go = gr.Button(
            "Restore from the changed LR",
            elem_id="latent-change",
            elem_classes=REQUESTS,
            scale=2,
            min_width=200,
        )
        stop = gr.Button("Stop", elem_id="latent-change-stop", scale=1, min_width=80)
    note = html(elem_id="latent-note")
    given, old = gr.State(), html(elem_id="latent-change-outdated")
    back = pictures(elem_id="latent-returned")

    kind.input(tab.show_kind, kind, [levels, sigma, seed, radius, canvas], **FAST)
    # brush.js waits for each answer; Gradio would still drop what comes right after it.
    fast(brush.select, tab.paint, [study, painting], [brush], trigger_mode="multiple")
    change = [study, kind, levels, sigma, seed, painting, gain, ticket, click]
    begun = go.click(tab.begin_change, change, [ticket, note], js=clicked(go), concurrency_limit=4, **QUIET)
    begun.failure(Ticket.refused, ticket, note, queue=False, **QUIET)
    ran = begun.success(
        tab.on_change, [ticket, study], [note, back, given], trigger_mode="multiple", **shown_waiting(note)
    )
    for looks in (kind.input, levels.input, sigma.input, seed.input, brush.change, ran.then):
        looks(tab.change_outdated, [kind, levels, sigma, seed, painting, given], old, **CHECK)
    stop.click(Ticket.stop, [ticket, click], note, js=clicked(stop), queue=False, **QUIET)
    return ChangeParts(brush, note, back, given, old)


def _add_api(api: LatentApi) -> None:
    """The named endpoints, with components because they check that a file is an upload."""
    with gr.Group(visible=False):
        image = upload(label="Picture")
        method = gr.Textbox(STUDIED[0], label="Method, one of " + ", ".join(STUDIED))
        scale = SentNumber(FIRST_SCALE, precision=0, label="Scale")
        figures = gr.JSON(label="Figures")
        files = gr.File(label="PNGs", file_count="multiple")
        kind = gr.Textbox("level", label="Kind of change, one of " + ", ".join(KINDS))
        levels, sigma, seed = (
            SentNumber(1, label="Grey levels"),
            SentNumber(1, label="Sigma"),
            SentNumber(0, label="Seed"),
        )
        strokes = gr.JSON([], label="Strokes of the brush, with points, radius and levels each")
    gr.on([], api.latent, [image, method, scale], [figures, files], api_name="latent", **NETWORK)
    changed = [image, method, scale, kind, levels, sigma, seed, strokes]
    gr.on([], api.change, changed, [figures, files], api_name="change", **NETWORK)
