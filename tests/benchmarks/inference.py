"""How fast pictures are shrunk and restored: against what convolutions reach here, and FGRN against IRN.

    python -m tests.benchmarks.inference [--threads N] [--rounds N] [--quick] [--device cpu] [--json PATH]

Not a test: it measures, and fails for no figure. First FGRN's way down and up of a 1080p picture, from 8-bit array to
8-bit array, against the floor: the multiply-adds of its networks at the speed of one 3 x 3 convolution from 64 to 64
channels in the same precision and memory format. Then FGRN, IRN and a plain IRN side by side on the same tensor. The
plain one is the published code if the environment variable IRN_REPO names a checkout of it, else
`tests.reference_irn`, which restates it. Side by side they run twice: first with the allocator as the system has it,
which is what users of the published code get, then all with `keep_freed_memory`, which our entry points call.
Everything takes turns in short rounds; all figures are medians over the rounds, and ratios are medians of the rounds'
ratios, since other programs slow down both. On a machine that is busy otherwise, `--threads 1 --clock cpu` counts
this program's own time alone. Pictures are seeded noise: no data is needed.
"""

from __future__ import annotations

import argparse
import copy
import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

import fgrn
from fgrn.devices import default_device
from fgrn.files import write_json
from fgrn.memory import keep_freed_memory
from fgrn.methods import SCALES
from fgrn.models import IRN, RescalingNet
from fgrn.ops import memory_format
from tests.benchmarks.timing import CLOCKS, Ceiling, Timer
from tests.reference_irn import PublishedIRN, published_code
from training.environment import device_name
from training.speed_tables import floor_table, side_by_side_table

FULL_HD = (1080, 1920)
SIDE = 512  # of the picture for the comparison with IRN
COUNTED = 64  # LR pixels on a side: arithmetic is counted on a small picture, it grows with the area
CEILING_SIDE = 256

Row = dict[str, Any]
TensorFunction = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Subject:
    """A network in the comparison: `down` takes HR to LR (with z, if it needs it), `up` takes that back."""

    name: str
    down: TensorFunction
    up: TensorFunction


def subjects(scale: int, device: torch.device) -> list[Subject]:
    """FGRN, our IRN and the plain one, with the same layers as ours and random weights."""
    ours: dict[str, RescalingNet] = {
        name: fgrn.load(name, scale, device=device).net for name in ("fgrn", "irn")
    }
    irn = ours["irn"]
    assert isinstance(irn, IRN)
    plain = Subject("plain irn", *plain_irn(irn, device))
    return [*(Subject(name, partial(_down, net), partial(_up, net)) for name, net in ours.items()), plain]


def _down(net: RescalingNet, hr: Tensor) -> Tensor:
    return net.to_lr(net.encode(hr))


def _up(net: RescalingNet, lr: Tensor) -> Tensor:
    return net.decode(net.from_lr(lr))


def plain_irn(irn: IRN, device: torch.device) -> tuple[TensorFunction, TensorFunction]:
    """The published IRN of the same shape: from a checkout if there is one, else as we restate it."""
    published = published_code(irn.config.scale, irn.config.blocks)
    if published is None:
        plain = PublishedIRN(irn.config.scale, irn.config.blocks, irn.config.growth).to(device)
        return plain.down, plain.up
    net = published.to(device)
    return net, lambda lr_and_z: net(lr_and_z, rev=True)


def gflop(net: RescalingNet) -> float:
    """Billions of floating-point operations, a multiply-add as two, of the way down and up for each LR pixel.

    Counted on the CPU: on a GPU channels of zeros are added, which is no work that had to be done.
    """
    net = copy.deepcopy(net).cpu()
    hr = torch.zeros(1, 3, COUNTED * net.scale, COUNTED * net.scale)
    with FlopCounterMode(display=False) as counter:
        net.decode(net.from_lr(net.to_lr(net.encode(hr))))
    return float(counter.get_total_flops()) / 1e9 / COUNTED**2


