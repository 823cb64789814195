"""The Restore tab: components and wiring."""

from __future__ import annotations

import gradio as gr

from fgrn.methods import METHODS, SCALES
from lab import cards, restore
from lab.components import html, pictures, upload
from lab.handlers import Handlers
from lab.queues import QUIET, shown_waiting
from lab.ticket import Ticket


def build(page: Handlers) -> None:
    """Build the tab inside the current `gr.Tab` and wire it."""
    methods = [("As the file says", restore.FROM_FILE), *((m.label, name) for name, m in METHODS.items())]
    scales = [("As the file says", restore.FROM_FILE), *((f"×{s}", str(s)) for s in SCALES)]
    ticket = gr.State(Ticket())
    with gr.Row():
        with gr.Column(scale=1, min_width=300, elem_classes="fg-controls"):
            lr = upload(
                label="LR PNG",
                sources=["upload", "clipboard"],
                height=220,
                elem_id="lr",
                buttons=[],
                elem_classes="fg-pixelated",
            )
            facts = html(page.describe_lr(None), elem_id="lr-facts")
            method = gr.Dropdown(methods, value=restore.FROM_FILE, label="Method", elem_id="lr-method")
            scale = gr.Dropdown(scales, value=restore.FROM_FILE, label="Scale", elem_id="lr-scale")
            other = gr.Checkbox(
                label=restore.OTHER_WEIGHTS,
                info="Restore although the file was made with other weights than these.",
                elem_id="lr-other",
            )
            with gr.Row():
                start = gr.Button("Restore", variant="primary", elem_id="restore", scale=2, min_width=120)
                stop = gr.Button("Stop", elem_id="restore-stop", scale=1, min_width=80)
        with gr.Column(scale=3, min_width=320, elem_classes="fg-results"):
            status = html(
                cards.status("Upload a LR PNG: nothing else is needed", False), elem_id="restore-status"
            )
            picture = pictures(elem_id="restored")
    lr.change(page.describe_lr, lr, facts, concurrency_limit=4, **QUIET)
    begun = start.click(
        page.begin_restoring,
        [lr, method, scale, other, ticket],
        [ticket, status],
        concurrency_limit=4,
        **QUIET,
    )
    begun.failure(page.not_restored, None, status, queue=False, **QUIET)
    begun.success(
        page.on_restore, ticket, [status, picture], trigger_mode="multiple", **shown_waiting(status)
    )
    stop.click(page.stop_restoring, ticket, status, queue=False, **QUIET)
