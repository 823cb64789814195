"""Measure methods on benchmark folders.

`python -m training.evaluate --data DIR [DIR ...] --scale 4 --methods bicubic irn fgrn --json out.json`

Protocol: HR cropped to a multiple of the scale; x and LR rounded to 8 bit; the reconstruction clamped and rounded;
Y channel, `scale` pixels cropped on each side; mean over images. The JSON is

    {"datasets": {"Set5": {"fgrn": {"mean": {"psnr_y": ..}, "images": {"baby": {"psnr_y": ..}}}}}, ...}

with psnr_y and ssim_y of the reconstruction through F and F^-1, psnr_y_direct of G_u(x) without them, lr_psnr_y of
LR against bicubic, x_exact, seconds, bytes of the LR PNG, and NIQE / PIQE of the LR image on request.
"""

from __future__ import annotations

import argparse
import logging
import platform
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from fgrn import comparison, metrics
from fgrn.checkpoint import CheckpointError, write_json
from fgrn.images import read_image
from fgrn.methods import METHODS, load_card
from fgrn.pipeline import Pixels, Rescaler, Result, load, rescale
from training.data import list_images

logger = logging.getLogger(__name__)

Row = dict[str, float | None]


def crop_to_multiple(pixels: Pixels, scale: int) -> Pixels:
    """Cut the bottom and right so that both sides are multiples of `scale`."""
    height, width = pixels.shape[:2]
    return pixels[: height - height % scale, : width - width % scale]


def measure(result: Result, rescaler: Rescaler, bicubic_lr: Pixels, *, no_reference: bool) -> Row:
    """The figures of one picture through one method: what the page and the CLI show, and two more."""
    height, width = result.hr.shape[:2]
    exact = result.x_exact == 1  # always so without a flow: then the direct way is the same picture
    direct = result.reconstruction if exact else rescaler.decode(result.x, (height, width))
    scores = comparison.measure(result, bicubic_lr, no_reference=no_reference)
    row = comparison.plain({result.method: scores})[result.method]
    row["psnr_y_direct"] = metrics.psnr_y(direct, result.hr, crop=result.scale)
    row["megapixels"] = height * width / 1e6
    return row


def mean(rows: list[Row]) -> Row:
    """Mean of every figure over the images that have it."""
    averages: Row = {}
    for name in rows[0]:
        values = [value for row in rows if (value := row[name]) is not None]
        averages[name] = float(np.mean(values)) if values else None
    return averages


def evaluate(
    folders: list[Path], rescalers: dict[str, Rescaler], *, no_reference: bool, progress: Callable[[], object]
) -> dict[str, Any]:
    """Figures of every method on every image of every folder; the structure under "datasets" of the JSON."""
    datasets: dict[str, Any] = {}
    for folder in folders:
        images: dict[str, dict[str, Row]] = {name: {} for name in rescalers}
        for path in list_images(folder):
            pixels = read_image(path).pixels
            for name, rescaler in rescalers.items():
                hr = crop_to_multiple(pixels, rescaler.scale)
                bicubic_lr = load("bicubic", rescaler.scale, device="cpu").downscale(hr)
                images[name][path.stem] = measure(
                    rescale(rescaler, hr), rescaler, bicubic_lr, no_reference=no_reference
                )
                progress()
        datasets[folder.name] = {
            name: {"mean": mean(list(rows.values())), "images": rows} for name, rows in images.items()
        }
    return datasets


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line of this script."""
    parser = argparse.ArgumentParser(
        prog="python -m training.evaluate", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument(
        "--data", required=True, nargs="+", type=Path, help="folders of HR images, one per set"
    )
    parser.add_argument("--scale", required=True, type=int, choices=(2, 4))
    parser.add_argument("--methods", nargs="+", default=["bicubic", "irn", "fgrn"], choices=METHODS)
    parser.add_argument(
        "--weights", type=Path, help="weights (*.safetensors) for the one method that is named"
    )
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument(
        "--no-reference", action="store_true", help="also NIQE and PIQE of the LR images (pyiqa)"
    )
    parser.add_argument("--device", help="default: what Accelerate finds")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    arguments = parse_arguments(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if arguments.weights and len(arguments.methods) != 1:
        logger.error("cannot start: --weights goes with exactly one method in --methods")
        return 2
    try:
        rescalers = {
            name: load(name, arguments.scale, device=arguments.device, weights=arguments.weights)
            for name in arguments.methods
        }
        total = sum(len(list_images(folder)) for folder in arguments.data) * len(rescalers)
    except (CheckpointError, FileNotFoundError, ValueError) as error:
        logger.error("cannot start: %s", error)
        return 2
    with tqdm(total=total, unit="image") as bar:
        datasets = evaluate(
            arguments.data,
            rescalers,
            no_reference=arguments.no_reference,
            progress=bar.update,
        )
    for dataset, methods in datasets.items():
        for name, figures in methods.items():
            print(f"{dataset:10} {name:8} " + "  ".join(_shown(figures["mean"])))
    if arguments.json:
        content = {"environment": environment(), "scale": arguments.scale, "weights": provenance(arguments)}
        write_json(arguments.json, {**content, "datasets": datasets})
    return 0


def environment() -> dict[str, str]:
    """What the figures were measured on."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {torch.get_num_threads()} threads",
    }


def provenance(arguments: argparse.Namespace) -> dict[str, Any]:
    """The cards of the weights that were measured."""
    cards = {name: load_card(name, arguments.scale, arguments.weights) for name in arguments.methods}
    return {
        name: {"sha256": card.sha256, "parameters": card.parameters, "provenance": asdict(card.provenance)}
        for name, card in cards.items()
        if card is not None
    }


def _shown(row: Row) -> list[str]:
    names = ("psnr_y", "ssim_y", "psnr_y_direct", "lr_psnr_y", "x_exact", "niqe", "piqe")
    return [f"{name} {value:.4f}" for name in names if (value := row.get(name)) is not None]


if __name__ == "__main__":
    raise SystemExit(main())
