"""From an LR PNG alone back to the picture, which its original then measures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from fgrn.checkpoint import CheckpointError
from fgrn.comparison import against_hr
from fgrn.images import ImageError, LoadedImage, encode_png
from fgrn.inputs import RescaleError
from fgrn.lr_files import Source, source_of
from fgrn.memory import memory_errors_as
from fgrn.methods import METHODS, label
from fgrn.pixels import Pixels
from fgrn.scores import Scores
from lab.asked import MAX_PIXELS, NO_MEMORY, RequestError, check_methods, check_scale, open_picture
from lab.compare.snapshot import read
from lab.files import Store, shown_name, stem
from lab.models import Models
from lab.reader import read_upload

OTHER_WEIGHTS = "Allow other weights"
FROM_FILE = "file"
ENLARGED = "Bicubic enlarged"


@dataclass(frozen=True)
class Restored:
    """A restored picture; sizes are (height, width).

    `paths` has what each method makes of the LR picture: its own method the last, and bicubic if that was asked for.
    """

    paths: dict[str, str]
    lr_path: str
    name: str  # of the LR file
    method: str
    scale: int
    lr_size: tuple[int, int]
    size: tuple[int, int]
    notices: tuple[str, ...]
    exact_size: bool  # not so of a file that does not say how large its original was
    hr_path: str = ""  # of the original, if there is one to measure against
    scores: Mapping[str, Scores] = field(default_factory=dict)  # by method, if there is

    @property
    def path(self) -> str:
        """What its own method makes of the LR picture."""
        return self.paths[self.method]

    @property
    def enlarged(self) -> bool:
        """Whether bicubic's enlargement of the same LR picture is there too."""
        return len(self.paths) > 1

    def label(self, method: str) -> str:
        """What a method has made, in words."""
        return ENLARGED if self.enlarged and method == "bicubic" else METHODS[method].label


def open_lr(path: str | None) -> LoadedImage:
    """Read an LR file.

    Raises:
        RequestError: if there is none, or it cannot be read.
    """
    if not path:
        raise RequestError("There is no LR picture yet. Upload the LR PNG that was downloaded.")
    try:
        return read_upload(path, max_pixels=MAX_PIXELS)
    except ImageError as error:
        raise RequestError(str(error)) from error


def describe(lr: LoadedImage) -> str:
    """What the file says about itself, in a sentence."""
    height, width = lr.pixels.shape[:2]
    if lr.info is None:
        return f"{width} × {height} {lr.format}. It does not say what made it: name the method and the scale."
    info = lr.info
    weights = f", weights {info.digest[:8]}" if info.digest else ""
    made = f"made by {label(info.method)} ×{info.scale} from {info.width} × {info.height}{weights}"
    return f"{width} × {height} {lr.format}, {made}."


def check(path: str | None, method: str | None, scale: object) -> tuple[LoadedImage, Source]:
    """An LR file, and what made it. `method` and `scale` are FROM_FILE, "" or None to take them from the file.

    Raises:
        RequestError: if it cannot be read, says too little, or is too large.
    """
    lr = open_lr(path)
    try:
        source = source_of(lr, _named(method), _scale(scale))
    except RescaleError as error:
        raise RequestError(str(error)) from error
    _scale(source.scale)  # a file may say anything
    _check_size(lr.pixels, source)
    return lr, source


