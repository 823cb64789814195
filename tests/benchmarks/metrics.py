"""How long PSNR and SSIM of a 4K picture take, and how much memory.

    python -m tests.benchmarks.metrics [--rounds 9] [--json PATH]

Not a test: it measures, and fails for no figure. A picture of 3840 x 2160 pixels of seeded noise and a copy with small
errors; the figures are medians. "cpu" is the computing time of all threads together.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

from fgrn.metrics import psnr_y, ssim_y
from tests.benchmarks.figures import report

HEIGHT, WIDTH, CROP = 2160, 3840, 4
MEASURED: dict[str, Callable[[np.ndarray, np.ndarray, int], float]] = {"psnr_y": psnr_y, "ssim_y": ssim_y}


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.metrics")
    parser.add_argument("--rounds", type=int, default=9, help="default: 9")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    arguments = parser.parse_args(argv)
    random = np.random.default_rng(0)
    picture = random.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    errors = random.integers(-9, 10, picture.shape, dtype=np.int8)
    other = np.clip(np.add(picture, errors, dtype=np.int16), 0, 255).astype(np.uint8)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in MEASURED}
    for _ in range(arguments.rounds):
        for name, metric in MEASURED.items():
            wall, cpu = time.perf_counter(), time.process_time()
            metric(picture, other, CROP)
            times[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    tracemalloc.start()
    for metric in MEASURED.values():
        metric(picture, other, CROP)
    _, memory = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    figures = {
        "size": [HEIGHT, WIDTH],
        "cores": os.cpu_count(),
        "load": os.getloadavg()[
            0
        ],  # programs that want a core: with more of them than cores, wall times are longer
        "python": platform.python_version(),
        "numpy": np.__version__,
        "rounds": arguments.rounds,
        "seconds": {name: median(wall for wall, _ in taken) for name, taken in times.items()},
        "seconds_both": median(sum(wall for wall, _ in both) for both in zip(*times.values(), strict=True)),
        "cpu_seconds": {name: median(cpu for _, cpu in taken) for name, taken in times.items()},
        "memory_mb": memory / 1e6,  # beyond the two pictures
    }
    report(figures, arguments.json)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
