"""The Restore tab: components and handlers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr
from gradio.events import Dependency

from fgrn.lr_files import notices_of
from fgrn.methods import METHODS, RESTORING, SCALES
from fgrn.record import sha256
from lab import cards, lines, table, viewer
from lab.asked import RequestError
from lab.compare.handlers import Handlers
from lab.compare.runs import AT_ONCE
from lab.compare.shown import Shown
from lab.compare.snapshot import State
from lab.components import REQUESTS, click_number, clicked, html, picture_value, pictures, upload
from lab.errors import explained, nothing_to_do
from lab.files import holds
from lab.queues import CHECK, METRIC, QUIET, shown_waiting
from lab.restore import steps
from lab.restore.steps import Restored
from lab.ticket import SKIP, STOPPED, Ticket

Request = tuple[str | None, str, str, bool]
"""Path of the LR file, method, scale, and whether other weights than the file's may restore it."""


class Given(NamedTuple):
    """What is shown, and the request that gave it."""

    request: Request
    done: Restored


class Drawn(NamedTuple):
    """New values of what is being done, of pictures, of the file to download, of what gave them, and of `measure`'s."""

    status: Any = SKIP
    pictures: Any = SKIP
    files: Any = SKIP
    given: Any = SKIP
    numbers: Any = SKIP
    compared_with: Any = SKIP


def build(page: Handlers, whole: gr.Tab, seen: gr.State, compared: Sequence[Dependency]) -> None:
    """Build the tab inside the current `gr.Tab` and wire it; `seen` is what the visitor sees on Compare.

    When it is opened for the first time it restores the LR picture of Compare, or as soon as that is there: `compared`
    are the events at whose end its networks are done.
    """
    tab = RestoreTab(page)
    methods = [("As the file says", steps.FROM_FILE), *((METHODS[name].label, name) for name in RESTORING)]
    scales = [("As the file says", steps.FROM_FILE), *((f"×{s}", str(s)) for s in SCALES)]
    ticket, click = gr.State(Ticket()), click_number()
    given = gr.State()  # of Given
    with gr.Row():
        with gr.Column(scale=1, min_width=300, elem_classes="fg-controls"):
            lr = upload(
                label="LR PNG",
                height=220,
                elem_id="lr",
                elem_classes="fg-pixelated",
            )
            facts = html(tab.describe(None), elem_id="lr-facts")
            take = gr.Button(
                "Take LR picture and original of Compare",
                size="sm",
                elem_id="restore-take",
                elem_classes=REQUESTS,
            )
            method = gr.Dropdown(methods, value=steps.FROM_FILE, label="Method", elem_id="lr-method")
            scale = gr.Dropdown(scales, value=steps.FROM_FILE, label="Scale", elem_id="lr-scale")
            other = gr.Checkbox(
                label=steps.OTHER_WEIGHTS,
                info="Restore although the file was made with other weights than these.",
                elem_id="lr-other",
            )
            with gr.Row():
                start = gr.Button("Restore", variant="primary", elem_id="restore", scale=2, min_width=120)
                stop = gr.Button("Stop", elem_id="restore-stop", scale=1, min_width=80)
            original = upload(
                label="Original, only to measure against",
                height=190,
                elem_id="restore-original",
            )
            compared_with = html(elem_id="restore-compared")
        with gr.Column(scale=3, min_width=320, elem_classes="fg-results"):
            outdated = html(elem_id="restore-outdated")
            status = html(
                lines.status("Nothing restored yet: an LR PNG is all that is needed", False),
                elem_id="restore-status",
            )
            shots = viewer.component("restored", regions=False)
            numbers = html(elem_id="restore-numbers")
            files = pictures(elem_id="restore-files")
    chosen, drawn = [lr, method, scale, other], [status, shots, files, given, numbers, compared_with]
    taking, of_original, measured = (
        [*chosen, original],
        [original, lr, given],
        [shots, numbers, compared_with],
    )
    lr.change(tab.describe, lr, facts, concurrency_limit=4, **QUIET)
    for changes in (lr.change, method.input, scale.input, other.input):
        changes(tab.outdated, [*chosen, given, seen], outdated, **CHECK)
    taken = take.click(tab.take, [seen, ticket], taking, concurrency_limit=4, **QUIET)
    taken.failure(Ticket.refused, ticket, status, queue=False, **QUIET)
    opened = whole.select(tab.opened, [seen, lr, original, ticket], taking, concurrency_limit=4, **QUIET)
    whole.select(tab.outdated, [*chosen, given, seen], outdated, **CHECK)
    arrived = [
        ran.success(tab.arrived, [seen, *taking, ticket], taking, concurrency_limit=4, **QUIET)
        for ran in compared
    ]
    others = [(event.success, None) for event in (taken, opened, *arrived)]
    for begins, number in ((start.click, clicked(start)), *others):
        begun = begins(
            tab.begin,
            [*chosen, ticket, click],
            [ticket, status, outdated],
            js=number,
            concurrency_limit=4,
            **QUIET,
        )
        begun.failure(Ticket.refused, ticket, status, queue=False, **QUIET)
        ran = begun.success(tab.on_restore, ticket, drawn, trigger_mode="multiple", **shown_waiting(status))
        ran.success(tab.measure, of_original, measured, trigger_mode="always_last", **METRIC, **QUIET)
        # again: what was taken is another picture until it is drawn, and stays so if it cannot be
        for ends in (ran.success, ran.failure):
            ends(tab.outdated, [*chosen, given, seen], outdated, **CHECK)
    original.change(tab.measure, of_original, measured, trigger_mode="always_last", **METRIC, **QUIET)
    stop.click(Ticket.stop, [ticket, click], status, js=clicked(stop), queue=False, **QUIET)


