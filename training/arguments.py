"""The command line of `training.train`."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from training.data import MEMORY_LIMIT
from training.losses import ERRORS
from training.options import (
    ABOVE_ZERO,
    COUNT,
    FROM_ZERO,
    ONE_OR_MORE,
    SEED,
    add_hold_out,
    add_threads,
    number,
)
from training.recipes import OPTIMIZERS, RECIPES, SCHEDULES, Recipe

TRACKERS = ("tensorboard", "trackio")
PRECISIONS = ("float32", "bf16")
_SHRINK = number(int, 2)
_WEIGHT = {"type": FROM_ZERO}
OVERRIDES: dict[str, tuple[str, dict[str, Any]]] = {
    "gamma": ("weight of the log-determinant in L_guide", _WEIGHT),
    "exactness": ("weight in L_guide of what 8 bit lose of x", _WEIGHT),
    "overshoot_weight": ("weight of what F(x) goes beyond the grey levels beside L_guide", _WEIGHT),
    "bicubic_weight": ("weight of |x - bicubic| beside equation 7", _WEIGHT),
    "chroma_weight": ("weight of the squared colour of x - bicubic beside equation 7", _WEIGHT),
    "luma_weight": ("weight of the error of luma beside equation 7, or beside IRN's losses", _WEIGHT),
    "error": (
        "how equation 7 measures the error: l1, or each patch's root mean square",
        {"choices": ERRORS},
    ),
    "seed": ("of the start and of the samples", {"type": SEED}),
}
"""Options that replace a field of `Recipe`, by its name: what it is, and what the option takes."""


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """What is trained, on what, for how long."""
    parser = argparse.ArgumentParser(
        prog="python -m training.train", description="Train one recipe; see training/README.md."
    )
    add = parser.add_argument
    add("--recipe", required=True, choices=RECIPES, help="what to train")
    add("--data", required=True, nargs="+", type=Path, help="folders of training images")
    add("--out", required=True, type=Path, help="folder of the run")
    add(
        "--minutes",
        type=ABOVE_ZERO,
        help="budget in minutes of steps, over all stages; reading and measuring come on top",
    )
    add("--samples", type=COUNT, help="budget in HR patches, over all stages")
    add("--schedule", choices=SCHEDULES, default="staged", help="default: staged; see training/README.md")
    add("--optimizer", choices=OPTIMIZERS, help="adam also lowers the learning rates (default: the recipe's)")
    add(
        "--only",
        metavar="STAGE",
        help="only this stage: rescaling or flow, irn-coarse or irn; best with --init",
    )
    add("--anneal", action="store_true", help="learning rates fall from the start on; best with --init")
    # one value, or one for each stage; default: the recipe's
    add(
        "--batch-size",
        type=ONE_OR_MORE,
        nargs="+",
        metavar="N",
        help="patches per step and process, in each stage",
    )
    add(
        "--patch",
        type=ONE_OR_MORE,
        nargs="+",
        metavar="N",
        help="HR pixels of a patch's side, in each stage",
    )
    add(
        "--blocks",
        type=COUNT,
        nargs=2,
        metavar=("DOWN", "UP"),
        help="residual blocks of FGRN's G_d and G_u; those that --init lacks start as the identity",
    )
    add("--learning-rate", type=ABOVE_ZERO, nargs="+", metavar="RATE", help="in each stage")
    for name, (text, kind) in OVERRIDES.items():
        add(f"--{name.replace('_', '-')}", help=f"{text} (default: the recipe's)", **kind)
    add("--resume", action="store_true", help="go on from the run's last checkpoint, if there is one")
    add("--init", type=Path, help="start from these weights (*.safetensors)")
    add(
        "--shrink",
        nargs="+",
        type=_SHRINK,
        default=[],
        metavar="N",
        help="also train on large pictures at 1/N of their size, for each N",
    )
    add(
        "--graphics",
        type=number(float, 0, most=1),
        default=0.0,
        metavar="SHARE",
        help="of the patches, to be drawn or recoloured: what photographs lack (default: 0)",
    )
    add_hold_out(parser, "images kept for validation")
    add("--checkpoint-minutes", type=FROM_ZERO, default=3.0, help="time between checkpoints (default: 3)")
    add("--precision", choices=PRECISIONS, help="of the insides of the blocks (default: bf16 on a GPU)")
    add("--compile", action="store_true", help="compile residual and dense blocks first (20 s; for a GPU)")
    add_threads(parser)
    add("--cache", type=Path, help="folder for decoded pixels beyond --memory-limit (default: the run's)")
    add(
        "--memory-limit",
        type=FROM_ZERO,
        default=MEMORY_LIMIT / 2**30,
        help="GiB of pixels in memory (default: 4)",
    )
    add("--track", choices=TRACKERS, help="also log to this local tracker, if it is installed")
    return parser.parse_args(argv)


def recipe_of(arguments: argparse.Namespace) -> tuple[Recipe, str]:
    """The recipe with what the command line changes, and a note of that for the card."""
    recipe = RECIPES[arguments.recipe].scheduled(arguments.schedule)
    if arguments.blocks:
        recipe = recipe.with_blocks(*arguments.blocks)
    if arguments.optimizer == "adam":
        recipe = recipe.with_adam()
    elif arguments.optimizer:
        recipe = replace(recipe, optimizer=arguments.optimizer)
    if arguments.only:
        recipe = recipe.only(arguments.only)
    if arguments.anneal:
        recipe = recipe.annealed()
    changes = {name: getattr(arguments, name) for name in ("batch_size", "patch", "learning_rate")}
    recipe = recipe.with_stages(**changes)
    overrides = {name: getattr(arguments, name) for name in OVERRIDES}
    recipe = replace(recipe, **{name: value for name, value in overrides.items() if value is not None})
    flow = any(stage.objective in ("flow", "joint", "round-trip") for stage in recipe.stages)
    for name in ("gamma", "exactness"):
        if overrides[name] is not None and not flow:
            raise ValueError(f"--{name} has no effect: no stage trains F")
    chosen = {"optimizer": arguments.optimizer, "schedule": arguments.schedule}
    flags = {name: getattr(arguments, name) or None for name in ("anneal", "shrink", "graphics")}
    given = {
        **chosen,
        "precision": arguments.precision,
        "only": arguments.only,
        "blocks": arguments.blocks,
        **changes,
        **overrides,
        **flags,
    }
    stated = [f"{name} {_written(value)}" for name, value in given.items() if value not in (None, "staged")]
    return recipe, ", ".join(stated)


def _written(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
