"""What figures are called and mean, and how they are shown; computing them is `fgrn.metrics`."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Score:
    """A metric's value, or None with the reason why it means nothing here."""

    value: float | None
    reason: str = ""


Scores = dict[str, Score]
"""Figures of one picture through one method, by the keys of `METRICS`; `x_exact` in percent."""

BLIND = ("niqe", "piqe")
"""Those that judge LR by itself: slow, so measured on request."""

Plain = float | str | None
"""A figure for programs: a number, "inf" of equal pictures, or None where there is none."""


@dataclass(frozen=True)
class MetricHelp:
    """One row of help: `better` is "higher", "lower" or "" (no direction); `caveat` says when the metric lies.

    `digits` after the point are shown.
    """

    name: str
    unit: str
    better: str
    caveat: str
    digits: int = 2

    @property
    def arrow(self) -> str:
        return {"higher": "↑", "lower": "↓"}.get(self.better, "")


METRICS: dict[str, MetricHelp] = {
    "psnr_y": MetricHelp(
        "PSNR-Y",
        "dB",
        "higher",
        "Peak signal-to-noise ratio, from the mean squared error of brightness: blur scores well, wrong colours are "
        "not seen.",
    ),
    "ssim_y": MetricHelp(
        "SSIM-Y",
        "",
        "higher",
        "Structural similarity of brightness, 1 for equal pictures: above 0.98 small differences are hard to see; "
        "colour is not seen.",
        digits=4,
    ),
    "psnr_rgb": MetricHelp(
        "PSNR-RGB",
        "dB",
        "higher",
        "PSNR of red, green and blue, so wrong colours count: usually some dB below PSNR-Y, not comparable with it.",
    ),
    "lr_psnr_y": MetricHelp(
        "LR vs bicubic",
        "dB",
        "higher",
        "PSNR-Y of the LR picture against bicubic's. Closeness, not quality: a method may trade it for a better "
        "reconstruction.",
    ),
    "lr_psnr_rgb": MetricHelp(
        "LR-RGB vs bicubic",
        "dB",
        "higher",
        "PSNR-RGB of the LR picture against bicubic's: specks of wrong colour, in which a method may hide detail, "
        "count here and in no other column.",
    ),
    "niqe": MetricHelp(
        "NIQE (LR)",
        "",
        "lower",
        "Natural image quality evaluator: how far the LR picture is from the statistics of photographs. Misleading on "
        "text, charts and small pictures.",
    ),
    "piqe": MetricHelp(
        "PIQE (LR)",
        "0-100",
        "lower",
        "Perception-based image quality evaluator: share and strength of blocks of the LR picture that look distorted. "
        "Fine natural texture can count as noise.",
        digits=1,
    ),
    "x_exact": MetricHelp(
        "x recovered exactly",
        "%",
        "higher",
        "Share of the values of x that survive the 8-bit LR picture: most others are off by one level.",
    ),
    "seconds_down": MetricHelp(
        "Down",
        "s",
        "lower",
        "Seconds to shrink the picture: one run on this machine, first-run warm-up included.",
    ),
    "seconds_up": MetricHelp(
        "Up",
        "s",
        "lower",
        "Seconds to restore the picture: one run on this machine, first-run warm-up included.",
    ),
    "lr_bytes": MetricHelp(
        "LR file",
        "bytes",
        "lower",
        "Size of the LR picture as PNG: hidden detail makes it harder to compress than bicubic's.",
        digits=0,
    ),
}
"""Help for every column of the comparison table, by the key used in JSON results."""


def format_score(score: float | Score | None, digits: int = 2) -> str:
    """A value for people: "34.12", "∞" for identical images, "n/a" or "n/a (reason)" where there is none."""
    if isinstance(score, Score):
        return format_score(score.value, digits) if score.value is not None else f"n/a ({score.reason})"
    if score is None or math.isnan(score):
        return "n/a"
    return "∞" if math.isinf(score) else f"{score:.{digits}f}"


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
