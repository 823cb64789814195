"""What visitors ask for, checked: pictures, scales and methods that the page can serve."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from fgrn.checkpoint import CheckpointError
from fgrn.images import ImageError
from fgrn.methods import METHODS, SCALES
from fgrn.pipeline import MIN_SIDE, Rescaler
from fgrn.pixels import Pixels
from lab.models import Models
from lab.reader import read_upload

MAX_PIXELS = 16_000_000
"""Cap of the page on a picture, whether it is uploaded or restored."""
MAX_UPLOAD = 20
"""Cap on an uploaded file, in MB."""
LIMITS = f"{MAX_PIXELS // 1_000_000} megapixels and {MAX_UPLOAD} MB"
"""Both in words."""
NO_MEMORY = "There is not enough memory for this picture. Use a smaller one, or another method."


CLEANED_UP = "The pictures of this run were cleaned up. Run it again."


class RequestError(ValueError):
    """A request that the page cannot serve; the message says what, why and what next."""


def open_picture(path: str | None, what: str = "a picture") -> tuple[Pixels, tuple[str, ...], str]:
    """Read an upload: pixels, notices, format.

    Raises:
        RequestError: if there is none, it cannot be read, or it is too small or too large.
    """
    if not path:
        raise RequestError(f"There is no picture yet. Upload or paste {what}, or choose an example.")
    try:
        loaded = read_upload(path, max_pixels=MAX_PIXELS)
    except ImageError as error:
        raise RequestError(str(error)) from error
    height, width = loaded.pixels.shape[:2]
    if min(height, width) < MIN_SIDE:
        raise RequestError(
            f"The picture is {width} x {height} pixels, but each side needs at least {MIN_SIDE}. "
            "Choose a larger picture."
        )
    return loaded.pixels, loaded.notices, loaded.format


@contextmanager
def files_needed() -> Iterator[None]:
    """Within it files of a run are read: they are kept for a day.

    Raises:
        RequestError: if they are gone.
    """
    try:
        yield
    except (OSError, ValueError) as error:  # ImageError is a ValueError
        raise RequestError(CLEANED_UP) from error


def check_scale(scale: object) -> int:
    """The scale as a number.

    Raises:
        RequestError: if there is no such scale.
    """
    for known in SCALES:
        if scale == known or (isinstance(scale, str) and scale.strip() == str(known)):
            return known
    raise RequestError(f"Scale {scale!r:.40} is not supported. Choose one of {', '.join(map(str, SCALES))}.")


def check_methods(methods: object) -> list[str]:
    """The methods in the order of METHODS, without repetitions.

    Raises:
        RequestError: for an unknown method, or none at all.
    """
    return check_names(methods, METHODS, "method", "No method is chosen. Tick at least one method.")


def check_names(asked: object, known: Iterable[str], what: str, none_at_all: str) -> list[str]:
    """Those of `known` that a request asks for, a list of names from anywhere; `what` says what they are.

    Raises:
        RequestError: for an unknown name, or with the text `none_at_all`.
    """
    if not asked:
        raise RequestError(none_at_all)
    names, wanted = list(known), list(asked) if isinstance(asked, list | tuple) else [asked]
    for name in wanted:
        if name not in names:
            raise RequestError(f"There is no {what} {name!r}. Choose among {', '.join(names)}.")
    return [name for name in names if name in wanted]


def rescalers(models: Models, scale: int, methods: Sequence[str]) -> dict[str, Rescaler]:
    """The rescalers of methods, for a run that needs all of them.

    Raises:
        RequestError: if the weights of one cannot be used.
    """
    try:
        return {name: models.get(name, scale) for name in methods}
    except CheckpointError as error:
        raise RequestError(f"{error}. Untick this method, or choose another scale.") from error
