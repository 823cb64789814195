"""IRN, the invertible rescaling net (Xiao et al., ECCV 2020), as published.

Its forward pass shrinks, its inverse enlarges: Haar transform and affine couplings, repeated per factor of two. The
first three channels of the result are the LR image, the others the latent z.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from fgrn.layers import AffineCoupling
from fgrn.models.base import Reach, RescalingNet
from fgrn.ops import haar, inverse_haar

COLOURS = 3


@dataclass(frozen=True)
class IRNConfig:
    """Shape of an IRN; the defaults are the published ones for x2 and x4."""

    scale: int
    blocks: int = 8  # couplings per level
    growth: int = 32

    def __post_init__(self) -> None:
        if self.scale not in (2, 4, 8):
            raise ValueError(f"IRN halves the size once per level: scale must be 2, 4 or 8, not {self.scale}")
        if self.blocks < 0 or self.growth < 1:
            raise ValueError(f"{self}: blocks must be >= 0 and growth >= 1")

    @property
    def levels(self) -> int:
        """Number of Haar transforms, log2(scale)."""
        return self.scale.bit_length() - 1


class IRN(RescalingNet):
    """Invertible net with z = 0 on the way up, the stronger and deterministic variant (paper, section 4.5).

    Under autocast, which only training uses, the insides of the dense blocks have its precision; LR and z stay
    float32, since what is rounded to 8 bit needs it.
    """

    def __init__(self, config: IRNConfig) -> None:
        super().__init__()
        self.config = config
        self.scale = config.scale
        self.levels = nn.ModuleList(
            nn.ModuleList(
                AffineCoupling(COLOURS, COLOURS * 4**level - COLOURS, config.growth)
                for _ in range(config.blocks)
            )
            for level in range(1, config.levels + 1)
        )

    @property
    def reach(self) -> Reach:
        # A pixel of level 1, the finest, is 2 / scale LR pixels wide, one of the last level is one.
        widths = [2.0**level / self.scale for level in range(1, self.config.levels + 1)]
        pixels = math.ceil(sum(AffineCoupling.REACH * self.config.blocks * width for width in widths))
        return Reach(encode=pixels, decode=pixels)

    @property
    def latent_channels(self) -> int:
        """Channels of z: 3 * scale^2 - 3."""
        return COLOURS * self.scale**2 - COLOURS

    def forward(self, hr: Tensor) -> tuple[Tensor, Tensor]:
        """HR (B, 3, scale*H, scale*W) -> LR (B, 3, H, W) and z (B, 3*scale^2 - 3, H, W)."""
        features = hr
        for level in self.levels:
            features = haar(features)
            for coupling in cast(nn.ModuleList, level):
                features, _ = coupling(features)
        return features[:, :COLOURS], features[:, COLOURS:]

    def inverse(self, lr: Tensor, z: Tensor) -> Tensor:
        """Undo `forward`: LR (B, 3, H, W) and z (B, 3*scale^2 - 3, H, W) -> HR (B, 3, scale*H, scale*W)."""
        features = torch.cat([lr, z], dim=1)
        for level in reversed(self.levels):
            for coupling in reversed(cast(nn.ModuleList, level)):
                features = cast(AffineCoupling, coupling).inverse(features)
            features = inverse_haar(features)
        return features

    def encode(self, hr: Tensor) -> Tensor:
        """HR -> LR; z is dropped. IRN constrains its LR image directly, so x is the LR image."""
        lr: Tensor = self(hr)[0]
        return lr

    def decode(self, x: Tensor) -> Tensor:
        """LR -> HR with z = 0."""
        return self.inverse(x, self.zero_latent(x))

    def zero_latent(self, lr: Tensor) -> Tensor:
        """z = 0 for an LR image (B, 3, H, W): shape (B, 3*scale^2 - 3, H, W)."""
        return lr.new_zeros(lr.shape[0], self.latent_channels, *lr.shape[2:])

    def sample_latent(self, lr: Tensor, generator: torch.Generator) -> Tensor:
        """z ~ N(0, 1) for an LR image, drawn from `generator` on the CPU so that a seed means the same everywhere."""
        shape = (lr.shape[0], self.latent_channels, *lr.shape[2:])
        return torch.randn(shape, generator=generator, dtype=lr.dtype).to(lr.device)
