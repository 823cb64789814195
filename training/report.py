"""Write the tables of README.md and training/README.md from the JSON in assets/results: `python -m training.report`.

Each table stands between `<!-- table NAME -->` and `<!-- /table -->`; only what is between is replaced. With
`--check` nothing is written: the exit status is 1 if a table differs from its data.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from fgrn.files import write_atomic
from fgrn.methods import SCALES
from training.on_graphics import graphics_table
from training.quality_tables import (
    blend_table,
    colour_table,
    lr_quality_table,
    lr_table,
    reconstruction_table,
    rescaling_blend_table,
    rounding_table,
    study_table,
)
from training.speed_tables import SPEED_TABLES

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "assets" / "results"
README = ROOT / "README.md"
DOCUMENTS = (README, ROOT / "training" / "README.md")
STUDIES = ("optimizer", "guidance", "latent", "schedule", "rotation", "round_trip", "ema", "gamma")
NOT_MEASURED = "not measured yet\n"
_TABLE = re.compile(r"(<!-- table (\S+) -->\n)(.*?)(<!-- /table -->)", re.DOTALL)

Json = dict[str, Any]
Table = Callable[[Json, Json], str]


def _alone(table: Callable[[Json], str], results: Json, paper: Json) -> str:
    """A table without rows of the paper."""
    return table(results)


TABLES: dict[str, tuple[str, Table]] = {
    **{
        f"{name}-x{scale}": (f"benchmark_x{scale}.json", table)
        for scale in SCALES
        for name, table in (
            ("reconstruction", reconstruction_table),
            ("colour", partial(_alone, colour_table)),
            ("lr-quality", lr_quality_table),
            ("lr", partial(_alone, lr_table)),
        )
    },
    "graphics": ("graphics.json", partial(_alone, graphics_table)),
    "rounding": ("rounding.json", partial(_alone, rounding_table)),
    "rescaling-blend-x2": ("rescaling_blend_x2.json", partial(_alone, rescaling_blend_table)),
    "rescaling-blend-x4": ("rescaling_blend_x4.json", partial(_alone, rescaling_blend_table)),
    "rescaling-blend-x4-gpu": ("rescaling_blend_x4_gpu.json", partial(_alone, rescaling_blend_table)),
    "flow-blend": ("flow_blend.json", partial(_alone, blend_table)),
    "flow-blend-x4": ("flow_blend_x4.json", partial(_alone, blend_table)),
    **{name: (file, partial(_alone, table)) for name, (file, table) in SPEED_TABLES.items()},
    **{f"study-{name}": (f"study_{name}.json", study_table) for name in STUDIES},
}
"""Every table by the name of its marker: the file in assets/results, and what makes a table of it and paper.json."""


def tables(folder: Path = RESULTS) -> dict[str, str]:
    """Every table by name; a line that says so where its file does not exist yet."""
    paper = _read(folder / "paper.json")
    return {
        name: table(_read(folder / file), paper) if (folder / file).exists() else NOT_MEASURED
        for name, (file, table) in TABLES.items()
    }


def fill(text: str, contents: dict[str, str]) -> str:
    """`text` with every marked table replaced.

    Raises:
        KeyError: for a marker whose table is not known.
    """
    return _TABLE.sub(lambda match: match[1] + contents[match[2]] + match[4], text)


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m training.report", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 if a table is out of date"
    )
    arguments = parser.parse_args(argv)
    contents, stale = tables(), False
    for document in DOCUMENTS:
        old = document.read_text(encoding="utf-8")
        new = fill(old, contents)
        stale = stale or new != old
        if new != old and not arguments.check:
            write_atomic(document, new.encode())
    return int(stale and arguments.check)


def _read(path: Path) -> Json:
    content: Json = json.loads(path.read_text(encoding="utf-8"))
    return content


if __name__ == "__main__":
    raise SystemExit(main())
