"""Train one recipe: `python -m training.train --recipe fgrn_x4 --data DIR [DIR ...] --out RUN --minutes M`.

RUN holds, at any time after the first checkpoint:

    NAME.safetensors, NAME.json   the averaged (EMA) weights as they would be shipped, with their card
    state.pt                      everything that `--resume` needs
    log.jsonl                     one line per report: loss, figures, learning rate, samples, minutes
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import os
import platform
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.optim.swa_utils import AveragedModel
from tqdm import tqdm

from fgrn import checkpoint
from fgrn.checkpoint import Provenance
from fgrn.models import FGRN, IRN, build
from fgrn.ops import require_float32
from training.data import PatchSampler, list_images, read_images, split_validation
from training.recipes import RECIPES, Recipe, Stage
from training.schedule import Budget, Position, learning_rate
from training.validate import validate

logger = logging.getLogger(__name__)

REPORT_STEPS = 50


def averaged(net: FGRN | IRN, decay: float) -> AveragedModel:
    """An exponential moving average of the weights, whose memory grows with the run up to `decay`."""

    def update(averages: list[Tensor], current: list[Tensor], count: Any) -> None:
        n = float(count)
        torch._foreach_lerp_(averages, current, 1 - min(decay, (1 + n) / (10 + n)))

    return AveragedModel(net, multi_avg_fn=update)  # type: ignore[arg-type]  # the stub wants tuples


class Run:
    """A training run in a folder: the loop, its checkpoints and its log."""

    def __init__(
        self, name: str, recipe: Recipe, data: list[Path], out: Path, budget: Budget, hold_out: int
    ) -> None:
        self.name, self.recipe, self.data, self.out, self.budget = name, recipe, data, out, budget
        require_float32()
        self.accelerator = Accelerator(mixed_precision="bf16" if torch.cuda.is_available() else "no")
        files = [path for folder in data for path in list_images(folder)]
        training, validation = split_validation(files, hold_out)
        largest = max(stage.patch for stage in recipe.stages)
        self.images = read_images(training, smallest=largest)
        self.validation_images = read_images(validation, smallest=largest) if validation else []
        torch.manual_seed(recipe.seed)
        self.net = build(recipe.config)
        self.average = averaged(self.net, recipe.ema_decay)
        self.position = Position()
        self.optimizer_state: dict[str, Any] | None = None
        self.has_checkpoint = False  # of this run: a folder may hold that of an older one
        self.stop_requested = False

    def start_from(self, weights: Path) -> None:
        """Begin with the weights of another run or of the repository (`--init`)."""
        source, card = checkpoint.load(weights)
        if card.config != self.recipe.config:
            raise checkpoint.CheckpointError(
                f"{weights.name} has {card.config}, the recipe {self.recipe.config}"
            )
        self.net.load_state_dict(source.state_dict())
        self.average.module.load_state_dict(source.state_dict())

    def resume(self) -> None:
        """Go on from `state.pt` in the run's folder."""
        state = torch.load(self.out / "state.pt", map_location="cpu", weights_only=True)
        if state["recipe"] != self.name:
            raise ValueError(f"{self.out} is a run of {state['recipe']}, not of {self.name}")
        self.net.load_state_dict(state["net"])
        self.average.load_state_dict(state["average"])
        self.position = Position(**state["position"])
        self.optimizer_state = state["optimizer"]
        self.has_checkpoint = True

    def train(self, checkpoint_minutes: float) -> None:
        """Run all stages to the end of the budget, or until `stop_requested`."""
        self.net.to(self.accelerator.device)
        self.net.to(memory_format=torch.channels_last)
        self.average.to(self.accelerator.device)
        while self.position.stage < len(self.recipe.stages) and not self.stop_requested:
            self._train_stage(self.recipe.stages[self.position.stage], checkpoint_minutes)

    def _train_stage(self, stage: Stage, checkpoint_minutes: float) -> None:
        position, accelerator = self.position, self.accelerator
        objective = self.recipe.objective(self.net, stage)
        self.net.requires_grad_(False)
        objective.trained.requires_grad_(True)
        parameters = list(objective.trained.parameters())
        # A short memory of squared gradients (0.99): small batches of unlike pictures make them jump.
        optimizer = torch.optim.Adam(parameters, lr=stage.learning_rate, betas=(0.9, 0.99), fused=True)
        if self.optimizer_state is not None:
            optimizer.load_state_dict(self.optimizer_state)
            self.optimizer_state = None
        wrapped, optimizer = accelerator.prepare(objective, optimizer)
        sampler = PatchSampler(
            self.images,
            stage.patch,
            stage.batch_size,
            self.recipe.seed + position.stage,
            accelerator.process_index,
        )
        samples_per_step = stage.batch_size * accelerator.num_processes
        last_checkpoint = clock = time.monotonic()
        bar = tqdm(
            total=100,
            desc=f"{self.name} {stage.objective}",
            unit="%",
            disable=not accelerator.is_main_process,
        )
        while (progress := self.budget.progress(position, stage)) < 1 and not self.stop_requested:
            rate = learning_rate(stage, progress, position.stage_step, self.recipe.warm_up_steps)
            for group in optimizer.param_groups:
                group["lr"] = rate * position.rate_factor
            hr = sampler.batch(position.stage_step, accelerator.device)
            loss, figures = wrapped(hr)
            if position.accepts(float(accelerator.reduce(loss.detach(), "mean")), self.recipe.jump_ratio):
                optimizer.zero_grad(set_to_none=True)
                accelerator.backward(loss)
                norm = accelerator.clip_grad_norm_(parameters, stage.clip_norm)
                if math.isfinite(float(norm)):
                    optimizer.step()
                    self.average.update_parameters(self.net)
                else:
                    position.skipped += 1
            if position.broken:
                self._roll_back(optimizer)
            now = time.monotonic()
            position.advance(samples_per_step, (now - clock) / 60)
            clock = now
            if position.stage_step % REPORT_STEPS == 0:
                self._report(stage, rate, figures)
                bar.update(round(100 * progress) - bar.n)
                bar.set_postfix(loss=f"{position.loss_mean:.5f}", samples=position.samples)
            if now - last_checkpoint > 60 * checkpoint_minutes and position.healthy:
                self.save(optimizer.state_dict())
                last_checkpoint = time.monotonic()
        bar.close()
        if not self.stop_requested:
            position.enter_next_stage()
            self.save(None)
        else:
            self.save(optimizer.state_dict())

    def _roll_back(self, optimizer: torch.optim.Optimizer) -> None:
        """Take the tensors of the last checkpoint; clocks and counts go on."""
        logger.warning("step %d: the loss broke away, back to the last checkpoint", self.position.step)
        self.position.roll_back()
        if self.has_checkpoint:
            state = torch.load(self.out / "state.pt", map_location=self.accelerator.device, weights_only=True)
            self.net.load_state_dict(state["net"])
            self.average.load_state_dict(state["average"])
            if state["optimizer"] is not None:
                optimizer.load_state_dict(state["optimizer"])

    def save(self, optimizer_state: dict[str, Any] | None) -> None:
        """Write the weights to ship, their validation figures, and the state to resume from; each atomically."""
        if not self.accelerator.is_main_process:
            return
        self.out.mkdir(parents=True, exist_ok=True)
        average = self.average.module
        assert isinstance(average, FGRN | IRN)
        metrics = validate(average, self.validation_images) if self.validation_images else {}
        position = self.position
        self._log({"event": "checkpoint", "stage": position.stage, "minutes": position.minutes, **metrics})
        provenance = Provenance(
            recipe=self.name,
            data=tuple(folder.name for folder in self.data),
            steps=position.step,
            samples=position.samples,
            minutes=round(position.minutes, 2),
            device=device_name(self.accelerator.device),
            metrics={"validation": metrics},
        )
        checkpoint.save(average, self.out / f"{self.name}.safetensors", provenance)
        state = {
            "recipe": self.name,
            "position": asdict(position),
            "net": self.net.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": optimizer_state,
        }
        temporary = self.out / "state.pt.tmp"
        torch.save(state, temporary)
        os.replace(temporary, self.out / "state.pt")
        self.has_checkpoint = True

    def _report(self, stage: Stage, rate: float, figures: dict[str, Tensor]) -> None:
        position = self.position
        line = {
            "event": "step",
            "objective": stage.objective,
            "step": position.step,
            "samples": position.samples,
            "minutes": round(position.minutes, 3),
            "loss": position.loss_mean,
            "rate": rate * position.rate_factor,
            "skipped": position.skipped,
            "rollbacks": position.rollbacks,
            **{name: float(value) for name, value in figures.items()},
        }
        self._log(line)

    def _log(self, line: dict[str, Any]) -> None:
        if self.accelerator.is_main_process:
            self.out.mkdir(parents=True, exist_ok=True)
            with (self.out / "log.jsonl").open("a", encoding="utf-8") as log:
                log.write(json.dumps(line) + "\n")


