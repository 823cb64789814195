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
"""Figures of one picture through one method, by the keys of `METRICS`."""

BLIND = ("niqe", "piqe")
"""Those that judge LR by itself: slow, so measured on request."""

Plain = float | str | None
"""A figure for programs: a number, "inf" of equal pictures, or None where there is none."""


@dataclass(frozen=True)
class Metric:
    """A column of the comparison table: `better` is "higher" or "lower"; `caveat` says when the metric lies.

    `digits` after the point are shown, of `times` the value: a share is shown in percent.
    """

    key: str
    name: str
    unit: str
    better: str
    caveat: str
    digits: int = 2
    times: int = 1

    @property
    def arrow(self) -> str:
        """For the better direction."""
        return {"higher": "↑", "lower": "↓"}[self.better]

    def show(self, value: float | None) -> str:
        """A value for people, see `format_score`."""
        if value is not None and self.key == "lr_bytes":
            return readable_size(round(value))
        return format_score(value if value is None else self.times * value, self.digits)


_METRICS = (
    Metric(
        "psnr_y",
        "PSNR-Y",
        "dB",
        "higher",
        "Peak signal-to-noise ratio, from the mean squared error of brightness: blur scores well, wrong colours are "
        "not seen.",
    ),
    Metric(
        "ssim_y",
        "SSIM-Y",
        "",
        "higher",
        "Structural similarity of brightness, 1 for equal pictures: above 0.98 small differences are hard to see; "
        "colour is not seen.",
        digits=4,
    ),
    Metric(
        "psnr_rgb",
        "PSNR-RGB",
        "dB",
        "higher",
        "PSNR of red, green and blue, so wrong colours count: usually some dB below PSNR-Y, not comparable with it.",
    ),
    Metric(
        "lr_psnr_y",
        "LR PSNR-Y",
        "dB, vs bicubic",
        "higher",
        "PSNR-Y of the LR picture against bicubic's. Closeness, not quality: a method may trade it for a better "
        "reconstruction.",
    ),
    Metric(
        "lr_psnr_rgb",
        "LR PSNR-RGB",
        "dB, vs bicubic",
        "higher",
        "PSNR-RGB of the LR picture against bicubic's: specks of wrong colour, in which a method may hide detail, "
        "count here and in no other column.",
    ),
    Metric(
        "niqe",
        "NIQE of LR",
        "",
        "lower",
        "Natural image quality evaluator: how far the LR picture is from the statistics of photographs. Misleading on "
        "text, charts and small pictures.",
    ),
    Metric(
        "piqe",
        "PIQE of LR",
        "0-100",
        "lower",
        "Perception-based image quality evaluator: share and strength of blocks of the LR picture that look distorted. "
        "Fine natural texture can count as noise.",
        digits=1,
    ),
    Metric(
        "x_exact",
        "x exact",
        "%",
        "higher",
        "Share of the values of x that survive the 8-bit LR picture: most others are off by one level.",
        times=100,
    ),
    Metric(
        "seconds_down",
        "Down",
        "s",
        "lower",
        "Seconds to shrink the picture: one run on this machine, first-run warm-up included.",
    ),
    Metric(
        "seconds_up",
        "Up",
        "s",
        "lower",
        "Seconds to restore the picture: one run on this machine, first-run warm-up included.",
    ),
    Metric(
        "lr_bytes",
        "LR file",
        "",
        "lower",
        "Size of the LR picture as PNG: hidden detail makes it harder to compress than bicubic's.",
    ),
)
METRICS = {metric.key: metric for metric in _METRICS}
"""The columns of the comparison table in their order, by the key used in JSON results."""


def format_score(value: float | None, digits: int = 2) -> str:
    """A value for people: "34.12", "∞" for identical images, "n/a" where there is none."""
    if value is None or math.isnan(value):
        return "n/a"
    return "∞" if math.isinf(value) else f"{value:.{digits}f}"


def plain(rows: dict[str, Scores]) -> dict[str, dict[str, Plain]]:
    """Scores as plain values, for JSON."""
    return {
        name: {key: plain_number(score.value) for key, score in row.items()} for name, row in rows.items()
    }


def plain_number(value: float | None) -> Plain:
    """A figure for JSON, which has neither infinity nor nan: "inf" and "-inf", and null where there is none."""
    if value is None or math.isnan(value):
        return None
    return value if math.isfinite(value) else str(value)


def readable_size(count: int) -> str:
    """Bytes for people: "812 bytes", "34.1 kB", "2.3 MB"."""
    if count < 1000:
        return f"{count} bytes"
    return f"{count / 1000:.1f} kB" if count < 1_000_000 else f"{count / 1_000_000:.1f} MB"
