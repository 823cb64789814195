"""Measure methods on benchmark folders.

`python -m training.evaluate --data DIR [DIR ...] --scale 4 --methods bicubic irn fgrn --json out.json`

Several processes share the images: `accelerate launch --num_processes 2 -m training.evaluate ...` on GPUs,
`ACCELERATE_USE_CPU=true torchrun --nproc-per-node 2 -m training.evaluate ...` on a CPU.

Protocol: HR cropped to a multiple of the scale; x and LR rounded to 8 bit; the reconstruction clamped and rounded;
Y channel, `scale` pixels cropped on each side; mean over the images where all methods measured have the figure. The
JSON is

    {"datasets": {"Set5": {"fgrn": {"mean": {"psnr_y": ..}, "images": {"baby": {"psnr_y": ..}}}}},
     "skipped": {"Set5": {"count": 1, "images": {"broken": "why"}}},
     "weights": {"fgrn": {"sha256": .., "parameters": .., "provenance": ..}}, "scale": 4, "limit": null, ...}

with psnr_y, ssim_y and psnr_rgb of the reconstruction through F and F^-1, psnr_y_direct of G_u(x) without them,
lr_psnr_y and lr_psnr_rgb of LR against bicubic, NIQE and PIQE of LR (null where they mean nothing, or pyiqa is not
installed), x_exact, bytes of the LR PNG, seconds, megapixels of HR, and seconds_per_megapixel, down and up; its mean is
all seconds over all megapixels.
"""

from __future__ import annotations

import argparse
import logging
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import PartialState
from accelerate.utils import gather_object, parse_flag_from_env
from tqdm import tqdm

from fgrn import comparison, metrics
from fgrn.batch import UsageError
from fgrn.figures import means
from fgrn.images import ImageError, read_image
from fgrn.inputs import RescaleError
from fgrn.memory import memory_errors_as
from fgrn.methods import METHODS, SCALES, load_card
from fgrn.pipeline import MIN_SIDE, Rescaler, Result, device_of, load, rescale
from fgrn.pixels import Pixels, crop_to_multiple
from fgrn.scores import BLIND, METRICS, Plain, Score, Scores, plain
from training.data import list_images
from training.environment import environment
from training.options import ONE_OR_MORE, THREADS, add_figures, write_figures
from training.results import merge, outdated, read

logger = logging.getLogger(__name__)

Outcome = dict[str, Scores] | str
"""The figures of one image by rescaler, or why the image was skipped."""

LONGEST_WAIT = timedelta(hours=3)  # processes meet only at the end, and not all of them at the same time


def evaluate(
    folders: Sequence[Path],
    rescalers: dict[str, Rescaler],
    *,
    no_reference: bool = True,
    limit: int | None = None,
) -> dict[str, Any]:
    """Figures of every rescaler on every image of every folder, or on the first `limit` of each folder.

    Processes of Accelerate share the images (see `join_processes`). All of them get the same result, which does not
    depend on their number, but for the timings: the structures under "datasets" and "skipped" of the JSON.
    `no_reference` stands for NIQE and PIQE.

    Raises:
        FileNotFoundError: for a folder without images.
        ValueError: for two folders of the same name.
    """
    state = PartialState()
    sets = image_sets(folders, limit)
    jobs = [(dataset, name) for dataset, images in sets.items() for name in images]
    # In turn, not in blocks: sets differ in the size of their images.
    mine = jobs[state.process_index :: state.num_processes]
    for rescaler in rescalers.values():  # what a process does once is no property of the method
        rescale(rescaler, np.zeros((4 * MIN_SIDE, 4 * MIN_SIDE, 3), dtype=np.uint8))
    measured = [
        ((dataset, name), measure_file(sets[dataset][name], rescalers, no_reference=no_reference))
        for dataset, name in tqdm(mine, unit="image", disable=not state.is_main_process)
    ]
    outcomes: dict[tuple[str, str], Outcome] = dict(gather_object(measured))
    content: dict[str, Any] = {"datasets": {}, "skipped": {}}
    for dataset, images in sets.items():
        found = {name: outcomes[dataset, name] for name in images}
        scores = {name: rows for name, rows in found.items() if not isinstance(rows, str)}
        skipped = {name: reason for name, reason in found.items() if isinstance(reason, str)}
        if state.is_main_process:
            _warn(dataset, list(scores.values()), skipped)
        content["datasets"][dataset] = _summaries(scores, list(rescalers))
        content["skipped"][dataset] = {"count": len(skipped), "images": skipped}
    return content


