"""What the program does with thousands of damaged files.

    python -m tests.benchmarks.fuzz [--images 5000] [--notes 500] [--weights 500] [--no-crafted] [--json PATH]

Every file must be read or refused with a clear error: within 5 seconds, without a crash, and without another
exception, which would be an HTTP 500. The cases are those of `tests.mutations`, from fixed seeds; the hostile files of
`tests.crafted` come on top. Cases run in a process that is watched: one that hangs or dies is noted and replaced. The
exit status is 1 if there is any finding; `--keep FOLDER` writes the files of the findings.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import PIL
import safetensors
import torch

from fgrn.files import write_json
from fgrn.images import ImageError, read_image
from lab.asked import MAX_PIXELS
from lab.reader import Reader
from tests import crafted, mutations, sound_files
from tests.benchmarks import fuzz_worker
from tests.conftest import make_tiny_weights
from tests.mutations import Case

SEED = 2021
HANG = 5.0  # seconds for a case, the reading and all that the API does with the picture
START = 180.0  # seconds until the program is loaded
CHILD = fuzz_worker.serve


@dataclass
class Tally:
    """Results so far."""

    outcomes: dict[str, Counter[str]] = field(default_factory=dict)
    findings: list[dict[str, Any]] = field(default_factory=list)
    slowest: dict[str, Any] = field(default_factory=lambda: {"seconds": 0.0})
    loaded: int = 0  # bytes that the program has after its start
    peak: int = 0  # bytes

    def count(self, number: int, case: Case, outcome: str, seconds: float) -> None:
        """One more case. What is neither read nor refused is a finding."""
        sound = outcome in ("read", "refused")
        self.outcomes.setdefault(case.format, Counter())[outcome if sound else "finding"] += 1
        case_name = {"case": number, "kind": case.kind, "format": case.format, "damage": case.what}
        if not sound:
            self.findings.append(case_name | {"outcome": outcome})
        if seconds > self.slowest["seconds"]:
            self.slowest = case_name | {"bytes": len(case.data), "seconds": seconds}


class Watched:
    """A process for cases, started anew after every hang and crash."""

    def __init__(self, weights: Path, tally: Tally, hang: float = HANG) -> None:
        self._weights, self._tally, self._hang = weights, tally, hang
        self._process: BaseProcess | None = None
        self._connection: Connection | None = None

    def run(self, case: Case) -> tuple[str, float]:
        """Outcome and seconds of a case. What hangs on a busy machine gets a second chance; a real hang hangs again."""
        for _ in range(2):
            connection = self._connection or self._start()
            connection.send(case)
            outcome, seconds = self._answer(connection, self._hang)
            if not outcome.startswith("hang"):
                break
        return outcome, seconds

    def close(self) -> None:
        if self._connection:
            self._connection.send(None)
        self._end()

    def _start(self) -> Connection:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=CHILD, args=(theirs, self._weights), daemon=True)
        self._process.start()
        theirs.close()
        outcome, _ = self._answer(self._connection, START)
        if outcome != "started":
            raise RuntimeError(f"the program does not start: {outcome}")
        self._tally.loaded = self._tally.loaded or self._tally.peak
        return self._connection

    def _answer(self, connection: Connection, patience: float) -> tuple[str, float]:
        try:
            if connection.poll(patience):
                outcome, seconds, peak = connection.recv()
                self._tally.peak = max(self._tally.peak, peak)
                return outcome, seconds
            outcome = f"hang: more than {patience:g} s"
        except (EOFError, OSError):
            outcome = "crash"
        self._end(kill=outcome != "crash")
        if self._process and outcome == "crash":
            outcome = f"crash: exit status {self._process.exitcode}"
        return outcome, patience

    def _end(self, kill: bool = False) -> None:
        if self._process:
            if kill:
                self._process.kill()
            self._process.join(20)
        if self._connection:
            self._connection.close()
            self._connection = None


def cases(images: int, notes: int, weights: int, folder: Path, seed: int = SEED) -> Iterator[Case]:
    """So many cases of each kind."""
    pictures = sound_files.pictures()
    trained = sound_files.weights(folder)
    yield from (mutations.picture(pictures, index, seed) for index in range(images))
    yield from (mutations.note(index, seed) for index in range(notes))
    yield from (mutations.weights(trained, index, seed) for index in range(weights))


def fuzz(images: int, notes: int, weights: int, keep: Path | None = None, hang: float = HANG) -> Tally:
    """Run that many cases of each kind, one after the other."""
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder:
        watched = Watched(make_tiny_weights(Path(folder)), tally, hang)
        try:
            for number, case in enumerate(cases(images, notes, weights, Path(folder))):
                outcome, seconds = watched.run(case)
                tally.count(number, case, outcome, seconds)
                if keep and outcome not in ("read", "refused"):
                    keep.mkdir(parents=True, exist_ok=True)
                    (keep / f"{number}.bin").write_bytes(case.data)
                    (keep / f"{number}.json").write_bytes(case.card)
        finally:
            watched.close()
    return tally


def hostile() -> list[dict[str, Any]]:
    """The files of `tests.crafted`: seconds until the page's reader has read or refused each of them.

    Where other programs take the processors, only "cpu_seconds" says something; the start of a process is part of it.
    """
    bombs = ((f"bomb {name}", data) for name, data in crafted.bombs().items())
    rows = []
    for name, data in chain(bombs, ((name, make(crafted.UPLOAD)) for name, make in crafted.SLOW.items())):
        reader = Reader(processes=1)
        start, computed, outcome = time.perf_counter(), _computed(), "read"
        try:
            # bombs without the guard: they are to be refused before anything is decoded
            read = read_image if name.startswith("bomb") else reader.read
            read(data, max_pixels=MAX_PIXELS)
        except ImageError as error:
            outcome = f"refused: {error}"
        seconds = time.perf_counter() - start
        reader.close()
        row = {"file": name, "bytes": len(data), "outcome": outcome, "seconds": seconds}
        rows.append(row | {"cpu_seconds": _computed() - computed})
        print(f"{name}: {len(data):,} bytes, {seconds:.2f} s, {outcome}", flush=True)
    return rows


def _computed() -> float:
    """Seconds that this process and those that it has ended have computed."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.fuzz")
    parser.add_argument("--images", type=int, default=5000, help="mutated pictures (default: 5000)")
    parser.add_argument("--notes", type=int, default=500, help="LR PNGs with a damaged note (default: 500)")
    parser.add_argument("--weights", type=int, default=500, help="damaged weights or cards (default: 500)")
    parser.add_argument("--no-crafted", action="store_true", help="leave out the hostile files of 20 MB")
    parser.add_argument("--keep", type=Path, help="a folder for the files of findings")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    arguments = parser.parse_args(argv)
    start = time.perf_counter()
    tally = fuzz(arguments.images, arguments.notes, arguments.weights, arguments.keep)
    seconds = time.perf_counter() - start
    for name, counts in tally.outcomes.items():
        print(f"{name}: {', '.join(f'{count} {outcome}' for outcome, count in sorted(counts.items()))}")
    for finding in tally.findings:
        print(finding)
    figures = {
        "environment": {
            "python": platform.python_version(),
            "pillow": PIL.__version__,
            "safetensors": safetensors.__version__,
            "torch": torch.__version__,
        },
        "seed": SEED,
        "cases": {"pictures": arguments.images, "notes": arguments.notes, "weights": arguments.weights},
        "outcomes": {name: dict(sorted(counts.items())) for name, counts in tally.outcomes.items()},
        "findings": tally.findings,
        "slowest": tally.slowest,
        "seconds": seconds,
        "memory_after_start_mb": tally.loaded / 1e6,
        "memory_peak_mb": tally.peak / 1e6,
        "crafted": [] if arguments.no_crafted else hostile(),
    }
    print(f"slowest: {tally.slowest}; peak of memory {tally.peak / 1e6:.0f} MB")
    if arguments.json:
        write_json(arguments.json, figures)
    return 1 if tally.findings else 0


if __name__ == "__main__":
    raise SystemExit(main())
