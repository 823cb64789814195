"""The Benchmark tab: components, handlers and the endpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import gradio as gr

from fgrn.methods import METHODS, SCALES
from fgrn.record import PROTOCOLS, Settings
from lab import links, plots, progress
from lab.asked import check_scale
from lab.benchmark import archive, kept, runs, table
from lab.benchmark.archive import Collected
from lab.benchmark.runs import Bench
from lab.components import NamedChoices, html, picture_value, pictures, shown_errors
from lab.files import stem
from lab.handlers import EXAMPLES, FIRST_SCALE, Handlers
from lab.lines import BROKEN_OFF, failed, outdated
from lab.page import Page
from lab.progress import Progress
from lab.queues import QUIET, SERIES, shown_waiting
from lab.table import help_text
from lab.ticket import SKIP, Ticket

PROTOCOL = (
    "8-bit pictures throughout. PSNR and SSIM of the restored picture, with as many pixels as the scale cut from each "
    "side: -Y on the Y channel, -RGB on all three. A picture counts as soon as every method has done it."
)
OWN = "own"
OWN_CHOICE = ("Your run", OWN)  # beside the sets that were measured beforehand
UPLOAD = ""  # the choice of a set that means: what was uploaded
LINK_BOX = '<div class="fg-links">{}</div>'
LINKS = {"csv": "CSV", "json": "JSON", "zip": "ZIP with run.json"}
HELP = (
    "NIQE and PIQE judge the LR picture and take some seconds each. The ZIP of a run repeats it: "
    "python -m fgrn repeat NAME.zip FOLDER"
)


class Drawn(NamedTuple):
    """New values of the components of a run."""

    bench: Any = SKIP
    status: Any = SKIP
    plot: Any = SKIP
    summary: Any = SKIP
    downloads: Any = SKIP
    rows: Any = SKIP


def build(page: Handlers, demo: gr.Blocks, whole: gr.Tab) -> None:
    """Build the tab inside the current `gr.Tab`, wire it, and add its endpoint."""
    tab = BenchmarkTab(page)
    run, own, ticket = gr.State(), gr.State(), gr.State(Ticket())
    with gr.Row():
        with gr.Column(scale=1, min_width=300, elem_classes="fg-controls"):
            dataset = gr.Dropdown(
                [("Files uploaded here", UPLOAD)],
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
            )
            scale = gr.Radio(
                [(f"×{s}", s) for s in SCALES], value=FIRST_SCALE, label="Scale", elem_id="bench-scale"
            )
            methods = NamedChoices(
                [(METHODS["bicubic"].label, "bicubic")],
                value=["bicubic"],
                label="Methods",
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
            rows = html(elem_id="bench-rows")
            html(f'<p class="fg-notes">{HELP}</p>{help_text(PROTOCOL)}')

    drawn = [run, status, plot, table, downloads, rows]
    chosen: list[Any] = [dataset, files, scale, methods, protocol, blind]
    begun = start.click(
        tab.begin, [ticket, *chosen], [ticket, status, measured, old], concurrency_limit=4, **QUIET
    )
    ran = begun.success(tab.on_run, ticket, drawn, trigger_mode="multiple", **shown_waiting(status, SERIES))
    stopped = stop.click(tab.stop, [run, ticket], drawn, queue=False, **QUIET)
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
    demo.load(tab.opened, None, [scale, methods, dataset], queue=False, **QUIET)
    _add_api(tab)


class BenchmarkTab:
    """The handlers of the tab, around the models and files of the page."""

    def __init__(self, page: Handlers) -> None:
        self.page = page

    def first(self, scale: int, bench: Bench | None, ticket: Ticket) -> tuple[Any, ...]:
        """When the tab is opened and nothing was measured yet: the first set that was measured beforehand."""
        if bench is not None or ticket.request or not (names := kept.names(scale)):
            return SKIP, SKIP, *Drawn()
        return self.show_kept(names[0], scale, bench, None, ticket)

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

    def begin(self, ticket: Ticket, *request: Any) -> tuple[Ticket, str, Any, str]:
        """Check a request; if it is sound, end what still runs for this visitor and hand out a new ticket."""
        with shown_errors(), ticket.apply() as new:
            _checked(*request)
            granted = new.grant(*request)
        if granted is not new:
            return granted, SKIP, SKIP, SKIP
        return granted, progress.line(Progress("Waiting for its turn")), gr.Radio(value=None), ""

    def outdated(
        self,
        bench: Bench | None,
        dataset: str,
        files: Sequence[str] | None,
        scale: int,
        methods: Sequence[str],
        protocol: str,
        no_reference: bool,
    ) -> str:
        """Whether the run that is shown is of another request than the controls now say."""
        if bench is None or bench.kept:
            return ""
        of, count = bench.settings, len(bench.names)
        shown = bench.dataset, set(bench.uploads), of.scale, set(of.methods), of.protocol, of.no_reference
        uploads = set(files or ()) if dataset == UPLOAD else set()
        if shown == (dataset, uploads, scale, set(methods), protocol, no_reference):
            return ""
        what = bench.dataset or f"{count} picture{'' if count == 1 else 's'}"
        return outdated(f"Still shown: {what} at ×{of.scale}. Press Run for what is chosen now.")

    def on_run(self, ticket: Ticket) -> Iterator[Drawn]:
        """The figures, a picture and a method at a time."""
        drawn = -1

        def show(bench: Bench) -> Drawn:
            nonlocal drawn
            whole = len(bench.done) != drawn or not bench.progress.active
            drawn = len(bench.done)
            return self.draw(bench, whole=whole)

        def ended(bench: Bench | None, broken: bool) -> Drawn:
            drawn = self._ended(bench) if bench else Drawn()
            return drawn._replace(status=failed(BROKEN_OFF)) if broken else drawn

        work = partial(self._benchmark, stop=ticket.stopped)
        yield from ticket.serve(work, show, ended)

    def _benchmark(self, dataset: str, *request: Any, stop: Callable[[], bool]) -> Iterator[Bench]:
        settings, collected = _checked(dataset, *request)
        yield from runs.benchmark(self.page.models, settings, collected, dataset, stop)

    def draw(self, bench: Bench, *, whole: bool = True) -> Drawn:
        """The components for a snapshot; the summary and the plot only if `whole`."""
        status = progress.line(bench.progress)
        if not whole:
            return Drawn(bench, status, rows=table.pictures(bench))
        # empty at first, so that nothing moves later
        plot = gr.Plot(plots.bench_figure(bench), visible=bool(bench.done) or bench.progress.active)
        downloads = Page(LINK_BOX.format("")) if bench.progress.active else self.downloads(bench)
        summary = table.summary(bench)
        return Drawn(bench, status, plot, summary, picture_value(downloads), table.pictures(bench))

    def downloads(self, bench: Bench) -> Page:
        """The downloads of a run that has ended."""
        content = Page()
        name = f"benchmark_{stem(bench.dataset) + '_' if bench.dataset else ''}x{bench.settings.scale}"
        links_to_files = [
            content.download(self.page.store.save(data, f"{name}.{ending}"), LINKS[ending])
            for ending, data in runs.documents(bench).items()
        ]
        content.html = LINK_BOX.format("".join(links_to_files))
        return content

    def stop(self, bench: Bench | None, ticket: Ticket) -> Drawn:
        """The pictures that all methods have done stay, with their files."""
        said = ticket.stop()
        if bench is None or not bench.progress.active:
            return Drawn(status=said)
        return self._ended(bench)

    def _ended(self, bench: Bench) -> Drawn:
        """`draw` for a run that goes no further."""
        return self.draw(runs.stopped(bench) if bench.progress.active else bench)

    def choices(self, scale: int, chosen: list[str] | None) -> Any:
        """The methods that can be ticked at a scale."""
        return self.page.choices(scale, chosen)[0]

    def opened(self, request: gr.Request) -> tuple[Any, Any, Any]:
        """Scale and methods as the page's address says, and the picture sets, when it opens."""
        link = links.read(links.query_of(request), EXAMPLES)
        scale = link.scale or FIRST_SCALE
        chosen = list(link.methods) if link.methods else None
        sets = [(name, name) for name in archive.named_sets()]
        dataset = gr.Dropdown(choices=[("Files uploaded here", UPLOAD), *sets], visible=bool(sets))
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
            settings, collected = _checked(dataset or UPLOAD, files, number, names, protocol, no_reference)
            for bench in runs.benchmark(self.page.models, settings, collected, dataset or ""):
                paths = [] if bench.progress.active else self.downloads(bench).files
                yield runs.plain_rows(bench), runs.plain_summary(bench), paths


