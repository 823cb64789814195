"""The example that is there when the page opens: computed once, in the background, and shared by all visitors."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from lab.compare import Run, compare, measure
from lab.files import Store
from lab.models import Models


class Showcase:
    """Runs one comparison in a thread and lets any number of visitors watch it, from the first snapshot on."""

    def __init__(
        self, models: Models, store: Store, picture: Path, scale: int, methods: Sequence[str]
    ) -> None:
        self._models, self._store = models, store
        self._picture, self._scale, self._methods = picture, scale, methods
        self._changed = threading.Condition()
        self._latest: Run | None = None
        self._count = 0
        self._finished = False
        self._started = False

    def start(self) -> None:
        """Begin, unless it has begun."""
        with self._changed:
            if self._started:
                return
            self._started = True
        threading.Thread(target=self._work, name="showcase", daemon=True).start()

    def watch(self) -> Iterator[Run]:
        """The latest snapshot at once, then every newer one; nothing if the example failed."""
        self.start()
        seen = 0
        while True:
            with self._changed:
                while self._count == seen and not self._finished:
                    self._changed.wait()
                seen, latest, finished = self._count, self._latest, self._finished
            if latest is not None:
                yield latest
            if finished:
                return

    def wait_for_pictures(self) -> Run | None:
        """Return when every network has run (the metrics go on), or None if the example failed."""
        return next((run for run in self.watch() if run.complete), None)

    @property
    def failed(self) -> bool:
        """Whether it ended without a single snapshot."""
        return self._finished and self._latest is None

    def _publish(self, run: Run) -> None:
        with self._changed:
            self._latest, self._count = run, self._count + 1
            self._changed.notify_all()

    def _work(self) -> None:
        run: Run | None = None
        try:
            available = self._models.available(self._scale)
            methods = [m for m in self._methods if m in available]
            for run in compare(self._models, self._store, str(self._picture), self._scale, methods):
                self._publish(run)
            if run is not None:
                for measured in measure(self._models, run):
                    self._publish(measured)
        finally:
            with self._changed:
                self._finished = True
                self._changed.notify_all()
