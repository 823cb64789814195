"""What happens when something on the Latent x tab is clicked: values of components in and out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import gradio as gr

from lab import asked, cards
from lab.asked import RequestError
from lab.compare import AT_ONCE
from lab.components import picture_value, refused, shown_errors
from lab.handlers import Handlers
from lab.latent import changes, markup, plots, studies, views
from lab.latent.changes import Change
from lab.latent.studies import STUDIED, Study
from lab.latent.views import Stroke, View
from lab.ticket import SKIP, Ticket

FIRST_RADIUS = 4  # LR pixels


class Drawn(NamedTuple):
    """New values of the components that show a study."""

    painting: Any = SKIP
    status: Any = SKIP
    empty: Any = SKIP
    results: Any = SKIP
    said: Any = SKIP
    cell: Any = SKIP
    pair: Any = SKIP
    path: Any = SKIP
    histogram: Any = SKIP
    spectrum: Any = SKIP
    errors: Any = SKIP
    radius: Any = SKIP
    brush: Any = SKIP
    note: Any = SKIP
    back: Any = SKIP


@dataclass(frozen=True)
class Painting:
    """What a visitor has painted on the LR picture of a study, and the last message of brush.js that was heard."""

    strokes: tuple[Stroke, ...] = ()
    answered: int = 0
    study: str = ""  # its token


class Seen(NamedTuple):
    """New values of what follows the channel."""

    pair: Any = SKIP
    path: Any = SKIP
    histogram: Any = SKIP
    spectrum: Any = SKIP
    errors: Any = SKIP


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

    def begin(
        self,
        path: str | None,
        method: str | None,
        scale: int,
        ticket: Ticket,
        changing: Ticket,
    ) -> tuple[Ticket, str, str]:
        """Check a request; if it is sound, end what still runs for this visitor and hand out a new ticket.

        The last value is the line about a change of the LR picture: there is none any more.
        """
        with shown_errors(), ticket.apply() as new:
            studies.check_method(method)
            asked.open_picture(path)
            granted = new.grant(path, method, scale)
        if granted is not new:
            return granted, SKIP, SKIP
        changing.stop()
        return new, cards.status("Waiting for its turn", True), ""

    def opened(
        self, path: str | None, method: str | None, scale: int, ticket: Ticket, changing: Ticket
    ) -> tuple[Ticket, str, str]:
        """When the tab is opened: `begin` by itself, unless this was asked for already, or takes long."""
        if not path or not method or ticket.request == (path, method, scale):
            raise _nothing_to_do()
        try:
            pixels, _, _ = asked.open_picture(path)
        except RequestError:
            raise _nothing_to_do() from None  # Compare has said what is wrong with it
        if pixels.shape[0] * pixels.shape[1] > AT_ONCE:
            raise _nothing_to_do()
        return self.begin(path, method, scale, ticket, changing)

    def on_run(self, ticket: Ticket) -> Iterator[tuple[Any, str]]:
        """Run the networks once: the new study. `draw` shows it as the controls are by then."""

        def steps(path: str | None, method: str, scale: int) -> Iterator[tuple[Any, str]]:
            yield SKIP, cards.status(studies.doing(self.models, path, method, scale), True)
            study = studies.study(self.models, self.store, path, method, scale, ticket.stopped)
            yield study, cards.status("Drawing", True)

        failed = (SKIP, cards.status("Nothing computed: see the message", False))
        yield from ticket.serve(steps, lambda drawn: drawn, failed)

    def draw(self, study: Study | None, painting: Painting, view: str, channel: str, gain: float) -> Drawn:
        """Everything about a new study; nothing if it was drawn before."""
        if study is None or painting.study == study.token:
            return Drawn()
        last, painting = len(study.steps) - 1, Painting(study=study.token)
        return Drawn(
            painting=painting,
            status=cards.status(f"{study.name}, {study.title}", False, study.notices),
            empty=gr.HTML(visible=False),
            results=gr.Column(visible=True),
            said=markup.summary(study),
            cell=gr.Slider(minimum=0, maximum=max(last, 1), value=0, interactive=last > 0),
            **self.show_channel(study, view, channel, gain, 0)._asdict(),
            radius=FIRST_RADIUS,
            brush=self.show_brush(study, painting, FIRST_RADIUS),
            note="",
            back=None,
        )

    def stop(self, ticket: Ticket) -> str:
        """What is drawn stays."""
        return cards.status(ticket.stop(), False)

    def show(self, study: Study | None, view: str, channel: str, gain: float, cell: int) -> tuple[Any, Any]:
        """The pictures that follow view and gain."""
        if study is None:
            return SKIP, SKIP
        kind = View(view)
        with shown_errors():
            files = studies.render(self.store, study, ("x", "lr", "bicubic"), kind, channel, gain)
        pair = picture_value(markup.pair(study, files, kind, gain))
        return pair, self.show_path(study, view, channel, gain, cell)

    def show_path(self, study: Study | None, view: str, channel: str, gain: float, cell: int) -> Any:
        """The image after a number of cells."""
        if study is None:
            return SKIP
        k = min(max(int(cell), 0), len(study.steps) - 1)
        with shown_errors():
            shown, moved = studies.render_step(self.store, study, k, View(view), channel, gain)
        return picture_value(markup.path(study, k, shown, moved, View(view), gain))

    def show_channel(self, study: Study | None, view: str, channel: str, gain: float, cell: int) -> Seen:
        """All that follows the channel."""
        if study is None:
            return Seen()
        with shown_errors():
            errors = views.error_map(study.pixels("x"), study.pixels("x_recovered"), channel)
            shown = studies.save_view(self.store, errors, f"{study.prefix}_errors_{channel}")
        return Seen(
            *self.show(study, view, channel, gain, cell),
            plots.histogram_figure(study.curves, channel),
            plots.spectrum_figure(study.curves, channel),
            picture_value(markup.errors(study, shown, channel)),
        )

    def gone(self) -> None:
        """Say why a view could not be drawn: its files are kept for a day only."""
        raise refused(studies.CLEANED_UP)

    def show_kind(self, kind: str) -> tuple[Any, ...]:
        """The sliders of a kind of change."""
        visible = (kind != "noise", kind == "noise", kind == "noise", kind == "brush")
        return *(gr.update(visible=shown) for shown in visible), gr.Column(visible=kind == "brush")

    def show_brush(self, study: Study | None, painting: Painting, radius: float, problem: str = "") -> Any:
        """The LR picture with all strokes, to paint on.

        brush.js draws strokes itself until the value names the message that they were in; it numbers its messages.
        """
        if study is None:
            return SKIP
        with shown_errors():
            painted = views.brushed(study.pixels("lr"), painting.strokes)
        lr = studies.save_view(self.store, painted, f"{study.prefix}_painted")
        value = picture_value(markup.canvas(study, lr, radius, problem))
        strokes = [{"points": stroke.points, "radius": stroke.radius} for stroke in painting.strokes]
        return {**value, "study": study.token, "answered": painting.answered, "painted": strokes}

    def paint(
        self, study: Study | None, painting: Painting, radius: float, levels: float, event: gr.EventData
    ) -> tuple[Any, Any]:
        """The strokes of a message of brush.js; those that cannot be painted are refused."""
        if study is None:
            return SKIP, SKIP
        sent = event._data if isinstance(event._data, dict) else {}
        number, problem = sent.get("number"), ""
        painting = replace(painting, answered=number if isinstance(number, int) else painting.answered)
        try:
            strokes = changes.read_strokes(sent.get("strokes"), radius, levels, painting.strokes)
            painting = replace(painting, strokes=strokes)
        except asked.RequestError as error:
            problem = str(error)
        return painting, self.show_brush(study, painting, radius, problem)

    def undo(self, study: Study | None, painting: Painting, radius: float) -> tuple[Painting, Any]:
        """A stroke less."""
        fewer = replace(painting, strokes=painting.strokes[:-1])
        return fewer, self.show_brush(study, fewer, radius)

    def clear(self, study: Study | None, painting: Painting, radius: float) -> tuple[Painting, Any]:
        """The LR picture as it was."""
        none = replace(painting, strokes=())
        return none, self.show_brush(study, none, radius)

    def begin_change(
        self,
        study: Study | None,
        kind: str,
        levels: float,
        sigma: float,
        seed: float,
        painting: Painting,
        gain: float,
        ticket: Ticket,
    ) -> tuple[Ticket, str]:
        """Check a change; if it is sound, end what still runs and hand out a new ticket."""
        with shown_errors(), ticket.apply() as new:
            if study is None:
                raise asked.RequestError("There is no LR picture yet. Press Run first.")
            change = changes.checked(kind, levels, sigma, seed, painting.strokes)
            granted = new.grant(study, change, gain)
        return granted, cards.status("Waiting for its turn", True) if granted is new else SKIP

    def on_change(self, ticket: Ticket, latest: Study | None) -> Iterator[tuple[Any, Any]]:
        """Restore from the changed LR picture, unless there is a newer study."""

        def steps(study: Study, change: Change, gain: float) -> Iterator[tuple[Any, Any]]:
            if latest is None or latest.token != study.token:
                yield "", SKIP
                return
            yield cards.status(changes.doing(self.models, study), True), SKIP
            back = changes.perturb(self.models, self.store, study, change, gain, ticket.stopped)
            yield "", picture_value(markup.returned(study, back, gain))

        yield from ticket.serve(steps, lambda drawn: drawn, ("", SKIP))


def _nothing_to_do() -> gr.Error:
    """Ends a chain of events without a message."""
    return gr.Error("Nothing to do", visible=False, print_exception=False)
