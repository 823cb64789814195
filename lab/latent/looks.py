"""What happens when a study is looked at in another way: another view, gain, channel or number of cells."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, NamedTuple

from lab.components import picture_value
from lab.errors import shown_errors
from lab.files import Store
from lab.latent import markup, plots, studies, views
from lab.latent.studies import Study
from lab.latent.views import View
from lab.ticket import SKIP

_LOCK = threading.Lock()  # one for all: Gradio copies the first object of every visitor


class Seen(NamedTuple):
    """New values of what follows the view."""

    pair: Any = SKIP
    path: Any = SKIP
    histogram: Any = SKIP
    spectrum: Any = SKIP
    errors: Any = SKIP


class Looks:
    """A visitor's requests, in the order in which they came.

    Every control has a handler of its own, and some of them draw the same pictures: a slow one must not end on top.
    """

    def __init__(self) -> None:
        self._count = 0
        self._drawn: dict[str, int] = {}  # by field of Seen: the newest request that has drawn it

    def answer(self, draw: Callable[[], Seen]) -> Seen:
        """What `draw` makes, without what a newer request has drawn already."""
        with _LOCK:
            self._count += 1
            number = self._count
        drawn = draw()
        fields = [name for name, value in drawn._asdict().items() if value is not SKIP]
        with _LOCK:
            late = [name for name in fields if self._drawn.get(name, 0) > number]
            self._drawn.update({name: number for name in fields if name not in late})
        return drawn._replace(**dict.fromkeys(late, SKIP))


class LookHandlers:
    """The handlers, around the files of the page."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def show_view(
        self, study: Study | None, looks: Looks, view: str, channel: str, gain: float, cell: int
    ) -> Seen:
        """The pictures that follow view and gain."""
        if study is None:
            return Seen()
        return looks.answer(
            lambda: Seen(
                pair=self._pair(study, View(view), channel, gain),
                path=self._path(study, View(view), channel, gain, cell),
            ),
        )

    def show_cell(
        self, study: Study | None, looks: Looks, view: str, channel: str, gain: float, cell: int
    ) -> Seen:
        """The image after a number of cells."""
        if study is None:
            return Seen()
        return looks.answer(lambda: Seen(path=self._path(study, View(view), channel, gain, cell)))

    def show_channel(
        self, study: Study | None, looks: Looks, view: str, channel: str, gain: float, cell: int
    ) -> Seen:
        """All that follows the channel."""
        if study is None:
            return Seen()
        return looks.answer(
            lambda: Seen(
                self._pair(study, View(view), channel, gain),
                self._path(study, View(view), channel, gain, cell),
                plots.histogram_figure(study.curves, channel),
                plots.spectrum_figure(study.curves, channel),
                self._errors(study, channel),
            ),
        )

    def _pair(self, study: Study, view: View, channel: str, gain: float) -> dict[str, Any]:
        with shown_errors():
            files = studies.render(self.store, study, ("x", "lr", "bicubic"), view, channel, gain)
        return picture_value(markup.pair(study, files, view, gain))

    def _path(self, study: Study, view: View, channel: str, gain: float, cell: int) -> dict[str, Any] | None:
        """None without a flow."""
        if not study.has_flow:
            return None
        k = min(max(int(cell), 0), len(study.steps) - 1)
        with shown_errors():
            shown, moved = studies.render_step(self.store, study, k, view, channel, gain)
        return picture_value(markup.path(study, k, shown, moved, view))

    def _errors(self, study: Study, channel: str) -> dict[str, Any]:
        with shown_errors():
            errors = views.error_map(study.pixels("x"), study.pixels("x_recovered"), channel)
            shown = studies.save_view(self.store, errors, f"{study.prefix}_errors_{channel}")
        return picture_value(markup.errors(study, shown, channel))
