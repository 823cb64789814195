"""Between two networks: measure their weighted means on the held-out images, and write one as weights.

    python -m training.blend NEW --flow-of OLD --data DIR [DIR ...] [--shares 0 0.25 0.5 1] [--json FILE]
                             [--share S --out FOLDER]

NEW and OLD are weights of the same FGRN, such as those that a run ended with and those that it started from. A share s
gives F the weights (1 - s) OLD + s NEW, G_d and G_u are NEW's; with `--rescaling-of` it is the other way round. The
longer F is fitted to bicubic, the less of x comes back through 8 bit, and the longer G_d is, the less x can carry; on
the way between the two lies a network that gives up a little of each. A share above 1 goes on beyond NEW in the same
direction.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from fgrn import checkpoint
from fgrn.batch import UsageError, try_writing, writing
from fgrn.checkpoint import Card
from fgrn.models import FGRN
from training.options import add_figures, add_hold_out, number, write_figures
from training.validate import held_out, validate

logger = logging.getLogger(__name__)

MOST = 3.0
"""The largest share: so far beyond NEW no network was found to be of use."""
SHARE = number(float, 0, most=MOST)
FLOW, RESCALING = ("flow.",), ("downscaler.", "upscaler.")
"""What can be blended: F, or G_d and G_u; beginnings of the names of its weights."""


def blend(new: FGRN, old: FGRN, share: float, part: tuple[str, ...] = FLOW) -> FGRN:
    """NEW, with (1 - share) of OLD and share of its own in a part, `FLOW` or `RESCALING`.

    Raises:
        ValueError: if the two are not of one shape, or have no such part.
    """
    if new.config != old.config or not any(name.startswith(part) for name in new.state_dict()):
        raise ValueError(f"no {_named(part)} between {old.config} and {new.config}")
    net, start = FGRN(new.config), old.state_dict()
    mean = {
        name: torch.lerp(start[name], tensor, share) if name.startswith(part) else tensor
        for name, tensor in new.state_dict().items()
    }
    net.load_state_dict(mean)
    return net.eval()


def _named(part: tuple[str, ...]) -> str:
    return "F" if part is FLOW else "G_d and G_u"


def load(path: Path) -> tuple[FGRN, Card]:
    """Weights of a FGRN, with their card.

    Raises:
        UsageError: for those of another network.
        CheckpointError: if they are missing or damaged.
    """
    net, card = checkpoint.load(path)
    if not isinstance(net, FGRN):
        raise UsageError(f"{path} is no FGRN: name weights with an F")
    return net, card


def measured(
    new: FGRN,
    old: FGRN,
    shares: Sequence[float],
    images: Sequence[torch.Tensor],
    part: tuple[str, ...] = FLOW,
) -> list[dict[str, float]]:
    """What `training.validate` says of every share."""
    return [{"share": share, **validate(blend(new, old, share, part), images)} for share in shares]


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    arguments = _parse_arguments(argv)
    logging.basicConfig(format="%(message)s")
    try:
        _measure(arguments)
    except (ValueError, FileNotFoundError) as error:
        logger.error("cannot go on: %s", error)
        return 2
    return 0


def _parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m training.blend", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("new", type=Path, metavar="NEW", help="weights (*.safetensors)")
    others = parser.add_mutually_exclusive_group(required=True)
    others.add_argument("--flow-of", type=Path, metavar="OLD", help="weights with the other F")
    others.add_argument("--rescaling-of", type=Path, metavar="OLD", help="weights with the other G_d and G_u")
    parser.add_argument(
        "--data", type=Path, nargs="+", required=True, help="the folders of the training images"
    )
    add_hold_out(parser)
    parser.add_argument(
        "--shares", type=SHARE, nargs="+", default=[0.0, 0.25, 0.5, 1.0], help=f"of NEW, 0 to {MOST:g}"
    )
    add_figures(parser)
    parser.add_argument("--share", type=SHARE, help="the share to write")
    parser.add_argument("--out", type=Path, help="folder for the weights of --share")
    arguments = parser.parse_args(argv)
    if (arguments.share is None) != (arguments.out is None):
        parser.error("--share and --out belong together")
    return arguments


def _measure(arguments: argparse.Namespace) -> None:
    target = arguments.out / arguments.new.name if arguments.out else None
    if target:
        if target.exists():
            raise UsageError(f"{target} is there already and would be lost: choose another --out")
        try_writing(target)
    part = FLOW if arguments.flow_of else RESCALING
    (new, card), (old, other) = load(arguments.new), load(arguments.flow_of or arguments.rescaling_of)
    images = held_out(arguments.data, arguments.hold_out)
    rows = measured(new, old, arguments.shares, images, part)
    for row in rows:
        print(", ".join(f"{key} {value:.4f}" for key, value in row.items()))
    if target:
        net = blend(new, old, arguments.share, part)
        notes = (
            f"{_named(part)}: {1 - arguments.share:g} of those of {other.digest}, "
            f"{arguments.share:g} of those of {card.digest}"
        )
        provenance = replace(
            card.provenance,
            metrics={"validation": validate(net, images)},
            notes="; ".join(filter(None, (card.provenance.notes, notes))),
        )
        with writing(target):
            checkpoint.save(net, target, provenance)
    figures = {"new": card.digest, "old": other.digest, "images": len(images), "rows": rows}
    write_figures(arguments.json, figures)


if __name__ == "__main__":
    raise SystemExit(main())
