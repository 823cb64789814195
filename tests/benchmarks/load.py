"""Many clients at once: every request is answered right, or refused because the queue is full.

    python -m tests.benchmarks.load [--clients 32] [--seconds 60] [--json PATH]

Starts `python app.py` on a free port of this machine, with tiny weights. Every client has pictures of its own; it asks
for several LR PNGs at once and restores one of them, without a pause. Answers have to be, byte for byte, those that
one client alone got before. The exit status is 1 if any is not, or if there is any other error.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fgrn.images import encode_png
from tests.benchmarks.client import Client, QueueFull
from tests.benchmarks.figures import report
from tests.photos import make_photo
from tests.server import Server, running

AT_ONCE = (("fgrn", 4), ("irn", 4), ("fgrn", 2), ("bicubic", 2))  # with 32 clients twice what the queue holds
HEIGHT, WIDTH = 48, 64


@dataclass
class Counts:
    """What became of the requests."""

    outcomes: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)  # from the request to the last byte of the answer
    errors: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, outcome: str, seconds: float = 0.0, error: str = "") -> None:
        with self.lock:
            self.outcomes[outcome] += 1
            if outcome == "right":
                self.seconds.append(seconds)
            if error:
                self.errors.append(error)


@dataclass
class Visitor:
    """A client with a picture of its own, and the answers that it got when it was alone."""

    client: Client
    picture: dict[str, Any]
    small: dict[tuple[str, int], bytes]
    restored: bytes
    lr: dict[str, Any]

    @classmethod
    def alone(cls, address: str, seed: int) -> Visitor:
        """Ask for everything once."""
        client = Client(address)
        picture = client.upload(encode_png(make_photo(HEIGHT, WIDTH + seed % 7, seed)), f"picture {seed}.png")
        small = {pair: client.download(client.call("downscale", picture, *pair)[0]) for pair in AT_ONCE}
        lr = client.upload(small[AT_ONCE[0]], f"small {seed}.png")
        restored = client.download(client.call("restore", lr, "", 0, False)[0])
        return cls(client, picture, small, restored, lr)

    def work(self, counts: Counts, until: float) -> None:
        """Ask again and again."""
        while time.monotonic() < until:
            asked: list[tuple[str, float, bytes]] = []
            for pair, expected in self.small.items():
                self._join(counts, asked, expected, "downscale", self.picture, *pair)
            self._join(counts, asked, self.restored, "restore", self.lr, "", 0, False)
            for address, start, expected in asked:
                try:
                    data = self.client.download(self.client.result(address)[0])
                except Exception as error:  # counted, whatever it is
                    counts.add("error", error=f"{type(error).__name__}: {error}")
                else:
                    counts.add("right" if data == expected else "wrong", time.monotonic() - start)

    def _join(
        self, counts: Counts, asked: list[tuple[str, float, bytes]], expected: bytes, *request: Any
    ) -> None:
        start = time.monotonic()
        try:
            asked.append((self.client.join(*request), start, expected))
        except QueueFull:
            counts.add("queue full")
        except Exception as error:  # counted, whatever it is
            counts.add("error", error=f"{type(error).__name__}: {error}")


def load(server: Server, clients: int, seconds: float) -> dict[str, Any]:
    """Figures of so many clients on a server."""
    visitors = [Visitor.alone(server.address, seed) for seed in range(clients)]
    answers = {visitor.restored for visitor in visitors}
    assert len(answers) == clients, "answers that differ are needed to see whether they are mixed up"
    counts, start = Counts(), time.monotonic()
    threads = [threading.Thread(target=visitor.work, args=(counts, start + seconds)) for visitor in visitors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lasted = time.monotonic() - start
    after = Visitor.alone(server.address, 0)
    served_after = (after.small, after.restored) == (visitors[0].small, visitors[0].restored)
    for visitor in (*visitors, after):
        visitor.client.close()
    ranked = sorted(counts.seconds)
    return {
        "clients": clients,
        "requests_at_once_per_client": len(AT_ONCE) + 1,
        "seconds": lasted,
        "requests": sum(counts.outcomes.values()),
        **{
            name.replace(" ", "_"): counts.outcomes[name]
            for name in ("right", "queue full", "wrong", "error")
        },
        "right_after_the_load": served_after,
        "answers_per_second": counts.outcomes["right"] / lasted,
        "median_seconds": statistics.median(ranked) if ranked else None,
        "slowest_seconds": ranked[-1] if ranked else None,
        "errors": counts.errors[:10],
        "cores": os.cpu_count(),
    }


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.load")
    parser.add_argument("--clients", type=int, default=32, help="default: 32")
    parser.add_argument("--seconds", type=float, default=60, help="default: 60")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as server:
        figures = load(server, arguments.clients, arguments.seconds)
    figures["load"] = os.getloadavg()[0]  # with programs that run beside it, times are longer
    report(figures, arguments.json)
    return 1 if figures["wrong"] or figures["error"] or not figures["right_after_the_load"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
