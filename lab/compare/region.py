"""Metrics of a part of the pictures: the box that a visitor drew over them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from fgrn.comparison import against_hr
from fgrn.pixels import Pixels
from fgrn.scores import Scores
from lab.asked import RequestError
from lab.compare.snapshot import Run, read, read_picture

KEYS = ("psnr_y", "ssim_y", "psnr_rgb")
SSIM_SIDE = 11  # the window of SSIM


@dataclass(frozen=True)
class Box:
    """A rectangle of whole HR pixels."""

    left: int
    top: int
    width: int
    height: int

    def crop(self, pixels: Pixels) -> Pixels:
        """The part of a picture inside the box."""
        part: Pixels = pixels[self.top : self.top + self.height, self.left : self.left + self.width]
        return part

    def __str__(self) -> str:
        return f"{self.width} × {self.height} at x {self.left}, y {self.top}"


@dataclass(frozen=True)
class Region:
    """A box with the numbers of the methods measured so far, in one run. No border is cut inside a box."""

    box: Box
    scores: Mapping[str, Scores] = field(default_factory=dict)
    token: str = ""  # of that run

    def of(self, run: Run) -> Mapping[str, Scores]:
        """The numbers of a run: none, if they are those of another."""
        return self.scores if self.token == run.token else {}

    def over(self, run: Run) -> Run:
        """The run with the numbers of the box in place of those of the whole picture."""
        outcomes = tuple(
            replace(
                outcome,
                scores={key: score for key, score in outcome.scores.items() if key not in KEYS}
                | self.of(run).get(outcome.method, {}),
            )
            for outcome in run.outcomes
        )
        return replace(run, outcomes=outcomes)


def read_box(sent: Any, run: Run) -> Box:
    """A box as the browser sent it: [left, top, width, height] in HR pixels of this run.

    Raises:
        RequestError: unless these are four whole numbers, and a rectangle inside the picture.
    """
    height, width = run.size
    if not isinstance(sent, list) or len(sent) != 4 or any(type(number) is not int for number in sent):
        raise RequestError("The region is no rectangle of pixels. Draw it again.")
    box = Box(*sent)
    inside = 0 <= box.left < box.left + box.width <= width and 0 <= box.top < box.top + box.height <= height
    if not inside:
        raise RequestError(f"The region does not lie in the picture of {width} × {height}. Draw it again.")
    return box


def measure(run: Run, region: Region) -> Region:
    """The region with the numbers of all methods of a run that are done; what was measured of it before is kept.

    Raises:
        RequestError: if the files of the run are gone.
    """
    scores = dict(region.of(run))
    missing = [outcome for outcome in run.done if outcome.method not in scores]
    if missing:
        hr = region.box.crop(read(run.hr))
        too_small = f"the region is {hr.shape[1]} × {hr.shape[0]}, SSIM needs {SSIM_SIDE} pixels on each side"
        for outcome in missing:
            picture = region.box.crop(read_picture(outcome, "reconstruction"))
            scores[outcome.method] = against_hr(hr, picture, 0, too_small)
    return replace(region, scores=scores, token=run.token)
