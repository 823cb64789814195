"""What happens when something on the Benchmark tab is clicked: values of components in and out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import gradio as gr

from fgrn.record import Settings
from lab import links, progress
from lab.asked import RequestError, check_scale
from lab.benchmark import archive, kept, plots, runs, table
from lab.benchmark.archive import Collected
from lab.benchmark.runs import Bench
from lab.compare.handlers import Handlers
from lab.components import picture_value
from lab.errors import explained, nothing_to_do, shown_errors
from lab.examples import EXAMPLES, FIRST_SCALE
from lab.lines import BROKEN_OFF, failed, outdated, problem
from lab.page import Page
from lab.progress import Progress
from lab.ticket import SKIP, Ticket

OWN = "own"
OWN_CHOICE = ("Your run", OWN)  # beside the sets that were measured beforehand
UPLOAD = ""  # the choice of a set that means: what was uploaded
UPLOADS = ("Files uploaded here", UPLOAD)
LINK_BOX = '<div class="fg-links">{}</div>'
LINKS = {"csv": "CSV", "json": "JSON", "zip": "ZIP with run.json"}


class Request(NamedTuple):
    """The values of the components that say what is measured, in the order in which Gradio sends them."""

    dataset: str
    files: Sequence[str] | None
    scale: Any
    methods: Sequence[str]
    protocol: str
    no_reference: bool

    def checked(self) -> tuple[Settings, Collected]:
        """How it is measured, and the pictures.

        Raises:
            RequestError: for anything that cannot be asked for.
        """
        settings = runs.check_settings(self.scale, self.methods, self.protocol, self.no_reference)
        if self.dataset == UPLOAD:
            return settings, archive.collect(self.files or [])
        return settings, archive.collect_set(self.dataset)


class Drawn(NamedTuple):
    """New values of the components of a run."""

    bench: Any = SKIP
    status: Any = SKIP
    plot: Any = SKIP
    summary: Any = SKIP
    downloads: Any = SKIP
    rows: Any = SKIP


class BenchmarkHandlers:
    """The handlers of the tab, around the models and files of the page."""

    def __init__(self, page: Handlers) -> None:
        self.page = page

    def first(self, scale: int, bench: Bench | None, ticket: Ticket) -> tuple[Any, ...]:
        """When the tab is opened and nothing was measured yet: the first set that was measured beforehand."""
        if bench is not None or ticket.asked or not (names := kept.names(scale)):
            return SKIP, SKIP, *Drawn()
        shown = self.show_kept(names[0], scale, bench, None, ticket)
        return (SKIP, SKIP, *Drawn()) if ticket.asked else shown  # a run may have begun meanwhile

    def show_kept(
        self, chosen: str | None, scale: int, bench: Bench | None, own: Bench | None, ticket: Ticket
    ) -> tuple[Any, ...]:
        """The choice of sets at a scale, and the figures of the one that is chosen, or of the visitor's `own` run.

        `bench` is what is drawn now; if that was run here it is kept as the new `own`.
        """
        names = kept.names(scale)
        if chosen and ticket.busy:
            status = progress.line(Progress("A benchmark is running: stop it to see other figures"))
            return gr.Radio(value=None), SKIP, *Drawn(status=status)
        own = bench if bench and bench.done and not bench.kept else own
        found = own if chosen == OWN else kept.load(chosen, scale) if chosen else None
        choices = [*((name, name) for name in names), *([OWN_CHOICE] if own and found else [])]
        choice = gr.Radio(choices=choices, value=chosen if found else None, visible=bool(choices))
        return choice, own, *(self.draw(found) if found else Drawn())

    def begin(self, ticket: Ticket, *values: Any) -> tuple[Ticket, str, Any, str]:
        """Check a request; if it is sound, end what still runs for this visitor and hand out a new ticket.

        `values` are those of a `Request`, then the number of the click.
        """
        *chosen, click = values
        request = Request(*chosen)
        with ticket.apply(click) as new:
            request.checked()
            granted = new.grant(*request)
        if granted is not new:
            return granted, granted.in_place_of_newer, SKIP, SKIP
        return granted, progress.line(Progress("Waiting for its turn")), gr.Radio(value=None), ""

    def outdated(self, bench: Bench | None, *values: Any) -> str:
        """Whether the run that is shown is of another `Request` than the controls now say."""
        if bench is None or bench.kept:
            return ""
        of, count, chosen = bench.settings, len(bench.names), Request(*values)
        uploads = chosen.files or () if chosen.dataset == UPLOAD else ()
        chosen = chosen._replace(files=sorted(uploads), methods=sorted(chosen.methods))
        shown = (
            bench.dataset,
            sorted(bench.uploads),
            of.scale,
            sorted(of.methods),
            of.protocol,
            of.no_reference,
        )
        if shown == chosen:
            return ""
        what = bench.dataset or f"{count} picture{'' if count == 1 else 's'}"
        return outdated(f"Still shown: {what} at ×{of.scale}. Press Run for what is chosen now.")

    def on_run(self, ticket: Ticket) -> Iterator[Drawn]:
        """The figures, a picture and a method at a time."""
        pictures_drawn = -1

        def show(bench: Bench) -> Drawn:
            nonlocal pictures_drawn
            whole = len(bench.done) != pictures_drawn or not bench.progress.active
            pictures_drawn = len(bench.done)
            return self.draw(bench, whole=whole)

        def ended(bench: Bench | None, problem: str) -> Drawn:
            drawn = self._ended(bench) if bench else Drawn()
            return drawn._replace(status=failed(BROKEN_OFF.format(problem))) if problem else drawn

        work = partial(self._benchmark, stop=ticket.stopped)
        yield from ticket.serve(work, show, ended)

    def _benchmark(self, *values: Any, stop: Callable[[], bool]) -> Iterator[Bench]:
        request = Request(*values)
        yield from runs.benchmark(self.page.models, *request.checked(), request.dataset, stop)

    def draw(self, bench: Bench, *, whole: bool = True) -> Drawn:
        """The components for a snapshot; the summary and the plot only if `whole`."""
        status = progress.line(bench.progress)
        if not whole:
            return Drawn(bench, status, rows=table.pictures(bench))
        # empty at first, so that nothing moves later
        plot = gr.Plot(plots.bench_figure(bench), visible=bool(bench.done) or bench.progress.active)
        downloads = Page(LINK_BOX.format("")) if bench.progress.active else self._links(bench)
        summary = table.summary(bench)
        return Drawn(bench, status, plot, summary, picture_value(downloads), table.pictures(bench))

    def _links(self, bench: Bench) -> Page:
        """`downloads`, or why there are none: the figures are shown all the same."""
        try:
            return self.downloads(bench)
        except Exception as error:
            return Page(problem(explained(error)))

    def downloads(self, bench: Bench) -> Page:
        """The downloads of a run that has ended."""
        content = Page()
        name = bench.file_name
        links_to_files = [
            content.download(self.page.store.save(data, f"{name}.{ending}"), LINKS[ending])
            for ending, data in runs.documents(bench).items()
        ]
        content.html = LINK_BOX.format("".join(links_to_files))
        return content

    def stop(self, bench: Bench | None, ticket: Ticket, click: float = 0) -> Drawn:
        """The pictures that all methods have done stay, with their files."""
        said = ticket.stop(click)
        if bench is None or not bench.progress.active:
            return Drawn(status=said)
        return self._ended(bench)

    def _ended(self, bench: Bench) -> Drawn:
        """`draw` for a run that goes no further."""
        return self.draw(runs.stopped(bench) if bench.progress.active else bench)

    def open_in_compare(self, bench: Bench | None, event: gr.EventData) -> tuple[Any, ...]:
        """Picture, scale, methods, why others cannot be used, no hidden ones, and the tab: for Compare."""
        if bench is None:
            raise nothing_to_do()
        sent = event._data.get("name") if isinstance(event._data, dict) else None
        with shown_errors():
            file, data = runs.read_again(bench, sent)
            path = self.page.store.save(data, file.file_name)
        scale = bench.settings.scale
        return (
            path,
            scale,
            *self.page.choices(scale, bench.settings.methods),
            [],
            gr.Tabs(selected="compare"),
        )

    def choices(self, scale: int, chosen: list[str] | None) -> Any:
        """The methods that can be ticked at a scale."""
        return self.page.choices(scale, chosen)[0]

    def opened(self, request: gr.Request) -> tuple[Any, Any, Any]:
        """Scale and methods as the page's address says, and the picture sets, when it opens."""
        link = links.read(links.query_of(request), EXAMPLES)
        scale = link.scale or FIRST_SCALE
        chosen = list(link.methods) if link.methods else None
        sets = [(name, name) for name in archive.named_sets()]
        dataset = gr.Dropdown(choices=[UPLOADS, *sets], visible=bool(sets))
        return scale, self.choices(scale, chosen), dataset

    def rows(
        self,
        files: list[str] | None,
        dataset: str | None,
        scale: float,
        methods: list[str] | None,
        protocol: str,
        no_reference: bool,
    ) -> Iterator[tuple[list[dict[str, object]], dict[str, object], list[str]]]:
        """Measure pictures, as a stream: the rows so far, one more for every picture and method.

        `files` are pictures or ZIPs of them; instead, `dataset` names a picture set of the server. `protocol` is
        "paper" (cut to a multiple of the scale) or "whole"; `no_reference` adds NIQE and PIQE. A row has image, method,
        scale and the figures (x_exact is a share). The summary holds mean, spread (standard deviation), the paper's
        figures, what was left out and why, and what was changed on reading. The files come at the end: CSV, JSON, and
        the ZIP that `python -m fgrn repeat` takes.
        """
        with shown_errors():
            number = check_scale(scale)
            names = methods or self.page.models.usual(number)
            request = Request(dataset or UPLOAD, files, number, names, protocol, no_reference)
            for bench in runs.benchmark(self.page.models, *request.checked(), request.dataset):
                if not (bench.progress.active or bench.done):
                    raise RequestError(". ".join(f"{name}: {why}" for name, why in bench.skipped.items()))
                paths = [] if bench.progress.active else self.downloads(bench).files
                yield runs.plain_rows(bench), runs.plain_summary(bench), paths
