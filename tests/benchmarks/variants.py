"""Whether torch.compile or bfloat16 would make FGRN faster here, and what they cost.

    python -m tests.benchmarks.variants [--scales 2 4] [--side 512] [--rounds 5] [--json PATH]

Not a test: it measures, and fails for no figure. Each variant takes a picture down and up, from 8-bit array to 8-bit
array, with the shipped weights; they take turns, and ratios are medians of the rounds' ratios. bfloat16 is used inside
G_d and G_u alone, as in training on a GPU. The start is the first picture, which torch.compile needs a compiler for.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

import fgrn
from fgrn.devices import default_device
from fgrn.memory import keep_freed_memory
from fgrn.methods import SCALES
from fgrn.metrics import psnr_y
from fgrn.models import FGRN
from fgrn.pipeline import Rescaler
from fgrn.pixels import Pixels
from tests.benchmarks.figures import report
from tests.photos import make_photo
from training.environment import device_name

Around = Callable[[], AbstractContextManager[Any]]


def variants(scale: int, device: torch.device) -> dict[str, tuple[Rescaler, Around]]:
    """Rescalers by what is different about them, and what each runs within."""
    plain = fgrn.load("fgrn", scale, device=device)
    compiled = fgrn.load("fgrn", scale, device=device)
    assert isinstance(compiled.net, FGRN)
    for part in (compiled.net.downscaler, compiled.net.upscaler, compiled.net.flow):
        part.compile()
    bfloat16 = partial(torch.autocast, device.type, torch.bfloat16)
    return {
        "as it is": (plain, nullcontext),
        "torch.compile": (compiled, nullcontext),
        "bfloat16": (plain, bfloat16),
    }


def round_trip(rescaler: Rescaler, around: Around, hr: Pixels) -> tuple[Pixels, float]:
    """The reconstruction, and the seconds down and up."""
    start = time.perf_counter()
    with around():
        reconstruction = rescaler.upscale(rescaler.downscale(hr), (hr.shape[0], hr.shape[1]))
    return reconstruction, time.perf_counter() - start


def measured(scale: int, side: int, rounds: int, device: torch.device) -> list[dict[str, Any]]:
    """A row for every variant."""
    hr = make_photo(side, side)
    subjects = variants(scale, device)
    first = {name: round_trip(*subject, hr) for name, subject in subjects.items()}
    times: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in range(rounds):
        for name, subject in subjects.items():
            times[name].append(round_trip(*subject, hr)[1])
    plain, _ = first["as it is"]
    return [
        {
            "scale": scale,
            "variant": name,
            "first_seconds": first[name][1],
            "seconds": median(seconds),
            "times_as_fast": median(a / b for a, b in zip(times["as it is"], seconds, strict=True)),
            "different_values": float(np.mean(first[name][0] != plain)),
            "psnr_change_db": psnr_y(hr, first[name][0], scale) - psnr_y(hr, plain, scale),
        }
        for name, seconds in times.items()
    ]


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    parser = argparse.ArgumentParser(description="Measure variants of FGRN's inference.")
    parser.add_argument("--scales", type=int, nargs="+", default=list(SCALES))
    parser.add_argument("--side", type=int, default=512, help="of the picture")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args(argv)
    keep_freed_memory()
    device = default_device()
    figures = {
        "environment": {
            "device": device_name(device, 1),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
            "processor": platform.machine(),
        },
        "side": arguments.side,
        "variants": [
            row
            for scale in arguments.scales
            for row in measured(scale, arguments.side, arguments.rounds, device)
        ],
    }
    report(figures, arguments.json)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
