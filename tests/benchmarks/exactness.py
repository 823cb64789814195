"""How many 8-bit values depend on tiles, on the number of threads, or on the device, with the shipped weights.

    python -m tests.benchmarks.exactness [--methods NAME ...] [--device cuda] [--json PATH]

Not a test: it measures, and fails for no figure. Each step (x, LR, recovered x, reconstruction) gets the same input in
every way of computing it. Convolutions may add in another order for another size; a value at a rounding boundary then
falls the other way; recovered x, whose values may lie between two levels, moves a little. With `--device` that device
is compared with the CPU instead: step by step, and the whole way from the CPU's LR to the picture.
"""

from __future__ import annotations

import argparse
import platform
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fgrn.files import write_json
from fgrn.methods import SCALES
from fgrn.pipeline import Rescaler, load
from fgrn.pixels import Pixels
from tests.photos import make_photo
from training.environment import device_name

SIZES = ((397, 601), (722, 283), (511, 513))  # of the pictures: height, width
TILES = (64, 100)  # LR pixels
THREADS = 2

Steps = dict[str, NDArray[Any]]


def steps(rescaler: Rescaler, start: Steps) -> Steps:
    """What comes out of every step, each from what `start` has for it."""
    size = (start["hr"].shape[0], start["hr"].shape[1])
    return {
        "x": rescaler.encode(start["hr"]),
        "lr": rescaler.to_lr(start["x"]),
        "recovered": rescaler.from_lr(start["lr"]),
        "reconstruction": rescaler.decode(start["recovered"], size),
    }


def chain(rescaler: Rescaler, hr: Pixels) -> Steps:
    """A picture through all steps, as one tile on one thread."""
    x = rescaler.encode(hr)
    lr = rescaler.to_lr(x)
    recovered = rescaler.from_lr(lr)
    return {"hr": hr, "x": x, "lr": lr, "recovered": recovered}


def in_threads(count: int, work: Callable[[], Steps]) -> Steps:
    """`work()` with so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        return work()
    finally:
        torch.set_num_threads(before)


Differences = dict[str, list[np.ndarray]]


def differences(found: Steps, expected: Steps) -> list[np.ndarray]:
    """In grey levels, of every step."""
    return [np.abs(found[k].astype(np.float32) - expected[k]).ravel() for k in expected]


def by_device(method: str, scale: int, device: str) -> list[dict[str, Any]]:
    """A row for single steps and one for restoring from the LR that the CPU made, over all sizes."""
    here, there = (load(method, scale, device=name) for name in ("cpu", device))
    kinds: Differences = {"single steps": [], "LR to picture": []}
    for seed, (height, width) in enumerate(SIZES):
        start = chain(here, make_photo(height, width, seed=seed))
        expected = steps(here, start)
        kinds["single steps"] += differences(steps(there, start), expected)
        restored = {"reconstruction": there.upscale(start["lr"], (height, width))}
        # here it was restored from `start["lr"]` too, by way of what that recovers
        kinds["LR to picture"] += differences(restored, {"reconstruction": expected["reconstruction"]})
    return counted(method, scale, kinds)


def by_way(method: str, scale: int) -> list[dict[str, Any]]:
    """A row for tiles and one for threads, over all sizes and steps."""
    rescaler = load(method, scale, device="cpu")
    kinds: Differences = {"tiles": [], "threads": []}
    for seed, (height, width) in enumerate(SIZES):
        start = chain(rescaler, make_photo(height, width, seed=seed))
        expected = steps(rescaler, start)
        others = [("tiles", steps(replace(rescaler, tile=tile), start)) for tile in TILES]
        others.append(("threads", in_threads(THREADS, lambda start=start: steps(rescaler, start))))  # type: ignore[misc]
        for kind, found in others:
            kinds[kind] += differences(found, expected)
    return counted(method, scale, kinds)


def counted(method: str, scale: int, kinds: Differences) -> list[dict[str, Any]]:
    """A row for each kind."""
    rows = []
    for kind, found in kinds.items():
        values = np.concatenate(found)
        rows.append(
            {
                "method": method,
                "scale": scale,
                "kind": kind,
                "values": len(values),
                "different": int(np.count_nonzero(values)),
                "largest": float(values.max()),
            }
        )
        print(rows[-1], flush=True)
    return rows


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.exactness")
    parser.add_argument("--methods", nargs="+", default=["fgrn"], help="default: fgrn")
    parser.add_argument("--device", help="compare this device with the CPU")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    arguments = parser.parse_args(argv)
    device = arguments.device
    if not device:
        torch.set_num_threads(1)
    rows: list[dict[str, Any]] = []
    for method in arguments.methods:
        for scale in SCALES:
            rows += by_device(method, scale, device) if device else by_way(method, scale)
    if arguments.json:
        environment: dict[str, Any] = {"torch": torch.__version__, "processor": platform.machine()}
        environment |= (
            {"device": device_name(torch.device(device), 1)} if device else {"threads": [1, THREADS]}
        )
        figures = {"environment": environment, "tiles": TILES, "sizes": SIZES, "rows": rows}
        write_json(arguments.json, figures)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