class RestoreTab:
    """The handlers of the tab, around the models and files of the page."""

    def __init__(self, page: Handlers) -> None:
        self.models = page.models
        self.store = page.store

    def take(self, shown: Shown, ticket: Ticket) -> tuple[str, str, str, bool, str]:
        """The LR picture of Compare, FGRN's if it is there, for which the file decides all else; and its original."""
        done = {outcome.method: outcome.files for outcome in shown.run.done} if shown.run else {}
        files = done.get("fgrn") or next(reversed(done.values()), None)
        with ticket.refusals():
            if files is None or shown.run is None:
                raise RequestError("Compare has no LR picture yet. Run it there, or upload an LR PNG here.")
        shown.taken = sha256(Path(files.lr).read_bytes())
        return files.lr, steps.FROM_FILE, steps.FROM_FILE, False, shown.run.hr

    def opened(
        self, shown: Shown, path: str | None, original: str | None, ticket: Ticket
    ) -> tuple[str, str, str, bool, str]:
        """When the tab is opened and nothing was asked for yet: `take`, unless it takes long, or FGRN's is to come."""
        shown.wanted = True
        run = shown.run
        if (
            path
            or original
            or ticket.request
            or not run
            or not run.done
            or run.size[0] * run.size[1] > AT_ONCE
        ):
            raise nothing_to_do()
        to_come = {o.method for o in run.outcomes if o.state in (State.WAITING, State.RUNNING)}
        if run.active and "fgrn" in to_come:
            raise nothing_to_do()
        return self.take(shown, ticket)

    def arrived(
        self,
        shown: Shown,
        path: str | None,
        method: str,
        scale: str,
        other_weights: bool,
        original: str | None,
        ticket: Ticket,
    ) -> tuple[str, str, str, bool, str]:
        """When there are new pictures on Compare: `opened`, if that came too early and nothing was chosen since."""
        untouched = (method, scale, other_weights) == (steps.FROM_FILE, steps.FROM_FILE, False)
        if not shown.wanted or not untouched:
            raise nothing_to_do()
        return self.opened(shown, path, original, ticket)

    def outdated(
        self,
        path: str | None,
        method: str,
        scale: str,
        other_weights: bool,
        given: Given | None,
        shown: Shown,
    ) -> str:
        """Whether what is shown is of another request than the controls say, or was taken of what Compare has left."""
        if given is None:
            return ""
        if given.request != (path, method, scale, other_weights):
            return lines.outdated(
                f"Still shown: what {given.done.name} gave. Press Restore for what is chosen now."
            )
        run = shown.run
        if not (run and run.computed and shown.taken and path and holds(path, shown.taken)):
            return ""  # of a file of the visitor's own there is nothing to say
        if any(o.files and holds(o.files.lr, shown.taken) for o in run.done):
            return ""
        return lines.outdated(f"Compare shows other pictures by now, of {run.name} at ×{run.scale}.")

    def measure(self, original: str | None, path: str | None, given: Given | None) -> tuple[Any, Any, str]:
        """What is shown, beside its original: the pictures, the numbers, and why they cannot be compared.

        An original of an LR file that was chosen since has to wait until that is restored: what is shown stays.
        """
        if given is None or (original and path != given.request[0]):
            waits = lines.facts("Measured as soon as the LR picture is restored.", ())
            return SKIP, SKIP, waits if original else ""
        done, problem = given.done, ""
        if original:
            try:
                done = steps.measured(self.store, done, original)
            except Exception as error:
                problem = lines.problem(explained(error))
        return viewer.restored(done), table.restored(done), problem

    def describe(self, path: str | None) -> str:
        """What an LR file says about itself."""
        if not path:
            return '<div class="fg-info">The LR PNG says itself which method and scale made it.</div>'
        try:
            lr = steps.open_lr(path)
            return lines.facts(steps.describe(lr), notices_of(lr))
        except Exception as error:
            return lines.problem(explained(error))

    def begin(
        self,
        path: str | None,
        method: str,
        scale: str,
        other_weights: bool,
        ticket: Ticket,
        click: float = 0,
    ) -> tuple[Ticket, str, str]:
        """Check an LR file; if it is sound, end what still runs for this visitor and hand out a new ticket.

        The last value is nothing in place of what `outdated` has said.
        """
        with ticket.apply(click) as new:
            steps.check(path, method, scale)
            granted = new.grant(path, method, scale, other_weights)
        if granted is not new:
            return granted, granted.in_place_of_newer, SKIP
        return new, lines.status("Waiting for its turn", True), ""

    def on_restore(self, ticket: Ticket) -> Iterator[Drawn]:
        """What is being done, then the picture."""

        def drawn(path: str | None, method: str, scale: str, other_weights: bool) -> Iterator[Drawn]:
            doing = steps.doing(self.models, *steps.check(path, method, scale))
            yield Drawn(lines.status(doing, True))
            done = steps.run(
                self.models, self.store, path, method, scale, other_weights, ticket.stopped, enlarge=True
            )
            yield Drawn(
                lines.status(f"Restored from {done.name} alone", False, done.notices),
                viewer.restored(done),
                picture_value(cards.restored(done)),
                Given((path, method, scale, other_weights), done),
                "",  # the numbers are of the picture before
                "",
            )

        def ended(last: Drawn | None, problem: str) -> Drawn:
            if problem:
                return Drawn(lines.failed(f"Nothing restored. {problem}"))
            return Drawn(last.status if last and last.given is not SKIP else STOPPED)

        yield from ticket.serve(drawn, lambda each: each, ended)
