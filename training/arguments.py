"""The command line of `training.train`."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from training.data import MEMORY_LIMIT
from training.recipes import OPTIMIZERS, RECIPES, SCHEDULES, Recipe

TRACKERS = ("tensorboard", "trackio")
PRECISIONS = ("float32", "tf32", "bf16")


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """What is trained, on what, for how long."""
    parser = argparse.ArgumentParser(
        prog="python -m training.train", description="Train one recipe; see training/README.md."
    )
    add = parser.add_argument
    add("--recipe", required=True, choices=RECIPES, help="what to train")
    add("--data", required=True, nargs="+", type=Path, help="folders of training images")
    add("--out", required=True, type=Path, help="folder of the run")
    add("--minutes", type=float, help="budget in minutes of wall time, over all stages")
    add("--samples", type=int, help="budget in HR patches, over all stages")
    add("--schedule", choices=SCHEDULES, default="staged", help="default: staged; see training/README.md")
    add("--optimizer", choices=OPTIMIZERS, help="adam also lowers the learning rates (default: the recipe's)")
    add("--only", metavar="STAGE", help="only this stage of the recipe, such as flow; best with --init")
    # one value, or one for each stage; default: the recipe's
    add("--batch-size", type=int, nargs="+", metavar="N", help="patches per step and process, in each stage")
    add("--patch", type=int, nargs="+", metavar="N", help="HR pixels of a patch's side, in each stage")
    add("--learning-rate", type=float, nargs="+", metavar="RATE", help="in each stage")
    add("--gamma", type=float, help="weight of the log-determinant in L_guide (default: the recipe's)")
    add("--exactness", type=float, help="weight in L_guide of what 8 bit lose of x (default: the recipe's)")
    add(
        "--bicubic-weight",
        type=float,
        help="weight of |x - bicubic| beside equation 7 (default: the recipe's)",
    )
    add("--seed", type=int, help="of the start and of the samples (default: the recipe's)")
    add("--resume", action="store_true", help="go on from the run's last checkpoint, if there is one")
    add("--init", type=Path, help="start from these weights (*.safetensors)")
    add("--revive", action="store_true", help="of --init: give channels that are never above 0 a new start")
    add("--halves", action="store_true", help="also train on large pictures at half their size")
    add("--hold-out", type=int, default=8, help="images kept for validation (default: 8)")
    add("--checkpoint-minutes", type=float, default=3.0, help="time between checkpoints (default: 3)")
    add("--precision", choices=PRECISIONS, help="of the insides of G_d and G_u (default: bf16 on a GPU)")
    add("--compile", action="store_true", help="compile the residual blocks first (20 s; for a GPU)")
    add("--threads", type=int, help="CPU threads (default: all cores)")
    add("--cache", type=Path, help="folder for decoded pixels beyond --memory-limit (default: the run's)")
    add(
        "--memory-limit",
        type=float,
        default=MEMORY_LIMIT / 2**30,
        help="GiB of pixels in memory (default: 4)",
    )
    add("--track", choices=TRACKERS, help="also log to this local tracker, if it is installed")
    return parser.parse_args(argv)


def recipe_of(arguments: argparse.Namespace) -> tuple[Recipe, str]:
    """The recipe with what the command line changes, and a note of that for the card."""
    recipe = RECIPES[arguments.recipe].scheduled(arguments.schedule)
    if arguments.optimizer == "adam":
        recipe = recipe.with_adam()
    elif arguments.optimizer:
        recipe = replace(recipe, optimizer=arguments.optimizer)
    if arguments.only:
        recipe = recipe.only(arguments.only)
    changes = {name: getattr(arguments, name) for name in ("batch_size", "patch", "learning_rate")}
    recipe = recipe.with_stages(**changes)
    overrides = {name: getattr(arguments, name) for name in ("gamma", "exactness", "bicubic_weight", "seed")}
    recipe = replace(recipe, **{name: value for name, value in overrides.items() if value is not None})
    chosen = {"optimizer": arguments.optimizer, "schedule": arguments.schedule}
    given = {**chosen, "only": arguments.only, **changes, **overrides, "halves": arguments.halves or None}
    stated = [f"{name} {_written(value)}" for name, value in given.items() if value not in (None, "staged")]
    return recipe, ", ".join(stated)


def _written(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
