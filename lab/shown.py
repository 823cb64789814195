"""What a visitor sees on Compare."""

from __future__ import annotations

import threading
from typing import Any, NamedTuple

from lab import region
from lab.compare import Run
from lab.region import Region
from lab.ticket import SKIP, Ticket

_LOCK = threading.Lock()  # one for all: Gradio copies what a State begins with


class Drawn(NamedTuple):
    """New values of the components of Compare."""

    status: Any = SKIP
    table: Any = SKIP
    viewer: Any = SKIP
    files: Any = SKIP


class Shown:
    """The latest snapshot, whose it is, and the region that is measured in it.

    The numbers of the region come from another handler than the snapshots, and both draw the table.
    """

    def __init__(self) -> None:
        self.run: Run | None = None
        self.ticket: Ticket | None = None
        self.region: Region | None = None
        self._drawn: tuple[Ticket | None, Drawn] = (None, Drawn())

    def put(self, run: Run, ticket: Ticket) -> None:
        """There is a newer snapshot. The region stays while the pictures do."""
        if self.run is None or self.run.token != run.token:
            self.region = None
        self.run, self.ticket = run, ticket

    def measure(self, run: Run) -> None:
        """Bring the region's numbers up to a snapshot, unless it is cleared or drawn anew meanwhile."""
        before = self.region
        if before:
            measured = region.measure(run, before)
            with _LOCK:
                self.region = measured if self.region is before else self.region

    def choose(self, chosen: Region | None) -> None:
        """Another region, or none."""
        with _LOCK:
            self.region = chosen

    def news(self, drawn: Drawn, ticket: Ticket) -> Drawn:
        """What differs from the values that this ticket has drawn before: the browser makes all others anew as well."""
        owner, before = self._drawn
        self._drawn = ticket, drawn
        if owner is not ticket:
            return drawn
        return Drawn(*(SKIP if new == old else new for new, old in zip(drawn, before, strict=True)))
