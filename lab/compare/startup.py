"""The examples: each is computed once, in the background, shared by all visitors, and kept for the next start."""

from __future__ import annotations

import contextvars
import filecmp
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from enum import Enum, auto
from pathlib import Path

from lab.asked import RequestError
from lab.compare import example_cache
from lab.compare.runs import compare, measure
from lab.compare.snapshot import Run, State
from lab.files import Store
from lab.models import Models

IDLE_SECONDS = 4.0  # without a network, after which examples are computed on
FAILED = "The example could not be computed. Press Run to try it again, or choose another picture."
STOP_SECONDS = 0.2  # within which somebody who watches notices Stop


class Stage(Enum):
    """Where an example stands."""

    IDLE = auto()  # not begun, or broken off: as if it had never begun
    RUNNING = auto()
    OVER = auto()  # kept by an earlier start, computed, or failed


class Showcase:
    """Runs one comparison in a thread and lets any number of visitors watch it, from the first snapshot on.

    What a visitor has begun is broken off when the last one who watches presses Stop, and begun again by the next. What
    nobody watches is broken off as well when a visitor wants to run a network.
    """

    def __init__(
        self,
        models: Models,
        store: Store,
        picture: Path,
        scale: int,
        methods: Sequence[str],
        cache: Path | None = None,
    ) -> None:
        self._models, self._store = models, store
        self._picture, self._scale, self._methods = picture, scale, methods
        self._cache = cache
        self._changed = threading.Condition()
        self._latest: Run | None = None
        self._count = 0
        self._watchers = 0
        self._left = False  # by the last of them, in the middle of a run
        self._stage = Stage.IDLE

    def recall(self) -> Run | None:
        """The latest snapshot; that is the run that an earlier start has kept, if this one has not begun.

        No network is loaded for it.
        """
        with self._changed:
            if self._stage is Stage.IDLE and (kept := self._kept()):
                self._latest, self._count, self._stage = kept, 1, Stage.OVER
            return self._latest

    def start(self) -> None:
        """Begin, unless it has begun or was kept."""
        self.recall()
        with self._changed:
            if self._stage is not Stage.IDLE:
                return
            self._stage, self._left = Stage.RUNNING, False
        visitor = contextvars.copy_context()  # ZeroGPU lends its GPUs to the visitor of a request
        threading.Thread(target=visitor.run, args=(self._work,), name="showcase", daemon=True).start()

    def watch(self, stop: Callable[[], bool] = lambda: False) -> Iterator[Run]:
        """The latest snapshot at once, then every newer one, until `stop()` is true.

        Raises:
            RequestError: if the example could not be computed; the next request for it is a run like any other.
        """
        with self._changed:
            self._watchers += 1
            self._left = False
        try:
            self.start()
            seen = 0
            while not stop():
                with self._changed:
                    if self._count == seen and self._stage is not Stage.OVER:
                        self._changed.wait(STOP_SECONDS)
                    new, latest, over = self._count != seen, self._latest, self._stage is Stage.OVER
                    seen = self._count
                if new and latest is not None:
                    yield latest
                if over:
                    if latest is None or latest.active:
                        raise RequestError(FAILED)
                    return
        finally:
            with self._changed:
                self._watchers -= 1
                self._left = self._watchers == 0 and stop()

    def finish(self) -> bool:
        """Begin, and wait until it is done (True) or broken off."""
        self.start()
        with self._changed:
            self._changed.wait_for(lambda: self._stage is not Stage.RUNNING)
            return self._stage is Stage.OVER

    def watch_pictures(self, stop: Callable[[], bool] = lambda: False) -> Iterator[Run]:
        """As `watch`, up to the first snapshot with every picture."""
        for run in self.watch(stop):
            yield run
            if run.computed:
                return

    @property
    def sound(self) -> bool:
        """Whether every method has its pictures, or may still get them."""
        run = self._latest
        if run is None:
            return self._stage is not Stage.OVER
        broken_off = self._stage is Stage.OVER and run.active
        return not broken_off and all(outcome.state is not State.FAILED for outcome in run.outcomes)

    def belongs(self, run: Run) -> bool:
        """Whether a snapshot is one of its own."""
        return self._latest is not None and self._latest.token == run.token

    def _abandoned(self) -> bool:
        return self._left or (self._watchers == 0 and self._models.wanted)

    def _publish(self, run: Run) -> None:
        with self._changed:
            self._latest, self._count = run, self._count + 1
            self._changed.notify_all()

    def _work(self) -> None:
        while self._run():
            pass

    def _run(self) -> bool:
        """Run once; whether Stop broke it off and somebody has come to watch since."""
        broken_off = again = False
        try:
            for run in self._runs():
                self._publish(run)
            broken_off = self._latest is None or self._latest.active
        finally:
            with self._changed:
                again = broken_off and self._watchers > 0
                if not broken_off:
                    self._stage = Stage.OVER
                elif not again:
                    self._stage, self._latest = Stage.IDLE, None
                self._changed.notify_all()
        return again

    def _kept(self) -> Run | None:
        folder = self._folder
        return example_cache.load(folder, self._key(), self._store) if folder else None

    @property
    def _folder(self) -> Path | None:
        return self._cache / f"{self._picture.stem}_x{self._scale}" if self._cache else None

    def _key(self) -> str:
        return self._key_of(self._models.digests(self._scale))

    def _key_of(self, digests: Mapping[str, str]) -> str:
        shown = {name: digests[name] for name in self._methods if name in digests}
        return example_cache.make_key(self._picture, self._scale, shown)

    def _runs(self) -> Iterator[Run]:
        """The snapshots of a run, which is then kept."""
        available = self._models.available(self._scale)
        methods = [method for method in self._methods if method in available]
        last = None
        picture = str(self._picture)
        for last in compare(self._models, self._store, picture, self._scale, methods, stop=self._abandoned):
            yield last
        run = last
        for run in measure(self._models, self._store, last) if last and last.computed else ():
            yield run
            if run.active and self._abandoned():
                return
        if self._folder and run and all(outcome.state is State.DONE for outcome in run.outcomes):
            # What ran are the networks in memory, whatever lies in the folder of weights by now.
            ran = {outcome.method: outcome.digest for outcome in run.outcomes}
            key = self._key_of(self._models.digests(self._scale) | ran)
            with suppress(OSError):  # a full or read-only disk: the next start computes it again
                example_cache.save(self._folder, key, run)


