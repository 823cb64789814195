"""The points of a run as rows: for programs that call the endpoints, and as a CSV file."""

from __future__ import annotations

import csv
import io

from fgrn.scores import plain_number
from lab.stress.runs import Point, RatePoint, RateRun, StressRun

Row = dict[str, object]


def rows(run: StressRun | RateRun) -> list[Row]:
    """A row for every point so far; infinite figures are "inf"."""
    if isinstance(run, StressRun):
        return [_of_damage(point) for point in run.points]
    return [_of_bytes(point) for point in run.points]


def as_csv(run: StressRun | RateRun) -> str:
    """The rows as CSV, with their names above; "" if there are none."""
    listed = rows(run)
    if not listed:
        return ""
    text = io.StringIO()
    writer = csv.DictWriter(text, listed[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(listed)
    return text.getvalue()


def file_name(run: StressRun | RateRun) -> str:
    """Of the CSV file: which run, of which picture, at which scale."""
    kind = "stress" if isinstance(run, StressRun) else "bytes"
    return f"{kind}_of_{run.name}_at_x{run.scale}.csv"


def _of_damage(point: Point) -> Row:
    return {
        "method": point.method,
        "damage": point.kind,
        "amount": point.amount,
        "psnr_y": plain_number(point.psnr_y),
        "ssim_y": plain_number(point.ssim_y),
    }


def _of_bytes(point: RatePoint) -> Row:
    return {
        "series": point.series,
        "setting": point.setting,
        "bytes": point.bytes,
        "bits_per_pixel": point.bits_per_pixel,
        "psnr_y": plain_number(point.psnr_y),
        "ssim_y": plain_number(point.ssim_y),
    }
