"""The first example under stress, measured beforehand: it takes minutes, and the tab is not to open empty.

`python -m lab.stress.kept` measures it again; it is shown only with the weights that it was measured with.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, TypeVar

from fgrn.files import ASSETS, write_json
from fgrn.images import read_image
from fgrn.methods import METHODS, cards
from lab.examples import EXAMPLES, FIRST_EXAMPLE, FIRST_METHODS, FIRST_SCALE
from lab.models import Models
from lab.progress import Progress
from lab.stress import runs
from lab.stress.damage import CODECS
from lab.stress.runs import Point, RatePoint, RateRun, StressRun

PATH = ASSETS / "results" / "stress_example.json"
FIRST_KINDS = ("jpeg", "noise")

_DONE = Progress(
    f"Example: {FIRST_EXAMPLE} at ×{FIRST_SCALE}, measured beforehand. The buttons measure the picture of Compare",
    active=False,
)
Snapshot = TypeVar("Snapshot")


def load() -> tuple[StressRun, RateRun] | None:
    """Both runs of the example; None if the page has other weights, or they were not measured."""
    if not PATH.is_file():
        return None
    content: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))
    if content["weights"] != _weights():
        return None
    points = tuple(Point(**point) for point in content["stress"])
    stress = StressRun(FIRST_SCALE, FIRST_METHODS, FIRST_KINDS, points, name=FIRST_EXAMPLE, progress=_DONE)
    rates = tuple(RatePoint(**point) for point in content["bytes"])
    return stress, RateRun(FIRST_SCALE, FIRST_METHODS, rates, name=FIRST_EXAMPLE, progress=_DONE)


def measure() -> dict[str, Any]:
    """The points of both runs, and the weights that they are of."""
    models = Models()
    pixels = read_image(EXAMPLES[FIRST_EXAMPLE]).pixels
    stress = _last(runs.stress(models, pixels, FIRST_SCALE, FIRST_METHODS, FIRST_KINDS))
    rates = _last(runs.rate_distortion(models, pixels, FIRST_SCALE, FIRST_METHODS))
    if stress.notices or rates.notices or not {p.series for p in rates.points}.issuperset(CODECS):
        raise SystemExit(f"Not all kinds can be measured here: {stress.notices + rates.notices}")
    return {
        "weights": _weights(),
        "stress": [asdict(point) for point in stress.points],
        "bytes": [asdict(point) for point in rates.points],
    }


def _last(snapshots: Iterator[Snapshot]) -> Snapshot:
    *_, last = snapshots
    return last


def _weights() -> dict[str, str]:
    """The digests of the trained methods that are shown, of those that are here."""
    here = cards(FIRST_SCALE)
    return {name: card.digest for name in FIRST_METHODS if METHODS[name].trained and (card := here.get(name))}


if __name__ == "__main__":
    write_json(PATH, measure())
