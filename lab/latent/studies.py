"""One picture seen from inside a method: the networks run once, what they give lies in files, views are read from them.

A `Study` holds paths and a few numbers, so that a visitor who moves a slider waits for no network and keeps no memory
busy.
"""

from __future__ import annotations

import io
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fgrn import inside
from fgrn.checkpoint import CheckpointError
from fgrn.images import encode_png, read_image
from fgrn.inputs import RescaleError
from fgrn.memory import memory_errors_as
from fgrn.methods import METHODS
from fgrn.metrics import psnr_rgb, psnr_y
from fgrn.pipeline import Rescaler, Result, rescale
from fgrn.pixels import Levels, Pixels, clamped
from fgrn.record import sha256
from lab.asked import NO_MEMORY, RequestError, check_names, check_scale, files_needed, open_picture
from lab.files import Store, stem
from lab.latent import views
from lab.latent.views import Exactness, View
from lab.models import Models

STUDIED = ("fgrn", "fgrn_refined", "du_none", "du_bic")
WHY_NOT = (
    "IRN and bicubic are not listed: their x is the LR picture, made by no encoder of its own "
    "(the rest of what IRN computes, z, is thrown away and replaced by 0)."
)


@dataclass(frozen=True)
class Step:
    """An image on the way through F and what the cell before it changed; l_0 = x has nothing before it."""

    path: str  # of the levels, float32
    extents: tuple[tuple[float, float], ...]  # smallest and largest level of R, G and B
    moved: tuple[float, ...]  # root of the mean squared change of R, G and B, in grey levels
    psnr: float  # of the image against bicubic, clipped and rounded, in dB of Y
    psnr_rgb: float  # the same of all colours


@dataclass(frozen=True)
class Curves:
    """Histograms (3, 256) and power spectra (3, n) of the pictures in PICTURES, per channel."""

    histograms: dict[str, NDArray[np.int64]]
    frequencies: NDArray[np.float64]
    spectra: dict[str, NDArray[np.float64]]


PICTURES = {"x": "x", "lr": "LR", "bicubic": "bicubic"}


@dataclass(frozen=True)
class Study:
    """What is known about one picture in one method. Sizes are (height, width)."""

    name: str
    source: str  # digest of the uploaded file
    method: str
    scale: int
    size: tuple[int, int]
    lr_size: tuple[int, int]
    notices: tuple[str, ...]
    files: dict[str, str]  # PNGs: hr, x, lr, bicubic, x_recovered, restored
    unrounded: str  # x before it was clipped and rounded, as levels
    clipped: float  # share of its values outside 0..255
    steps: tuple[Step, ...]  # l_0 ... l_K; l_0 alone for a method without a flow
    flow_rms: float  # by how much F moves x altogether, in grey levels (root mean square)
    ranges: dict[str, tuple[tuple[float, float], ...]]  # of R, G and B: x_unrounded, x, lr, bicubic
    exact: Exactness
    psnr: float  # of the restored picture
    curves: Curves
    token: str = field(default_factory=lambda: secrets.token_hex(8))  # of its own

    @property
    def title(self) -> str:
        return f"{METHODS[self.method].label} ×{self.scale}"

    @property
    def has_flow(self) -> bool:
        """Whether F lies between x and the LR picture; else they are the same."""
        return len(self.steps) > 1

    @property
    def prefix(self) -> str:
        """How the names of its files begin."""
        return f"{self.name}_{self.method}_x{self.scale}"

    def pixels(self, key: str) -> Pixels:
        """One of its pictures.

        Raises:
            RequestError: if the files were cleaned up.
        """
        with files_needed():
            return read_image(self.files[key]).pixels

    def levels(self, path: str) -> Levels:
        """The levels of a step, or of x before rounding; raises as `pixels`."""
        with files_needed():
            array: Levels = np.load(path)
            return array

    def unrounded_levels(self, key: str) -> NDArray[Any]:
        """Levels of "x", "lr" or "bicubic" as the networks make them; raises as `pixels`."""
        if key == "bicubic":
            return self.pixels(key)
        return self.levels(self.steps[-1].path if key == "lr" and self.has_flow else self.unrounded)

    def reference(self, view: View) -> NDArray[Any]:
        """What a view shows differences to: x as it goes into F, else bicubic; raises as `pixels`."""
        return self.levels(self.steps[0].path) if view is View.FROM_X else self.pixels("bicubic")


class Moved(NamedTuple):
    """A picture, and as how many grey levels it shows one if it is that of a difference."""

    path: str
    gain: float


def check_method(method: str | None) -> str:
    """Raise RequestError unless a method can be studied."""
    if method is None:
        raise RequestError(
            "No method has weights at this scale. Choose the other scale, or put weights in place."
        )
    if method in METHODS and method not in STUDIED:
        label = METHODS[method].label
        raise RequestError(f"{label} has no x of its own: its x is its LR picture. Choose {STUDIED[0]!r}.")
    (name,) = check_names([method], STUDIED, "method", "")
    return name


def doing(models: Models, method: str, scale: int, pixels: int) -> str:
    """What `study` does with a picture of so many pixels, for those who wait."""
    return f"Computing {METHODS[method].label} ×{scale}" + models.pace.left(
        [(method, scale, "study")], pixels
    )


