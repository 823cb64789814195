"""8-bit pictures through a method: image -> x -> LR -> x -> image. Page, CLI, API and evaluation all go this way."""

from __future__ import annotations

import operator
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fgrn import images
from fgrn.compute import TensorFunction, as_array, as_tensor, compute
from fgrn.devices import usable_device
from fgrn.inputs import ImageLike, RescaleError, as_levels, as_pixels, as_size, read_picture
from fgrn.lr_info import LRInfo
from fgrn.memory import limit_gpu_memory
from fgrn.methods import METHODS, REFINING_STEPS, label, load_net, restored_by
from fgrn.models import IRN, RescalingNet
from fgrn.ops import grey_levels, memory_format, nearly_quantise, require_float32
from fgrn.pixels import Levels, Pixels, clamped, pad_to_multiple
from fgrn.refine import refine

TILE = 960  # LR pixels on a side: larger pictures are computed in tiles, in about 2 GB for FGRN
MAX_SEED = 2**63 - 1
MIN_SIDE = 16  # HR pixels: the smallest side that can be padded by reflection and still holds a picture


@dataclass(frozen=True, eq=False)
class Result:
    """One picture through one method. All pictures are uint8 arrays (., ., 3); x and LR are HR / scale, rounded up."""

    method: str
    scale: int
    hr: Pixels = field(repr=False)
    x: Pixels = field(repr=False)  # rounded to 8 bit; LR itself for methods without a flow
    lr: Pixels = field(repr=False)
    x_recovered: Pixels = field(repr=False)  # round(F^-1(LR)); the decoder gets what `from_lr` gives
    reconstruction: Pixels = field(repr=False)
    x_exact: float  # share of the values of x that came back exactly, 0 to 1
    seconds_down: float
    seconds_up: float
    lr_png: bytes = field(repr=False)  # the LR file, with what restoring needs in a text chunk


