"""A training run in a folder: data, state, the loop, checkpoints and the log."""

from __future__ import annotations

import hashlib
import json
import logging
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from accelerate import Accelerator
from accelerate.utils import parse_flag_from_env
from torch import Tensor
from tqdm import tqdm

from fgrn.checkpoint import Provenance
from fgrn.devices import computes_in_bf16
from fgrn.layers import DenseBlock, ResidualBlock
from fgrn.ops import require_float32
from training.data import MEMORY_LIMIT, Images, read_images, split_validation, training_files
from training.environment import device_name
from training.losses import watched
from training.patches import PatchSampler
from training.prefetch import Prefetched
from training.recipes import Recipe, Stage
from training.schedule import Budget, learning_rate
from training.state import RunState
from training.step import Step
from training.validate import middles, validate

logger = logging.getLogger(__name__)

REPORT_STEPS, REPORT_SECONDS = 50, 10.0  # a report after so many steps, or seconds if that is sooner
DENSE_SHAPES = 32  # of the dense blocks' features, in any network: each is compiled for itself


class Seen(NamedTuple):
    """What all processes know of a step: means over them."""

    loss: float  # or the part of it that is watched
    gradient_norm: float
    minutes: float
    stop: float  # share of the processes that were asked to stop


class Run:
    """A training run in a folder: data, state, the loop, the log."""

    def __init__(
        self,
        name: str,
        recipe: Recipe,
        data: list[Path],
        out: Path,
        budget: Budget,
        hold_out: int,
        *,
        cache: Path | None = None,
        memory_limit: int = MEMORY_LIMIT,
        tracker: str | None = None,
        precision: str | None = None,
        compiled: bool = False,
        shrinks: Sequence[int] = (),
        graphics: float = 0.0,
        notes: str = "",
    ) -> None:
        self.name, self.recipe, self.data, self.out, self.budget = name, recipe, data, out, budget
        on_gpu = torch.cuda.is_available() and not parse_flag_from_env("ACCELERATE_USE_CPU")
        precision = precision or ("bf16" if on_gpu else "float32")
        require_float32()
        torch.backends.cudnn.benchmark = True  # the shapes of a stage are always the same
        self.accelerator = Accelerator(
            mixed_precision="bf16" if precision == "bf16" else "no", log_with=tracker, project_dir=out
        )
        if precision == "bf16" and self._speaks and not computes_in_bf16(self.accelerator.device):
            logger.warning(
                "%s has no bf16 instructions: a step in bf16 takes many times as long as with --precision float32",
                "This GPU" if on_gpu else "This CPU",
            )
        files = training_files(data)
        training, self._held_out_files = split_validation(files, hold_out)
        largest = max(stage.patch for stage in recipe.stages)
        self._read_images = partial(
            read_images, training, largest, cache or out, memory_limit, shrinks=shrinks
        )
        decides = {
            "pictures": _digest(files),
            "hold_out": hold_out,
            "shrink": list(shrinks),
            "graphics": graphics,
            "processes": self.accelerator.num_processes,
            "precision": precision,
        }
        self.state = RunState(name, recipe, out, decides)
        if compiled:
            torch._dynamo.config.recompile_limit = DENSE_SHAPES
            for block in self.state.net.modules():
                if isinstance(block, ResidualBlock):
                    block.compile(dynamic=False)
                elif isinstance(block, DenseBlock):
                    block.dense = torch.compile(block.dense, dynamic=False)  # type: ignore[method-assign]
        self.graphics = graphics
        self.notes = notes
        self.metrics: dict[str, float] = {}
        self.stop_requested = False  # of this process, by a signal
        self.stopping = False  # all processes have agreed to it
        if tracker:
            self.accelerator.init_trackers("fgrn", {"recipe": name, "data": " ".join(map(str, data))})

    @cached_property
    def images(self) -> Images:
        """The training pictures. They are decoded when they are first asked for, which can take minutes.

        Raises:
            ValueError: if none of them can be used, or there is no room for them.
        """
        with self.accelerator.main_process_first():
            images = self._read_images()
        return images.to(self.accelerator.device)

    @cached_property
    def validation_images(self) -> list[Tensor]:
        """The middles of the held-out pictures.

        Raises:
            ValueError: if none of them can be used.
        """
        return middles(self._held_out_files)

    @property
    def finished(self) -> bool:
        """Whether all stages are over."""
        return self.state.position.stage >= len(self.recipe.stages)

    def train(self, checkpoint_minutes: float) -> None:
        """Run all stages to the end of the budget, or until a stop is requested."""
        self.state.to(self.accelerator.device)
        while not self.finished and not self.stopping:
            self._train_stage(self.recipe.stages[self.state.position.stage], checkpoint_minutes)
        self.accelerator.end_training()

    def _train_stage(self, stage: Stage, checkpoint_minutes: float) -> None:
        recipe, state, accelerator = self.recipe, self.state, self.accelerator
        position, device = state.position, accelerator.device
        step = Step(accelerator, state, recipe.objective(state.net, stage), stage, recipe.optimizer)
        sampler = PatchSampler(self.images, stage.patch, stage.batch_size, recipe.seed, self.graphics)
        batches = Prefetched(sampler, device)
        samples_per_step = stage.batch_size * accelerator.num_processes
        last_checkpoint, clock = position.minutes, time.monotonic()
        reported = clock
        bar = tqdm(
            total=100,
            initial=round(100 * self.budget.progress(position, stage)),
            unit="%",
            desc=f"{self.name} {stage.objective}",
            disable=not self._speaks,
        )
        while (progress := self.budget.progress(position, stage)) < 1 and not self.stopping:
            rate = position.rate_factor * learning_rate(
                stage, progress, position.stage_step, recipe.warm_up_steps
            )
            first_sample = position.samples + accelerator.process_index * stage.batch_size
            torch.manual_seed(recipe.seed + first_sample)
            loss, figures, norm = step.gradients(batches.batch(first_sample))
            batches.prepare(first_sample + samples_per_step)
            clock, seconds = time.monotonic(), time.monotonic() - clock
            seen = self._agree(watched(loss, figures), norm, seconds)
            if position.accepts(seen.loss, seen.gradient_norm, recipe.jump_ratio):
                step.update(rate)
            if position.broken:
                restored = state.roll_back(step.optimizer, device)
                back = "back to the last checkpoint" if restored else "no checkpoint to go back to yet"
                logger.warning("step %d: the loss broke away; %s, at half the rate", position.step, back)
                step.optimizer_replaced()
            position.advance(samples_per_step, seen.minutes)
            self.stopping = seen.stop > 0
            if position.stage_step % REPORT_STEPS == 0 or clock - reported > REPORT_SECONDS:
                reported = clock
                self._report(stage, rate, figures)
                bar.update(round(100 * progress) - bar.n)
                bar.set_postfix_str(self._summary(), refresh=False)
            if position.minutes - last_checkpoint > checkpoint_minutes and position.healthy:
                self.save(step.optimizer.state_dict())
                last_checkpoint = position.minutes
        bar.close()
        accelerator.free_memory()
        if self.stopping:
            self.save(step.optimizer.state_dict())
        else:
            following = recipe.stages[position.stage + 1 : position.stage + 2]
            position.enter_next_stage(same_objective=any(s.objective == stage.objective for s in following))
            self.save(None)

    @property
    def _speaks(self) -> bool:
        return bool(self.accelerator.is_main_process)

    def _agree(self, loss: Tensor, norm: Tensor, seconds: float) -> Seen:
        """The same figures on every process, so that all decide alike; the one wait for the device in a step."""
        mine = torch.stack(
            [loss.detach(), norm, *loss.new_tensor([seconds / 60, float(self.stop_requested)])]
        )
        return Seen(*self.accelerator.reduce(mine, "mean").tolist())

    def save(self, optimizer_state: dict[str, Any] | None) -> None:
        """Write a checkpoint with its validation figures."""
        position = self.state.position
        if self._speaks:
            if self.validation_images:
                self.metrics = validate(self.state.averaged_net, self.validation_images)
            self.state.save(optimizer_state, self._provenance())
            counts = {"stage": position.stage, "step": position.step, "samples": position.samples}
            self._log({"event": "checkpoint", **counts, "minutes": position.minutes, **self.metrics})
        self.accelerator.wait_for_everyone()
        self.state.has_checkpoint = True

    def _provenance(self) -> Provenance:
        position = self.state.position
        return Provenance(
            recipe=self.name,
            data=tuple(folder.name for folder in self.data),
            steps=position.step,
            samples=position.samples,
            minutes=round(position.minutes, 2),
            device=device_name(self.accelerator.device, self.accelerator.num_processes),
            metrics={"validation": self.metrics},
            notes="; ".join(note for note in (self.notes, self.state.origin) if note),
        )

    def _report(self, stage: Stage, rate: float, figures: dict[str, Tensor]) -> None:
        if not self._speaks:
            return
        position = self.state.position
        self._log(
            {
                "event": "step",
                "stage": position.stage,
                "objective": stage.objective,
                "step": position.step,
                "samples": position.samples,
                "minutes": round(position.minutes, 3),
                "loss": position.loss_mean,
                "rate": rate,
                "skipped": position.skipped,
                "rollbacks": position.rollbacks,
                **{name: float(value) for name, value in figures.items()},
            }
        )

    def _summary(self) -> str:
        """What the bar says beside the time left."""
        position = self.state.position
        speed = position.stage_samples / max(60 * position.stage_minutes, 1e-9)
        return f"loss {position.loss_mean:.5f}{self._decibels}, {position.samples} samples, {speed:.1f}/s"

    @property
    def _decibels(self) -> str:
        return f", {self.metrics['psnr_y']:.2f} dB" if "psnr_y" in self.metrics else ""

    @property
    def summary(self) -> str:
        """How far it has come, and where its weights lie."""
        return f"{self.state.position.step} steps{self._decibels}: {self.out / self.name}.safetensors"

    def _log(self, line: dict[str, Any]) -> None:
        self.out.mkdir(parents=True, exist_ok=True)
        with (self.out / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")
        numbers = {
            f"{line['event']}/{key}": value for key, value in line.items() if not isinstance(value, str)
        }
        self.accelerator.log(numbers, step=self.state.position.step)


def _digest(files: list[Path]) -> str:
    """Of the pictures' names and sizes, not of where they lie: a run may go on where they have been moved."""
    listed = [(path.name, path.stat().st_size) for path in files]
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()[:16]


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