def image_sets(folders: Sequence[Path], limit: int | None = None) -> dict[str, dict[str, Path]]:
    """The images of every folder by the names of both: a path in the folder, with its ending only if need be.

    Raises:
        FileNotFoundError: for a folder without images.
        ValueError: for two folders of the same name.
    """
    sets: dict[str, dict[str, Path]] = {}
    for folder in folders:
        dataset = folder.resolve().name
        if dataset in sets:
            raise ValueError(f"two folders are called {dataset}: their figures could not be told apart")
        files = [path.relative_to(folder) for path in list_images(folder)]
        uses = Counter(path.with_suffix("") for path in files)
        names = [path.with_suffix("") if uses[path.with_suffix("")] == 1 else path for path in files]
        sets[dataset] = {
            name.as_posix(): folder / path for name, path in list(zip(names, files, strict=True))[:limit]
        }
    return sets


def measure_file(path: Path, rescalers: dict[str, Rescaler], *, no_reference: bool) -> Outcome:
    """One image through every rescaler; a text if it cannot be read or is too small."""
    scores: dict[str, Scores] = {}
    bicubic_lr: dict[int, Pixels] = {}
    try:
        with memory_errors_as(RescaleError, "there is not enough memory for it"):
            pixels = read_image(path).pixels
            for variant, rescaler in rescalers.items():
                scale, hr = rescaler.scale, crop_to_multiple(pixels, rescaler.scale)
                if scale not in bicubic_lr:
                    bicubic_lr[scale] = load("bicubic", scale, device="cpu").downscale(hr)
                result = rescale(rescaler, hr)
                scores[variant] = measure(result, rescaler, bicubic_lr[scale], no_reference=no_reference)
    except (ImageError, RescaleError) as error:
        return str(error)
    return scores


def measure(result: Result, rescaler: Rescaler, bicubic_lr: Pixels, *, no_reference: bool) -> Scores:
    """The figures of one image through one rescaler: what the page and the CLI show, and three more."""
    height, width = result.hr.shape[:2]
    without_flow = rescaler.net.reach.flow == 0  # then the direct way is the same
    direct = result.reconstruction if without_flow else rescaler.decode(result.x, (height, width))
    scores = comparison.measure(result, bicubic_lr, no_reference=no_reference)
    scores["psnr_y_direct"] = comparison.as_score(metrics.psnr_y(direct, result.hr, crop=result.scale))
    scores["megapixels"] = Score(height * width / 1e6)
    return scores | {"seconds_per_megapixel": _seconds_per_megapixel([scores])}


