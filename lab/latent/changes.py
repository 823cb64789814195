"""Changes to the LR picture, and what comes back from it then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from fgrn.metrics import psnr_y
from fgrn.pixels import Pixels, clamped, noisy
from fgrn.scores import format_score
from lab.asked import RequestError
from lab.files import Store
from lab.latent import views
from lab.latent.brush import Stroke, brushed, reached
from lab.latent.studies import Study, networks, save_view
from lab.models import Models

KINDS = {"level": "Grey level", "noise": "Noise", "brush": "Brush"}
MAX_POINTS = 5_000  # of all strokes together
MAX_REACHED = 100_000_000  # pixels to look at for all strokes: some seconds
MAX_LEVELS, MAX_SIGMA, MAX_RADIUS = 32, 32, 64

Action = Stroke | Literal["undo", "clear"]
"""What can be done with the brush."""


@dataclass(frozen=True)
class Change:
    """A change to the LR picture; only the fields of its kind count."""

    kind: str  # of KINDS
    levels: int = 1
    sigma: float = 1.0
    seed: int = 0
    strokes: tuple[Stroke, ...] = ()

    def apply(self, lr: Pixels) -> Pixels:
        """The changed LR picture."""
        if self.kind == "level":
            return clamped(lr.astype(np.int32) + self.levels)
        if self.kind == "noise":
            return noisy(lr, self.sigma, self.seed)
        return brushed(lr, self.strokes)


@dataclass(frozen=True)
class Returned:
    """What came back from a changed LR picture; differences are to what comes back from the unchanged one."""

    change: Change
    files: dict[str, str]  # PNGs: lr, x, restored, and the differences x_change and restored_change
    changed: float  # share of the values of the LR picture
    lr_rms: float  # grey levels, as the others
    x_rms: float
    x_largest: int
    restored_rms: float
    psnr: float
    there_before: (
        float  # PSNR-Y of the restored picture over the pixels whose LR pixel was changed; nan without one
    )
    there: float


def perturb(
    models: Models,
    store: Store,
    of: Study,
    change: Change,
    gain: float,
    stop: Callable[[], bool] = lambda: False,
) -> Returned:
    """Restore from a changed LR picture; `gain` is that of the shown differences.

    Raises:
        RequestError: if it cannot be restored, or the files of the study were cleaned up.
        Interrupted: if `stop()` became true.
    """
    lr, old_x, old = of.pixels("lr"), of.pixels("x_recovered"), of.pixels("restored")
    changed = change.apply(lr)
    count = lr.shape[0] * lr.shape[1]
    with networks(models, of.method, of.scale) as rescaler, models.running(_work(of), count, stop):
        levels = rescaler.from_lr(changed)
        restored = rescaler.decode(levels, of.size)
    x, hr = clamped(levels), of.pixels("hr")
    touched = (changed != lr).any(axis=2).repeat(of.scale, axis=0).repeat(of.scale, axis=1)
    touched = touched[: of.size[0], : of.size[1]]
    pictures = {
        "lr": changed,
        "x": x,
        "restored": restored,
        "x_change": views.difference(x, old_x, gain),
        "restored_change": views.difference(restored, old, gain),
    }
    return Returned(
        change=change,
        files={key: save_view(store, array, f"{of.prefix}_changed_{key}") for key, array in pictures.items()},
        changed=float(np.mean(changed != lr)),
        lr_rms=_rms(changed, lr),
        x_rms=_rms(x, old_x),
        x_largest=int(np.abs(x.astype(np.int16) - old_x).max()),
        restored_rms=_rms(restored, old),
        psnr=psnr_y(hr, restored, of.scale),
        # one pixel a row, since PSNR takes some rows at a time
        there_before=psnr_y(hr[touched][:, None], old[touched][:, None], 0),
        there=psnr_y(hr[touched][:, None], restored[touched][:, None], 0),
    )


def doing(models: Models, of: Study) -> str:
    """What `perturb` does, for those who wait."""
    left = models.pace.left([_work(of)], of.lr_size[0] * of.lr_size[1])
    return f"Restoring with {of.title}{left}"


def checked(
    kind: object, levels: object, sigma: object, seed: object, strokes: Sequence[Stroke] = ()
) -> Change:
    """A change from what the page sends; what other kinds of change need is not looked at.

    Raises:
        RequestError: for values that are no numbers or out of range.
    """
    if kind not in KINDS:
        raise RequestError(f"There is no change {kind!r}. Choose among {', '.join(KINDS)}.")
    if kind == "brush" and not strokes:
        raise RequestError("Nothing is painted yet. Draw on the LR picture first.")
    if kind == "brush":
        return Change("brush", strokes=tuple(strokes))
    if kind == "noise":
        strength = _number(sigma, "Sigma", 0, MAX_SIGMA)
        return Change("noise", sigma=strength, seed=round(_number(seed, "Seed", 0, 2**31 - 1)))
    return Change("level", round(_number(levels, "Grey levels", -MAX_LEVELS, MAX_LEVELS)))


def read_actions(sent: object) -> tuple[Action, ...]:
    """What was done with the brush, as the browser sends it: "undo", "clear", or a stroke as `plain_strokes` reads it.

    Raises:
        RequestError: if it is none of them.
    """
    if not isinstance(sent, list):
        raise RequestError("What the brush did cannot be read. Draw it again.")
    return tuple(action if action in ("undo", "clear") else _stroke(action) for action in sent)


def after(strokes: tuple[Stroke, ...], actions: Sequence[Action]) -> tuple[Stroke, ...]:
    """What is painted after some actions; RequestError if it would take too long to paint it."""
    painted = list(strokes)
    for action in actions:
        if action == "undo":
            del painted[-1:]
        elif action == "clear":
            painted.clear()
        else:
            painted.append(action)
    return paintable(tuple(painted))


def plain_strokes(sent: object) -> tuple[Stroke, ...]:
    """Strokes as programs write them: points, radius and levels each; RequestError if they are none, or too many."""
    if not isinstance(sent, list):
        raise RequestError("Strokes are a list of objects with points, radius and levels. Write them so.")
    return paintable(tuple(map(_stroke, sent)))


def _stroke(sent: object) -> Stroke:
    if not isinstance(sent, dict) or set(sent) != {"points", "radius", "levels"}:
        raise RequestError("A stroke has points, radius and levels, and nothing else. Write it so.")
    radius = _number(sent["radius"], "Radius", 0.5, MAX_RADIUS)
    levels = round(_number(sent["levels"], "Grey levels", -MAX_LEVELS, MAX_LEVELS))
    if not isinstance(sent["points"], list) or not sent["points"]:
        raise RequestError("This stroke has no points. Draw it again.")
    return Stroke(tuple(map(_point, sent["points"])), radius, levels)


def paintable(strokes: tuple[Stroke, ...]) -> tuple[Stroke, ...]:
    """The strokes, all that there are; RequestError if it would take too long to paint them."""
    if sum(len(stroke.points) for stroke in strokes) > MAX_POINTS:
        raise RequestError(
            f"More than {MAX_POINTS:,} points are painted. Clear the brush and use a larger one."
        )
    if sum(map(reached, strokes)) > MAX_REACHED:
        raise RequestError("These strokes are too long to be painted. Clear the brush and draw shorter ones.")
    return strokes


def sentence(of: Study, back: Returned) -> str:
    """What the change did, in words."""
    change = back.change
    what = {
        "level": f"{_levels(change.levels)} on the whole LR picture",
        "noise": f"Noise of sigma {change.sigma:g} on the LR picture",
        "brush": f"The brush, over {100 * back.changed:.2g} % of the LR picture,",
    }[change.kind]
    if back.changed == 0:
        return f"{what} changes no value of it, so the same picture comes back."
    there = (
        f" Where it was changed: {format_score(back.there_before)} and {format_score(back.there)} dB."
        if change.kind == "brush"
        else ""
    )
    return (
        f"{what} changes x by {back.x_rms:.1f} grey levels (root mean square; at most {back.x_largest}) and the "
        f"restored picture by {back.restored_rms:.1f}. PSNR-Y: {format_score(of.psnr)} dB before, "
        f"{format_score(back.psnr)} dB after.{there}"
    )


def _work(of: Study) -> tuple[str, int, str]:
    return of.method, of.scale, "up"


def _levels(count: int) -> str:
    return f"{count:+d} grey level{'' if abs(count) == 1 else 's'}"


def _number(value: object, name: str, least: float, most: float) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not least <= value <= most:  # type: ignore[operator]  # false for nan
        found = "it is empty" if value is None else f"it is {value!r:.40}"
        raise RequestError(
            f"{name} must be a number from {least:,.10g} to {most:,.10g}, but {found}. Change it."
        )
    return float(value)  # type: ignore[arg-type]


def _point(point: Any) -> tuple[float, float]:
    limit = 1 << 16
    if not isinstance(point, list) or len(point) != 2:
        raise RequestError("This stroke cannot be read. Draw it again.")
    return _number(point[0], "A position", -limit, limit), _number(point[1], "A position", -limit, limit)


def _rms(a: Pixels, b: Pixels) -> float:
    return float(np.sqrt(np.mean(views.root_mean_square(a, b) ** 2)))
