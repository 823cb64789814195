"""How fast a training step is, and how much of what convolutions alone reach on the same machine.

    python -m tests.benchmarks.training_throughput [--threads N] [--rounds N] [--quick] [--device cpu] [--json PATH]

Not a test: it measures, and fails for no figure. For each stage of the four recipes it alternates, in short rounds,
steps as `training.train` takes them, steps timed in parts, and the ceiling: one 3 x 3 convolution from 64 to 64
channels, forward and backward, with the stage's batch, LR size, precision and memory format. All figures are medians
over the rounds; the share of the ceiling is the median of the rounds' shares, since other programs slow down both.
On a machine that is busy otherwise, `--threads 1 --clock cpu` counts this program's own time alone. Pictures are
seeded noise: no data is needed.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from PIL import Image
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from fgrn.files import write_json
from fgrn.ops import require_float32
from tests.benchmarks.timing import CLOCKS, Ceiling, Timer
from training.data import Images, read_images
from training.environment import device_name
from training.markdown import markdown
from training.patches import PatchSampler
from training.recipes import RECIPES, ObjectiveName, Recipe, Stage
from training.state import RunState
from training.step import Step

MEASURED = ("fgrn_x4", "fgrn_x2", "irn_x4", "irn_x2")
# F switches autocast off for the sake of its inverse: its ceiling is float32 everywhere.
FLOAT32: tuple[ObjectiveName, ...] = ("flow",)
SIDE_BY_SIDE: tuple[tuple[str, ObjectiveName], ...] = (
    ("fgrn_x4", "rescaling"),
    ("fgrn_x4", "flow"),
    ("fgrn_x4", "joint"),
    ("irn_x4", "irn-coarse"),
    ("irn_x4", "irn"),
)
RATE = 1e-5  # small: what is timed must not break away
COMMON_PATCH, COMMON_BATCH = 96, 4
PICTURES, HEIGHT, WIDTH = 16, 321, 481  # the size of BSDS500's

Row = dict[str, Any]


def noise_pictures() -> list[Tensor]:
    """Seeded pictures, uint8 (3, H, W)."""
    random = np.random.default_rng(2021)
    shape = (PICTURES, 3, HEIGHT, WIDTH)
    return list(torch.from_numpy(random.integers(0, 256, shape, dtype=np.uint8)))


class StageSteps:
    """The steps of one stage, whole and in parts; what the loop decides between gradients and update is left out."""

    def __init__(self, recipe: Recipe, stage: Stage, images: Images, accelerator: Accelerator) -> None:
        self.stage, self.device = stage, accelerator.device
        self.state = RunState("benchmark", recipe, Path())  # writes nothing unless it is asked to
        self.state.to(self.device)
        objective = recipe.objective(self.state.net, stage)
        self.step = Step(accelerator, self.state, objective, stage, recipe.optimizer)
        self.sampler = PatchSampler(images, stage.patch, stage.batch_size, recipe.seed)
        self.samples = 0

    def sample(self) -> Tensor:
        self.samples += self.stage.batch_size
        return self.sampler.batch(self.samples, self.device)

    def differentiate(self, hr: Tensor) -> None:
        loss, _, norm = self.step.gradients(hr)
        torch.stack([loss, norm]).tolist()  # the loop looks at both before it takes a step

    def update(self) -> None:
        self.step.update(RATE)

    def whole(self) -> None:
        self.differentiate(self.sample())
        self.update()

    def parts(self, timer: Timer) -> tuple[float, float, float]:
        """Shares of sampling, of loss and gradients, of optimizer and moving average in the time of a step."""
        start = timer.now()
        hr = self.sample()
        sampled = timer.now()
        self.differentiate(hr)
        differentiated = timer.now()
        self.update()
        end = timer.now()
        times = (sampled - start, differentiated - sampled, end - differentiated)
        return times[0] / sum(times), times[1] / sum(times), times[2] / sum(times)

    def gflop(self) -> float:
        """Billions of floating-point operations of a step: convolutions and matrix products, a multiply-add as two."""
        with FlopCounterMode(display=False) as counter:
            self.whole()
        return float(counter.get_total_flops()) / 1e9


def measure(name: str, step: StageSteps, timer: Timer, rounds: int, least: float) -> Row:
    """The figures of one stage. Ceiling, steps and parts take turns, each for `least` seconds or one step."""
    stage, device = step.stage, step.device
    bf16 = device.type == "cuda" and stage.objective not in FLOAT32
    side = stage.patch // step.state.recipe.config.scale
    ceiling = Ceiling(stage.batch_size, side, torch.bfloat16 if bf16 else torch.float32, device)
    gflop = step.gflop()
    steps = timer.repeats(step.whole, least)
    convolutions = timer.repeats(ceiling, max(least, timer.seconds(step.whole)))
    whole, parts, bounds = [], [], []
    for _ in range(rounds):
        bounds.append(ceiling.gflop / timer.seconds(ceiling, convolutions))
        whole.append(timer.seconds(step.whole, steps))
        parts += [step.parts(timer) for _ in range(steps)]
    taken = median(whole)
    sampling, gradients, update = (median(shares) for shares in zip(*parts, strict=True))
    return {
        "recipe": name,
        "stage": stage.objective,
        "patch": stage.patch,
        "batch_size": stage.batch_size,
        "precision": "bf16" if bf16 else "float32",
        "seconds_per_step": taken,
        "samples_per_second": stage.batch_size / taken,
        "gflop_per_step": gflop,
        "gflops": gflop / taken,
        "ceiling_gflops": median(bounds),
        "share_of_ceiling": median(gflop / time / bound for time, bound in zip(whole, bounds, strict=True)),
        "sampling_share": sampling,
        "gradients_share": gradients,
        "update_share": update,
        "rounds": [
            {"seconds": time, "ceiling_gflops": bound} for time, bound in zip(whole, bounds, strict=True)
        ],
    }


def side_by_side(
    images: Images, accelerator: Accelerator, timer: Timer, rounds: int, least: float
) -> list[Row]:
    """FGRN and IRN at x4 with the same batch and patch, taking turns."""
    steps = []
    for name, objective in SIDE_BY_SIDE:
        recipe = RECIPES[name]
        stage = replace(recipe.stages[0], objective=objective, patch=COMMON_PATCH, batch_size=COMMON_BATCH)
        steps.append(StageSteps(recipe, stage, images, accelerator))
    counts = [timer.repeats(step.whole, least) for step in steps]
    taken = [
        [timer.seconds(step.whole, count) for step, count in zip(steps, counts, strict=True)]
        for _ in range(rounds)
    ]
    return [
        {
            "recipe": name,
            "stage": objective,
            "patch": COMMON_PATCH,
            "batch_size": COMMON_BATCH,
            "samples_per_second": COMMON_BATCH / median(times[i] for times in taken),
            "times_irn": median(times[-1] / times[i] for times in taken),
        }
        for i, (name, objective) in enumerate(SIDE_BY_SIDE)
    ]


def decoding(pictures: Sequence[Tensor], timer: Timer, rounds: int) -> float:
    """Seconds to decode one of `pictures` from PNG, once at the start of a run."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{i}.png" for i in range(len(pictures))]
        for file, picture in zip(files, pictures, strict=True):
            Image.fromarray(picture.permute(1, 2, 0).numpy()).save(file)
        return median(timer.seconds(lambda: read_images(files, 1)) for _ in range(rounds)) / len(files)


