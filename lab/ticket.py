"""Who may draw on a visitor's page: the newest request, until it is stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import gradio as gr

from lab.components import shown_errors
from lab.models import Interrupted

Snapshot = TypeVar("Snapshot")

SKIP: Any = gr.skip()
"""Leaves a component as it is; alone, all of them."""


class Ticket:
    """The right to draw on a visitor's page, until Stop or a newer request takes it away.

    Gradio's own `cancels=` is not used: for an event that is over, the browser asks the server to cancel event null,
    and gets an error.

    It carries its request. An event that waited in the queue finds the ticket of that moment, which may be that of a
    newer request by now: the first event to find it serves the newer request, and the next finds it taken.
    """

    def __init__(self, *request: Any, kind: str = "") -> None:
        self.valid = True
        self.running = False
        self.kind = kind
        self._waiting = [request] if request else []

    def next(self, *request: Any, kind: str = "") -> Ticket:
        """Take the right away, and hand it to a newer request, of a kind that `serve` is to ask for."""
        self.valid = False
        return Ticket(*request, kind=kind)

    def stopped(self) -> bool:
        """Whether the right was taken away."""
        return not self.valid

    def stop(self) -> str:
        """Take the right away. What to say about it."""
        text = "Nothing is running"
        if self.valid and self._waiting:
            text = "Stopped before its turn came"
        elif self.valid and self.running:
            text = "Stopped"
        self.valid = False
        return text

    def serve(
        self,
        work: Callable[..., Iterator[Snapshot]],
        show: Callable[[Snapshot], Any],
        failed: Any,
        kind: str = "",
    ) -> Iterator[Any]:
        """Draw what `work` makes of the request; nothing if it is of another kind, or was served or stopped before."""
        request = self._take(kind)
        if request is None:
            yield SKIP  # a generator without any value would empty its outputs
        else:
            yield from self.draw(work(*request), show, failed)

    def draw(
        self, snapshots: Iterator[Snapshot], show: Callable[[Snapshot], Any], failed: Any
    ) -> Iterator[Any]:
        """What `show` makes of the snapshots, as long as the right lasts.

        A RequestError becomes the message of the page, after `failed` has been drawn. The snapshots end by Interrupted
        when the right is gone, if not before.
        """
        self.running = True
        try:
            with shown_errors():
                for snapshot in snapshots:
                    drawn = show(snapshot) if self.valid else None
                    if not self.valid:
                        break
                    yield drawn
        except Interrupted:
            pass
        except gr.Error:
            if self.valid:
                yield failed
                raise
        finally:
            self.running = False
        if not self.valid:  # at its end Gradio sends the last values again, over what Stop has drawn
            yield SKIP

    def _take(self, kind: str) -> tuple[Any, ...] | None:
        if not self.valid or kind != self.kind:
            return None
        try:
            return self._waiting.pop()
        except IndexError:
            return None
