"""Write the README's tables from the JSON in assets/results: `python -m training.report`.

Each table stands between `<!-- table NAME -->` and `<!-- /table -->`; only what is between is replaced. With
`--check` nothing is written: the exit status is 1 if a table differs from its data.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

from fgrn.methods import METHODS, SCALES

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "assets" / "results"
README = ROOT / "README.md"
SETS = ("Set5", "Set14", "BSD100", "Urban100")
_TABLE = re.compile(r"(<!-- table (\S+) -->\n)(.*?)(<!-- /table -->)", re.DOTALL)

Rows = list[list[str]]


def markdown(header: list[str], rows: Rows) -> str:
    """A Markdown table; the first column is left-aligned, the others right-aligned."""
    align = ["---"] + ["---:"] * (len(header) - 1)
    return "".join(f"| {' | '.join(row)} |\n" for row in [header, align, *rows])


def reconstruction_table(results: dict[str, Any], paper: dict[str, Any]) -> str:
    """Counterpart of the paper's Table 1: Y-PSNR in dB / SSIM of the reconstruction, with the paper's own rows."""
    rows: Rows = []
    sets = [dataset for dataset in SETS if dataset in results["datasets"]]
    for name in _methods(results):
        card = results["weights"].get(name)
        effort = ["-", "-", "-"] if card is None else _effort(card)
        figures = [_mean(results, dataset, name) for dataset in sets]
        cells = [f"{row['psnr_y']:.2f} / {row['ssim_y']:.4f}" if row else "-" for row in figures]
        rows.append([f"**{METHODS[name].label}**", *effort, *cells])
    for label, entry in paper[str(results["scale"])].items():
        parameters = _millions(entry["parameters"]) if entry["parameters"] else "-"
        cells = [f"{entry[dataset][0]:.2f} / {entry[dataset][1]:.4f}" for dataset in sets]
        rows.append([f"{label}, as the paper reports", parameters, "-", "-", *cells])
    return markdown([f"x{results['scale']}", "parameters", "patches seen", "hours", *sets], rows)


def lr_table(results: dict[str, Any]) -> str:
    """The LR side: LR against bicubic, what the 8-bit round trip costs, exact share of x, NIQE and PIQE (Table 2)."""
    rows: Rows = []
    for name in _methods(results):
        for dataset in SETS:
            row = _mean(results, dataset, name)
            if row:
                cost = row["psnr_y_direct"] - row["psnr_y"]
                cells = [_number(row["lr_psnr_y"], 2), _number(cost, 3), _number(100 * row["x_exact"], 2)]
                rows.append([f"{METHODS[name].label}, {dataset}", *cells, _number(row.get("piqe"), 2)])
    header = [f"x{results['scale']}", "LR against bicubic (dB)", "cost of the round trip (dB)"]
    return markdown([*header, "x recovered exactly (%)", "PIQE of the LR (lower is better)"], rows)


def tables() -> dict[str, str]:
    """Every table by name."""
    paper = json.loads((RESULTS / "paper.json").read_text(encoding="utf-8"))
    written = {}
    for scale in SCALES:
        results = json.loads((RESULTS / f"benchmark_x{scale}.json").read_text(encoding="utf-8"))
        written[f"reconstruction-x{scale}"] = reconstruction_table(results, paper)
        written[f"lr-x{scale}"] = lr_table(results)
    return written


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
    old = README.read_text(encoding="utf-8")
    new = fill(old, tables())
    if arguments.check:
        return int(new != old)
    README.write_text(new, encoding="utf-8")
    return 0


def _methods(results: dict[str, Any]) -> list[str]:
    present = {name for dataset in results["datasets"].values() for name in dataset}
    return [name for name in METHODS if name in present]


def _mean(results: dict[str, Any], dataset: str, method: str) -> dict[str, Any]:
    figures: dict[str, Any] = results["datasets"].get(dataset, {}).get(method, {}).get("mean", {})
    return figures


def _effort(card: dict[str, Any]) -> list[str]:
    provenance = card["provenance"]
    return [_millions(card["parameters"]), f"{provenance['samples']:,}", f"{provenance['minutes'] / 60:.1f}"]


def _millions(count: int) -> str:
    return f"{count / 1e6:.2f} M"


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


if __name__ == "__main__":
    raise SystemExit(main())