class Showcases:
    """One for every example and scale, each with the same methods: what a visitor sees without changing anything."""

    def __init__(
        self,
        models: Models,
        store: Store,
        examples: Mapping[str, Path],
        methods: Sequence[str],
        cache: Path | None = None,
    ) -> None:
        self.examples = examples
        self._models, self._store, self._methods, self._cache = models, store, methods, cache
        self._made: dict[tuple[str, int], Showcase] = {}
        self._lock = threading.Lock()

    def of(self, example: str, scale: int) -> Showcase:
        """The one of an example at a scale, begun by whoever watches it first."""
        with self._lock:
            key = (example, scale)
            if key not in self._made:
                self._made[key] = Showcase(
                    self._models, self._store, self.examples[example], scale, self._methods, self._cache
                )
            return self._made[key]

    def fill(self, requests: Iterable[tuple[str, int]]) -> None:
        """Compute these one after the other, in the background, while no visitor runs a network."""

        def work() -> None:
            for example, scale in requests:
                done = self.of(example, scale).finish()
                while not done:
                    time.sleep(IDLE_SECONDS / 4)
                    done = self._models.idle(IDLE_SECONDS) and self.of(example, scale).finish()

        threading.Thread(target=work, name="examples", daemon=True).start()

    def name_of(self, path: str | None) -> str | None:
        """The example that a file is a copy of, if any."""
        if not path or not Path(path).is_file():
            return None
        same = (name for name, example in self.examples.items() if filecmp.cmp(path, example, shallow=False))
        return next(same, None)

    def find(self, path: str | None, scale: int, methods: Sequence[str]) -> Showcase | None:
        """The one that shows exactly this request."""
        available = self._models.available(scale)
        if set(methods) != {name for name in self._methods if name in available}:
            return None
        name = self.name_of(path)
        found = self.of(name, scale) if name else None
        return found if found and found.sound else None

    def showing(self, run: Run) -> Showcase | None:
        """The one that a snapshot comes from, if any."""
        return next((made for made in list(self._made.values()) if made.belongs(run)), None)
