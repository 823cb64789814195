"""Benchmarks that are there already: what `training.evaluate` has measured for the README, with these very weights."""

from __future__ import annotations

import json
import math
from functools import cache
from typing import Any

from fgrn.checkpoint import Card
from fgrn.comparison import TOO_SMALL
from fgrn.figures import TIMINGS
from fgrn.files import ASSETS
from fgrn.methods import cards
from fgrn.record import Settings
from fgrn.scores import BLIND, METRICS, Plain, Score, Scores
from lab.benchmark.runs import Bench
from lab.progress import Progress

RESULTS = ASSETS / "results"


def names(scale: int) -> list[str]:
    """The sets that were measured at a scale with the weights of this page; none if it has others."""
    content, here = _read(scale), cards(scale)
    return [name for name in content.get("datasets", {}) if len(_methods(content, name, here)) > 1]


def load(dataset: str, scale: int) -> Bench | None:
    """The figures of a set as a benchmark that has ended; None if it is none of `names`."""
    if dataset not in names(scale):
        return None
    content, here = _read(scale), cards(scale)
    methods = _methods(content, dataset, here)
    measured = content["datasets"][dataset]
    pictures = tuple(measured[methods[0]]["images"])
    return Bench(
        Settings(scale, methods, "paper", no_reference=True),
        pictures,
        dataset,
        figures={name: {m: _scores(measured[m]["images"][name]) for m in methods} for name in pictures},
        done=pictures,
        weights={method: card.digest if (card := here[method]) else "" for method in methods},
        progress=Progress(
            f"{dataset} ×{scale}: measured beforehand ({_where(content, dataset, methods)})", active=False
        ),
    )


def _methods(content: dict[str, Any], dataset: str, here: dict[str, Card | None]) -> tuple[str, ...]:
    """Those that were measured on a set with these weights."""
    measured = content["datasets"][dataset]
    return tuple(
        method
        for method, card in here.items()
        if method in measured and (card is None or content["weights"][method]["sha256"] == card.sha256)
    )


def _where(content: dict[str, Any], dataset: str, methods: tuple[str, ...]) -> str:
    """The machine and the dates; several, if the methods were not measured together."""
    dates: dict[str, set[str]] = {}
    for method in methods:
        environment = content["datasets"][dataset][method].get("environment", content["environment"])
        dates.setdefault(environment["machine"], set()).add(environment["date"])
    return "; ".join(f"{machine}, {' and '.join(sorted(found))}" for machine, found in dates.items())


def _scores(row: dict[str, Plain]) -> Scores:
    """The inverse of `fgrn.scores.plain`, without times: methods were measured on different days, and beside others."""
    scores = {}
    for key in (key for key in METRICS if key not in TIMINGS):
        value = row.get(key)
        if value is not None:
            scores[key] = Score(float(value))
        elif key in row:
            # Of PSNR it stood for infinity before "inf" did.
            scores[key] = Score(None, TOO_SMALL) if key in BLIND else Score(math.inf)
    return scores


@cache
def _read(scale: int) -> dict[str, Any]:
    path = RESULTS / f"benchmark_x{scale}.json"
    if not path.is_file():
        return {}
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content
