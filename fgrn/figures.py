"""Figures over several pictures: what counts in a mean, mean and spread, and all of them as JSON and CSV."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Mapping, Sequence
from itertools import compress
from typing import Any

import numpy as np

from fgrn.methods import METHODS
from fgrn.scores import METRICS, Score, Scores, plain

TIMINGS = ("seconds_down", "seconds_up")
"""Figures that differ from one run to the next."""

Figures = dict[str, dict[str, Scores]]
"""Scores by the name of the picture and the method."""

Notices = Mapping[str, Sequence[str]]
"""What was changed on reading, by the name of the picture."""

Columns = Mapping[str, Sequence[Scores]]
"""The scores of each method over the same pictures."""

_EQUAL = {  # what an infinite PSNR says
    "psnr_y": "restored exactly",
    "psnr_rgb": "restored exactly",
    "lr_psnr_y": "LR equal to bicubic's",
    "lr_psnr_rgb": "LR equal to bicubic's",
}


def by_method(figures: Figures, methods: Sequence[str]) -> dict[str, list[Scores]]:
    """The scores of every method over the pictures that all methods have done: means over others say nothing."""
    complete = [rows for rows in figures.values() if all(method in rows for method in methods)]
    return {method: [rows[method] for rows in complete] for method in methods}


def means(columns: Columns) -> dict[str, Scores]:
    """The mean of every figure by method, over the values of `counted`; nothing if there is no picture."""
    return {
        method: {key: _mean(values) for key, values in figures.items()}
        for method, figures in counted(columns).items()
    }


def spreads(columns: Columns) -> dict[str, Scores]:
    """The standard deviation (n - 1) of every figure by method, over the values of `counted`."""
    return {
        method: {key: _spread(values) for key, values in figures.items()}
        for method, figures in counted(columns).items()
    }


def _spread(values: Sequence[float]) -> Score:
    if len(values) < 2:
        return Score(None, "needs two pictures")
    if not all(map(math.isfinite, values)):
        return Score(None, "equal in all pictures")
    return Score(float(np.std(values, ddof=1)))


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


def figures_json(
    about: Mapping[str, Any],
    figures: Figures,
    methods: Sequence[str],
    skipped: dict[str, str],
    notices: Notices | None = None,
) -> dict[str, Any]:
    """All figures as plain values, as `python -m fgrn compare --json` has them, after what is said `about` them."""
    columns = by_method(figures, methods)
    return {
        **about,
        "images": {name: plain(rows) for name, rows in figures.items()},
        "mean": plain(means(columns)),
        "spread": plain(spreads(columns)),
        "skipped": skipped,
        "notices": {name: list(said) for name, said in (notices or {}).items()},
    }


def figures_csv(figures: Figures, scale: int, protocol: str) -> str:
    """A line for every picture and method, in full precision: "inf" for equal pictures, empty where there is none."""
    text = io.StringIO()
    present = {key for rows in figures.values() for scores in rows.values() for key in scores}
    keys = [key for key in METRICS if key in present]
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", "method", *keys, "scale", "protocol"])
    for name, rows in figures.items():
        # A spreadsheet would take such a name for a formula.
        shown = f"'{name}" if name[:1] in "=+-@\t\r" else name
        for method, values in plain(rows).items():
            writer.writerow([shown, method, *(values.get(key) for key in keys), scale, protocol])
    return text.getvalue()
