"""How well methods restore what photographs lack: `python -m training.on_graphics --json assets/results/graphics.json`.

Pictures are drawn by `training.graphics` from a seed of their own, which no training uses; those in grey and in vivid
colours are the example photographs of the page. Figures are PSNR of RGB, in dB, over all pixels of a kind: what goes
wrong there are colours, which the Y channel hardly shows, and borders, which nothing cuts off here.
"""

from __future__ import annotations

import argparse
import logging
import math
from typing import Any

import numpy as np
import torch

from fgrn.compute import as_array, as_tensor
from fgrn.files import ASSETS
from fgrn.images import read_image
from fgrn.methods import METHODS, SCALES, load_card
from fgrn.ops import GREY_LEVELS, grey_levels
from fgrn.pipeline import Rescaler, load, rescale
from fgrn.pixels import Pixels
from training.graphics import KINDS, NUMBERS, Kind
from training.markdown import markdown
from training.options import add_figures, add_threads, use_threads, write_figures

logger = logging.getLogger(__name__)

EXAMPLES = ASSETS / "examples"
PHOTOS = ("coffee", "portrait")
SIDE = 192  # pixels
COUNT = 12  # pictures of a kind
SEED = 45
COMPARED = ("bicubic", "irn", "fgrn", "fgrn_refined")


def pictures(kind: Kind, count: int = COUNT, side: int = SIDE) -> list[Pixels]:
    """Pictures of one kind, (side, side, 3), the same ones at every call."""
    random, drawn = np.random.default_rng(SEED), []
    photos = [read_image(EXAMPLES / f"{name}.png").pixels for name in PHOTOS]
    for i in range(count):
        photo = photos[i % len(photos)]
        top, left = (int(random.random() * (length - side)) for length in photo.shape[:2])
        patch = as_tensor(photo[top : top + side, left : left + side], torch.device("cpu"))[0]
        levels = grey_levels(kind(patch, random.random(NUMBERS).tolist()))
        drawn.append(as_array(levels[None]))
    return drawn


def psnr(rescaler: Rescaler, hrs: list[Pixels]) -> float | None:
    """PSNR of RGB in dB over all pixels of all pictures; None if all come back as they were."""
    squares = [np.square(rescale(rescaler, hr).reconstruction.astype(np.float64) - hr).mean() for hr in hrs]
    mean = float(np.mean(squares))
    return 10 * math.log10(GREY_LEVELS**2 / mean) if mean else None


def measure(count: int = COUNT, side: int = SIDE) -> dict[str, Any]:
    """The content of the JSON: for each scale and method the PSNR of every kind, and the digests of the weights."""
    hrs = {name: pictures(kind, count, side) for name, kind in KINDS.items()}
    rows: list[dict[str, Any]] = []
    for scale in SCALES:
        for method in COMPARED:
            rescaler, card = load(method, scale), load_card(method, scale)
            figures = {name: psnr(rescaler, drawn) for name, drawn in hrs.items()}
            rows.append(
                {"method": method, "scale": scale, "sha256": card.sha256 if card else "", "psnr": figures}
            )
    return {"pictures": count, "side": side, "rows": rows}


def graphics_table(figures: dict[str, Any]) -> str:
    """PSNR of RGB by kind of picture."""
    rows = [
        [
            f"**{METHODS[row['method']].label}** x{row['scale']}",
            *("exact" if value is None else f"{value:.2f}" for value in row["psnr"].values()),
        ]
        for row in figures["rows"]
    ]
    return markdown(["PSNR of RGB (dB)", *figures["rows"][0]["psnr"]], rows)


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m training.on_graphics")
    add_figures(parser)
    add_threads(parser)
    arguments = parser.parse_args(argv)
    logging.basicConfig(format="%(message)s")
    use_threads(arguments.threads)
    try:
        figures = measure()
        print(graphics_table(figures))
        write_figures(arguments.json, figures)
    except ValueError as error:
        logger.error("cannot go on: %s", error)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