@dataclass(frozen=True)
class Rescaler:
    """A method with its weights on a device. Stateless: may be shared between threads."""

    method: str
    scale: int
    net: RescalingNet = field(repr=False)
    digest: str  # of the weights; "" for bicubic
    device: torch.device
    latent_seed: int | None = None  # IRN: draw z ~ N(0, 1) with it, for the whole picture at once
    tile: int = TILE  # LR pixels
    refining_steps: int = 0  # gradient steps on x, see `fgrn.refine`

    def downscale(self, hr: ImageLike) -> Pixels:
        """HR (H, W, 3) -> LR (ceil(H/scale), ceil(W/scale), 3).

        Raises:
            RescaleError: if a side is below 16 pixels, or the array is no 8-bit picture.
            fgrn.images.ImageError: for a file that cannot be read.
        """
        return self.to_lr(self.encode(hr))

    def upscale(
        self, lr: ImageLike, size: tuple[int, int] | None = None, *, other_weights: bool = False
    ) -> Pixels:
        """LR (H, W, 3) -> HR, cropped to `size` = (height, width) of the original if it is given.

        A file, or PIL image of it, that says what made it, as the LR PNGs of this program do, also gives the size.
        Other weights than those that made it are refused unless `other_weights` is set: they give a wrong picture.

        Raises:
            RescaleError: if the LR image is too small, `size` does not belong to it, or the file was made by another
                method, at another scale or with other weights. (Of an array nobody knows.)
            fgrn.images.ImageError: for a file that cannot be read.
        """
        pixels, info = read_picture(lr)
        if info:
            self._check(info, other_weights)
            size = (info.height, info.width) if size is None else size
        return self.decode(self.from_lr(pixels), size)

    def _check(self, info: LRInfo, other_weights: bool) -> None:
        made, here = f"{label(info.method)} x{info.scale}", f"{label(self.method)} x{self.scale}"
        if (info.method, info.scale) != (restored_by(self.method), self.scale):
            raise RescaleError(
                f"This LR PNG was made by {made}; restored as {here} it would give a wrong picture. Use {made}."
            )
        if info.digest != self.digest and not other_weights:
            raise RescaleError(
                f"This LR PNG was made with other weights ({info.digest or 'none'}) than the ones loaded "
                f"({self.digest or 'none'}): the restored picture would be wrong. Load those weights, or allow other "
                "weights (--allow-other-weights, other_weights=True) to see it all the same."
            )

    def encode(self, hr: ImageLike) -> Pixels:
        """HR -> x, padded by reflection to the next multiple of the scale; refined, if the method is for that."""
        pixels = as_pixels(hr)
        if min(pixels.shape[:2]) < MIN_SIDE:
            raise RescaleError(
                f"The picture is {pixels.shape[1]} x {pixels.shape[0]} pixels, but each side needs at least "
                f"{MIN_SIDE}: choose a larger picture."
            )
        padded = pad_to_multiple(pixels, self.scale)
        x = self._apply(self.net.encode, padded, self.net.reach.encode, zoom_in=self.scale)
        steps = self.refining_steps
        return refine(self.net, padded, x, steps=steps, device=self.device) if steps else x

    def to_lr(self, x: Pixels) -> Pixels:
        """x -> LR through F."""
        return self._apply(self.net.to_lr, as_pixels(x), self.net.reach.flow)

    def from_lr(self, lr: ImageLike) -> Levels:
        """LR -> x through the inverse of F, rounded as far as it is decided (`fgrn.ops.nearly_quantise`).

        `fgrn.pixels.clamped` makes a picture of it. Without a flow it is LR.
        """
        pixels = as_pixels(lr)
        if min(pixels.shape[:2]) * self.scale < MIN_SIDE:
            raise RescaleError(
                f"The LR image is {pixels.shape[1]} x {pixels.shape[0]} pixels; x{self.scale} needs at least "
                f"{-(-MIN_SIDE // self.scale)} on each side: choose the LR PNG that was downloaded."
            )
        levels: Levels = self._apply(self.net.from_lr, pixels, self.net.reach.flow, finish=nearly_quantise)
        return levels

    def decode(self, x: Pixels | Levels, size: tuple[int, int] | None = None) -> Pixels:
        """x -> HR, cropped to `size` = (height, width) if it is given.

        Raises:
            RescaleError: if x is none, see `fgrn.inputs.as_levels`, or `size` does not belong to it.
        """
        x = as_levels(x)
        whole = x.shape[0] * self.scale, x.shape[1] * self.scale
        height, width = whole if size is None else as_size(size)
        if (-(-height // self.scale), -(-width // self.scale)) != x.shape[:2]:
            if size is not None and (-(-width // self.scale), -(-height // self.scale)) == x.shape[:2]:
                raise RescaleError(f"size is (height, width): this LR image is one of {(width, height)}.")
            raise RescaleError(
                f"An original of {width} x {height} pixels has an LR image of {-(-width // self.scale)} x "
                f"{-(-height // self.scale)} at x{self.scale}, but this one is {x.shape[1]} x {x.shape[0]}: it was "
                "resized or cropped afterwards. Use the LR PNG as it was downloaded."
            )
        if self.latent_seed is not None and isinstance(self.net, IRN):
            restored = _decode_drawn(self.net, self.latent_seed, x, self.device)
        else:
            restored = self._apply(self.net.decode, x, self.net.reach.decode, zoom_out=self.scale)
        return restored[:height, :width]

    def info(self, size: tuple[int, int]) -> LRInfo:
        """What the LR PNG of an original of `size` = (height, width) has to carry."""
        return LRInfo(restored_by(self.method), self.scale, *size, self.digest)

    def _apply(
        self,
        function: TensorFunction,
        pixels: Pixels | Levels,
        reach: int,
        zoom_in: int = 1,
        zoom_out: int = 1,
        finish: TensorFunction = grey_levels,
    ) -> NDArray[Any]:
        return compute(
            function,
            pixels,
            device=self.device,
            side=self.tile,
            reach=reach,
            zoom_in=zoom_in,
            zoom_out=zoom_out,
            finish=finish,
        )


def load(
    method: str,
    scale: int,
    *,
    device: str | torch.device | None = None,
    weights: str | Path | None = None,
    latent_seed: int | None = None,
) -> Rescaler:
    """Load a method: one of `fgrn.methods.METHODS`, at scale 2 or 4.

    `weights` is a `*.safetensors` file with its card, or `org/name@revision` on the Hugging Face Hub; by default the
    repository's own. `device` defaults to what Accelerate finds: a GPU if there is one, else the CPU. Bicubic is always
    computed on the CPU: it takes less time there than the way to a GPU, and its LR, which all others are compared with,
    is the same everywhere.

    Raises:
        ValueError: for an unknown method or scale, a device that cannot be used here (bicubic needs none), `weights` or
            a `latent_seed` for a method that has none or draws nothing, a seed that is no whole number from 0 to
            2**63 - 1, and for FGRN_GPU_MEMORY that is no number of gigabytes.
        fgrn.checkpoint.CheckpointError: if the weights cannot be used.
    """
    require_float32()
    scale, latent_seed = _as_int(scale), _as_int(latent_seed)
    # Weights that are made in inference mode take no part in gradients, which refining needs.
    with torch.inference_mode(False):
        net, card = load_net(method, scale, weights)
        if latent_seed is not None and not isinstance(net, IRN):
            raise ValueError(f"latent_seed has no effect on {METHODS[method].label}: only IRN draws z")
        if latent_seed is not None and not (type(latent_seed) is int and 0 <= latent_seed <= MAX_SEED):
            raise ValueError(
                f"latent_seed {latent_seed} is no seed: choose a whole number from 0 to 2**63 - 1"
            )
        place = usable_device(device) if METHODS[method].trained else torch.device("cpu")
        limit_gpu_memory(place)
        net.requires_grad_(False)
        net.to(place, memory_format=memory_format(place))  # type: ignore[call-overload]
    rescaler = Rescaler(method, scale, net, card.digest if card else "", place, latent_seed)
    return refining(rescaler, method) if METHODS[method].refines else rescaler


def refining(rescaler: Rescaler, method: str) -> Rescaler:
    """The same network for `method`, which refines the x of the rescaler's own method."""
    return replace(rescaler, method=method, refining_steps=REFINING_STEPS)


def _as_int(number: Any) -> Any:
    """A whole number of numpy's, say, as one of Python's; anything else is left for others to refuse."""
    try:
        return number if isinstance(number, bool) else operator.index(number)
    except TypeError:
        return number


def device_of(rescalers: Iterable[Rescaler]) -> torch.device:
    """Where the networks of a comparison run. Bicubic's device is always the CPU, and says nothing of the others."""
    places = [rescaler.device for rescaler in rescalers if METHODS[rescaler.method].trained]
    return places[0] if places else torch.device("cpu")


def rescale(rescaler: Rescaler, image: ImageLike) -> Result:
    """Shrink and restore a picture (paper, Figure 1b); x, LR and the reconstruction are rounded to 8 bit.

    Raises:
        RescaleError: if a side is below 16 pixels, or the array is no 8-bit picture.
        fgrn.images.ImageError: for a file that cannot be read.
    """
    hr = as_pixels(image)
    size = (hr.shape[0], hr.shape[1])
    start = time.perf_counter()
    x = rescaler.encode(hr)
    lr = rescaler.to_lr(x)
    middle = time.perf_counter()
    levels = rescaler.from_lr(lr)
    reconstruction = rescaler.decode(levels, size)
    end = time.perf_counter()
    x_recovered = clamped(levels)
    return Result(
        method=rescaler.method,
        scale=rescaler.scale,
        hr=hr,
        x=x,
        lr=lr,
        x_recovered=x_recovered,
        reconstruction=reconstruction,
        x_exact=float(np.mean(x == x_recovered)),
        seconds_down=middle - start,
        seconds_up=end - middle,
        lr_png=images.encode_png(lr, rescaler.info(size)),
    )


def _decode_drawn(net: IRN, seed: int, x: Pixels | Levels, device: torch.device) -> Pixels:
    """Never in tiles: z belongs to the whole picture."""
    generator = torch.Generator().manual_seed(seed)
    with torch.inference_mode():
        image = as_tensor(x, device)
        return as_array(grey_levels(net.inverse(image, net.sample_latent(image, generator))))
