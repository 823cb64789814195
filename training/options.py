"""Options that several command lines of `training` have: their types, and what they are tried for at the start."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from fgrn.batch import UsageError, try_writing, writing
from fgrn.files import write_json


def number(
    kind: type[int] | type[float], least: float, *, above: bool = False, most: float = math.inf
) -> Callable[[str], float]:
    """A type of argument: a finite number from `least` on, or above it, and at most `most`."""

    def parse(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not least <= value <= most or value == math.inf or (above and value == least):
            words = "a whole number" if kind is int else "a number"
            if above:
                bounds = f"above {least:g}"
            else:
                bounds = f"from {least:g} on" if most == math.inf else f"from {least:g} to {most}"
            raise argparse.ArgumentTypeError(f"{text!r} is not {words} {bounds}")
        return value

    return parse


COUNT, ONE_OR_MORE, SEED = number(int, 0), number(int, 1), number(int, 0, most=2**31 - 1)
THREADS = number(int, 1, most=1024)
FROM_ZERO, ABOVE_ZERO = number(float, 0), number(float, 0, above=True)


def writable_file(text: str) -> Path:
    """A type of argument: a file of results, which is tried before hours of work; its folder is made."""
    path = Path(text)
    try:
        try_writing(path)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return path


def add_figures(parser: argparse.ArgumentParser) -> None:
    """`--json`: where the figures go."""
    parser.add_argument("--json", type=writable_file, help="where to write the figures")


def write_figures(path: Path | None, content: Mapping[str, Any]) -> None:
    """Write what `--json` is for, if it was given.

    Raises:
        UsageError: if it cannot be written after all.
    """
    if path:
        with writing(path):
            write_json(path, content)


def add_hold_out(parser: argparse.ArgumentParser, text: str = "as in the training") -> None:
    """`--hold-out`, of trainings and of those who measure on what a training has held out."""
    parser.add_argument("--hold-out", type=COUNT, default=8, help=f"{text} (default: 8)")


def add_threads(parser: argparse.ArgumentParser) -> None:
    """`--threads`: how many of the CPU each process uses."""
    parser.add_argument("--threads", type=THREADS, help="CPU threads (default: all cores)")


def use_threads(count: int | None) -> None:
    """What `--threads` says, if it was given."""
    if count:
        torch.set_num_threads(count)
