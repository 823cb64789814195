"""How far a long run is: the step, how many there are, and how long the rest will take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

from lab.lines import status
from lab.pace import duration


@dataclass(frozen=True)
class Progress:
    """What the line above a run says. `left` is in seconds, None as long as nothing is known."""

    text: str
    done: int = 0
    total: int = 0
    left: float | None = None
    active: bool = True


STARTING = Progress("Starting")


class Clock:
    """How long the rest of a run will take, if steps of one kind take equally long."""

    def __init__(self, steps: Iterable[str]) -> None:
        self._remaining = Counter(steps)
        self._seconds: dict[str, float] = {}
        self._count: Counter[str] = Counter()
        self.total = self._remaining.total()

    def count(self, kind: str, seconds: float) -> None:
        """A step is done."""
        self._remaining[kind] -= 1
        self._seconds[kind] = self._seconds.get(kind, 0.0) + seconds
        self._count[kind] += 1

    def skip(self, kind: str) -> None:
        """A step is left out."""
        self._remaining[kind] -= 1
        self.total -= 1

    def progress(self, text: str) -> Progress:
        """The line for now."""
        done = self._count.total()
        known = all(self._count[kind] for kind, count in self._remaining.items() if count > 0)
        left = sum(
            count * self._seconds[kind] / self._count[kind]
            for kind, count in self._remaining.items()
            if self._count[kind]
        )
        return Progress(text, done, self.total, left if known and done else None)


def line(progress: Progress, notices: tuple[str, ...] = ()) -> str:
    """The line with its bar. Only the text is announced by screen readers: the count changes too often."""
    shown = status(progress.text, progress.active, notices)
    if not progress.total:
        return shown
    left = f", {duration(progress.left)} left" if progress.active and progress.left is not None else ""
    text = escape(f"{progress.done} of {progress.total}{left}")
    bar = f'<progress value="{progress.done}" max="{progress.total}" aria-label="Progress"></progress>'
    return f'{shown}<div class="fg-progress">{bar}<span>{text}</span></div>'
