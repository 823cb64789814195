"""What happens when something on the page is clicked: requests in, values of components out."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from fgrn.images import read_image
from fgrn.pipeline import Pixels
from lab import cards, compare, example_cache, links, reader, region, restore, table, viewer
from lab.compare import Run
from lab.components import inert, picture_value, shown_errors
from lab.files import DAY, Store, private_folder, readable_size
from lab.models import Models
from lab.region import Region
from lab.startup import Showcases

EXAMPLES = {
    path.stem: path
    for path in sorted((Path(__file__).resolve().parent.parent / "assets" / "examples").glob("*.png"))
}
FIRST_EXAMPLE = "portrait"
FIRST_SCALE = 4
FIRST_METHODS = ("bicubic", "irn", "fgrn")


Drawn = tuple[Any, Any, Any, Any, Any]  # state, status, table, viewer, files


class Ticket:
    """The right to draw on a visitor's page, until Stop or a newer run takes it away.

    Gradio's own `cancels=` is not used: for an event that is over, the browser asks the server to cancel event null,
    and gets an error.

    It also knows what was drawn last, and the region that is measured: its numbers come from another handler than the
    snapshots, and both draw the table.
    """

    def __init__(self, waiting: bool = False) -> None:
        self.valid = True
        self.waiting = waiting  # in the queue
        self.run: Run | None = None
        self.region: Region | None = None

    def stopped(self) -> bool:
        """Whether the right was taken away."""
        return not self.valid

    def stop(self) -> str:
        """Take the right away. What to say if nothing is running that could be stopped."""
        waited = self.valid and self.waiting
        self.valid = False
        return "Stopped before its turn came" if waited else "Nothing is running"


class Handlers:
    """The handlers of the page, around one set of models."""

    def __init__(self, models: Models | None = None) -> None:
        self.models = models or Models()
        self.store = Store(Path(gr.utils.get_upload_folder()), keep=DAY)
        served = Store(private_folder("fgrn-example-"))  # not in Gradio's cache, which is emptied every day
        kept = example_cache.default_folder()
        self.showcases = Showcases(self.models, served, EXAMPLES, FIRST_METHODS, kept)
        self.first = self.showcases.of(FIRST_EXAMPLE, FIRST_SCALE)
        self._served: Run | None = None  # the example, if the page is served with it

    def warm_up(self) -> None:
        """Load what the first visitor would have to wait for: the networks, and the process that reads uploads."""
        reader.warm_up()
        self.models.summary()

    def first_view(self) -> Drawn:
        """What the page holds when it is served: the example, if an earlier start has kept it."""
        self._served = kept = self.first.recall()
        if kept is None:
            return None, cards.status("Computing the example", True), "", None, None
        return self.draw(kept, Ticket())

    def begin(
        self, path: str | None, scale: int, methods: list[str], ticket: Ticket
    ) -> tuple[Ticket, str, str]:
        """Check a request; if it is sound, end what still runs for this visitor and hand out a new ticket.

        The third value is the address of the view, "" for a picture that cannot be linked.
        """
        with shown_errors():
            compare.check_request(scale, methods)
            compare.open_picture(path)
        ticket.valid = False
        address = links.write(self.showcases.name_of(path), scale, methods)
        return Ticket(waiting=True), cards.status("Waiting for its turn", True), address

    def on_run(self, path: str | None, scale: int, methods: list[str], ticket: Ticket) -> Iterator[Drawn]:
        """The networks, one snapshot after the other."""
        ticket.waiting = False
        with shown_errors():
            shown = self.showcases.find(path, scale, methods)
            if shown:
                runs = shown.watch_pictures(ticket.stopped)
            else:
                runs = compare.compare(self.models, self.store, path, scale, methods, ticket.stopped)
            yield from self._while_valid(ticket, runs)

    def measure(self, run: Run | None, ticket: Ticket) -> Iterator[Drawn]:
        """The metrics of a comparison whose networks are done."""
        if run is None or not run.active or not run.complete:
            yield _nothing()  # a generator without any value would empty its outputs
            return
        shown = self.showcases.showing(run)
        try:
            with shown_errors():
                runs = shown.watch(ticket.stopped) if shown else compare.measure(self.models, run)
                yield from self._while_valid(ticket, runs)
        except gr.Error:
            yield gr.skip(), cards.status("Not measured: see the message", False), *_nothing()[2:]
            raise

    def watch_example(self, ticket: Ticket, request: gr.Request) -> Iterator[Drawn]:
        """The example that is there when the page opens, unless its address asks for another view."""
        if links.read(_query(request), EXAMPLES).asks_for_a_run:
            yield _nothing()
            return
        if self._served and ticket.valid:
            ticket.run = self._served
            yield self._served, *_nothing()[1:]
            return
        yield from self._while_valid(ticket, self.first.watch(ticket.stopped))
        if self.first.failed:
            text = "The example could not be computed: choose a picture and press Run"
            yield gr.skip(), cards.status(text, False), gr.skip(), gr.skip(), gr.skip()

    def stop(self, run: Run | None, ticket: Ticket) -> Drawn:
        """What is there stays; what is missing says so."""
        idle = ticket.stop()
        if run is None or not run.active:
            return gr.skip(), cards.status(idle, False), gr.skip(), gr.skip(), gr.skip()
        return self.draw(compare.stopped(run), ticket)

    def measure_region(self, ticket: Ticket, event: gr.EventData) -> Any:
        """The table with the numbers of the box that was drawn, or of the whole picture again if it was cleared."""
        token, sent = viewer.sent_box(event)
        run = ticket.run
        if run is None or token != run.token:
            return gr.skip()  # drawn over pictures that another run has replaced
        with shown_errors():
            if sent is None:
                ticket.region = None
            else:
                ticket.region = region.measure(run, Region(region.read_box(sent, run)))
        return table.render(ticket.run or run, ticket.region)

    def _while_valid(self, ticket: Ticket, runs: Iterator[Run]) -> Iterator[Drawn]:
        for run in runs:
            if not ticket.valid:
                break
            yield self.draw(run, ticket)
        if not ticket.valid:  # at its end Gradio sends the last snapshot again, over what Stop has drawn
            yield _nothing()

    def draw(self, run: Run, ticket: Ticket) -> Drawn:
        """State, status, table, viewer and files of a snapshot."""
        ticket.run = run
        if ticket.region:
            ticket.region = region.measure(run, ticket.region)  # methods that have come since it was drawn
        return (
            run,
            cards.status(run.status, run.active, run.notices),
            table.render(run, ticket.region),
            viewer.value(run),
            picture_value(cards.files(run)),
        )

    def choices(self, scale: int, chosen: Sequence[str] | None) -> tuple[Any, str]:
        """The methods that can be ticked at a scale, and why the others cannot."""
        statuses = self.models.status(scale)
        usable = [(s.label, s.method) for s in statuses if not s.reason]
        names = [name for _, name in usable]
        ticked = [name for name in names if name in (chosen or FIRST_METHODS)]
        ticked = ticked or [name for name in names if name in FIRST_METHODS]
        return gr.CheckboxGroup(choices=usable, value=ticked), cards.missing(
            [(s.label, s.reason) for s in statuses if s.reason]
        )

    def opened(self, request: gr.Request) -> tuple[Any, ...]:
        """Badge, picture, scale, methods, tab, and whether to run, when the page opens: as its address says."""
        link = links.read(_query(request), EXAMPLES)
        scale = link.scale or FIRST_SCALE
        asked = [status for status in self.models.status(scale) if status.method in (link.methods or ())]
        missing = [f"The link asks for {s.label} at ×{scale}: {s.reason}." for s in asked if s.reason]
        for notice in (*link.notices, *missing):
            gr.Warning(inert(notice), duration=20)
        return (
            cards.badge(*self.models.summary()),
            str(link.example) if link.example else gr.skip(),
            link.scale or gr.skip(),
            *self.choices(scale, link.methods),
            gr.Tabs(selected=link.tab) if link.tab else gr.skip(),
            link.asks_for_a_run,
        )

    def describe(self, path: str | None) -> str:
        """A line about the picture that was just chosen."""
        if not path:
            return '<div class="fg-info">PNG, JPEG, WebP, TIFF, ... up to 16 megapixels and 20 MB.</div>'
        try:
            pixels, notices, kind = compare.open_picture(path)
        except compare.RequestError as error:
            return cards.problem(str(error))
        return _facts(path, pixels, notices, kind)

    def describe_first(self) -> str:
        """The same about the example; a picture of ours is read right here."""
        path = EXAMPLES[FIRST_EXAMPLE]
        loaded = read_image(path)
        return _facts(path, loaded.pixels, loaded.notices, loaded.format)

    def describe_lr(self, path: str | None) -> str:
        """What a LR file says about itself."""
        if not path:
            return '<div class="fg-info">The LR PNG says itself which method and scale made it.</div>'
        try:
            return cards.facts(restore.describe(restore.open_lr(path)), ())
        except compare.RequestError as error:
            return cards.problem(str(error))

    def on_restore(
        self, path: str | None, method: str, scale: str, other_weights: bool
    ) -> tuple[str, dict[str, Any]]:
        """The picture of a LR PNG."""
        with shown_errors():
            done = restore.run(self.models, self.store, path, method, scale, other_weights)
        page = cards.restored(done.lr_path, done.path, done.title, done.lr_size, done.size)
        return cards.status("Restored from the LR picture alone", False, done.notices), picture_value(page)


def _query(request: gr.Request | None) -> Mapping[str, str]:
    """The query of the page's address; the API has none."""
    return dict(request.query_params) if request and request.query_params else {}


def _facts(path: str | Path, pixels: Pixels, notices: tuple[str, ...], kind: str) -> str:
    size = readable_size(os.path.getsize(path))
    return cards.facts(f"{pixels.shape[1]} × {pixels.shape[0]} pixels, {kind}, {size}", notices)


def _nothing() -> Drawn:
    return gr.skip(), gr.skip(), gr.skip(), gr.skip(), gr.skip()
