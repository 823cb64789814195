"""What the curves of the Stress tab say, in sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby, pairwise

from fgrn.methods import METHODS
from fgrn.scores import format_score, readable_size
from lab.stress.damage import CODECS, KINDS
from lab.stress.runs import RatePoint, RateRun, StressRun

TIE = 0.05  # dB: less than anybody sees


def crossings(run: StressRun) -> list[str]:
    """For every kind of damage that is measured whole: from where on a method is worse than bicubic."""
    lines = []
    for kind in run.kinds:
        values = {(p.method, p.amount): p.psnr_y for p in run.points if p.kind == kind}
        if len(values) < len(KINDS[kind].amounts) * len(run.methods) or "bicubic" not in run.methods:
            continue
        lines += [_crossing(kind, method, values) for method in run.methods if method != "bicubic"]
    return lines


def rates(run: RateRun) -> list[str]:
    """For every method: what codecs make of as many bytes."""
    lines = []
    for method in run.methods:
        ours = [p for p in run.points if p.series == method]
        if not ours:
            continue
        best = min(ours, key=lambda p: p.bytes)
        same = [
            f"{KINDS[codec].label} {psnr:.2f} dB{_beside(psnr, best.psnr_y)}"
            for codec in CODECS
            if (psnr := psnr_at([p for p in run.points if p.series == codec], best.bytes)) is not None
        ]
        have = (
            f"{METHODS[method].label} ×{run.scale} has {format_score(best.psnr_y)} dB in {readable_size(best.bytes)} "
            f"({best.setting})"
        )
        lines.append(f"{have}. In as many bytes: {', '.join(same)}." if same else f"{have}.")
    return lines


def _beside(psnr: float, ours: float) -> str:
    """How much more or less that is than ours, in words."""
    difference = psnr - ours
    if not math.isfinite(difference):
        return ""
    if abs(difference) < TIE:
        return " (as much)"
    return f" ({abs(difference):.1f} {'more' if difference > 0 else 'less'})"


def psnr_at(points: Sequence[RatePoint], count: int) -> float | None:
    """PSNR-Y of a codec at a number of bytes, between two of its points on a logarithmic scale; None outside.

    Points without any loss have no finite PSNR-Y and are left out.
    """
    curve = sorted((p.bytes, p.psnr_y) for p in points if math.isfinite(p.psnr_y))
    for (less, low), (more, high) in pairwise(curve):
        if less <= count <= more:
            share = math.log(count / less) / math.log(more / less) if more > less else 0.0
            return low + share * (high - low)
    return None


def _crossing(kind: str, method: str, values: dict[tuple[str, float], float]) -> str:
    label = METHODS[method].label
    head = f"{KINDS[kind].label}: {label}"
    steps = [[a for a in step if values[method, a] < values["bicubic", a] - TIE] for step in _steps(kind)]
    worse = [step for step in steps if step]
    if not worse:
        return f"{head} never falls below bicubic."
    first = _amount(kind, worse[0])
    ours, bicubic = (format_score(values[name, worse[0][0]]) for name in (method, "bicubic"))
    if worse != steps[-len(worse) :]:
        where = f"at {first}, but not at all that follow"
    elif len(worse) == 1:
        where = f"at {first}, the {'lowest' if kind in CODECS else 'most'} that was tried"
    else:
        where = f"from {first} {'down' if kind in CODECS else 'on'}"
    return f"{head} is below bicubic {where} ({ours} against {bicubic} dB)."


def _steps(kind: str) -> list[list[float]]:
    """The amounts of a kind, those that are as much of it together: a pixel more and a pixel less."""
    amounts = sorted(KINDS[kind].amounts, key=abs) if kind == "resize" else KINDS[kind].amounts
    return [list(same) for _, same in groupby(amounts, key=abs)]


def _amount(kind: str, of_step: list[float]) -> str:
    if kind in CODECS:
        return f"quality {of_step[0]:g}"
    if kind != "resize":
        return f"sigma {of_step[0]:g}"
    return f"{of_step[0]:+g} px" if len(of_step) == 1 and of_step[0] else f"{abs(of_step[0]):g} px"