def join_processes(device: str | None = None, threads: int | None = None) -> PartialState:
    """Join the processes that were launched together, if there are several, and share the cores with them.

    `threads` are those of each process; by default all cores are shared out evenly.
    """
    several = int(os.environ.get("WORLD_SIZE", "1")) > 1
    # Accelerate takes CPU processes for single ones unless it is told; alone, its own choice of a device is left be.
    cpu = device == "cpu" or parse_flag_from_env("ACCELERATE_USE_CPU") or not torch.accelerator.is_available()
    state = PartialState(cpu=several and cpu, timeout=LONGEST_WAIT)
    if several and threads is None:  # the launcher gives each one thread
        threads = max(1, len(os.sched_getaffinity(0)) // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
    if threads is not None:
        torch.set_num_threads(threads)
    return state


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line of this script."""
    parser = argparse.ArgumentParser(
        prog="python -m training.evaluate", description=(__doc__ or "").splitlines()[0]
    )
    add = parser.add_argument
    add("--data", required=True, nargs="+", type=Path, help="folders of HR images, one per set")
    add("--scale", required=True, type=int, choices=SCALES)
    add("--methods", nargs="+", default=["bicubic", "irn", "fgrn"], choices=METHODS)
    add("--weights", type=Path, help="weights (*.safetensors) for the one method that is named")
    add_figures(parser)
    add(
        "--update",
        action="store_true",
        help="keep what --json's file says of other sets and methods, but none of other weights",
    )
    add("--limit", type=ONE_OR_MORE, metavar="N", help="only the first N images of each folder")
    add("--reference-only", action="store_true", help="leave out NIQE and PIQE, which judge LR by itself")
    add("--device", help="default: what Accelerate finds")
    add("--threads", type=THREADS, help="CPU threads of each process (default: all cores, shared out)")
    arguments = parser.parse_args(argv)
    if arguments.update and not arguments.json:
        parser.error("--update is about the file that --json names")
    return arguments


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit status: 1 if a set has no image that can be measured."""
    arguments = parse_arguments(argv)
    state = join_processes(arguments.device, arguments.threads)
    try:
        return _measure(arguments, state)
    finally:
        state.destroy_process_group()


def _measure(arguments: argparse.Namespace, state: PartialState) -> int:
    logging.basicConfig(
        level=logging.INFO if state.is_main_process else logging.CRITICAL, format="%(message)s"
    )
    if arguments.weights and len(arguments.methods) != 1:
        logger.error("cannot start: --weights goes with exactly one method in --methods")
        return 2
    try:
        rescalers = {
            name: load(name, arguments.scale, device=arguments.device, weights=arguments.weights)
            for name in arguments.methods
        }
        weights = provenance(arguments)
        image_sets(arguments.data, arguments.limit)
        old = read(arguments.json, arguments.scale, arguments.limit) if arguments.update else None
    except (FileNotFoundError, ValueError) as error:
        logger.error("cannot start: %s", error)
        return 2
    no_reference = not arguments.reference_only
    figures = evaluate(arguments.data, rescalers, no_reference=no_reference, limit=arguments.limit)
    if state.is_main_process:
        for dataset, methods in figures["datasets"].items():
            for name, entry in methods.items():
                shown = _shown({**entry["mean"], "parameters": weights.get(name, {}).get("parameters")})
                skipped = figures["skipped"][dataset]["count"]
                of = f"{len(entry['images'])} of {len(entry['images']) + skipped} images" if skipped else ""
                print(f"{dataset:10} {name:12} " + "  ".join(filter(None, [*shown, of])))
        if arguments.json:
            made = environment(device_of(rescalers.values()), state.num_processes)
            content = {
                "environment": made,
                "scale": arguments.scale,
                "limit": arguments.limit,
                "weights": weights,
                **figures,
            }
            for lost in outdated(old, content) if old else ():
                logger.warning("%s: measured with other weights, and left out now", lost)
            try:
                write_figures(arguments.json, merge(old, content) if old else content)
            except UsageError as error:
                logger.error("the figures are lost: %s", error)
                return 2
    return int(not all(entry["images"] for sets in figures["datasets"].values() for entry in sets.values()))


def provenance(arguments: argparse.Namespace) -> dict[str, Any]:
    """The cards of the weights that are measured."""
    cards = {name: load_card(name, arguments.scale, arguments.weights) for name in arguments.methods}
    return {
        name: {"sha256": card.sha256, "parameters": card.parameters, "provenance": asdict(card.provenance)}
        for name, card in cards.items()
        if card is not None
    }


def _seconds_per_megapixel(rows: list[Scores]) -> Score:
    down, up, megapixels = (
        sum(row[key].value or 0.0 for row in rows) for key in ("seconds_down", "seconds_up", "megapixels")
    )
    return Score((down + up) / megapixels)


def _summaries(scores: dict[str, dict[str, Scores]], variants: Sequence[str]) -> dict[str, Any]:
    """The figures of every rescaler on one set for the JSON, from those of every image; no means if there is none."""
    columns = {variant: [rows[variant] for rows in scores.values()] for variant in variants}
    averages = means(columns)
    for variant, rows in columns.items():
        if rows:
            averages[variant]["seconds_per_megapixel"] = _seconds_per_megapixel(rows)
    return {
        variant: {
            "mean": mean,
            "images": plain({name: rows[variant] for name, rows in scores.items()}),
        }
        for variant, mean in plain(averages).items()
    }


def _warn(dataset: str, images: list[dict[str, Scores]], skipped: dict[str, str]) -> None:
    """Name what was skipped, and say once for a set why NIQE or PIQE have no value."""
    for name, reason in skipped.items():
        logger.warning("%s: %s is skipped: %s", dataset, name, reason)
    rows = [row for image in images for row in image.values()]
    missing = []
    for key in BLIND:
        reasons = [row[key].reason for row in rows if key in row and row[key].value is None]
        if reasons:
            [(reason, _)] = Counter(reasons).most_common(1)
            missing.append(f"{METRICS[key].name} for {len(reasons)} of {len(rows)} LR images ({reason})")
    if missing:
        logger.warning("%s: no value of %s", dataset, "; ".join(missing))


def _shown(row: dict[str, Plain]) -> list[str]:
    quality = ("psnr_y", "ssim_y", "psnr_rgb", "psnr_y_direct")
    names = (*quality, "lr_psnr_y", "lr_psnr_rgb", "niqe", "piqe", "x_exact")
    forms = dict.fromkeys(names, ".4f") | {"parameters": ",.0f", "seconds_per_megapixel": ".2f"}
    numbers = {name: value for name in forms if isinstance(value := row.get(name), int | float)}
    return [f"{name} {value:{forms[name]}}" for name, value in numbers.items()]


if __name__ == "__main__":
    raise SystemExit(main())