def study(
    models: Models,
    store: Store,
    path: str | None,
    method: str | None,
    scale: object,
    stop: Callable[[], bool] = lambda: False,
) -> Study:
    """Run a picture through a method and keep everything on the way.

    Raises:
        RequestError: for everything that keeps it from running; the message says what, why and what next.
        Interrupted: if `stop()` became true.
    """
    name, number = check_method(method), check_scale(scale)
    hr, notices, _ = open_picture(path)
    count = hr.shape[0] * hr.shape[1]
    with networks(models, name, number) as rescaler, models.running((name, number, "study"), count, stop):
        result = rescale(rescaler, hr)
        unrounded = inside.unrounded_x(rescaler, hr)
        steps = inside.path(rescaler, result.x)
        bicubic = models.get("bicubic", number).downscale(hr)
    return _saved(store, path or "", notices, result, unrounded, steps, bicubic)


def render(
    store: Store, of: Study, keys: Sequence[str], view: View, channel: str, gain: float
) -> dict[str, str]:
    """Paths of the views of "x", "lr", "bicubic"."""
    reference = of.reference(view)
    found = {}
    for key in keys:
        plain = key == view.reference  # its own difference would be empty
        picture = views.view(
            of.unrounded_levels(key), View.CLAMPED if plain else view, channel, reference, gain
        )
        found[key] = save_view(store, picture, f"{of.prefix}_{key}_{view}_{channel}")
    return found


def render_step(
    store: Store, of: Study, k: int, view: View, channel: str, gain: float
) -> tuple[Moved, Moved | None]:
    """l_k in a view, and what cell k changed (None for l_0).

    `gain` is that of the view, unless it would clip much: between its ends F is far from bicubic and from x. A change
    has its own.
    """
    levels, reference = of.levels(of.steps[k].path), of.reference(view)
    plain = k == 0 and view is View.FROM_X
    fits = gain
    if view.reference and 0 < k < len(of.steps) - 1:
        fits = min(gain, views.automatic_gain((levels - reference)[..., views.CHANNELS[channel]]))
    picture = views.view(levels, View.CLAMPED if plain else view, channel, reference, fits)
    shown = Moved(save_view(store, picture, f"{of.prefix}_l{k}_{view}_{channel}"), fits)
    if k == 0:
        return shown, None
    before = of.levels(of.steps[k - 1].path)
    own = views.automatic_gain((levels - before)[..., views.CHANNELS[channel]])
    moved = views.view(levels, View.DIFFERENCE, channel, before, own)
    return shown, Moved(save_view(store, moved, f"{of.prefix}_cell{k}_{channel}"), own)


def save_view(store: Store, picture: Pixels, name: str) -> str:
    """A PNG made quickly rather than small: it is looked at once, and made again whenever a slider moves."""
    return store.save(encode_png(picture, quick=True), f"{name}.png")


def _saved(
    store: Store,
    source: str,
    notices: tuple[str, ...],
    result: Result,
    unrounded: Levels,
    path: list[Levels],
    bicubic: Pixels,
) -> Study:
    # Of x that was refined there is no version before its rounding, which is part of every step.
    clipped = float(np.mean((unrounded < -0.5) | (unrounded > 255.5)))  # rounding alone does not clip
    if METHODS[result.method].refines:
        unrounded = result.x.astype(np.float32)
    name = stem(source)
    prefix = f"{name}_{result.method}_x{result.scale}"
    pictures = {
        "hr": result.hr,
        "x": result.x,
        "bicubic": bicubic,
        "x_recovered": result.x_recovered,
        "restored": result.reconstruction,
    }
    files = {
        key: store.save(encode_png(array, quick=True), f"{prefix}_{key}.png")
        for key, array in pictures.items()
    }
    files["lr"] = store.save(result.lr_png, f"{prefix}_lr.png")
    steps = []
    for k, levels in enumerate(path):
        moved = views.root_mean_square(levels, path[max(k - 1, 0)])
        image = clamped(levels)
        steps.append(
            Step(
                path=_save_levels(store, levels, f"{prefix}_l{k}.npy"),
                extents=tuple(views.extent(levels)),
                moved=tuple(float(value) for value in moved),
                psnr=psnr_y(image, bicubic, 0),
                psnr_rgb=psnr_rgb(image, bicubic, 0),
            )
        )
    shown = {"x": result.x, "lr": result.lr, "bicubic": bicubic}
    spectra = {key: views.spectrum(picture) for key, picture in shown.items()}
    return Study(
        name=name,
        source=sha256(Path(source).read_bytes()),
        method=result.method,
        scale=result.scale,
        size=(result.hr.shape[0], result.hr.shape[1]),
        lr_size=(result.lr.shape[0], result.lr.shape[1]),
        notices=notices,
        files=files,
        unrounded=_save_levels(store, unrounded, f"{prefix}_x_unrounded.npy"),
        clipped=clipped,
        steps=tuple(steps),
        flow_rms=float(np.sqrt(np.mean(views.root_mean_square(path[-1], path[0]) ** 2))),
        ranges={
            "x_unrounded": tuple(views.extent(unrounded)),
            **{key: tuple(views.extent(picture)) for key, picture in shown.items()},
        },
        exact=views.exactness(result.x, result.x_recovered),
        psnr=psnr_y(result.hr, result.reconstruction, result.scale),
        curves=Curves(
            {key: views.histogram(picture) for key, picture in shown.items()},
            spectra["x"][0],
            {key: power for key, (_, power) in spectra.items()},
        ),
    )


def _save_levels(store: Store, levels: Levels, name: str) -> str:
    buffer = io.BytesIO()
    np.save(buffer, levels)
    return store.save(buffer.getvalue(), name)


@contextmanager
def networks(models: Models, method: str, scale: int) -> Iterator[Rescaler]:
    """The rescaler of a method; what goes wrong with it is a RequestError."""
    try:
        with memory_errors_as(RequestError, NO_MEMORY):
            yield models.get(method, scale)
    except (CheckpointError, RescaleError) as error:
        raise RequestError(str(error)) from error
