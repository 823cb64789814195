"""What happens when something on the Latent x tab is clicked: values of components in and out."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple

import gradio as gr

from fgrn.methods import METHODS
from lab import asked, cards, lines
from lab.asked import RequestError
from lab.compare.handlers import Handlers
from lab.compare.runs import AT_ONCE
from lab.components import picture_value
from lab.errors import Refusal, explained, nothing_to_do
from lab.files import holds
from lab.latent import changes, markup, studies
from lab.latent.brush import brushed
from lab.latent.changes import Change
from lab.latent.looks import LookHandlers, Looks
from lab.latent.painting import Canvas, Painting
from lab.latent.studies import STUDIED, Study
from lab.page import Page
from lab.ticket import SKIP, STOPPED, Ticket


class Drawn(NamedTuple):
    """New values of the components that show a study."""

    status: Any = SKIP
    empty: Any = SKIP
    results: Any = SKIP
    said: Any = SKIP
    flow: Any = SKIP
    cell: Any = SKIP
    pair: Any = SKIP
    path: Any = SKIP
    histogram: Any = SKIP
    spectrum: Any = SKIP
    errors: Any = SKIP
    brush: Any = SKIP
    note: Any = SKIP
    back: Any = SKIP
    given: Any = SKIP
    old: Any = SKIP


class ChangeDrawn(NamedTuple):
    """New values of what is said of a change, of what came back, and of the change that it is of."""

    note: Any = SKIP
    back: Any = SKIP
    given: Any = SKIP


class LatentHandlers:
    """The handlers of the tab, around the models and files of the page."""

    def __init__(self, page: Handlers) -> None:
        self.models = page.models
        self.store = page.store
        self.views = LookHandlers(page.store)

    def choices(self, scale: int, method: str | None) -> tuple[Any, str]:
        """The methods that can be run at a scale, and why the others cannot."""
        statuses = [status for status in self.models.status(scale) if status.method in STUDIED]
        statuses.sort(key=lambda status: STUDIED.index(status.method))
        usable = [(s.label, s.method) for s in statuses if not s.reason]
        names = [name for _, name in usable]
        chosen = method if method in names else next(iter(names), None)
        return gr.Radio(choices=usable, value=chosen), cards.missing(statuses)

    def begin(
        self,
        path: str | None,
        method: str | None,
        scale: int,
        ticket: Ticket,
        changing: Ticket,
        click: float = 0,
        most: float = math.inf,
    ) -> tuple[Ticket, str, str, str]:
        """Check a request; if it is sound, end what still runs for this visitor and hand out a new ticket.

        The last values are nothing in place of what `outdated` has said, and of the line about a change of the LR
        picture. Nothing happens for a picture of more than `most` pixels.
        """
        with ticket.apply(click) as new:
            studies.check_method(method)
            height, width = asked.open_picture(path)[0].shape[:2]
            if height * width > most:
                raise nothing_to_do()
            granted = new.grant(path, method, scale, height * width)
        if granted is not new:
            return granted, granted.in_place_of_newer, SKIP, SKIP
        changing.stop()
        return new, lines.status("Waiting for its turn", True), "", ""

    def opened(
        self,
        path: str | None,
        method: str | None,
        scale: int,
        ticket: Ticket,
        changing: Ticket,
        painting: Painting,
    ) -> tuple[Ticket, str, str, str]:
        """When the tab is opened: `begin` by itself, unless this was asked for already, takes long, or strokes go."""
        if not path or not method or ticket.request[:3] == (path, method, scale):
            raise nothing_to_do()
        if METHODS[method].refines or painting.now.strokes:
            raise nothing_to_do()
        try:
            return self.begin(path, method, scale, ticket, changing, most=AT_ONCE)
        except Refusal as refusal:
            if isinstance(refusal.__cause__, RequestError):  # Compare has said what is wrong with the picture
                raise nothing_to_do() from None
            raise

    def on_run(self, ticket: Ticket) -> Iterator[tuple[Any, str]]:
        """Run the networks once: the new study. `draw` shows it as the controls are by then."""

        def steps(path: str | None, method: str, scale: int, pixels: int) -> Iterator[tuple[Any, str]]:
            yield SKIP, lines.status(studies.doing(self.models, method, scale, pixels), True)
            study = studies.study(self.models, self.store, path, method, scale, ticket.stopped)
            yield study, lines.status("Drawing", True)

        def ended(last: object, problem: str) -> tuple[Any, str]:
            return SKIP, lines.failed(f"Nothing computed. {problem}") if problem else STOPPED

        yield from ticket.serve(steps, lambda drawn: drawn, ended)

    def draw(
        self, study: Study | None, painting: Painting, looks: Looks, view: str, channel: str, gain: float
    ) -> Drawn:
        """Everything about a new study; nothing if it was drawn before."""
        if study is None or not painting.begin(study.token):
            return Drawn()
        last = len(study.steps) - 1
        brush = self._brush(study, painting.now)
        try:
            seen = self.views.show_channel(study, looks, view, channel, gain, 0)
        except Refusal as refusal:  # else it would go on "Drawing"
            return Drawn(status=lines.failed(refusal.text), brush=brush)
        return Drawn(
            status=lines.status(f"{study.name}, {study.title}", False, study.notices),
            empty=gr.HTML(visible=False),
            results=gr.Column(visible=True),
            said=markup.summary(study),
            flow=gr.Column(visible=study.has_flow),
            cell=gr.Slider(minimum=0, maximum=last, value=0) if study.has_flow else SKIP,
            **seen._asdict(),
            brush=brush,
            note="",
            back=None,
            given=None,
            old="",
        )

    def outdated(self, path: str | None, method: str | None, scale: int, study: Study | None) -> str:
        """Whether what is shown is of another request than the controls now say."""
        if study is None:
            return ""
        if holds(path, study.source) and (method, scale) == (study.method, study.scale):
            return ""
        return lines.outdated(f"Still shown: {study.name}, {study.title}. Press Run for what is chosen now.")

    def show_kind(self, kind: str) -> tuple[Any, ...]:
        """The sliders of a kind of change."""
        visible = (kind != "noise", kind == "noise", kind == "noise", kind == "brush")
        return *(gr.update(visible=shown) for shown in visible), gr.Column(visible=kind == "brush")

    def paint(self, study: Study | None, painting: Painting, event: gr.EventData) -> Any:
        """What a message of brush.js says was done: strokes, Undo and Clear, all or, if it is refused, nothing.

        The value of the brush says so; nothing if there is a newer one meanwhile, which shows this change too, or if it
        was done to another study.
        """
        sent = event._data if isinstance(event._data, dict) else {}
        if study is None or sent.get("study") != study.token:
            return SKIP
        number = sent.get("number")
        try:
            actions, problem = changes.read_actions(sent.get("actions")), ""
        except RequestError as error:
            actions, problem = (), str(error)

        def act(now: Canvas) -> Canvas:
            now = replace(now, answered=number if isinstance(number, int | float) else now.answered)
            try:
                return replace(now, strokes=changes.after(now.strokes, actions), problem=problem)
            except RequestError as error:
                return replace(now, problem=str(error))

        canvas = painting.change(study.token, act)
        if canvas is None:
            return SKIP
        drawn = self._brush(study, canvas)
        return drawn if painting.now is canvas else SKIP

    def _brush(self, study: Study, canvas: Canvas) -> dict[str, Any]:
        """The value of the brush; where it cannot be drawn, why: brush.js waits for every answer.

        It draws strokes itself until the value names the message that they were in; it numbers its messages.
        """
        try:
            painted = brushed(study.pixels("lr"), canvas.strokes)
            lr = studies.save_view(self.store, painted, f"{study.prefix}_painted")
            page = markup.canvas(study, lr, canvas.problem)
        except Exception as error:
            page = Page(lines.problem(explained(error)))
        strokes = [{"points": stroke.points, "radius": stroke.radius} for stroke in canvas.strokes]
        answer = {"study": study.token, "answered": canvas.answered, "painted": strokes}
        return {**picture_value(page), **answer}

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
        click: float = 0,
    ) -> tuple[Ticket, str]:
        """Check a change; if it is sound, end what still runs and hand out a new ticket."""
        with ticket.apply(click) as new:
            if study is None:
                raise asked.RequestError("There is no LR picture yet. Press Run first.")
            change = changes.checked(kind, levels, sigma, seed, painting.now.strokes)
            granted = new.grant(study, change, gain)
        waits = lines.status("Waiting for its turn", True)
        return granted, waits if granted is new else granted.in_place_of_newer

    def on_change(self, ticket: Ticket, latest: Study | None) -> Iterator[ChangeDrawn]:
        """Restore from the changed LR picture, unless there is a newer study."""

        def steps(study: Study, change: Change, gain: float) -> Iterator[ChangeDrawn]:
            if latest is None or latest.token != study.token:
                yield ChangeDrawn("")
                return
            yield ChangeDrawn(lines.status(changes.doing(self.models, study), True))
            back = changes.perturb(self.models, self.store, study, change, gain, ticket.stopped)
            yield ChangeDrawn("", picture_value(markup.returned(study, back, gain)), change)

        def ended(last: ChangeDrawn | None, problem: str) -> ChangeDrawn:
            if problem:
                return ChangeDrawn(lines.failed(f"Nothing restored. {problem}"))
            return ChangeDrawn("" if last and not last.note else STOPPED)

        yield from ticket.serve(steps, lambda drawn: drawn, ended)

    def change_outdated(
        self,
        kind: str,
        levels: float,
        sigma: float,
        seed: float,
        painting: Painting,
        given: Change | None,
    ) -> str:
        """Whether what came back is of another change than the controls and the brush now say."""
        if given is None:
            return ""
        with suppress(RequestError):
            if changes.checked(kind, levels, sigma, seed, painting.now.strokes) == given:
                return ""
        return lines.outdated(
            "Still shown: what the change before gave. Restore again for the one chosen now."
        )
