"""What the command line does. Results go to files and stdout, all else to stderr."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch
from PIL import Image

from fgrn import __version__, comparison
from fgrn.batch import UNUSABLE, Job, Reporter, UsageError, find_pictures, plan
from fgrn.checkpoint import CheckpointError
from fgrn.comparison import Scores
from fgrn.files import write_atomic, write_json
from fgrn.images import ImageError, encode_png, read_image
from fgrn.lr_files import restore, source_of
from fgrn.memory import memory_errors_as
from fgrn.methods import METHODS, OtherMethodError
from fgrn.pipeline import RescaleError, Rescaler, default_device, device_of, load
from fgrn.record import by_method
from fgrn.repeat import repeat
from fgrn.scores import METRICS

DEFAULT_METHODS = ("bicubic", "irn", "fgrn")
NO_MEMORY = "there is not enough memory for this picture. Use a smaller one, or --device cpu."

Write = Callable[[Job, Reporter], bytes]


@dataclass
class Rescalers:
    """Rescalers for the options of a command line, each loaded once."""

    weights: str | None
    device: torch.device
    seed: int | None = None
    _loaded: dict[tuple[str, int], Rescaler] = field(default_factory=dict)

    def get(self, method: str, scale: int) -> Rescaler:
        """The rescaler of a method.

        Raises:
            CheckpointError: if its weights cannot be used.
            RescaleError: for a scale that is not supported (a LR file may say anything).
        """
        key = (method, scale)
        if key not in self._loaded:
            weights = self.weights if METHODS[method].trained else None
            try:
                self._loaded[key] = load(
                    method, scale, device=self.device, weights=weights, latent_seed=self.seed
                )
            except CheckpointError:
                raise
            except ValueError as error:
                raise RescaleError(str(error)) from error
        return self._loaded[key]


def run(arguments: argparse.Namespace) -> int:
    """Carry out a parsed command line; returns the exit code.

    Raises:
        UsageError: if it cannot be carried out at all.
    """
    warnings.simplefilter(
        "ignore", Image.DecompressionBombWarning
    )  # read_image has a limit of its own, and words
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a terminal without arrows or the infinity sign
    reporter = Reporter(arguments.quiet)
    commands = {"downscale": downscale, "upscale": upscale, "compare": compare, "repeat": repeat_run}
    command = commands[arguments.command]
    try:
        command(arguments, reporter)
    except (CheckpointError, RescaleError) as error:
        raise UsageError(str(error)) from error
    return reporter.code


def downscale(arguments: argparse.Namespace, reporter: Reporter) -> None:
    """Write the LR PNG of every picture."""
    jobs = plan(arguments.inputs, arguments.output, reporter, force=arguments.force)
    rescaler = Rescalers(arguments.weights, _device(arguments.device)).get(arguments.method, arguments.scale)

    def shrunk(job: Job, reporter: Reporter) -> bytes:
        image = read_image(job.source)
        for notice in image.notices:
            reporter.note(f"{job.source}: {notice}")
        lr = rescaler.downscale(image)
        return encode_png(lr, rescaler.info((image.pixels.shape[0], image.pixels.shape[1])))

    _write_all(jobs, shrunk, reporter)


def upscale(arguments: argparse.Namespace, reporter: Reporter) -> None:
    """Write the restored picture of every LR file."""
    jobs = plan(arguments.inputs, arguments.output, reporter, force=arguments.force)
    rescalers = Rescalers(arguments.weights, _device(arguments.device), arguments.seed)

    def restored(job: Job, reporter: Reporter) -> bytes:
        lr = read_image(job.source)
        source = source_of(lr, arguments.method, arguments.scale)
        for notice in source.notices:
            reporter.note(f"{job.source}: {notice}")
        if arguments.seed is not None and source.method != "irn":
            reporter.note(f"{job.source}: --seed has no effect, only IRN draws z at random.")
        rescaler = rescalers.get(source.method, source.scale)
        return encode_png(restore(rescaler, lr, source, other_weights=arguments.allow_other_weights))

    _write_all(jobs, restored, reporter)


def _write_all(jobs: list[Job], make: Write, reporter: Reporter) -> None:
    written = 0
    with reporter.progress(len(jobs), "picture") as advance:
        for job in jobs:
            with _failures_named(job.source, reporter, job.target):
                if job.problem:
                    raise RescaleError(job.problem)
                data = make(job, reporter)
                job.target.parent.mkdir(parents=True, exist_ok=True)
                write_atomic(job.target, data)
                written += 1
            advance()
    if len(jobs) > 1:
        reporter.note(f"{written} of {len(jobs)} pictures written.")


@contextmanager
def _failures_named(source: Path, reporter: Reporter, target: Path | None = None) -> Iterator[None]:
    """Report an expected failure on one picture, which is to be written to `target`, and go on."""
    try:
        with memory_errors_as(RescaleError, NO_MEMORY):
            yield
    except CheckpointError as error:
        reporter.fail(f"{source}: {error}", UNUSABLE)
    except (ImageError, RescaleError) as error:
        reporter.fail(f"{source}: {error}")
    except BrokenPipeError:
        raise
    except OSError as error:
        what = error.filename or "the result"
        if target and Path(what) not in target.parents:  # the temporary file, which is gone
            what = target
        reporter.fail(f"{source}: {what} cannot be written: {error.strerror or error}")


def compare(arguments: argparse.Namespace, reporter: Reporter) -> None:
    """Print a table per picture, and one of the means; write the figures as JSON if asked to."""
    found = {
        picture.source.resolve(): picture.source for picture in find_pictures(arguments.inputs, reporter)
    }
    pictures = list(found.values())  # named twice, by two ways, a picture would weigh twice in the means
    if arguments.json and Path(arguments.json).resolve() in found:
        raise UsageError(f"{arguments.json}: --json would overwrite an input: choose another name.")
    if arguments.json and Path(arguments.json).is_dir():
        raise UsageError(f"{arguments.json}: --json names a folder: choose the name of a file in it.")
    reporter.unread_goes_on = bool(arguments.json)
    rescalers = _compared(arguments, reporter)
    shown = [key for key in METRICS if arguments.no_reference or key not in ("niqe", "piqe")]
    figures: dict[str, dict[str, Scores]] = {}
    with reporter.progress(len(pictures) * len(rescalers), "run") as advance:
        for path in pictures:
            with _failures_named(path, reporter):
                image = read_image(path)
                for notice in image.notices:
                    reporter.note(f"{path}: {notice}")
                bicubic_lr = load("bicubic", arguments.scale, device="cpu").downscale(image)
                rows = comparison.measure_all(
                    rescalers, image, bicubic_lr, advance, no_reference=arguments.no_reference
                )
                figures[str(path)] = rows
                height, width = image.pixels.shape[:2]
                lr_height, lr_width = bicubic_lr.shape[:2]
                size = f"{width} x {height} -> {lr_width} x {lr_height}, x{arguments.scale}"
                reporter.result(f"{path} ({size})\n{comparison.table(rows, shown)}\n")
    columns = by_method(figures, list(rescalers)) if figures else {}
    means = comparison.means(columns)
    if len(figures) > 1:
        notes = "".join(f"left out of the mean: {line}\n" for line in comparison.left_out(columns))
        reporter.result(f"mean of {len(figures)} pictures\n{comparison.table(means, shown)}\n{notes}")
    if arguments.json:
        content = {
            "version": __version__,
            "scale": arguments.scale,
            "device": str(device_of(rescalers.values())),
            "seed": arguments.seed,
            "weights": {name: rescaler.digest for name, rescaler in rescalers.items()},
            "images": {path: comparison.plain(rows) for path, rows in figures.items()},
            "mean": comparison.plain(means),
        }
        try:
            write_json(Path(arguments.json), content)
        except OSError as error:
            raise UsageError(f"{arguments.json} cannot be written: {error.strerror or error}") from error


def repeat_run(arguments: argparse.Namespace, reporter: Reporter) -> None:
    """Repeat a run of the page, Compare or Benchmark, from its ZIP, and say whether the figures are equal."""
    device = _device(arguments.device)
    named, own = Rescalers(arguments.weights, device), Rescalers(None, device)

    def get(method: str, scale: int) -> Rescaler:
        try:
            return named.get(method, scale)
        except OtherMethodError:  # one file holds one of the methods of the run
            return own.get(method, scale)

    repeat(Path(arguments.archive), arguments.inputs, get, reporter)


def _compared(arguments: argparse.Namespace, reporter: Reporter) -> dict[str, Rescaler]:
    """The rescalers to compare. A method that the user did not name is left out if it has no weights."""
    rescalers = Rescalers(arguments.weights, _device(arguments.device), arguments.seed)
    chosen: dict[str, Rescaler] = {}
    for name in dict.fromkeys(arguments.methods or DEFAULT_METHODS):
        try:
            chosen[name] = rescalers.get(name, arguments.scale)
        except CheckpointError as error:
            if arguments.methods:
                raise
            reporter.note(f"{METHODS[name].label} is left out: {error}")
    return chosen


def _device(text: str | None) -> torch.device:
    """The device of --device, tried out.

    Raises:
        UsageError: if torch does not know it or cannot use it here.
    """
    if text is None:
        return default_device()
    try:
        torch.zeros(1, device=text).cpu()
    except (RuntimeError, AssertionError, NotImplementedError, ImportError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UsageError(f"--device {text} cannot be used ({reason}). Try --device cpu.") from error
    return torch.device(text)