def device_name(device: torch.device) -> str:
    """What a card says of the hardware: the GPU's name, or the number of CPU threads."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()} CPU, {torch.get_num_threads()} threads"


@contextmanager
def stopping_on_sigterm(run: Run) -> Iterator[None]:
    """SIGTERM and SIGINT let the step in progress finish; the loop then writes a checkpoint and returns."""

    def request_stop(signum: int, frame: object) -> None:
        run.stop_requested = True

    previous = {number: signal.signal(number, request_stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line of this script."""
    parser = argparse.ArgumentParser(prog="python -m training.train", description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", required=True, choices=RECIPES, help="what to train")
    parser.add_argument("--data", required=True, nargs="+", type=Path, help="folders of training images")
    parser.add_argument("--out", required=True, type=Path, help="folder of the run")
    parser.add_argument("--minutes", type=float, help="budget in minutes of wall time, over all stages")
    parser.add_argument("--samples", type=int, help="budget in HR patches, over all stages")
    parser.add_argument(
        "--resume", action="store_true", help="go on from the run's last checkpoint, if there is one"
    )
    parser.add_argument("--init", type=Path, help="start from these weights (*.safetensors)")
    parser.add_argument("--hold-out", type=int, default=8, help="images kept for validation (default: 8)")
    parser.add_argument(
        "--checkpoint-minutes", type=float, default=3.0, help="time between checkpoints (default: 3)"
    )
    parser.add_argument("--threads", type=int, help="CPU threads (default: all cores)")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    arguments = parse_arguments(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    try:
        budget = Budget(arguments.minutes, arguments.samples)
        recipe = RECIPES[arguments.recipe]
        run = Run(arguments.recipe, recipe, arguments.data, arguments.out, budget, arguments.hold_out)
        if arguments.resume and (arguments.out / "state.pt").exists():
            run.resume()
        elif arguments.init:
            run.start_from(arguments.init)
    except (ValueError, FileNotFoundError) as error:
        logger.error("cannot start: %s", error)
        return 2
    with stopping_on_sigterm(run):
        run.train(arguments.checkpoint_minutes)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
