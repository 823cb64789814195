"""The one interface of all methods: image -> x -> LR -> x -> image."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class Reach:
    """How far each step looks: a value depends on nothing more than so many LR pixels away, up, down or sideways."""

    encode: int
    decode: int
    flow: int = 0  # `to_lr` and `from_lr`


class RescalingNet(nn.Module, ABC):
    """A pair of downscaling and upscaling networks with an optional invertible map between x and LR.

    Shapes: HR is (B, 3, scale*H, scale*W); x and LR are (B, 3, H, W). Values are floats, nominally in [0, 1];
    rounding to 8 bit between the steps is the pipeline's (or the loss's) work, so that training can choose.
    """

    scale: int

    @property
    @abstractmethod
    def reach(self) -> Reach:
        """What a tile of a large picture needs around it."""

    @abstractmethod
    def encode(self, hr: Tensor) -> Tensor:
        """HR -> x, the representation from which `decode` restores best."""

    def to_lr(self, x: Tensor) -> Tensor:
        """x -> LR, the picture to look at. The identity for methods that constrain x itself."""
        return x

    def path(self, x: Tensor) -> list[Tensor]:
        """x, the images between the steps of `to_lr`, and LR; x alone where `to_lr` is the identity."""
        return [x]

    def from_lr(self, lr: Tensor) -> Tensor:
        """LR -> x: the inverse of `to_lr`."""
        return lr

    @abstractmethod
    def decode(self, x: Tensor) -> Tensor:
        """x -> HR."""
