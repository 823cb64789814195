"""What happens when something on the Latent x tab is clicked: values of components in and out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from fgrn.methods import METHODS
from lab import cards, compare
from lab.components import picture_value, shown_errors
from lab.handlers import Handlers, Ticket
from lab.latent import changes, markup, plots, studies, views
from lab.latent.studies import STUDIED, Study
from lab.latent.views import Stroke, View

FIRST_RADIUS = 4  # LR pixels

Drawn = tuple[Any, ...]


class LatentHandlers:
    """The handlers of the tab, around the models and files of the page."""

    def __init__(self, page: Handlers) -> None:
        self.models = page.models
        self.store = page.store

    def choices(self, scale: int, method: str | None) -> tuple[Any, str]:
        """The methods that can be run at a scale, and why the others cannot."""
        statuses = [status for status in self.models.status(scale) if status.method in STUDIED]
        statuses.sort(key=lambda status: STUDIED.index(status.method))
        usable = [(s.label, s.method) for s in statuses if not s.reason]
        names = [name for _, name in usable]
        chosen = method if method in names else next(iter(names), None)
        return gr.Radio(choices=usable, value=chosen), cards.missing(
            [(s.label, s.reason) for s in statuses if s.reason]
        )

    def begin(self, path: str | None, method: str | None, scale: int, ticket: Ticket) -> tuple[Ticket, str]:
        """Check a request; if it is sound, end what still runs for this visitor and hand out a new ticket."""
        with shown_errors():
            studies.check_method(method)
            compare.open_picture(path)
        ticket.valid = False
        return Ticket(), cards.status("Waiting for its turn", True)

    def on_run(
        self,
        path: str | None,
        method: str,
        scale: int,
        ticket: Ticket,
        view: str,
        channel: str,
        gain: float,
    ) -> Iterator[Drawn]:
        """Run the networks once and draw everything."""
        nothing = _only(gr.skip())
        if not ticket.valid:
            yield nothing
            return
        busy = cards.status(f"Computing {METHODS[method].label} ×{scale}", True)
        yield _only(busy)
        try:
            with shown_errors():
                study = studies.study(self.models, self.store, path, method, scale, ticket.stopped)
                if study is None or not ticket.valid:
                    yield nothing
                    return
                last = len(study.steps) - 1
                done = cards.status(f"{study.name}, {study.title}", False, study.notices)
                cell = gr.Slider(minimum=0, maximum=max(last, 1), value=0, interactive=last > 0)
                seen = self.show_channel(study, view, channel, gain, 0)
        except gr.Error:
            ticket.valid = False
            yield _only(cards.status("Nothing computed: see the message", False))
            raise
        shown = gr.Column(visible=True)
        said = markup.summary(study)
        ticket.valid = False  # nothing is left to stop
        yield (
            study,
            (),
            done,
            gr.HTML(visible=False),
            shown,
            said,
            cell,
            *seen,
            FIRST_RADIUS,
            self.show_brush(study, (), FIRST_RADIUS),
            "",
            None,
        )

    def stop(self, ticket: Ticket) -> str:
        """What is drawn stays."""
        running, ticket.valid = ticket.valid, False
        return cards.status("Stopped" if running else "Nothing is running", False)

    def show(self, study: Study | None, view: str, channel: str, gain: float, cell: int) -> tuple[Any, Any]:
        """The pictures that follow view and gain."""
        if study is None:
            return gr.skip(), gr.skip()
        kind = View(view)
        with shown_errors():
            files = studies.render(self.store, study, ("x", "lr", "bicubic"), kind, channel, gain)
        pair = picture_value(markup.pair(study, files, kind, gain))
        return pair, self.show_path(study, view, channel, gain, cell)

    def show_path(self, study: Study | None, view: str, channel: str, gain: float, cell: int) -> Any:
        """The image after a number of cells."""
        if study is None:
            return gr.skip()
        k = min(max(int(cell), 0), len(study.steps) - 1)
        with shown_errors():
            shown, moved = studies.render_step(self.store, study, k, View(view), channel, gain)
        return picture_value(markup.path(study, k, shown, moved, View(view), gain))

    def show_channel(self, study: Study | None, view: str, channel: str, gain: float, cell: int) -> Drawn:
        """All that follows the channel."""
        if study is None:
            return (gr.skip(),) * 5
        with shown_errors():
            errors = views.error_map(study.pixels("x"), study.pixels("x_recovered"), channel)
            shown = studies.save_view(self.store, errors, f"{study.prefix}_errors_{channel}")
        return (
            *self.show(study, view, channel, gain, cell),
            plots.histogram_figure(study.curves, channel),
            plots.spectrum_figure(study.curves, channel),
            picture_value(markup.errors(study, shown, channel)),
        )

    def show_kind(self, kind: str) -> Drawn:
        """The sliders of a kind of change."""
        visible = (kind != "noise", kind == "noise", kind == "noise", kind == "brush")
        return *(gr.update(visible=shown) for shown in visible), gr.Column(visible=kind == "brush")

    def show_brush(
        self, study: Study | None, strokes: tuple[Stroke, ...], radius: float, problem: str = ""
    ) -> Any:
        """The LR picture with all strokes, to paint on."""
        if study is None:
            return gr.skip()
        with shown_errors():
            painted = views.brushed(study.pixels("lr"), strokes)
        lr = studies.save_view(self.store, painted, f"{study.prefix}_painted")
        return picture_value(markup.canvas(study, lr, radius, problem))

    def paint(
        self,
        study: Study | None,
        strokes: tuple[Stroke, ...],
        radius: float,
        levels: float,
        event: gr.EventData,
    ) -> tuple[Any, Any]:
        """The strokes that were drawn since the last answer; those that cannot be painted are refused."""
        if study is None:
            return gr.skip(), gr.skip()
        sent = event._data.get("strokes") if isinstance(event._data, dict) else None
        problem = ""
        try:
            strokes = changes.read_strokes(sent, radius, levels, strokes)
        except compare.RequestError as error:
            problem = str(error)
        return strokes, self.show_brush(study, strokes, radius, problem)

    def undo(self, study: Study | None, strokes: tuple[Stroke, ...], radius: float) -> tuple[Any, Any]:
        """A stroke less."""
        return strokes[:-1], self.show_brush(study, strokes[:-1], radius)

    def clear(self, study: Study | None, radius: float) -> tuple[Any, Any]:
        """The LR picture as it was."""
        return (), self.show_brush(study, (), radius)

    def on_change(
        self,
        study: Study | None,
        kind: str,
        levels: float,
        sigma: float,
        seed: float,
        strokes: tuple[Stroke, ...],
        gain: float,
    ) -> tuple[str, Any]:
        """Restore from the changed LR picture."""
        with shown_errors():
            if study is None:
                raise compare.RequestError("There is no LR picture yet. Press Run first.")
            change = changes.checked(kind, levels, sigma, seed, strokes)
            back = changes.perturb(self.models, self.store, study, change, gain)
        return "", picture_value(markup.returned(study, back, gain))


def _only(status: Any) -> Drawn:
    """The outputs of a run with nothing new but the status."""
    return (gr.skip(), gr.skip(), status, *(gr.skip(),) * 13)
