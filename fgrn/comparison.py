"""The figures of one picture through several methods: measured, and as a table for people."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from fgrn import metrics
from fgrn.inputs import ImageLike
from fgrn.methods import METHODS
from fgrn.pipeline import Rescaler, Result, load, rescale
from fgrn.pixels import Pixels
from fgrn.scores import METRICS, Score, Scores

TOO_SMALL = "the picture is too small"


def measure(result: Result, bicubic_lr: Pixels, *, no_reference: bool = False) -> Scores:
    """The figures of one picture through one method; `bicubic_lr` is its LR image by bicubic."""
    scores = fidelity(result.hr, result.reconstruction, result.lr, bicubic_lr, result.scale) | costs(result)
    return scores | blind(result.lr) if no_reference else scores


def measure_all(
    rescalers: Mapping[str, Rescaler],
    image: ImageLike,
    advance: Callable[[], object],
    *,
    no_reference: bool = False,
) -> dict[str, Scores]:
    """The figures of one picture through every method, all of one scale; `advance` is called after each.

    Raises:
        fgrn.pipeline.RescaleError: if a side is below 16 pixels.
    """
    rows: dict[str, Scores] = {}
    bicubic = load("bicubic", next(iter(rescalers.values())).scale, device="cpu")
    bicubic_lr = bicubic.downscale(image)
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
    return against_hr(hr, reconstruction, scale, too_small) | {
        "lr_psnr_y": as_score(metrics.psnr_y(lr, bicubic_lr, 0), too_small),
        "lr_psnr_rgb": as_score(metrics.psnr_rgb(lr, bicubic_lr, 0), too_small),
    }


def against_hr(hr: Pixels, picture: Pixels, crop: int, too_small: str = TOO_SMALL) -> Scores:
    """PSNR and SSIM of a picture of HR's size, `crop` pixels cut from each side; `too_small` as in `fidelity`."""
    return {
        "psnr_y": as_score(metrics.psnr_y(hr, picture, crop), too_small),
        "ssim_y": as_score(metrics.ssim_y(hr, picture, crop), too_small),
        "psnr_rgb": as_score(metrics.psnr_rgb(hr, picture, crop), too_small),
    }


def costs(result: Result) -> Scores:
    """What the round trip loses, takes and stores: these figures need no measuring."""
    return {
        "x_exact": Score(result.x_exact),
        "seconds_down": Score(result.seconds_down),
        "seconds_up": Score(result.seconds_up),
        "lr_bytes": Score(len(result.lr_png)),
    }


def blind(lr: Pixels) -> Scores:
    """NIQE and PIQE, which judge LR by itself; slow."""
    return {"niqe": metrics.niqe(lr), "piqe": metrics.piqe(lr)}


def table(rows: dict[str, Scores], keys: list[str]) -> str:
    """An aligned table, a line per method; an arrow in the head says which direction is better."""
    head = ["method", *(f"{METRICS[key].name} {METRICS[key].arrow}".strip() for key in keys)]
    units = ["", *(METRICS[key].unit for key in keys)]
    lines = [head, units]
    for name, row in rows.items():
        lines.append([METHODS[name].label, *(METRICS[key].show(row[key].value) for key in keys)])
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
