"""How much of a GPU's memory a large picture takes, without a limit and below the one of FGRN_GPU_MEMORY.

    python -m tests.benchmarks.gpu_memory [--megapixels N] [--limits GB ...] [--json PATH]

Not a test: it measures, and fails for no figure. What torch has reserved is counted, which is what limits apply to; the
driver's own few hundred megabytes come on top. Lower limits follow higher ones, since what is reserved once stays.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fgrn.devices import default_device
from fgrn.methods import SCALES
from fgrn.pipeline import load
from fgrn.pixels import Pixels
from tests.benchmarks.figures import report
from tests.benchmarks.memory import picture
from training.environment import environment

Row = dict[str, Any]


def peak(work: Callable[[], Pixels]) -> tuple[Pixels, float, float]:
    """What `work` makes, the gigabytes reserved at most, and its seconds."""
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    start = time.perf_counter()
    result = work()
    return result, torch.cuda.max_memory_reserved() / 1e9, time.perf_counter() - start


def measured(method: str, scale: int, limit: float | None, hr: Pixels, device: torch.device) -> Row:
    """A row of the figures; without peaks if the limit is too low."""
    if limit is None:
        os.environ.pop("FGRN_GPU_MEMORY", None)
    else:
        os.environ["FGRN_GPU_MEMORY"] = str(limit)
    row: Row = {"method": method, "scale": scale, "limit": limit, "width": hr.shape[1], "height": hr.shape[0]}
    rescaler = load(method, scale, device=device)
    try:
        lr, row["peak_gigabytes_down"], row["seconds_down"] = peak(lambda: rescaler.downscale(hr))
        _, row["peak_gigabytes_up"], row["seconds_up"] = peak(
            lambda: rescaler.upscale(lr, (hr.shape[0], hr.shape[1]))
        )
    except torch.OutOfMemoryError as error:
        row["error"] = str(error)
    return row


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.gpu_memory")
    parser.add_argument("--megapixels", type=float, default=24, help="default: 24")
    parser.add_argument("--limits", type=float, nargs="*", default=[2, 1], help="gigabytes; default: 2 1")
    parser.add_argument("--methods", nargs="+", default=["fgrn", "irn"], help="default: fgrn irn")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    arguments = parser.parse_args(argv)
    device = default_device()
    if device.type != "cuda":
        parser.error("there is no GPU here")
    hr = np.asarray(picture(arguments.megapixels))
    rows = [
        measured(method, scale, limit, hr, device)
        for limit in (None, *sorted(arguments.limits, reverse=True))
        for method in arguments.methods
        for scale in SCALES
    ]
    figures = {"environment": environment(device, 1), "rows": rows}
    report(figures, arguments.json)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
