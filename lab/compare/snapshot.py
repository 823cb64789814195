"""A comparison at one moment: which methods have done what, and where their pictures and figures are.

Snapshots hold paths, not arrays: a visitor who leaves the page open keeps no memory busy.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from fgrn.images import read_image
from fgrn.methods import METHODS
from fgrn.pixels import Pixels
from fgrn.record import Input
from fgrn.scores import Scores
from lab.asked import files_needed
from lab.lines import STOPPED


class State(Enum):
    """Where a method of a run stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"


_STOPPED = {State.WAITING: "Stopped before it ran.", State.RUNNING: "Stopped while it ran."}


@dataclass(frozen=True)
class Files:
    """Paths of a method's PNGs. `x` and `x_recovered` are the same file as `lr` for a method without a flow."""

    x: str
    lr: str
    x_recovered: str
    reconstruction: str

    @property
    def paths(self) -> tuple[str, ...]:
        return self.x, self.lr, self.x_recovered, self.reconstruction


@dataclass(frozen=True)
class Outcome:
    """One method in a run. `scores` has the keys of `fgrn.scores.METRICS`; a missing key is still to come."""

    method: str
    state: State = State.WAITING
    reason: str = ""
    files: Files | None = None
    digest: str = ""
    scores: Scores = field(default_factory=dict)
    worse: float = 0.0  # the share of the picture that bicubic would have restored clearly better

    @property
    def label(self) -> str:
        return METHODS[self.method].label


def _token() -> str:
    return secrets.token_hex(8)


@dataclass(frozen=True)
class Run:
    """A snapshot of a comparison."""

    name: str
    scale: int
    size: tuple[int, int]  # of the original: height, width
    hr: str  # path of the original as a PNG
    notices: tuple[str, ...]
    outcomes: tuple[Outcome, ...]
    status: str
    source: Input  # the file of the original, as it came
    record: str = ""  # path of the ZIP that repeats the run, once it is measured
    pictures: str = ""  # path of the ZIP of all its PNGs, once it is measured; "" if it would be large
    active: bool = True
    token: str = field(default_factory=_token)  # the same in all snapshots of a run

    @property
    def done(self) -> list[Outcome]:
        """The methods whose pictures are there."""
        return [outcome for outcome in self.outcomes if outcome.files]

    @property
    def computed(self) -> bool:
        """Whether no network is to run any more."""
        return not any(outcome.state in (State.WAITING, State.RUNNING) for outcome in self.outcomes)

    def with_outcome(self, outcome: Outcome, status: str) -> Run:
        """This run with one method's outcome replaced."""
        outcomes = tuple(outcome if o.method == outcome.method else o for o in self.outcomes)
        return replace(self, outcomes=outcomes, status=status)

    def by(self, methods: Sequence[str]) -> Run:
        """Another run of the same picture at the same scale; methods that are done here are done there."""
        done = {outcome.method: outcome for outcome in self.done}
        outcomes = tuple(done.get(method, Outcome(method)) for method in methods)
        return replace(self, outcomes=outcomes, token=_token())

    def stopped(self) -> Run:
        """This run as it is shown after Stop: what is there stays, what is missing says so."""
        outcomes = tuple(
            replace(o, state=State.STOPPED, reason=_STOPPED[o.state]) if o.state in _STOPPED else o
            for o in self.outcomes
        )
        return replace(self, outcomes=outcomes, status=STOPPED, active=False)


def read_picture(outcome: Outcome, kind: str) -> Pixels:
    """A picture of a method that is done, by its field of `Files`; raises as `read`."""
    return read(getattr(outcome.files, kind))


def read(path: str) -> Pixels:
    """A picture of a run.

    Raises:
        RequestError: if its file is gone (it is kept for a day).
    """
    with files_needed():
        return read_image(path).pixels
