"""The Restore tab: components and handlers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from fgrn.methods import METHODS, SCALES
from fgrn.pipeline import notices_of
from lab import cards, restore
from lab.asked import RequestError
from lab.components import html, picture_value, pictures, shown_errors, upload
from lab.handlers import Handlers, Shown
from lab.queues import QUIET, shown_waiting
from lab.ticket import SKIP, Ticket


def build(page: Handlers, seen: gr.State) -> None:
    """Build the tab inside the current `gr.Tab` and wire it; `seen` is what the visitor sees on Compare."""
    tab = RestoreTab(page)
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
            facts = html(tab.describe(None), elem_id="lr-facts")
            take = gr.Button("Take the LR picture of Compare", size="sm", elem_id="restore-take")
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
    lr.change(tab.describe, lr, facts, concurrency_limit=4, **QUIET)
    taken = take.click(tab.take, seen, [lr, method, scale, other], concurrency_limit=4, **QUIET)
    taken.failure(tab.refused, None, status, queue=False, **QUIET)
    for begins in (start.click, taken.success):
        begun = begins(
            tab.begin, [lr, method, scale, other, ticket], [ticket, status], concurrency_limit=4, **QUIET
        )
        begun.failure(tab.refused, None, status, queue=False, **QUIET)
        begun.success(
            tab.on_restore, ticket, [status, picture], trigger_mode="multiple", **shown_waiting(status)
        )
    stop.click(tab.stop, ticket, status, queue=False, **QUIET)


class RestoreTab:
    """The handlers of the tab, around the models and files of the page."""

    def __init__(self, page: Handlers) -> None:
        self.models = page.models
        self.store = page.store

    def take(self, shown: Shown) -> tuple[Any, ...]:
        """The LR picture of Compare, FGRN's if it is there; for it the file decides everything else."""
        done = {outcome.method: outcome.files for outcome in shown.run.done} if shown.run else {}
        files = done.get("fgrn") or next(reversed(done.values()), None)
        with shown_errors():
            if files is None:
                raise RequestError("Compare has no LR picture yet. Run it there, or upload a LR PNG here.")
        return files.lr, restore.FROM_FILE, restore.FROM_FILE, False

    def describe(self, path: str | None) -> str:
        """What a LR file says about itself."""
        if not path:
            return '<div class="fg-info">The LR PNG says itself which method and scale made it.</div>'
        try:
            lr = restore.open_lr(path)
            return cards.facts(restore.describe(lr), notices_of(lr))
        except RequestError as error:
            return cards.problem(str(error))

    def begin(
        self, path: str | None, method: str, scale: str, other_weights: bool, ticket: Ticket
    ) -> tuple[Ticket, str]:
        """Check a LR file; if it is sound, end what still runs for this visitor and hand out a new ticket."""
        with shown_errors(), ticket.apply() as new:
            restore.check(path, method, scale)
            granted = new.grant(path, method, scale, other_weights)
        return granted, cards.status("Waiting for its turn", True) if granted is new else SKIP

    def on_restore(self, ticket: Ticket) -> Iterator[tuple[str, Any]]:
        """What is being done, and the picture of a LR PNG."""

        def steps(
            path: str | None, method: str, scale: str, other_weights: bool
        ) -> Iterator[tuple[str, Any]]:
            yield cards.status(restore.doing(self.models, *restore.check(path, method, scale)), True), SKIP
            done = restore.run(self.models, self.store, path, method, scale, other_weights, ticket.stopped)
            page = cards.restored(done.lr_path, done.path, done.title, done.lr_size, done.size)
            yield (
                cards.status("Restored from the LR picture alone", False, done.notices),
                picture_value(page),
            )

        failed = (cards.status("Nothing restored: see the message", False), SKIP)
        yield from ticket.serve(steps, lambda drawn: drawn, failed)

    def refused(self) -> str:
        """The request was refused; an earlier picture stays, and is called so."""
        return cards.status("Nothing restored: see the message. A picture below is an earlier one", False)

    def stop(self, ticket: Ticket) -> str:
        """What is drawn stays."""
        return cards.status(ticket.stop(), False)
