"""What a visitor has painted on the LR picture: more may come while a stroke is being drawn."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from lab.latent.brush import Stroke

_LOCK = threading.Lock()  # one for all: Gradio copies the first painting of every visitor


@dataclass(frozen=True)
class Canvas:
    """All there is to draw at one time."""

    study: str = ""  # the token of what is painted on
    strokes: tuple[Stroke, ...] = ()
    answered: float = 0  # the last message of brush.js that was heard
    problem: str = ""  # why it was refused


class Painting:
    """A visitor's canvas. It is changed in place, so that no handler writes back what it has found at its start."""

    def __init__(self) -> None:
        self.now = Canvas()

    def begin(self, study: str) -> bool:
        """An empty canvas for a study, unless it has one already."""
        with _LOCK:
            if self.now.study == study:
                return False
            self.now = Canvas(study)
            return True

    def change(self, study: str, change: Callable[[Canvas], Canvas]) -> Canvas | None:
        """The canvas after a change; None if it is not that of the study (any more). `change` has to be quick."""
        with _LOCK:
            if self.now.study != study:
                return None
            self.now = change(self.now)
            return self.now