def against_the_floor(scale: int, timer: Timer, rounds: int, size: tuple[int, int], least: float) -> Row:
    """FGRN's way down and up of a picture of `size` = (height, width), with rounding and copies."""
    rescaler = fgrn.load("fgrn", scale, device=timer.device)
    picture = np.random.default_rng(2021).integers(0, 256, (*size, 3), dtype=np.uint8)
    lr = rescaler.downscale(picture)
    total = gflop(rescaler.net) * lr.shape[0] * lr.shape[1]
    ceiling = Ceiling(1, CEILING_SIDE, torch.float32, timer.device, memory_format(timer.device))
    repeats = timer.repeats(ceiling.forward, least)
    bounds, downs, ups = [], [], []
    for _ in range(rounds):
        bounds.append(ceiling.forward_gflop / timer.seconds(ceiling.forward, repeats))
        downs.append(timer.seconds(lambda: rescaler.downscale(picture)))
        bounds.append(ceiling.forward_gflop / timer.seconds(ceiling.forward, repeats))
        ups.append(timer.seconds(lambda: rescaler.upscale(lr)))
    floors = [total / max(pair) for pair in zip(bounds[::2], bounds[1::2], strict=True)]
    times = [down + up for down, up in zip(downs, ups, strict=True)]
    return {
        "scale": scale,
        "height": size[0],
        "width": size[1],
        "seconds_down": median(downs),
        "seconds_up": median(ups),
        "gflop": total,
        "ceiling_gflops": median(bounds),
        "times_floor": median(time / floor for time, floor in zip(times, floors, strict=True)),
        "rounds": [{"seconds": time, "floor": floor} for time, floor in zip(times, floors, strict=True)],
    }


def side_by_side(scale: int, timer: Timer, rounds: int, side: int) -> list[Row]:
    """FGRN, IRN and the plain IRN on the same tensor, taking turns."""
    generator = torch.Generator().manual_seed(2021)
    hr = torch.rand(1, 3, side, side, generator=generator).to(timer.device)
    found = subjects(scale, timer.device)
    times: dict[str, list[tuple[float, float]]] = {subject.name: [] for subject in found}
    lrs = {subject.name: subject.down(hr) for subject in found}  # warms up too
    for _ in range(rounds):
        for subject in found:
            down = timer.seconds(partial(subject.down, hr))
            times[subject.name].append((down, timer.seconds(partial(subject.up, lrs[subject.name]))))
    plain = [sum(pair) for pair in times["plain irn"]]
    return [
        {
            "scale": scale,
            "side": side,
            "network": name,
            "seconds_down": median(down for down, _ in pairs),
            "seconds_up": median(up for _, up in pairs),
            "times_as_fast_as_plain_irn": median(a / sum(pair) for a, pair in zip(plain, pairs, strict=True)),
        }
        for name, pairs in times.items()
    ]


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.inference")
    parser.add_argument("--threads", type=int, help="CPU threads (default: all cores)")
    parser.add_argument("--rounds", type=int, help="default: 5; with --quick 1")
    parser.add_argument("--quick", action="store_true", help="one round, on small pictures")
    parser.add_argument("--device", default=None, help="default: what Accelerate finds")
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="default: wall")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    arguments = parser.parse_args(argv)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    device = torch.device(arguments.device) if arguments.device else default_device()
    timer = Timer(device, CLOCKS[arguments.clock])
    rounds = arguments.rounds or (1 if arguments.quick else 5)
    size, side, least = ((64, 96), 64, 0.05) if arguments.quick else (FULL_HD, SIDE, 0.5)
    environment = {
        "device": device_name(device, 1),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "load": os.getloadavg()[0],  # other programs' share of the machine: compare ratios, not seconds
        "clock": arguments.clock,
        "rounds": rounds,
        "plain_irn": "published code" if os.environ.get("IRN_REPO") else "tests.reference_irn",
    }
    with torch.inference_mode():
        compared = [row for scale in SCALES for row in side_by_side(scale, timer, rounds, side)]
        keep_freed_memory()
        floors = [against_the_floor(scale, timer, rounds, size, least) for scale in SCALES]
        keeping = [row for scale in SCALES for row in side_by_side(scale, timer, rounds, side)]
    figures = {
        "environment": environment,
        "against_the_floor": floors,
        "side_by_side": compared,
        "side_by_side_keeping_memory": keeping,
    }
    print(f"{floor_table(figures)}\n{side_by_side_table(figures)}")
    if arguments.json:
        write_json(arguments.json, figures)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
