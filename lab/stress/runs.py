"""Stress: how much of a picture is left when its LR picture is damaged, and what rescaling costs in bytes.

`stress` and `rate_distortion` are streams: each yields the whole snapshot again after every step. Every method shrinks
the picture once; only restoring is repeated.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from functools import partial
from typing import Self

import numpy as np

from fgrn import metrics
from fgrn.images import encode_png
from fgrn.inputs import RescaleError
from fgrn.memory import memory_errors_as
from fgrn.methods import METHODS
from fgrn.pixels import Pixels
from lab.asked import NO_MEMORY, RequestError, rescalers
from lab.lines import FINISHED
from lab.models import Interrupted, Models
from lab.progress import STARTING, Clock, Progress
from lab.stress import damage
from lab.stress.damage import CODECS, KINDS, DamageError

UNDAMAGED = "none"
HR_QUALITIES = (5, 10, 20, 30, 40, 50, 60, 70, 80, 85, 90, 95, 100)


@dataclass(frozen=True)
class Point:
    """A picture restored by a method from a damaged LR picture. `kind` is one of KINDS, or UNDAMAGED."""

    method: str
    kind: str
    amount: float
    psnr_y: float  # dB, inf for identical pictures
    ssim_y: float


@dataclass(frozen=True)
class RatePoint:
    """A picture stored in so many bytes. `series` is a codec or a method, `setting` what was chosen in it."""

    series: str
    setting: str
    bytes: int
    bits_per_pixel: float  # of the HR picture
    psnr_y: float
    ssim_y: float


@dataclass(frozen=True)
class Snapshot:
    """What the snapshots of both streams have in common."""

    scale: int
    methods: tuple[str, ...]
    _: KW_ONLY
    notices: tuple[str, ...] = ()
    name: str = ""  # of the picture
    source: str = ""  # SHA-256 of its file
    progress: Progress = STARTING

    @property
    def kept(self) -> bool:
        """Whether it was measured beforehand: what a visitor runs has a file."""
        return not self.source

    @property
    def subject(self) -> str:
        """What it is about, in words: Compare may have moved on."""
        return f"of {self.name} at ×{self.scale}"

    def noting(self, error: DamageError) -> Self:
        """With a notice of what is left out, once."""
        return replace(self, notices=tuple(dict.fromkeys((*self.notices, str(error)))))


@dataclass(frozen=True)
class StressRun(Snapshot):
    """A snapshot of `stress`."""

    kinds: tuple[str, ...]
    points: tuple[Point, ...] = ()

    def reference(self, method: str) -> Point | None:
        """The method's picture from the LR picture as it is: the figure of Compare."""
        return next((p for p in self.points if p.method == method and p.kind == UNDAMAGED), None)


@dataclass(frozen=True)
class RateRun(Snapshot):
    """A snapshot of `rate_distortion`."""

    points: tuple[RatePoint, ...] = ()


