"""How many 8-bit values depend on tiles or on the number of threads, with the shipped weights.

    python -m tests.benchmarks.exactness [--methods NAME ...] [--json PATH]

Not a test: it measures, and fails for no figure. Each step (x, LR, recovered x, reconstruction) gets the same input in
every way of computing it. Convolutions may add in another order for another size; a value at a rounding boundary then
falls the other way.
"""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fgrn.files import write_atomic
from fgrn.methods import SCALES
from fgrn.pipeline import Pixels, Rescaler, load
from tests.conftest import make_photo

SIZES = ((397, 601), (722, 283), (511, 513))  # of the pictures: height, width
TILES = (64, 100)  # LR pixels
THREADS = 2


def steps(rescaler: Rescaler, start: dict[str, Pixels]) -> dict[str, Pixels]:
    """What comes out of every step, each from what `start` has for it."""
    size = (start["hr"].shape[0], start["hr"].shape[1])
    return {
        "x": rescaler.encode(start["hr"]),
        "lr": rescaler.to_lr(start["x"]),
        "recovered": rescaler.from_lr(start["lr"]),
        "reconstruction": rescaler.decode(start["recovered"], size),
    }


def chain(rescaler: Rescaler, hr: Pixels) -> dict[str, Pixels]:
    """A picture through all steps, as one tile on one thread."""
    x = rescaler.encode(hr)
    lr = rescaler.to_lr(x)
    recovered = rescaler.from_lr(lr)
    return {"hr": hr, "x": x, "lr": lr, "recovered": recovered}


def in_threads(count: int, work: Callable[[], dict[str, Pixels]]) -> dict[str, Pixels]:
    """`work()` with so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        return work()
    finally:
        torch.set_num_threads(before)


def measured(method: str, scale: int) -> list[dict[str, Any]]:
    """A row for tiles and one for threads, over all sizes and steps."""
    rescaler = load(method, scale, device="cpu")
    kinds: dict[str, list[np.ndarray]] = {"tiles": [], "threads": []}
    for seed, (height, width) in enumerate(SIZES):
        start = chain(rescaler, make_photo(height, width, seed=seed))
        expected = steps(rescaler, start)
        others = [("tiles", steps(replace(rescaler, tile=tile), start)) for tile in TILES]
        others.append(("threads", in_threads(THREADS, lambda start=start: steps(rescaler, start))))  # type: ignore[misc]
        for kind, found in others:
            kinds[kind] += [np.abs(found[k].astype(np.int16) - expected[k]).ravel() for k in expected]
    rows = []
    for kind, differences in kinds.items():
        values = np.concatenate(differences)
        rows.append(
            {
                "method": method,
                "scale": scale,
                "kind": kind,
                "values": len(values),
                "different": int(np.count_nonzero(values)),
                "largest": int(values.max()),
            }
        )
        print(rows[-1], flush=True)
    return rows


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.exactness")
    parser.add_argument("--methods", nargs="+", default=["fgrn"], help="default: fgrn")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(1)
    rows = [row for method in arguments.methods for scale in SCALES for row in measured(method, scale)]
    if arguments.json:
        environment = {"torch": torch.__version__, "processor": platform.machine(), "threads": [1, THREADS]}
        figures = {"environment": environment, "tiles": TILES, "sizes": SIZES, "rows": rows}
        write_atomic(arguments.json, (json.dumps(figures, indent=2) + "\n").encode())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
