"""What happens when something on the page is clicked: requests in, values of components out."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import gradio as gr
from anyio import CapacityLimiter
from gradio.processing_utils import hash_file

from fgrn.images import read_image
from fgrn.inputs import RescaleError
from fgrn.methods import METHODS, SCALES
from fgrn.pixels import Pixels
from fgrn.scores import readable_size
from lab import asked, cards, lines, links, reader, table, viewer
from lab.at_once import AtOnce
from lab.compare import example_cache, region, runs
from lab.compare.ahead import Ahead
from lab.compare.region import Region
from lab.compare.runs import AT_ONCE
from lab.compare.shown import Drawn, Shown
from lab.compare.snapshot import Run
from lab.compare.startup import Showcases
from lab.components import NamedChoices, picture_value
from lab.errors import explained, inert, shown_errors
from lab.examples import EXAMPLES, FIRST_EXAMPLE, FIRST_METHODS, FIRST_SCALE
from lab.files import DAY, Store, holds, private_folder
from lab.models import Models
from lab.queues import in_own_threads
from lab.ticket import SKIP, Ticket

# Every visitor, and every call of a client that names no session, leaves 0.3 MB of state in Gradio. Beyond so many
# the ones used longest ago go: a page left open that long forgets what it was running.
SESSIONS = 128


class Handlers:
    """The handlers of the page, around one set of models."""

    def __init__(self, models: Models | None = None) -> None:
        self.models = models or Models()
        self.store = Store(Path(gr.utils.get_upload_folder()), keep=DAY)
        self.store.spared.update(map(hash_file, EXAMPLES.values()))  # the page shows them from Gradio's cache
        served = Store(private_folder("fgrn-example-"))  # not in Gradio's cache, which is emptied every day
        kept = example_cache.default_folder()
        self.showcases = Showcases(self.models, served, EXAMPLES, FIRST_METHODS, kept)
        self.first = self.showcases.of(FIRST_EXAMPLE, FIRST_SCALE)
        self._ahead = Ahead()
        self._served: Run | None = None  # the example, if the page is served with it
        self._watching = CapacityLimiter(SESSIONS)  # they only wait
        self._beginning = AtOnce()

    def warm_up(self) -> None:
        """Load what the first visitor would have to wait for: the networks, and the process that reads uploads."""
        reader.warm_up()
        self.models.summary()

    def compute_examples(self) -> None:
        """Compute all examples in the background, while no visitor runs a network."""
        examples = sorted(EXAMPLES, key=lambda name: name != FIRST_EXAMPLE)
        self.showcases.fill((name, scale) for scale in sorted(SCALES, reverse=True) for name in examples)

    def first_view(self) -> Drawn:
        """What the page holds when it is served: the example, if an earlier start has kept it."""
        self._served = kept = self.first.recall()
        if kept is None:
            return Drawn(lines.status("Computing the example", True), "", None, None)
        return self.draw(kept, Ticket(), Shown())

    def begin(
        self,
        path: str | None,
        scale: int,
        methods: list[str],
        ticket: Ticket,
        shown: Shown,
        click: float = 0,
    ) -> tuple[Any, ...]:
        """Check a request; if it is sound, end what still runs for this visitor and hand out a new ticket.

        Returns it, the address of the view ("" for a picture that cannot be linked), nothing in place of what
        `outdated` has said, and what is drawn while the request waits for the networks: what needs none, or an example
        as far as it is known.
        """
        with ticket.apply(click) as new:
            number = asked.check_scale(scale)
            example = self.showcases.find(path, scale, methods)
            ready = None if example else self._ahead.take(path, number)
            if ready:
                run: Run | None = ready.by(asked.check_methods(methods))
            else:
                run = None if example else runs.opened(self.models, self.store, path, scale, methods)
            granted = new.grant(path, scale, methods, run)
        if granted is not new:
            return granted, SKIP, SKIP, *Drawn(granted.in_place_of_newer)
        known = example.recall() if example else run
        drawn = self.draw(known, new, shown) if known else Drawn(lines.status("Waiting for its turn", True))
        address = links.write(self.showcases.name_of(path), scale, methods)
        return new, address, "", *shown.news(drawn, new)

    async def begin_at_once(self, *request: Any) -> tuple[Any, ...]:
        """`begin` outside of Gradio's queue, which would take longer than bicubic itself; and what `complain` shows."""
        return await self._beginning.answer(self.begin, request, outputs=3 + len(Drawn()))

    def on_run(self, ticket: Ticket, shown: Shown) -> Iterator[Drawn]:
        """The networks, one snapshot after the other."""

        def snapshots(path: str | None, scale: int, methods: list[str], run: Run | None) -> Iterator[Run]:
            example = None if run else self.showcases.find(path, scale, methods)
            if example:
                return example.watch_pictures(ticket.stopped)
            run = run or runs.opened(self.models, self.store, path, scale, methods)
            return runs.compute(self.models, self.store, run, ticket.stopped)

        yield from ticket.serve(
            snapshots, self._news(ticket, shown), self._ended(ticket, shown, lines.BROKEN_OFF)
        )

    def measure(self, ticket: Ticket, shown: Shown) -> Iterator[Drawn]:
        """The metrics of a comparison whose networks are done."""
        run = shown.run
        if shown.ticket is not ticket or run is None or not run.active or not run.computed:
            yield SKIP
            return
        example = self.showcases.showing(run)
        snapshots = example.watch(ticket.stopped) if example else runs.measure(self.models, self.store, run)
        ended = self._ended(ticket, shown, "Not measured. {}")
        yield from ticket.draw(snapshots, self._news(ticket, shown), ended)

    async def watch_example(self, ticket: Ticket, shown: Shown, request: gr.Request) -> AsyncIterator[Drawn]:
        """The example that is there when the page opens, unless its address asks for another view.

        All visitors may wait for it at once.
        """
        async for drawn in in_own_threads(self._watch_example(ticket, shown, request), self._watching):
            yield drawn

    def _watch_example(self, ticket: Ticket, shown: Shown, request: gr.Request) -> Iterator[Drawn]:
        if links.read(links.query_of(request), EXAMPLES).asks_for_a_run:
            yield SKIP
        elif self._served and ticket.valid:  # it came with the page
            shown.put(self._served, ticket)
            yield SKIP
        else:
            snapshots = self.first.watch(ticket.stopped)
            yield from ticket.draw(
                snapshots, self._news(ticket, shown), self._ended(ticket, shown, lines.BROKEN_OFF)
            )

    def stop(self, ticket: Ticket, shown: Shown, click: float = 0) -> Drawn:
        """What is there stays; what is missing says so."""
        said = ticket.stop(click)
        if shown.run is None or not shown.run.active:
            return Drawn(said)
        return self._stopped(shown.run, ticket, shown)

    def measure_stopped(self, ticket: Ticket, shown: Shown) -> Drawn:
        """PSNR and SSIM of what was there when Stop was pressed."""
        stopped = shown.run
        if stopped is None or stopped.active:
            return Drawn()
        with shown_errors():
            *_, run = stopped, *runs.measure_fidelity(self.models, stopped)
        if run is stopped:
            return Drawn()
        return self.draw(run, ticket, shown) if shown.run is stopped else Drawn()

    def measure_region(self, shown: Shown, event: gr.EventData) -> Any:
        """The table with the numbers of the box that was drawn, or of the whole picture again if it was cleared."""
        source, sent, asked = viewer.sent_box(event)
        run = shown.run
        if run is None or source != run.source.sha256 or not shown.ask(asked):
            return SKIP  # drawn over another picture, or another box came first
        with shown_errors():
            measured = None if sent is None else region.measure(run, Region(region.read_box(sent, run)))
            run = shown.run or run  # there may be a newer snapshot by now, or another run of the picture
            if measured and source == run.source.sha256:
                measured = region.measure(run, measured)
        if source != run.source.sha256 or not shown.choose(measured, asked):
            return SKIP
        return table.render(run, shown.region)

    def draw(self, run: Run, ticket: Ticket, shown: Shown) -> Drawn:
        """The components for a snapshot."""
        shown.put(run, ticket)
        shown.measure(run)
        return Drawn(
            lines.status(run.status, run.active, run.notices),
            table.render(run, shown.region),
            viewer.value(run),
            picture_value(cards.files(run)),
        )

    def _news(self, ticket: Ticket, shown: Shown) -> Callable[[Run], Drawn]:
        """`draw` for a stream of snapshots: only what a snapshot changes."""
        return lambda run: shown.news(self.draw(run, ticket, shown), ticket)

    def _ended(self, ticket: Ticket, shown: Shown, broken: str) -> Callable[[Run | None, str], Drawn]:
        """What is drawn when a stream does not come to its end; `broken` says it of a problem that is filled in."""

        def ended(last: Run | None, problem: str) -> Drawn:
            run = shown.run if last is None and shown.ticket is ticket else last  # or what `begin` has drawn
            drawn = self._stopped(run, ticket, shown) if run else Drawn()
            return drawn._replace(status=lines.failed(broken.format(problem))) if problem else drawn

        return ended

    def _stopped(self, run: Run, ticket: Ticket, shown: Shown) -> Drawn:
        """`draw` for a run that goes no further; it may have been drawn so, and measured since."""
        known = shown.run
        ended = known if known and known.token == run.token and not known.active else run.stopped()
        return self.draw(ended, ticket, shown)

    def choices(self, scale: int, chosen: Sequence[str] | None) -> tuple[Any, str]:
        """The methods that can be ticked at a scale, and why the others cannot."""
        statuses = self.models.status(scale)
        usable = [(s.label, s.method) for s in statuses if not s.reason]
        return NamedChoices(choices=usable, value=self._ticked(scale, chosen)), cards.missing(statuses)

    def _ticked(self, scale: int, chosen: Sequence[str] | None) -> list[str]:
        """Those of the chosen methods that there are at a scale; the usual ones if there is none of them."""
        names = self.models.available(scale)
        usual = [name for name in names if name in FIRST_METHODS]
        ticked = usual if chosen is None else [name for name in names if name in chosen]
        return usual if chosen and not ticked else ticked

    def rechoose(
        self, scale: int, chosen: Sequence[str], hidden: Sequence[str]
    ) -> tuple[Any, str, list[str]]:
        """`choices` at another scale; `hidden` are ticked methods that the scale before did not have."""
        wanted, here = [*chosen, *hidden], self.models.available(scale)
        return *self.choices(scale, wanted), [name for name in wanted if name not in here]

    def opened(self, request: gr.Request) -> tuple[Any, ...]:
        """Badge, picture, scale, methods, tab, address, and whether to run, when the page opens: as its address says.

        The address is that of what is shown instead, where it asks for what is not there.
        """
        link = links.read(links.query_of(request), EXAMPLES)
        scale = link.scale or FIRST_SCALE
        asked = [status for status in self.models.status(scale) if status.method in (link.methods or ())]
        missing = [f"The link asks for {s.label} at ×{scale}: {s.reason}." for s in asked if s.reason]
        in_vain = (*link.notices, *missing)
        for notice in in_vain:
            gr.Warning(inert(notice), duration=20)
        example = str(link.example or EXAMPLES[FIRST_EXAMPLE])
        return (
            cards.badge(*self.models.summary()),
            str(link.example) if link.example else gr.skip(),
            link.scale or gr.skip(),
            *self.choices(scale, link.methods),
            gr.Tabs(selected=link.tab) if link.tab else gr.skip(),
            links.write(self.showcases.name_of(example), scale, self._ticked(scale, link.methods))
            if in_vain
            else gr.skip(),
            link.asks_for_a_run,
        )

    def chosen(self, ticket: Ticket, shown: Shown) -> Any:
        """The status once a picture was uploaded: what was said against the one before is over."""
        run = shown.run
        if run is None or ticket.busy:
            return SKIP
        return lines.status(run.status, run.active, run.notices)

    def describe(self, path: str | None, scale: int) -> Iterator[str]:
        """A line about the picture that was just chosen. Then what a comparison of it shows at once is made ready."""
        if not path:
            yield lines.facts(f"PNG, JPEG, WebP, TIFF, ... up to {asked.LIMITS}.", ())
            return
        try:
            pixels, notices, kind = asked.open_picture(path)
            number = asked.check_scale(scale)
        except Exception as error:
            yield lines.problem(explained(error))
            return
        yield _facts(path, pixels, notices, kind)
        if pixels.shape[0] * pixels.shape[1] > AT_ONCE or self.showcases.name_of(path):
            return
        at_once = [method.name for method in METHODS.values() if not method.trained]
        with suppress(OSError, RescaleError):  # Run will say it
            self._ahead.make(
                path,
                number,
                lambda: runs.begun(self.models, self.store, path, pixels, notices, number, at_once),
            )

    def outdated(self, path: str | None, scale: int, methods: list[str], shown: Shown) -> str:
        """Whether what is shown is of another request than the controls now say."""
        run = shown.run
        if run is None:
            return ""
        differs = {
            "picture": not holds(path, run.source.sha256),
            "scale": run.scale != scale,
            "methods": {outcome.method for outcome in run.outcomes} != set(methods),
        }
        other = " and ".join(what for what, differ in differs.items() if differ)
        if not other:
            return ""
        return lines.outdated(
            f"Still shown: {run.name} at ×{run.scale}. Press Run for the {other} chosen now."
        )

    def describe_first(self) -> str:
        """The same about the example; a picture of ours is read right here."""
        path = EXAMPLES[FIRST_EXAMPLE]
        loaded = read_image(path)
        return _facts(path, loaded.pixels, loaded.notices, loaded.format)


def _facts(path: str | Path, pixels: Pixels, notices: tuple[str, ...], kind: str) -> str:
    size = readable_size(os.path.getsize(path))
    return lines.facts(f"{pixels.shape[1]} × {pixels.shape[0]} pixels, {kind}, {size}", notices)
