"""What the command line does. Results go to files and stdout, all else to stderr."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import torch
from PIL import Image

from fgrn import __version__, comparison
from fgrn.batch import Job, Reporter, UsageError, find_pictures, plan, try_writing, writing
from fgrn.checkpoint import CheckpointError
from fgrn.devices import usable_device
from fgrn.failures import failures_named
from fgrn.figures import by_method, left_out, means
from fgrn.files import write_atomic, write_json
from fgrn.images import encode_png, read_image
from fgrn.inputs import RescaleError
from fgrn.lr_files import source_of
from fgrn.methods import METHODS, label
from fgrn.pipeline import Rescaler, device_of
from fgrn.record import prepared
from fgrn.repeat import repeat
from fgrn.rescalers import Rescalers
from fgrn.scores import BLIND, METRICS, Scores, plain

DEFAULT_METHODS = ("bicubic", "irn", "fgrn")

NO_SEED = "--seed has no effect, only IRN draws z at random."
NOISE = "--seed: the weights here were trained with z = 0, with z drawn at random they may give noise."

Write = Callable[[Job, Reporter], bytes]


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
    if arguments.weights and not METHODS[arguments.method].trained:
        raise UsageError(f"--weights: {METHODS[arguments.method].label} has none. Name another --method.")
    rescaler = Rescalers(arguments.weights, _device(arguments.device)).get(arguments.method, arguments.scale)

    def shrunk(job: Job, reporter: Reporter) -> bytes:
        image = read_image(job.source)
        for notice in image.notices:
            reporter.note(f"{job.source}: {notice}")
        if image.info:
            made = f"{label(image.info.method)} x{image.info.scale}"
            reporter.note(f"{job.source}: this is itself an LR PNG of {made}, and is shrunk once more.")
        lr = rescaler.downscale(image)
        return encode_png(lr, rescaler.info((image.pixels.shape[0], image.pixels.shape[1])))

    _write_all(jobs, shrunk, reporter)


def upscale(arguments: argparse.Namespace, reporter: Reporter) -> None:
    """Write the restored picture of every LR file."""
    jobs = plan(arguments.inputs, arguments.output, reporter, force=arguments.force)
    rescalers = Rescalers(arguments.weights, _device(arguments.device), arguments.seed)
    if arguments.seed is not None and not arguments.weights:
        reporter.note(NOISE)

    def restored(job: Job, reporter: Reporter) -> bytes:
        lr = read_image(job.source)
        source = source_of(lr, arguments.method, arguments.scale)
        for notice in source.notices:
            reporter.note(f"{job.source}: {notice}")
        if arguments.seed is not None and source.method != "irn":
            reporter.note(f"{job.source}: {NO_SEED}")
        if arguments.weights and not METHODS[source.method].trained:
            reporter.note(f"{job.source}: --weights has no effect, {METHODS[source.method].label} has none.")
        rescaler = rescalers.get(source.method, source.scale)
        return encode_png(rescaler.upscale(lr, other_weights=arguments.allow_other_weights))

    _write_all(jobs, restored, reporter)


def _write_all(jobs: list[Job], make: Write, reporter: Reporter) -> None:
    written = 0
    with reporter.progress(len(jobs), "picture") as advance:
        for job in jobs:
            with failures_named(job.source, reporter):
                if job.problem:
                    raise RescaleError(job.problem)
                data = make(job, reporter)
                with writing(job.target):
                    job.target.parent.mkdir(parents=True, exist_ok=True)
                    write_atomic(job.target, data)
                written += 1
            advance()
    if len(jobs) > 1:
        reporter.note(f"{written} of {len(jobs)} pictures written.")


def compare(arguments: argparse.Namespace, reporter: Reporter) -> None:
    """Print a table per picture, and one of the means; write the figures as JSON if asked to, also after Ctrl-C."""
    found = {
        os.path.realpath(picture.source): picture.source
        for picture in find_pictures(arguments.inputs, reporter)
    }
    pictures = list(found.values())  # named twice, by two ways, a picture would weigh twice in the means
    if arguments.json and os.path.realpath(arguments.json) in found:
        raise UsageError(f"{arguments.json}: --json would overwrite an input: choose another name.")
    if arguments.json:
        try_writing(Path(arguments.json))
    reporter.unread_goes_on = bool(arguments.json)
    rescalers = _compared(arguments, reporter)
    shown = [key for key in METRICS if arguments.no_reference_metrics or key not in BLIND]
    figures: dict[str, dict[str, Scores]] = {}
    try:
        with reporter.progress(len(pictures) * len(rescalers), "run") as advance:
            for path in pictures:
                with failures_named(path, reporter):
                    rows, size = _measure(arguments, path, rescalers, advance, reporter)
                    figures[str(path)] = rows
                    reporter.result(f"{path} ({size})\n{comparison.table(rows, shown)}\n")
    except KeyboardInterrupt:
        if arguments.json and figures:
            with suppress(UsageError):
                _write_figures(arguments, rescalers, figures, pictures, complete=False)
        raise
    columns = by_method(figures, list(rescalers)) if figures else {}
    if len(figures) > 1:
        notes = "".join(f"left out of the mean: {line}\n" for line in left_out(columns))
        reporter.result(
            f"mean of {len(figures)} pictures\n{comparison.table(means(columns), shown)}\n{notes}"
        )
    if arguments.json:
        _write_figures(arguments, rescalers, figures, pictures, complete=True)


def _measure(
    arguments: argparse.Namespace,
    path: Path,
    rescalers: dict[str, Rescaler],
    advance: Callable[[], object],
    reporter: Reporter,
) -> tuple[dict[str, Scores], str]:
    """The figures of a picture by method, and its sizes in words."""
    image = read_image(path)
    for notice in image.notices:
        reporter.note(f"{path}: {notice}")
    hr = prepared(image.pixels, arguments.scale, arguments.protocol)
    rows = comparison.measure_all(rescalers, hr, advance, no_reference=arguments.no_reference_metrics)
    height, width = hr.shape[:2]
    lr_height, lr_width = (-(-side // arguments.scale) for side in (height, width))
    return rows, f"{width} x {height} -> {lr_width} x {lr_height}, x{arguments.scale}"


def _write_figures(
    arguments: argparse.Namespace,
    rescalers: dict[str, Rescaler],
    figures: dict[str, dict[str, Scores]],
    pictures: Sequence[Path],
    *,
    complete: bool,
) -> None:
    """Write what --json is for; `complete`, unless Ctrl-C came before all pictures had their turn."""
    content = {
        "version": __version__,
        "scale": arguments.scale,
        "protocol": arguments.protocol,
        "device": str(device_of(rescalers.values())),
        "seed": arguments.seed,
        "complete": complete,
        "skipped": [str(path) for path in pictures if str(path) not in figures] if complete else [],
        "weights": {name: rescaler.digest for name, rescaler in rescalers.items()},
        "images": {path: plain(rows) for path, rows in figures.items()},
        "mean": plain(means(by_method(figures, list(rescalers)) if figures else {})),
    }
    with writing(Path(arguments.json)):
        write_json(Path(arguments.json), content)


def repeat_run(arguments: argparse.Namespace, reporter: Reporter) -> None:
    """Repeat a run of the page, Compare or Benchmark, from its ZIP, and say whether the figures are equal."""
    rescalers = Rescalers(arguments.weights, _device(arguments.device), others_own=True)
    repeat(Path(arguments.archive), arguments.inputs, rescalers, reporter)


def _compared(arguments: argparse.Namespace, reporter: Reporter) -> dict[str, Rescaler]:
    """The rescalers to compare. A method that the user did not name is left out if it has no weights.

    Raises:
        UsageError: if --weights are those of none of them.
    """
    rescalers = Rescalers(arguments.weights, _device(arguments.device), arguments.seed, others_own=True)
    chosen: dict[str, Rescaler] = {}
    for name in dict.fromkeys(arguments.methods or DEFAULT_METHODS):
        try:
            chosen[name] = rescalers.get(name, arguments.scale)
        except CheckpointError as error:
            if arguments.methods:
                raise
            reporter.note(f"{METHODS[name].label} is left out: {error}")
    labels = ", ".join(METHODS[name].label for name in chosen)
    rescalers.check_used(
        f"x{arguments.scale} of {labels}", "Name their method in --methods, and their --scale."
    )
    if arguments.seed is not None and ("irn" not in chosen or not arguments.weights):
        reporter.note(NOISE if "irn" in chosen else NO_SEED)
    return chosen


def _device(text: str | None) -> torch.device:
    """The device of --device.

    Raises:
        UsageError: if it cannot be used here.
    """
    try:
        return usable_device(text)
    except ValueError as error:
        raise UsageError(f"--{error}") from error
