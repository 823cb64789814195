"""Stress of an uploaded picture: what can be asked for, and the runs with its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from fgrn.pixels import Pixels
from fgrn.record import sha256
from lab import asked
from lab.files import stem
from lab.models import Models
from lab.stress import runs
from lab.stress.damage import KINDS
from lab.stress.runs import RateRun, StressRun

CODED = (
    "The picture is itself a JPEG: where a codec repeats what made it, its curve is better than that of a picture that "
    "was never coded."
)
MAX_PIXELS = 4_000_000  # restored, or coded, some fifty times: less than Compare takes


def open_subject(path: str | None) -> tuple[Pixels, tuple[str, ...]]:
    """The picture of a run, and what about its file makes the figures look better than they are.

    Raises:
        RequestError: if it cannot be used, or is too large to be restored many times.
    """
    pixels, _, kind = asked.open_picture(path)
    height, width = pixels.shape[:2]
    if height * width > MAX_PIXELS:
        raise asked.RequestError(
            f"The picture is {width} x {height} pixels; it is restored or coded many times here, so at most "
            f"{MAX_PIXELS:,} are taken. Crop it, or choose a smaller one."
        )
    return pixels, (CODED,) if kind == "JPEG" else ()


def check_kinds(kinds: object) -> list[str]:
    """The kinds in the order of KINDS, without repetitions.

    Raises:
        RequestError: for an unknown kind, or none at all.
    """
    return asked.check_names(
        kinds, KINDS, "damage", "No damage is chosen. Tick at least one kind, JPEG for example."
    )


def stress(
    models: Models,
    path: str | None,
    scale: object,
    methods: Sequence[str],
    kinds: Sequence[str],
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[StressRun]:
    """`runs.stress` of an upload.

    Raises:
        RequestError: for anything that cannot be asked for.
    """
    number, names = asked.check_scale(scale), asked.check_methods(methods)
    chosen = check_kinds(kinds)
    (pixels, notices), (name, source) = open_subject(path), _subject(path)
    for run in runs.stress(models, pixels, number, names, chosen, stop):
        yield replace(run, name=name, source=source, notices=(*notices, *run.notices))


def rate(
    models: Models,
    path: str | None,
    scale: object,
    methods: Sequence[str],
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[RateRun]:
    """`runs.rate_distortion` of an upload; raises as `stress`."""
    number, names = asked.check_scale(scale), asked.check_methods(methods)
    (pixels, notices), (name, source) = open_subject(path), _subject(path)
    for run in runs.rate_distortion(models, pixels, number, names, stop):
        yield replace(run, name=name, source=source, notices=(*notices, *run.notices))


def _subject(path: str | None) -> tuple[str, str]:
    """Name and SHA-256 of the picture that a run is of."""
    file = Path(path or "")
    return stem(file.name), sha256(file.read_bytes())