def _add_api(tab: BenchmarkTab) -> None:
    with gr.Group(visible=False):
        files = gr.File(label="Pictures or ZIPs", file_count="multiple")
        dataset = gr.Textbox("", label="Name of a picture set of the server; empty for the files")
        scale = gr.Number(FIRST_SCALE, precision=0, label="Scale")
        methods = gr.JSON([], label="Names of methods; empty for all but the refined")
        protocol = gr.Textbox("paper", label="Protocol, one of " + ", ".join(PROTOCOLS))
        blind = gr.Checkbox(False, label="NIQE and PIQE of the LR pictures")
        rows, summary = gr.JSON(label="Rows"), gr.JSON(label="Summary")
        documents = gr.File(label="CSV, JSON, ZIP", file_count="multiple")
    inputs = [files, dataset, scale, methods, protocol, blind]
    gr.on([], tab.rows, inputs, [rows, summary, documents], api_name="benchmark", **SERIES)


def _checked(
    dataset: str,
    files: Sequence[str] | None,
    scale: object,
    methods: Sequence[str],
    protocol: str,
    no_reference: bool,
) -> tuple[Settings, Collected]:
    """What the components of a request say, in the order in which Gradio sends them."""
    settings = runs.check_settings(scale, methods, protocol, no_reference)
    collected = archive.collect_set(dataset) if dataset != UPLOAD else archive.collect(files or [])
    return settings, collected


def _empty() -> str:
    return (
        '<div class="fg-empty"><p><b>Upload pictures, or a ZIP of them</b>, nested folders included. Every picture '
        "goes through every method; a row appears as soon as it is measured, then mean and spread.</p>"
        f"<p>At most {archive.MAX_PICTURES} pictures of 16 megapixels; each file or ZIP up to 20 MB. "
        "The figures can be downloaded as CSV and JSON, "
        "and as a ZIP that repeats the run from the command line.</p></div>"
    )
