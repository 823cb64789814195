"""How long a step takes here, as it took last: so that the page can say when the next one will be done."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from contextlib import contextmanager
from time import perf_counter


class Pace:
    """Seconds per pixel of every kind of work, each as it was measured last on a picture that is not tiny."""

    SMALLEST = 1 << 14  # pixels: below, what is the same for every picture counts for most of the time

    def __init__(self) -> None:
        self._seconds: dict[Hashable, float] = {}

    @contextmanager
    def measured(self, kind: Hashable, pixels: int) -> Iterator[None]:
        """What is done within is of this kind; it counts if it comes to its end."""
        start = perf_counter()
        yield
        if pixels >= self.SMALLEST:
            self._seconds[kind] = (perf_counter() - start) / pixels

    def seconds(self, kinds: Iterable[Hashable], pixels: int) -> float | None:
        """How long these will take one after the other; None if one has never been done."""
        known = [self._seconds.get(kind) for kind in kinds]
        return None if None in known else pixels * sum(seconds or 0 for seconds in known)

    def left(self, kinds: Iterable[Hashable], pixels: int) -> str:
        """The same as the end of a sentence, such as ", about 9 s left"; "" if there is nothing to say."""
        seconds = self.seconds(kinds, pixels)
        return "" if seconds is None or seconds < 1 else f", {duration(seconds)} left"


def duration(seconds: float) -> str:
    """A time in words, as exact as it can be known."""
    if seconds < 1.5:
        return "about a second"
    if seconds < 90:
        return f"about {seconds:.0f} s"
    return f"about {seconds / 60:.0f} min"
