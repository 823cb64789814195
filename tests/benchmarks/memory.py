"""How much memory the command line takes for a large picture: the peak of its resident memory, in a child process.

    python -m tests.benchmarks.memory [--megapixels N] [--scale N] [--method NAME] [--json PATH]

Not a test: it measures, and fails for no figure. The picture is a seeded mosaic with a little noise.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from fgrn.files import write_json
from fgrn.images import MAX_PIXELS

ROOT = Path(__file__).resolve().parents[2]
ASPECT = 1.5  # width over height, as a camera's


def picture(megapixels: float) -> Image.Image:
    """A picture of about that many pixels; its sides are no multiples of the scale."""
    height = int((megapixels * 1e6 / ASPECT) ** 0.5) | 1
    width = int(height * ASPECT) | 1
    random = np.random.default_rng(2021)
    mosaic = Image.fromarray(random.integers(0, 256, (48, 72, 3), dtype=np.uint8))
    enlarged = np.array(mosaic.resize((width, height), Image.Resampling.BICUBIC))
    noise = random.integers(0, 8, (height, width, 1), dtype=np.uint8)
    return Image.fromarray(np.minimum(enlarged, 247) + noise)


def peak(arguments: list[str]) -> tuple[float, float]:
    """Peak resident memory in MB and seconds of `python -m fgrn` with these arguments.

    Raises:
        RuntimeError: if it fails.
    """
    start = time.monotonic()
    child = subprocess.Popen([sys.executable, "-m", "fgrn", *arguments, "--quiet"], cwd=ROOT)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"fgrn {' '.join(arguments)} ended with {child.returncode}")
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kilobytes elsewhere
    return usage.ru_maxrss * unit / 1e6, time.monotonic() - start


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.memory")
    parser.add_argument("--megapixels", type=float, nargs="+", default=[1, 24], help="default: 1 24")
    parser.add_argument("--scale", type=int, default=4, help="default: 4")
    parser.add_argument("--method", default="fgrn", help="default: fgrn")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    arguments = parser.parse_args(argv)
    rows = []
    with tempfile.TemporaryDirectory() as name:
        hr, lr, back = (Path(name) / file for file in ("hr.bmp", "lr.png", "back.png"))
        for megapixels in arguments.megapixels:
            made = picture(min(megapixels, 0.999 * MAX_PIXELS / 1e6))
            made.save(hr)
            options = ["--method", arguments.method, "--scale", str(arguments.scale), "--device", "cpu"]
            down, seconds_down = peak(["downscale", str(hr), "-o", str(lr), *options])
            up, seconds_up = peak(["upscale", str(lr), "-o", str(back), "--device", "cpu"])
            rows.append(
                {
                    "method": arguments.method,
                    "scale": arguments.scale,
                    "width": made.width,
                    "height": made.height,
                    "peak_megabytes_down": down,
                    "peak_megabytes_up": up,
                    "seconds_down": seconds_down,
                    "seconds_up": seconds_up,
                }
            )
            print(", ".join(f"{key} {value}" for key, value in rows[-1].items()), flush=True)
    environment = {"torch": torch.__version__, "python": platform.python_version(), "cores": os.cpu_count()}
    if arguments.json:
        figures = {"environment": environment, "rows": rows}
        write_json(arguments.json, figures)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
