"""Tables of quality: the benchmarks of the paper, studies, and what was measured between two networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fgrn.methods import METHODS
from training.markdown import Rows, markdown

SETS = ("Set5", "Set14", "BSD100", "Urban100")

Json = dict[str, Any]
Value = Callable[[Json], float | None]


def reconstruction_table(results: Json, paper: Json) -> str:
    """Counterpart of the paper's Table 1: Y-PSNR in dB / SSIM of the reconstruction, with the paper's own rows."""
    sets = _sets(results)
    rows: Rows = []
    for name in _variants(results):
        cells = [_quality(_mean(results, dataset, name)) for dataset in sets]
        rows.append([f"**{_label(results, name)}**", *_effort(results, name), *cells])
    for label, entry in _paper_rows(paper, "reconstruction", results).items():
        parameters = _millions(entry["parameters"]) if entry["parameters"] else "-"
        cells = [_quality(entry.get(dataset, {})) for dataset in sets]
        rows.append([f"{label}, as the paper reports", parameters, "-", "-", *cells])
    return markdown([f"x{results['scale']}", "parameters", "patches seen", "hours", *sets], rows)


def colour_table(results: Json) -> str:
    """PSNR of RGB in dB of the reconstruction: what PSNR of Y does not see counts here."""
    sets = _sets(results)
    rows: Rows = []
    for name in _variants(results):
        cells = [_number(_mean(results, dataset, name).get("psnr_rgb"), 2) for dataset in sets]
        if any(cell != "-" for cell in cells):
            rows.append([f"**{_label(results, name)}**", *cells])
    return markdown([f"x{results['scale']}, PSNR of RGB", *sets], rows)


def lr_quality_table(results: Json, paper: Json) -> str:
    """Counterpart of the paper's Table 2: NIQE / PIQE of the LR image, lower is better, with the paper's own rows.

    Where only some images of a set have a NIQE, the cell says how many.
    """
    sets = _sets(results)
    rows: Rows = []
    for name in _variants(results):
        cells = [
            _no_reference(_mean(results, dataset, name), _share(results, dataset, name)) for dataset in sets
        ]
        rows.append([f"**{_label(results, name)}**", *cells])
    for label, entry in _paper_rows(paper, "lr-quality", results).items():
        cells = [_no_reference(entry.get(dataset, {})) for dataset in sets]
        rows.append([f"{label}, as the paper reports", *cells])
    return markdown([f"LR of x{results['scale']}, NIQE / PIQE", *sets], rows)


def lr_table(results: Json) -> str:
    """What the LR image costs: LR against bicubic, the loss by the 8-bit round trip, the exact share of x."""
    rows: Rows = []
    for name in _variants(results):
        for dataset in _sets(results):
            row = _mean(results, dataset, name)
            if row:
                cells = [_number(value(row), digits) for _, value, digits in LR_COLUMNS]
                rows.append([f"{_label(results, name)}, {dataset}", *cells])
    return markdown([f"x{results['scale']}", *(head for head, _, _ in LR_COLUMNS)], rows)


def study_table(results: Json, paper: Json) -> str:
    """A study: for every variant its Y-PSNR in dB / SSIM on each set, and the LR side as a mean over the sets.

    Rows of the paper follow where it has the same study; columns of the LR side without any figure are left out.
    """
    sets, variants = _sets(results), _variants(results)
    columns = []
    for head, value, digits in (*LR_COLUMNS, ("PIQE of the LR", _figure("piqe"), 2)):
        figures = [_over_sets(results, name, value) for name in variants]
        if any(figure is not None for figure in figures):
            columns.append((head, [_number(figure, digits) for figure in figures]))
    rows: Rows = []
    for i, name in enumerate(variants):
        entry = results["weights"].get(name, {})
        cells = [_quality(_mean(results, dataset, name)) for dataset in sets]
        lr_side = [cells[i] for _, cells in columns]
        change, seen = entry.get("change") or "-", _effort(results, name)[1]
        rows.append([f"**{_label(results, name)}**", change, seen, *cells, *lr_side])
    for label, entry in _paper_rows(paper, results["study"], results).items():
        cells = [_quality(entry.get(dataset, {})) for dataset in sets]
        rows.append([f"{label}, as the paper reports", "-", "-", *cells, *["-"] * len(columns)])
    heads = [head for head, _ in columns]
    return markdown([f"x{results['scale']}", "what differs", "patches seen", *sets, *heads], rows)


def blend_table(figures: Json) -> str:
    """What `training.blend` measured on held-out images, by the share of the new F."""
    measured = [column for column in LR_COLUMNS if any(column[1](row) is not None for row in figures["rows"])]
    rows = [
        [f"{row['share']:g}", *(_number(value(row), digits) for _, value, digits in measured)]
        for row in figures["rows"]
    ]
    return markdown(["share of the new F", *(head for head, _, _ in measured)], rows)


def rescaling_blend_table(figures: Json) -> str:
    """The same by the share of the new G_d and G_u; F was the identity, so that x is LR."""
    rows = [
        [f"{row['share']:g}", f"{row['lr_psnr_y']:.2f}", f"{row['psnr_y_direct']:.2f}"]
        for row in figures["rows"]
    ]
    return markdown(["share of the new G_d and G_u", "x against bicubic (dB)", "G_u(x) (dB)"], rows)


def rounding_table(figures: Json) -> str:
    """What `training.rounding` measured: G_u(G_d(picture)) with float32 weights and with those that are shipped."""
    rows = [
        [
            row["recipe"],
            f"{row['psnr_y_float32']:.4f}",
            f"{row['psnr_y_float16']:.4f}",
            f"{row['cost']:.4f}",
        ]
        for row in figures["rows"]
    ]
    return markdown(["weights", "float32 (dB)", "float16 (dB)", "cost (dB)"], rows)


def _figure(key: str, factor: float = 1) -> Value:
    def value(row: Json) -> float | None:
        figure = row.get(key)
        if figure is None or figure == "inf":  # bicubic's LR against itself
            return None
        return factor * float(figure)

    return value


def _cost(row: Json) -> float | None:
    direct, restored = row.get("psnr_y_direct"), row.get("psnr_y")
    # either may be None, or "inf"
    return direct - restored if isinstance(direct, float) and isinstance(restored, float) else None


LR_COLUMNS: tuple[tuple[str, Value, int], ...] = (
    ("LR against bicubic (dB)", _figure("lr_psnr_y"), 2),
    ("LR against bicubic, RGB (dB)", _figure("lr_psnr_rgb"), 2),
    ("cost of the round trip (dB)", _cost, 3),
    ("x recovered exactly (%)", _figure("x_exact", 100), 2),
)
"""Head, value and digits of the columns on the LR side."""


def _sets(results: Json) -> list[str]:
    """The benchmark sets in their usual order, then any others."""
    return sorted(results["datasets"], key=lambda name: SETS.index(name) if name in SETS else len(SETS))


def _variants(results: Json) -> list[str]:
    """What was measured: the methods in their usual order, or the variants of a study in the order of its file."""
    named = list(results["weights"] if "study" in results else METHODS)
    present = {name: None for dataset in results["datasets"].values() for name in dataset}
    return sorted(present, key=lambda name: named.index(name) if name in named else len(named))


def _label(results: Json, name: str) -> str:
    label: str = results["weights"].get(name, {}).get("label") or (
        METHODS[name].label if name in METHODS else name
    )
    return label


def _mean(results: Json, dataset: str, name: str) -> Json:
    figures: Json = results["datasets"].get(dataset, {}).get(name, {}).get("mean", {})
    return figures


def _over_sets(results: Json, name: str, value: Value) -> float | None:
    """Mean over the sets, each counting alike; None if one of them has no figure: then it would be another mean."""
    figures = [value(_mean(results, dataset, name)) for dataset in _sets(results)]
    known = [figure for figure in figures if figure is not None]
    return sum(known) / len(known) if known and len(known) == len(figures) else None


def _paper_rows(paper: Json, table: str, results: Json) -> dict[str, Json]:
    """Rows of the paper by label, in the shape of ours: figures by name for each set. {} if it has no such table."""
    entry = paper.get(table, {})
    rows = entry.get(f"x{results['scale']}", {})
    return {
        label: {
            key: dict(zip(entry["figures"], cell, strict=True)) if isinstance(cell, list) else cell
            for key, cell in row.items()
        }
        for label, row in rows.items()
    }


def _share(results: Json, dataset: str, name: str) -> str:
    """How many images of a set have a NIQE, if not all or none of them."""
    images = results["datasets"].get(dataset, {}).get(name, {}).get("images", {})
    count = sum(row.get("niqe") is not None for row in images.values())
    return f" ({count} of {len(images)})" if 0 < count < len(images) else ""


def _quality(row: Json) -> str:
    return f"{_number(row.get('psnr_y'), 2)} / {_number(row.get('ssim_y'), 4)}" if row else "-"


def _no_reference(row: Json, share: str = "") -> str:
    return f"{_number(row.get('niqe'), 3)}{share} / {_number(row.get('piqe'), 3)}" if row else "-"


def _effort(results: Json, name: str) -> list[str]:
    """Parameters, patches seen and hours of a row."""
    card = results["weights"].get(name)
    if card is None:
        return ["-", "-", "-"]
    provenance = card["provenance"]
    return [_millions(card["parameters"]), f"{provenance['samples']:,}", f"{provenance['minutes'] / 60:.1f}"]


def _millions(count: int) -> str:
    return f"{count / 1e6:.2f} M"


def _number(value: float | str | None, digits: int) -> str:
    if isinstance(value, str):  # "inf", as JSON has the PSNR of what is equal
        return "exact"
    return "-" if value is None else f"{value:.{digits}f}"