def run(
    models: Models,
    store: Store,
    path: str | None,
    method: str | None,
    scale: object,
    other_weights: bool,
    stop: Callable[[], bool] = lambda: False,
    *,
    enlarge: bool = False,
) -> Restored:
    """Restore a picture; the first arguments are those of `check`. With `enlarge` bicubic does too, to compare.

    Raises:
        RequestError: for everything that keeps it from that; the message says what, why and what next.
        Interrupted: if `stop()` became true.
    """
    lr, source = check(path, method, scale)
    try:
        rescaler = models.get(source.method, source.scale)
        with memory_errors_as(RequestError, NO_MEMORY):
            with models.running(_work(source), lr.pixels.shape[0] * lr.pixels.shape[1], stop):
                picture = rescaler.upscale(lr, other_weights=other_weights)
            size = (picture.shape[0], picture.shape[1])
            wanted = enlarge and METHODS[source.method].trained
            enlarged = models.get("bicubic", source.scale).upscale(lr.pixels, size) if wanted else None
    except (RescaleError, CheckpointError) as error:
        raise RequestError(str(error)) from error
    name = _name_of_original(Path(path or "").stem, source)
    notices = list(source.notices)
    if source.info is None:
        notices.append("The size of the original is not known: the result is the LR size times the scale.")
    elif source.info.digest != rescaler.digest:
        notices.append(
            "Restored with other weights than those that made the LR picture: expect a wrong picture."
        )
    paths = {}
    if enlarged is not None:
        paths["bicubic"] = store.save(
            encode_png(enlarged, quick=True), f"{name}_x{source.scale}_enlarged.png"
        )
    paths[source.method] = store.save(
        encode_png(picture, quick=True), f"{name}_{source.method}_x{source.scale}_restored.png"
    )
    return Restored(
        paths=paths,
        lr_path=store.save(encode_png(lr.pixels, quick=True), f"{name}_shown.png"),
        name=shown_name(Path(path or "").name),
        method=source.method,
        scale=source.scale,
        lr_size=(lr.pixels.shape[0], lr.pixels.shape[1]),
        size=size,
        notices=tuple(notices),
        exact_size=source.info is not None,
    )


def measured(store: Store, done: Restored, original: str) -> Restored:
    """What was restored beside its original, of which nothing was known to it: with PSNR and SSIM.

    Raises:
        RequestError: if the original cannot be read or is of another size, or what was restored is gone.
    """
    hr, _, _ = open_picture(original, "the original")
    (height, width), size = done.size, (hr.shape[0], hr.shape[1])
    if size != done.size and not done.exact_size:
        raise RequestError(
            f"The LR file does not say how large its original was, so it was restored to {width} × {height} pixels. "
            f"This picture has {size[1]} × {size[0]}: they cannot be compared. Use an LR PNG that says it."
        )
    if size != done.size:
        raise RequestError(
            f"This is not the original: it has {size[1]} × {size[0]} pixels, what was restored {width} × {height}. "
            "Choose the picture that was shrunk, at its full size."
        )
    scores = {method: against_hr(hr, read(path), done.scale) for method, path in done.paths.items()}
    return replace(
        done, hr_path=store.save(encode_png(hr, quick=True), f"{stem(original)}.png"), scores=scores
    )


def doing(models: Models, lr: LoadedImage, source: Source) -> str:
    """What `run` does, for those who wait."""
    left = models.pace.left([_work(source)], lr.pixels.shape[0] * lr.pixels.shape[1])
    return f"Restoring with {METHODS[source.method].label} ×{source.scale}{left}"


def _work(source: Source) -> tuple[str, int, str]:
    return source.method, source.scale, "up"


def _named(method: str | None) -> str | None:
    if method in (None, "", FROM_FILE):
        return None
    (name,) = check_methods([method])
    return name


def _scale(scale: object) -> int | None:
    if scale in (None, "", FROM_FILE, 0):
        return None
    return check_scale(scale)


def _check_size(pixels: Pixels, source: Source) -> None:
    height, width = pixels.shape[0] * source.scale, pixels.shape[1] * source.scale
    if height * width > MAX_PIXELS:
        raise RequestError(
            f"Restored, this picture would have {width} x {height} pixels; this page makes at most {MAX_PIXELS:,}. "
            "Use `python -m fgrn upscale` for it."
        )


def _name_of_original(lr_name: str, source: Source) -> str:
    name = lr_name.removesuffix("_lr")
    for maker in METHODS.values():
        if maker.restored_by == source.method:
            name = name.removesuffix(f"_{maker.name}_x{source.scale}")
    return stem(f"{name}.png")
