"""The baseline: bicubic down, bicubic up."""

from __future__ import annotations

from torch import Tensor

from fgrn.models.base import Reach, RescalingNet
from fgrn.resize import REACH, bicubic_downscale, bicubic_upscale


class Bicubic(RescalingNet):
    """MATLAB-style antialiased bicubic in both directions; no parameters."""

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale

    @property
    def reach(self) -> Reach:
        return Reach(encode=REACH, decode=REACH)

    def encode(self, hr: Tensor) -> Tensor:
        """HR (B, 3, scale*H, scale*W) -> LR (B, 3, H, W)."""
        return bicubic_downscale(hr, self.scale)

    def decode(self, x: Tensor) -> Tensor:
        """LR (B, 3, H, W) -> HR (B, 3, scale*H, scale*W)."""
        return bicubic_upscale(x, self.scale)
