"""What a visitor sees on Compare."""

from __future__ import annotations

import threading
from typing import Any, NamedTuple

from lab.compare import region
from lab.compare.region import Region
from lab.compare.snapshot import Run
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
        self._asked = 0.0  # when the newest region was
        self.wanted = False  # by the Restore tab
        self.taken = ""  # by it: SHA-256 of the LR picture
        self._drawn: tuple[Ticket | None, Drawn] = (None, Drawn())

    def put(self, run: Run, ticket: Ticket) -> None:
        """There is a newer snapshot. The region stays while the picture does, and is measured anew in another run."""
        if self.run is None or self.run.source.sha256 != run.source.sha256:
            self.region = None
        self.run, self.ticket = run, ticket

    def measure(self, run: Run) -> None:
        """Bring the region's numbers up to a snapshot, unless it is cleared or drawn anew meanwhile."""
        before = self.region
        if before:
            measured = region.measure(run, before)
            with _LOCK:
                self.region = measured if self.region is before else self.region

    def ask(self, asked: float) -> bool:
        """A region is asked for at a time of the browser's. Whether it is the newest, which alone counts."""
        with _LOCK:
            self._asked = max(asked, self._asked)
            return self._asked == asked

    def choose(self, chosen: Region | None, asked: float) -> bool:
        """The region that was asked for then, or none; unless a newer one was asked for since. Whether it counts."""
        with _LOCK:
            if asked == self._asked:
                self.region = chosen
            return asked == self._asked

    def news(self, drawn: Drawn, ticket: Ticket) -> Drawn:
        """What differs from the values that this ticket has drawn before: the browser makes all others anew as well."""
        owner, before = self._drawn
        self._drawn = ticket, drawn
        if owner is not ticket:
            return drawn
        return Drawn(*(SKIP if new == old else new for new, old in zip(drawn, before, strict=True)))
