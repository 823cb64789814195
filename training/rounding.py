"""What storing weights as float16 costs: `python -m training.rounding RUN [RUN ...] --data DIR [...] [--json FILE]`.

Every RUN is the folder of a training run. The averaged weights of its last checkpoint, in float32, and the same weights
as they are shipped restore the held-out images; the difference is the cost.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from fgrn import checkpoint
from fgrn.batch import UsageError
from fgrn.checkpoint import Card
from fgrn.models import RescalingNet, build
from training.options import add_figures, add_hold_out, write_figures
from training.state import has_state, read_state
from training.validate import held_out, validate

logger = logging.getLogger(__name__)


def both_weights(run: Path) -> tuple[RescalingNet, RescalingNet, Card]:
    """The averaged weights of a run's last checkpoint, in float32 and as they are shipped, and their card.

    Raises:
        UsageError: if the folder holds no checkpoint of a run.
    """
    if not has_state(run):
        raise UsageError(f"{run} is no folder of a training run: name those that --out named")
    state = read_state(run, torch.device("cpu"))
    shipped, card = checkpoint.load(run / f"{state['identity']['name']}.safetensors")
    exact = build(card.config)
    exact.load_state_dict(state["averaged"])
    return exact.eval(), shipped, card


def cost(run: Path, images: Sequence[torch.Tensor]) -> dict[str, Any]:
    """What the held-out images say of a run: Y-PSNR in dB with both kinds of weights, and their difference."""
    exact, shipped, card = both_weights(run)
    before, after = (validate(net, images)["psnr_y_direct"] for net in (exact, shipped))
    return {
        "recipe": card.provenance.recipe,
        "weights": card.digest,
        "psnr_y_float32": before,
        "psnr_y_float16": after,
        "cost": before - after,
    }


def measured(runs: Sequence[Path], data: Sequence[Path], hold_out: int) -> list[dict[str, Any]]:
    """`cost` of every run, on the images that its training held out."""
    images = held_out(data, hold_out)
    return [cost(run, images) for run in runs]


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m training.rounding", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="folders of training runs")
    parser.add_argument(
        "--data", type=Path, nargs="+", required=True, help="the folders of the training images"
    )
    add_hold_out(parser)
    add_figures(parser)
    arguments = parser.parse_args(argv)
    logging.basicConfig(format="%(message)s")
    try:
        rows = measured(arguments.runs, arguments.data, arguments.hold_out)
        for row in rows:
            print(", ".join(f"{key} {value}" for key, value in row.items()))
        write_figures(arguments.json, {"rows": rows})
    except (ValueError, FileNotFoundError) as error:
        logger.error("cannot go on: %s", error)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
