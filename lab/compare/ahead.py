"""Comparisons begun when a picture is chosen: what needs no network is there before somebody presses Run."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from lab.compare.snapshot import Run

KEPT = 64
"""Comparisons that are remembered, of all visitors; they hold paths, not pixels."""


@dataclass
class _Begun:
    lock: threading.Lock = field(default_factory=threading.Lock)  # held while it is being made
    run: Run | None = None


class Ahead:
    """Remembers the first snapshots of comparisons, by file and scale."""

    def __init__(self) -> None:
        self._begun: OrderedDict[tuple[str, int, int], _Begun] = OrderedDict()
        self._lock = threading.Lock()

    def make(self, path: str, scale: int, make: Callable[[], Run]) -> None:
        """Remember what `make` returns; nothing if it is there already, or is being made."""
        key = _key(path, scale)
        with self._lock:
            if key is None or key in self._begun:
                return
            begun = self._begun[key] = _Begun()
            begun.lock.acquire()
            while len(self._begun) > KEPT:
                self._begun.popitem(last=False)
        try:
            begun.run = make()
        finally:
            begun.lock.release()
            if begun.run is None:
                self._forget(key)

    def take(self, path: str | None, scale: int) -> Run | None:
        """What there is of a file at a scale, as long as its pictures are; waits for one that is being made."""
        key = _key(path, scale) if path else None
        with self._lock:
            begun = self._begun.get(key) if key else None
        if key is None or begun is None:
            return None
        with begun.lock:
            run = begun.run
        if run and not _touched(run):
            self._forget(key)
            return None
        return run

    def _forget(self, key: tuple[str, int, int]) -> None:
        with self._lock:
            self._begun.pop(key, None)


def _key(path: str, scale: int) -> tuple[str, int, int] | None:
    """None if the file is gone. One that was written again is another file."""
    with suppress(OSError):
        return path, os.stat(path).st_mtime_ns, scale
    return None


def _touched(run: Run) -> bool:
    """Whether the pictures of a run are still there; they then are as good as new, see `lab.files.Store`."""
    paths = {run.hr, *(path for outcome in run.done if outcome.files for path in outcome.files.paths)}
    try:
        for path in paths:
            os.utime(path)
    except OSError:
        return False
    return True
