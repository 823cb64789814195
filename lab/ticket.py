"""Who may draw on a visitor's page: the newest request, until it is stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import gradio as gr

from lab import lines
from lab.errors import Refusal, plain_text, shown_errors
from lab.lines import failed, status
from lab.models import Interrupted

Snapshot = TypeVar("Snapshot")

SKIP: Any = gr.skip()
"""Leaves a component as it is; alone, all of them."""
STOPPED = status(lines.STOPPED, False)
STOPPED_EARLY = status(f"{lines.STOPPED} before its turn came", False)

_LOCK = threading.Lock()  # one for all: Gradio copies the first ticket of every visitor


@dataclass
class _Line:
    """What the tickets of one visitor share: requests are numbered in the order in which they came."""

    current: Ticket
    count: int = 0
    settled: int = 0  # up to here requests are granted, overtaken or stopped
    checked: set[int] = field(default_factory=set)  # those that `apply` is about
    stop_click: float = 0  # the newest click on Stop, as the browser numbers all of them
    refusal: str = ""  # why the last request that was not sound was refused


class Ticket:
    """The right to draw on a visitor's page, until Stop or a newer request takes it away.

    A request is checked within `apply`, which can take seconds. If a newer one is granted meanwhile, or Stop is
    pressed, it comes to nothing; so at most one ticket of a visitor is valid.

    Gradio's own `cancels=` is not used: for an event that is over, the browser asks the server to cancel event null,
    and gets an error.

    It carries its request. An event that waited in the queue finds the ticket of that moment, which may be that of a
    newer request by now: the first event to find it serves the newer request, and the next finds it taken.
    """

    def __init__(self, *request: Any, kind: str = "") -> None:
        self.valid = True
        self.running = False
        self.left = False  # stopped by `leave`
        self.kind = kind
        self.request = request
        self._waiting = bool(request)
        self._line = _Line(self)
        self._number = 0

    @contextmanager
    def apply(self, click: float = 0) -> Iterator[Ticket]:
        """A ticket for a newer request, to be granted within. Until then nothing changes.

        An error within is one of `refusals`. `click` is the number of its click (`components.clicked`): Stop may be
        here before what it is to stop.
        """
        new, line = Ticket(), self._line
        with _LOCK:
            line.count += 1
            new.valid, new._line, new._number = False, line, line.count
            if click and click < line.stop_click:
                new._number = line.settled
            line.checked.add(new._number)
        try:
            with self.refusals():
                yield new
        finally:
            with _LOCK:
                line.checked.discard(new._number)

    @contextmanager
    def refusals(self) -> Iterator[None]:
        """An error within is a Refusal, which `refused` repeats: the message box goes after a while."""
        try:
            with shown_errors():
                yield
        except Refusal as refusal:
            self._line.refusal = refusal.text
            raise

    def refused(self) -> Any:
        """The status after a refusal; SKIP if what was asked for before goes on."""
        line = self._line
        said, line.refusal = line.refusal, ""  # none if it was Gradio that refused
        return SKIP if self.busy else failed(said or "Not done: see the message")

    def grant(self, *request: Any, kind: str = "") -> Ticket:
        """Take the right away from the ticket that has it, for a request of a kind that `serve` is to ask for.

        Returns the visitor's ticket: this one, unless the request was overtaken or stopped since `apply`.
        """
        with _LOCK:
            line = self._line
            if self._number > line.settled:
                line.current.valid = False
                line.current, line.settled = self, self._number
                self.valid, self.kind, self.request, self._waiting = True, kind, request, True
            return line.current

    @property
    def busy(self) -> bool:
        """Whether its request waits for its turn or is being served."""
        return self.valid and (self._waiting or self.running)

    @property
    def asked(self) -> bool:
        """Whether the visitor has asked for anything yet, be it still checked."""
        return self._line.count > 0

    def stopped(self) -> bool:
        """Whether the right was taken away."""
        return not self.valid

    @property
    def in_place_of_newer(self) -> Any:
        """The status for a request that was not granted, of the ticket that `grant` returned instead.

        That it was stopped; SKIP if it was overtaken, as a newer request draws by now.
        """
        return SKIP if self.valid else STOPPED_EARLY

    def stop(self, click: float = 0) -> Any:
        """Take the right away, also from requests that are still checked, or were made by an earlier click.

        Returns the status line that says so; SKIP if nothing was running, as what the page says then still holds.
        """
        with _LOCK:
            line = self._line
            current = line.current
            said = SKIP
            if any(number > line.settled for number in line.checked) or (current.valid and current._waiting):
                said = STOPPED_EARLY
            elif current.valid and current.running:
                said = STOPPED
            current.valid, line.settled, line.stop_click = False, line.count, max(click, line.stop_click)
            return said

    def serve(
        self,
        work: Callable[..., Iterator[Snapshot]],
        show: Callable[[Snapshot], Any],
        ended: Callable[[Snapshot | None, str], Any],
        kind: str = "",
    ) -> Iterator[Any]:
        """Draw what `work` makes of the request; nothing if it is of another kind, or was served or stopped before."""
        request = self._take(kind)
        if request is None:
            yield SKIP  # a generator without any value would empty its outputs
            return

        def snapshots() -> Iterator[Snapshot]:
            yield from work(*request)  # within `draw`, which shows its errors

        yield from self.draw(snapshots(), show, ended)

    def draw(
        self,
        snapshots: Iterator[Snapshot],
        show: Callable[[Snapshot], Any],
        ended: Callable[[Snapshot | None, str], Any],
    ) -> Iterator[Any]:
        """What `show` makes of the snapshots, as long as the right lasts.

        What does not come to its end must not look as if it went on: `ended(last, problem)` makes of the last snapshot
        what is drawn then: after an error (`last` is None if it came first), or, with no problem, when Stop came while
        that snapshot was on its way to the browser, or nobody has drawn it (`leave`). An error becomes the message of
        the page as well. The snapshots end by Interrupted when the right is gone, if not before.
        """
        self.running = True
        last: Snapshot | None = None
        overtaken = False
        try:
            with shown_errors():
                for snapshot in snapshots:
                    drawn = show(snapshot) if self.valid else None
                    if not self.valid:
                        break
                    last = snapshot
                    yield drawn  # goes on as soon as Gradio has sent it
                    if overtaken := self.stopped():
                        break
        except Interrupted:
            pass
        except gr.Error as error:
            if self.valid:
                yield _shown(ended, last, plain_text(error))
                raise
        finally:
            self.running = False
        if not self.valid:  # at its end Gradio sends the last values again, over what Stop has drawn
            stopped = self._line.current is self  # and no newer request draws by now
            again = stopped and (overtaken or (self.left and last is not None))
            yield _shown(ended, last, "") if again else SKIP

    def _take(self, kind: str) -> tuple[Any, ...] | None:
        with _LOCK:
            if not self.valid or kind != self.kind or not self._waiting:
                return None
            self._waiting, self.running = False, True  # at once: Stop looks at both
            return self.request


def _shown(ended: Callable[[Snapshot | None, str], Any], last: Snapshot | None, problem: str) -> Any:
    with shown_errors():
        return ended(last, problem)


def leave(states: Iterable[Any]) -> None:
    """Whoever closes the page stops what it runs: others wait for the networks. `states` are all of the visitor's.

    The page may still be there, and only its connection have ended: then its streams draw that they are stopped.
    """
    for state in states:
        if isinstance(state, Ticket):
            state._line.current.left = True
            state.stop()