def stress(
    models: Models,
    pixels: Pixels,
    scale: int,
    methods: Sequence[str],
    kinds: Sequence[str],
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[StressRun]:
    """Restore from damaged LR pictures: all methods at one amount, then the next amount, then the next kind.

    As soon as `stop()` is true the snapshots end, in the middle of a network if need be. A kind that this Pillow
    cannot do is left out, and a notice says so.

    Raises:
        RequestError: if a method cannot be used, or there is not enough memory.
    """
    doable, notices = possible(kinds)
    loaded = rescalers(models, scale, methods)
    run = StressRun(scale, tuple(methods), tuple(doable), notices=notices)
    steps = [(kind, amount, name) for kind in doable for amount in KINDS[kind].amounts for name in methods]
    clock = Clock([f"down {name}" for name in methods] + [name for *_, name in steps] + list(methods))
    size = (pixels.shape[0], pixels.shape[1])
    small: dict[str, Pixels] = {}
    try:
        for name, rescaler in loaded.items():
            run = replace(run, progress=clock.progress(f"Shrinking with {METHODS[name].label}"))
            yield run
            start = time.perf_counter()
            small[name], waited = _run(models, partial(rescaler.downscale, pixels), stop)
            clock.count(f"down {name}", time.perf_counter() - start - waited)
        for kind, amount, name in [(UNDAMAGED, 0.0, name) for name in methods] + steps:
            text = f"Restoring: {KINDS[kind].label if kind in KINDS else 'undamaged'}"
            run = replace(run, progress=clock.progress(text))
            yield run
            start = time.perf_counter()
            try:
                lr = small[name] if kind == UNDAMAGED else damage.damage(small[name], kind, amount)
            except DamageError as error:
                clock.skip(name)
                run = run.noting(error)
                continue
            reference = run.reference(name)
            if reference and np.array_equal(lr, small[name]):  # it was restored before
                clock.skip(name)
                point = replace(reference, kind=kind, amount=amount)
            else:
                restored, waited = _run(models, partial(loaded[name].upscale, lr, size), stop)
                point = Point(name, kind, amount, *_quality(pixels, restored, scale))
                clock.count(name, time.perf_counter() - start - waited)
            run = replace(run, points=(*run.points, point))
    except Interrupted:
        return
    yield replace(run, progress=replace(clock.progress(FINISHED), active=False))


def rate_distortion(
    models: Models,
    pixels: Pixels,
    scale: int,
    methods: Sequence[str],
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[RateRun]:
    """Bytes against quality: the methods with their LR picture as PNG and lossless WebP, codecs with the picture.

    The bytes are those of the files: of the LR PNG that the page offers, and of what Pillow writes.

    Raises:
        RequestError: as `stress`.
    """
    codecs, notices = possible(CODECS)
    loaded = rescalers(models, scale, methods)
    run = RateRun(scale, tuple(methods), notices=notices)
    clock = Clock([*methods, *(codec for codec in codecs for _ in HR_QUALITIES)])
    size = (pixels.shape[0], pixels.shape[1])
    count = size[0] * size[1]
    try:
        for name, rescaler in loaded.items():
            run = replace(run, progress=clock.progress(f"Shrinking and restoring with {METHODS[name].label}"))
            yield run
            start = time.perf_counter()
            lr, first = _run(models, partial(rescaler.downscale, pixels), stop)
            restored, second = _run(models, partial(rescaler.upscale, lr, size), stop)
            files = {"LR as PNG": len(encode_png(lr, rescaler.info(size)))}
            try:
                files["LR as lossless WebP"] = len(damage.lossless_webp(lr))
            except DamageError as error:
                run = run.noting(error)
            quality = _quality(pixels, restored, scale)
            clock.count(name, time.perf_counter() - start - first - second)
            points = [RatePoint(name, setting, n, 8 * n / count, *quality) for setting, n in files.items()]
            run = replace(run, points=(*run.points, *points))
        for codec in codecs:
            for amount in HR_QUALITIES:
                run = replace(run, progress=clock.progress(f"The picture itself as {KINDS[codec].label}"))
                yield run
                if stop():
                    return
                start = time.perf_counter()
                try:
                    data = damage.encode(pixels, codec, amount)
                except DamageError as error:
                    clock.skip(codec)
                    run = run.noting(error)
                    continue
                quality = _quality(pixels, damage.decode(data), scale)
                clock.count(codec, time.perf_counter() - start)
                bits = 8 * len(data) / count
                point = RatePoint(codec, f"quality {amount}", len(data), bits, *quality)
                run = replace(run, points=(*run.points, point))
    except Interrupted:
        return
    yield replace(run, progress=replace(clock.progress(FINISHED), active=False))


def possible(kinds: Sequence[str]) -> tuple[list[str], tuple[str, ...]]:
    """The kinds that this Pillow can do, and why it cannot do the others."""
    found, notices = [], []
    for kind in kinds:
        try:
            damage.check(kind)
        except DamageError as error:
            notices.append(str(error))
        else:
            found.append(kind)
    return found, tuple(notices)


def _run(models: Models, work: Callable[[], Pixels], stop: Callable[[], bool]) -> tuple[Pixels, float]:
    """What a network makes, and the seconds for which it waited for others.

    Raises:
        Interrupted: if `stop()` is true.
        RequestError: if there is not enough memory, or the picture does not fit.
    """
    try:
        start = time.perf_counter()
        with memory_errors_as(RequestError, NO_MEMORY), models.alone(stop):
            waited = time.perf_counter() - start
            return work(), waited
    except RescaleError as error:
        raise RequestError(str(error)) from error


def _quality(hr: Pixels, restored: Pixels, scale: int) -> tuple[float, float]:
    """PSNR-Y and SSIM-Y as Compare measures them; nan where the picture is too small."""
    return metrics.psnr_y(hr, restored, scale), metrics.ssim_y(hr, restored, scale)
