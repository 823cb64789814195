"""Whether the server grows: memory and temporary files over many requests in a row.

    python -m tests.benchmarks.growth [--requests 1000] [--json PATH]

Starts `python app.py` with tiny weights. One request after the other, of every kind in turn, over a fixed number of
small pictures; what is measured counts from the point where every picture had its turn. Bounds: 50 MB of memory, and no
file more, since equal content is stored once, but for files that tell the time that was taken. (All files are deleted
after a day.) The exit status is 1 beyond them. Linux only.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

from fgrn.images import encode_png
from tests.benchmarks.client import Client
from tests.benchmarks.figures import report
from tests.photos import make_photo
from tests.server import Server, running

PICTURES = 20
SAMPLES = 20  # of memory and files, at equal distances
MEMORY_BOUND = 50e6  # bytes
NEW_FILES = {"compare": 1, "zip": 4}  # run.json in a ZIP; with CSV, JSON, and an empty one that Gradio leaves
KINDS = ("downscale", "restore", "compare", "refused", "zip", "latent", "change", "stress", "bytes")


class Asker:
    """Requests by their numbers; after `WARM_UP` of them everything was there once."""

    WARM_UP = PICTURES * len(KINDS)

    def __init__(self, address: str) -> None:
        self._client = Client(address)

    def ask(self, number: int) -> None:
        """Ask, and read the answer to its end."""
        kind, seed = KINDS[number % len(KINDS)], number // len(KINDS) % PICTURES
        client, data = self._client, encode_png(make_photo(48, 64, seed))
        if kind == "zip":
            client.call(
                "benchmark", [client.upload(_zip(data), f"{seed}.zip")], "", 4, ["bicubic"], "paper", False
            )
            return
        if kind == "refused":
            try:
                client.call("downscale", client.upload(data[: 100 + seed], f"{seed}.png"), "fgrn", 4)
            except RuntimeError:
                return
            raise AssertionError("half a picture was accepted")
        picture = client.upload(data, f"{seed}.png")
        stroke = {"points": [[3, 3], [9, 5]], "radius": 2, "levels": 9}
        match kind:
            case "compare":
                client.call("compare", picture, 4, ["bicubic", "irn"], [0, 0, 20, 16])
            case "latent":
                client.call("latent", picture, "fgrn", 4)
            case "change":
                client.call("change", picture, "fgrn", 4, "brush", 0, 0, 0, [stroke])
            case "stress":
                client.call("stress", picture, 4, ["bicubic", "fgrn"], ["resize", "jpeg"])
            case "bytes":
                client.call("bytes", picture, 4, ["bicubic"])
            case _:
                small, _ = client.call("downscale", picture, "fgrn", 4)
                if kind == "restore":
                    lr = client.upload(client.download(small), f"{seed}_lr.png")
                    client.download(client.call("restore", lr, "", 0, False)[0])

    def close(self) -> None:
        self._client.close()


def _zip(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("a.png"), data)  # ZipInfo: the date is fixed
    return buffer.getvalue()


def sample(server: Server, number: int) -> dict[str, int]:
    """Where the server stands."""
    files, size = server.stored()
    return {"requests": number, "memory": server.memory(), "files": files, "file_bytes": size}


def growth(server: Server, requests: int) -> dict[str, Any]:
    """Figures of a server: `requests` after the first `Asker.WARM_UP`."""
    asker = Asker(server.address)
    for number in range(Asker.WARM_UP):
        asker.ask(number)
    start = time.monotonic()
    samples = [sample(server, 0)]
    for number in range(requests):
        asker.ask(number)
        if (number + 1) % max(1, requests // SAMPLES) == 0:
            samples.append(sample(server, number + 1))
    asker.close()
    first, last = samples[0], samples[-1]
    return {
        "requests": requests,
        "warm_up_requests": Asker.WARM_UP,
        "seconds": time.monotonic() - start,
        "memory_growth_mb": (last["memory"] - first["memory"]) / 1e6,
        "memory_bound_mb": MEMORY_BOUND / 1e6,
        "new_files": last["files"] - first["files"],
        "new_files_bound": sum(NEW_FILES.get(KINDS[n % len(KINDS)], 0) for n in range(requests)),
        "new_file_bytes": last["file_bytes"] - first["file_bytes"],
        "samples": samples,
    }


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.growth")
    parser.add_argument("--requests", type=int, default=1000, help="default: 1000")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as server:
        figures = growth(server, arguments.requests)
    report(figures, arguments.json)
    too_much = figures["memory_growth_mb"] > MEMORY_BOUND / 1e6
    return 1 if too_much or figures["new_files"] > figures["new_files_bound"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
