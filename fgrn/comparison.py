"""The figures of `python -m fgrn compare`: measured, averaged, as a table for people and as plain values for JSON."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import compress

from fgrn import metrics
from fgrn.methods import METHODS
from fgrn.pipeline import ImageLike, Rescaler, Result, rescale
from fgrn.pixels import Pixels
from fgrn.scores import METRICS, Score, format_score

Scores = dict[str, Score]
"""Figures of one picture through one method, by the keys of `METRICS`; `x_exact` in percent."""

Plain = float | str | None
"""A figure for programs: a number, "inf" of equal pictures, or None where there is none."""

TOO_SMALL = "the picture is too small"
_EQUAL = {  # what an infinite PSNR says
    "psnr_y": "restored exactly",
    "psnr_rgb": "restored exactly",
    "lr_psnr_y": "LR equal to bicubic's",
    "lr_psnr_rgb": "LR equal to bicubic's",
}


def measure(result: Result, bicubic_lr: Pixels, *, no_reference: bool = False) -> Scores:
    """The figures of one picture through one method; `bicubic_lr` is its LR image by bicubic."""
    scores = fidelity(result.hr, result.reconstruction, result.lr, bicubic_lr, result.scale) | costs(result)
    return scores | blind(result.lr) if no_reference else scores


def measure_all(
    rescalers: Mapping[str, Rescaler],
    image: ImageLike,
    bicubic_lr: Pixels,
    advance: Callable[[], object],
    *,
    no_reference: bool = False,
) -> dict[str, Scores]:
    """The figures of one picture through every method; `advance` is called after each.

    Raises:
        fgrn.pipeline.RescaleError: if a side is below 16 pixels.
    """
    rows: dict[str, Scores] = {}
    for name, rescaler in rescalers.items():
        rows[name] = measure(rescale(rescaler, image), bicubic_lr, no_reference=no_reference)
        advance()
    return rows


def fidelity(
    hr: Pixels, reconstruction: Pixels, lr: Pixels, bicubic_lr: Pixels, scale: int, too_small: str = TOO_SMALL
) -> Scores:
    """How close the reconstruction is to HR, `scale` pixels cut from each side, and LR to `bicubic_lr`.

    `too_small` is the reason where no pixel, or no window of SSIM, is left to compare.
    """
    return {
        "psnr_y": as_score(metrics.psnr_y(hr, reconstruction, scale), too_small),
        "ssim_y": as_score(metrics.ssim_y(hr, reconstruction, scale), too_small),
        "psnr_rgb": as_score(metrics.psnr_rgb(hr, reconstruction, scale), too_small),
        "lr_psnr_y": as_score(metrics.psnr_y(lr, bicubic_lr, 0), too_small),
        "lr_psnr_rgb": as_score(metrics.psnr_rgb(lr, bicubic_lr, 0), too_small),
    }


def costs(result: Result) -> Scores:
    """What the round trip loses, takes and stores: these figures need no measuring."""
    return {
        "x_exact": Score(100 * result.x_exact),
        "seconds_down": Score(result.seconds_down),
        "seconds_up": Score(result.seconds_up),
        "lr_bytes": Score(len(result.lr_png)),
    }


def blind(lr: Pixels) -> Scores:
    """NIQE and PIQE, which judge LR by itself; slow."""
    return {"niqe": metrics.niqe(lr), "piqe": metrics.piqe(lr)}


Columns = Mapping[str, Sequence[Scores]]
"""The scores of each method over the same pictures."""


def means(columns: Columns) -> dict[str, Scores]:
    """The mean of every figure by method, over the values of `counted`; nothing if there is no picture."""
    return {
        method: {key: _mean(values) for key, values in figures.items()}
        for method, figures in counted(columns).items()
    }


def counted(columns: Columns) -> dict[str, dict[str, list[float]]]:
    """The values of every figure that count in the means, by method.

    They are of the same pictures for all methods: of those where each has a finite number. Else whoever restores a
    picture exactly would lose its best figure. A method that is infinite throughout, as the PSNR of bicubic's LR
    against itself, has no say in that.
    """
    figures: dict[str, dict[str, list[float]]] = {method: {} for method in columns}
    firsts = {method: rows[0] for method, rows in columns.items() if rows}
    for key in dict.fromkeys(key for row in firsts.values() for key in row):
        found = {m: [row[key].value for row in columns[m]] for m, row in firsts.items() if key in row}
        sometimes = {method: values for method, values in found.items() if any(map(_is_finite, values))}
        common = [all(map(_is_finite, picture)) for picture in zip(*sometimes.values(), strict=True)]
        for method, values in found.items():
            kept = compress(values, common) if method in sometimes else values
            figures[method][key] = [value for value in kept if value is not None]
    return figures


def _is_finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _mean(values: Sequence[float]) -> Score:
    return Score(sum(values) / len(values)) if values else Score(None, "no picture has a value")


def left_out(columns: Columns) -> list[str]:
    """Which pictures the means leave out, and why: a line for every figure that some methods do not have of them."""
    reasons: dict[tuple[str, str], dict[str, list[str]]] = {}
    for method, rows in columns.items():
        finite = {key for row in rows for key, score in row.items() if _is_finite(score.value)}
        for row in rows:
            for key, score in row.items():
                infinite = score.value is not None and math.isinf(score.value) and key in finite
                reason = _EQUAL.get(key, "equal") if infinite else score.reason
                if infinite or score.value is None:
                    kind = key, re.sub(r"\d+", "#", reason)  # sizes differ from one picture to the next
                    reasons.setdefault(kind, {}).setdefault(method, []).append(reason)
    total = max(map(len, columns.values()), default=0)
    lines = []
    for (key, _), texts in reasons.items():
        by_count: dict[int, list[str]] = {}
        for method, found in texts.items():
            by_count.setdefault(len(found), []).append(method)
        for count, concerned in by_count.items():
            labels = ", ".join(METHODS[method].label for method in concerned)
            who = f" ({labels})" if len(concerned) < len(columns) else ""
            of = f"{METRICS[key].name} of {count} of {total} picture{'' if total == 1 else 's'}"
            lines.append(f"{of}: {_common([text for m in concerned for text in texts[m]])}{who}")
    return lines


def _common(texts: Sequence[str]) -> str:
    """One text for those that differ by numbers only: "64 to 80 px"."""
    columns = zip(*(map(int, re.findall(r"\d+", text)) for text in texts), strict=True)
    spans = iter([f"{min(c)} to {max(c)}" if len(set(c)) > 1 else str(c[0]) for c in columns])
    return re.sub(r"\d+", lambda _: next(spans), texts[0])


def table(rows: dict[str, Scores], keys: list[str]) -> str:
    """An aligned table, a line per method; an arrow in the head says which direction is better."""
    head = ["method", *(f"{METRICS[key].name} {METRICS[key].arrow}".strip() for key in keys)]
    units = ["", *(METRICS[key].unit for key in keys)]
    lines = [head, units]
    for name, row in rows.items():
        cells = [
            "n/a" if row[key].value is None else format_score(row[key], METRICS[key].digits) for key in keys
        ]
        lines.append([METHODS[name].label, *cells])
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    text = [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    reasons = {
        f"n/a: {METRICS[key].name}, {row[key].reason}": None
        for row in rows.values()
        for key in keys
        if row[key].value is None
    }
    return "\n".join([*text, *reasons])


def as_score(value: float, too_small: str = TOO_SMALL) -> Score:
    """A full-reference metric as a `Score`: no value, and the reason, where no pixel was left to compare."""
    return Score(None, too_small) if math.isnan(value) else Score(value)


def plain(rows: dict[str, Scores]) -> dict[str, dict[str, Plain]]:
    """Scores as plain values, for JSON. `x_exact` is a share, as in training.evaluate."""
    return {
        name: {key: plain_number(in_plain_units(key, score)) for key, score in row.items()}
        for name, row in rows.items()
    }


def plain_number(value: float | None) -> Plain:
    """A figure for JSON, which has neither infinity nor nan: "inf" and "-inf", and null where there is none."""
    if value is None or math.isnan(value):
        return None
    return value if math.isfinite(value) else str(value)


def in_plain_units(key: str, score: Score | None) -> float | None:
    """The value of a score as programs get it: `x_exact` is a share there."""
    value = score.value if score else None
    return value if value is None or key != "x_exact" else 0.01 * value