def table(rows: Sequence[Row], decode_seconds: float) -> str:
    """What each stage reaches, and where its time goes."""
    header = [
        "stage",
        "s / step",
        "samples / s",
        "GFLOP / s",
        "ceiling",
        "share",
        "sampling",
        "loss, gradients",
    ]
    header += ["optimizer, EMA", "steps in the time to decode a picture"]
    cells = []
    for row in rows:
        name = f"{row['recipe']} {row['stage']}, {row['batch_size']} x {row['patch']}², {row['precision']}"
        speeds = [f"{row['seconds_per_step']:.4f}", f"{row['samples_per_second']:.2f}"]
        speeds += [f"{row['gflops']:.1f}", f"{row['ceiling_gflops']:.1f}"]
        shares = ["share_of_ceiling", "sampling_share", "gradients_share", "update_share"]
        decoded = f"{decode_seconds / row['seconds_per_step']:.3f}"
        cells.append([name, *speeds, *(f"{100 * row[share]:.1f} %" for share in shares), decoded])
    return markdown(header, cells)


def comparison_table(rows: Sequence[Row]) -> str:
    """Samples per second of both methods, and how often IRN's they are."""
    cells = [
        [f"{row['recipe']} {row['stage']}", f"{row['samples_per_second']:.2f}", f"{row['times_irn']:.2f}"]
        for row in rows
    ]
    return markdown([f"{COMMON_BATCH} x {COMMON_PATCH}²", "samples / s", "times IRN's"], cells)


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.training_throughput")
    parser.add_argument("--threads", type=int, help="CPU threads (default: all cores)")
    parser.add_argument("--rounds", type=int, help="default: 9; with --quick 3")
    parser.add_argument("--quick", action="store_true", help="shorter and fewer rounds")
    parser.add_argument("--device", choices=("cpu", "cuda"), help="default: what Accelerate finds")
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="default: wall")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    arguments = parser.parse_args(argv)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    if arguments.device == "cuda" and not torch.cuda.is_available():
        parser.error("there is no CUDA device")
    rounds, least = arguments.rounds or (3 if arguments.quick else 9), 0.05 if arguments.quick else 0.5
    require_float32()
    on_gpu = torch.cuda.is_available() and arguments.device != "cpu"
    accelerator = Accelerator(cpu=not on_gpu, mixed_precision="bf16" if on_gpu else "no")
    timer = Timer(accelerator.device, CLOCKS[arguments.clock])
    environment = {
        "device": device_name(accelerator.device, 1),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "load": os.getloadavg()[0],  # other programs' share of the machine: compare ratios, not seconds
        "clock": arguments.clock,
        "rounds": rounds,
    }
    print(", ".join(f"{key} {value}" for key, value in environment.items()), flush=True)
    pictures = noise_pictures()
    decode_seconds = decoding(pictures, timer, rounds)
    images = Images.from_tensors(pictures).to(accelerator.device)
    rows = []
    for name in MEASURED:
        for stage in RECIPES[name].stages:
            row = measure(name, StageSteps(RECIPES[name], stage, images, accelerator), timer, rounds, least)
            print(
                f"{name} {stage.objective}: {100 * row['share_of_ceiling']:.0f} % of the ceiling", flush=True
            )
            rows.append(row)
            accelerator.free_memory()
    compared = side_by_side(images, accelerator, timer, rounds, least)
    print(f"\n{table(rows, decode_seconds)}\n{comparison_table(compared)}")
    figures = {
        "environment": environment | {"decode_seconds_per_picture": decode_seconds},
        "rows": rows,
        "side_by_side": compared,
    }
    if arguments.json:
        write_json(arguments.json, figures)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
