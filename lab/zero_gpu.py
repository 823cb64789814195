"""ZeroGPU, the GPUs that Hugging Face lends to its Spaces: every step of a network is a task for a worker process.

The package `spaces`, which those Spaces have, runs a decorated function in a process that is lent a GPU, and hands
arguments and results to and fro. So the page keeps the networks on the CPU, and a `BorrowingRescaler` asks the
worker, which loads weights of its own. What looks inside a network (the tab Latent x) stays on the CPU. Stop takes
effect between two steps.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

import torch
from numpy.typing import NDArray

from fgrn.inputs import ImageLike, as_pixels
from fgrn.methods import METHODS
from fgrn.pipeline import Rescaler, load
from fgrn.pixels import Levels, Pixels
from lab.models import Models, check_stop

SECONDS = 30  # the most that one step may take; a visitor's quota has to be this large
REFINING_SECONDS = 6  # more for every megapixel, where x is refined

Task = Callable[..., Any]


def is_here() -> bool:
    """Whether this program runs in a Space with ZeroGPU."""
    return os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")


def models() -> Models:
    """Models whose networks run on a lent GPU. To be called before the page is launched.

    Raises:
        ImportError: if there is no package `spaces`.
    """
    import spaces  # only where `is_here()`

    on_gpu: Task = spaces.GPU(step, duration=seconds)
    return Models(lambda method, scale: _borrowing(method, scale, on_gpu), device="ZeroGPU")


@dataclass(frozen=True, kw_only=True)
class BorrowingRescaler(Rescaler):
    """A rescaler whose four steps run elsewhere: `on_gpu` is `step`, made to run in the worker."""

    on_gpu: Task

    def encode(self, hr: ImageLike) -> Pixels:
        x: Pixels = self._borrow("encode", as_pixels(hr))
        return x

    def to_lr(self, x: Pixels) -> Pixels:
        lr: Pixels = self._borrow("to_lr", x) if METHODS[self.method].has_flow else super().to_lr(x)
        return lr

    def from_lr(self, lr: ImageLike) -> Levels:
        flows = METHODS[self.method].has_flow
        x: Levels = self._borrow("from_lr", as_pixels(lr)) if flows else super().from_lr(lr)
        return x

    def decode(self, x: Pixels | Levels, size: tuple[int, int] | None = None) -> Pixels:
        hr: Pixels = self._borrow("decode", x, size)
        return hr

    def _borrow(self, name: str, *arguments: Any) -> NDArray[Any]:
        check_stop()
        answer: NDArray[Any] | Exception = self.on_gpu(self.method, self.scale, name, *arguments)
        if isinstance(answer, Exception):
            raise answer
        return answer


def seconds(method: str, scale: int, name: str, *arguments: Any) -> int:
    """The most that `step` may take with these arguments."""
    if name != "encode" or not METHODS[method].refines:
        return SECONDS
    pixels: Pixels = arguments[0]
    return SECONDS + int(REFINING_SECONDS * pixels.shape[0] * pixels.shape[1] / 1e6)


def step(method: str, scale: int, name: str, *arguments: Any) -> NDArray[Any] | Exception:
    """In the worker: the step `name` of a rescaler. An error is returned, because `spaces` would forget its message."""
    try:
        result: NDArray[Any] = getattr(_on_device(method, scale), name)(*arguments)
        return result
    except (ValueError, MemoryError, torch.OutOfMemoryError) as error:
        return error


@cache
def _on_device(method: str, scale: int) -> Rescaler:
    return load(method, scale, device="cuda" if torch.cuda.is_available() else "cpu")


def _borrowing(method: str, scale: int, on_gpu: Task) -> Rescaler:
    rescaler = load(method, scale, device="cpu")
    if not METHODS[method].trained:  # bicubic is faster than the way to a GPU
        return rescaler
    parts = {field.name: getattr(rescaler, field.name) for field in fields(rescaler)}
    return BorrowingRescaler(**parts, on_gpu=on_gpu)
