"""What each number of gradient steps on x brings, and takes, with the shipped weights: the choice of REFINING_STEPS.

    python -m tests.benchmarks.refining [--steps 5 10 20 40] [--json PATH]

Not a test: it measures, and fails for no figure. The pictures are the two photographs of assets/examples. Times are
those of shrinking, from 8-bit array to 8-bit array.
"""

from __future__ import annotations

import argparse
import platform
import time
from pathlib import Path
from statistics import mean
from typing import Any

import torch

from fgrn.devices import computes_in_bf16, default_device
from fgrn.images import read_image
from fgrn.memory import keep_freed_memory
from fgrn.methods import SCALES
from fgrn.metrics import psnr_y
from fgrn.pipeline import load
from fgrn.refine import refine
from tests.benchmarks.figures import report
from training.environment import device_name
from training.on_graphics import EXAMPLES, PHOTOS


def measured(scale: int, counts: list[int], device: torch.device) -> list[dict[str, Any]]:
    """A row for every number of steps, means over the pictures; none at all is the plain FGRN."""
    rescaler, bicubic = load("fgrn", scale, device=device), load("bicubic", scale)
    pictures = [read_image(EXAMPLES / f"{name}.png").pixels for name in PHOTOS]
    pictures = [hr[: hr.shape[0] // scale * scale, : hr.shape[1] // scale * scale] for hr in pictures]
    x = rescaler.encode(pictures[0])  # what a process does once is no property of the steps
    refine(rescaler.net, pictures[0], x, steps=1, device=device)
    rows = []
    for steps in (0, *counts):
        seconds, psnr, lr_psnr = [], [], []
        for hr in pictures:
            start = time.perf_counter()
            x = rescaler.encode(hr)
            if steps:
                x = refine(rescaler.net, hr, x, steps=steps, device=device)
            lr = rescaler.to_lr(x)
            seconds.append(time.perf_counter() - start)
            psnr.append(psnr_y(hr, rescaler.upscale(lr), scale))
            lr_psnr.append(psnr_y(bicubic.downscale(hr), lr, 0))
        figures = {"seconds_down": mean(seconds), "psnr_y": mean(psnr), "lr_psnr_y": mean(lr_psnr)}
        rows.append({"scale": scale, "steps": steps, **figures})
    return rows


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    parser = argparse.ArgumentParser(description="Measure what refining x brings and takes.")
    parser.add_argument("--scales", type=int, nargs="+", default=list(SCALES))
    parser.add_argument("--steps", type=int, nargs="+", default=[5, 10, 20, 40])
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
            "bf16": computes_in_bf16(device),
        },
        "pictures": list(PHOTOS),
        "rows": [row for scale in arguments.scales for row in measured(scale, arguments.steps, device)],
    }
    report(figures, arguments.json)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
