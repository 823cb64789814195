"""FGRN, the flow guidance rescaling network (Li et al., BMVC 2021, section 3).

    image -> G_d -> x -> F -> LR -> F^-1 -> x -> G_u -> image

G_d and G_u are free to choose x; the invertible F turns x into a picture and back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import Tensor, nn

from fgrn.layers import AffineCoupling, ResidualBlock, convolution
from fgrn.models.base import Reach, RescalingNet
from fgrn.ops import in_float32, squeeze, unsqueeze
from fgrn.resize import bicubic_downscale, bicubic_upscale

COLOURS = 3

Guidance = Literal["flow", "bicubic", "none"]


@dataclass(frozen=True)
class FGRNConfig:
    """Shape of an FGRN.

    `guidance` names the ablation of section 4.4: "flow" is FGRN (DU_flow); "bicubic" (DU_bic) and "none" (DU_none)
    have no flow, so that LR is x itself; they differ only in how they are trained.
    """

    scale: int
    channels: int = 64
    down_blocks: int = 7
    up_blocks: int = 18
    flow_cells: int = 4
    flow_growth: int = 16
    flow_rotation: int = 1  # cell k of F rolls the colours by k * flow_rotation before it splits them
    leak: float = 0.0  # slope below 0 of the activations in G_d and G_u; 0 is the paper's ReLU
    guidance: Guidance = "flow"

    def __post_init__(self) -> None:
        if self.scale < 2 or min(self.channels, self.flow_growth) < 1:
            raise ValueError(f"{self}: scale must be >= 2, channels and flow_growth >= 1")
        if min(self.down_blocks, self.up_blocks, self.flow_cells, self.flow_rotation) < 0:
            raise ValueError(f"{self}: numbers of blocks and cells and the rotation cannot be negative")
        if not 0 <= self.leak < 1:
            raise ValueError(f"leak {self.leak} is no slope from 0 to below 1")
        if self.guidance not in ("flow", "bicubic", "none"):
            raise ValueError(f"guidance {self.guidance!r} is none of flow, bicubic, none")


def _residual_blocks(config: FGRNConfig, count: int) -> Iterator[ResidualBlock]:
    return (ResidualBlock(config.channels, config.leak) for _ in range(count))


class Downscaler(nn.Module):
    """G_d: squeeze, convolution, residual blocks, convolution; added to the bicubic LR image.

    The last convolution starts at zero, so x starts as y_bic. The paper does not say how it starts; from a random
    start the rounded x carries no signal and nothing is learnt. No loss ties x to y_bic afterwards.
    """

    def __init__(self, config: FGRNConfig) -> None:
        super().__init__()
        self.scale = config.scale
        self.head = convolution(COLOURS * config.scale**2, config.channels)
        self.body = nn.Sequential(*_residual_blocks(config, config.down_blocks))
        self.tail = convolution(config.channels, COLOURS, gain=0.0)

    def forward(self, hr: Tensor) -> Tensor:
        """HR (B, 3, scale*H, scale*W) -> x (B, 3, H, W), float32, not yet rounded."""
        features = self.body(self.head(squeeze(hr, self.scale)))
        return bicubic_downscale(hr, self.scale) + in_float32(self.tail, features)


class Upscaler(nn.Module):
    """G_u: convolution, residual blocks, convolution, pixel shuffle; added to the bicubic enlargement of x."""

    def __init__(self, config: FGRNConfig) -> None:
        super().__init__()
        self.scale = config.scale
        self.head = convolution(COLOURS, config.channels)
        self.body = nn.Sequential(*_residual_blocks(config, config.up_blocks))
        self.tail = convolution(config.channels, COLOURS * config.scale**2, gain=0.0)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, 3, H, W) -> HR (B, 3, scale*H, scale*W), float32, not yet rounded."""
        features = self.body(in_float32(self.head, x))
        detail = unsqueeze(in_float32(self.tail, features), self.scale)
        return detail.add_(bicubic_upscale(x, self.scale))


class FlowGuidance(nn.Module):
    """F = f_1 o f_2 o ... o f_K, an invertible map from x to the LR image (paper, section 3.3). Always float32.

    With zero cells it is the identity. Cell k first rolls the colours by k * flow_rotation, so that each of them takes
    the part of l1 in turn (the paper leaves the split open); the roll is undone at the end of the cell.
    """

    def __init__(self, config: FGRNConfig) -> None:
        super().__init__()
        cells = config.flow_cells if config.guidance == "flow" else 0
        self.rotation = config.flow_rotation
        self.cells = nn.ModuleList(AffineCoupling(1, COLOURS - 1, config.flow_growth) for _ in range(cells))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x (B, 3, H, W) -> LR (B, 3, H, W) and log|det dF/dx| per sample, shape (B,)."""
        log_det = x.new_zeros(x.shape[0])
        for k in range(len(self.cells)):
            x, cell_log_det = self._step(k, x)
            log_det = log_det + cell_log_det
        return x, log_det

    def path(self, x: Tensor) -> list[Tensor]:
        """x (B, 3, H, W) -> [l_0 = x, l_1, ..., l_K = LR], what `forward` passes through; each (B, 3, H, W)."""
        images = [x]
        for k in range(len(self.cells)):
            images.append(self._step(k, images[-1])[0])
        return images

    def _step(self, k: int, image: Tensor) -> tuple[Tensor, Tensor]:
        """l_(k + 1) of l_k, and the log-determinant of that cell."""
        shift = k * self.rotation
        with torch.autocast(image.device.type, enabled=False):
            rolled, log_det = self.cells[k](image.roll(-shift, dims=1))
        return rolled.roll(shift, dims=1), log_det

    def inverse(self, lr: Tensor) -> Tensor:
        """LR (B, 3, H, W) -> x (B, 3, H, W)."""
        with torch.autocast(lr.device.type, enabled=False):
            for k, cell in reversed(list(enumerate(self.cells))):
                shift = k * self.rotation
                lr = cast(AffineCoupling, cell).inverse(lr.roll(-shift, dims=1)).roll(shift, dims=1)
            return lr


class FGRN(RescalingNet):
    """The whole network of Figure 1: `downscaler` (G_d), `flow` (F), `upscaler` (G_u)."""

    def __init__(self, config: FGRNConfig) -> None:
        super().__init__()
        self.config = config
        self.scale = config.scale
        self.downscaler = Downscaler(config)
        self.flow = FlowGuidance(config)
        self.upscaler = Upscaler(config)

    @property
    def reach(self) -> Reach:
        ends = 2  # the first and the last convolution, which is also what bicubic looks at
        return Reach(
            encode=ends + ResidualBlock.REACH * self.config.down_blocks,
            decode=ends + ResidualBlock.REACH * self.config.up_blocks,
            flow=AffineCoupling.REACH * len(self.flow.cells),
        )

    def encode(self, hr: Tensor) -> Tensor:
        """x = G_d(y), equation 3."""
        x: Tensor = self.downscaler(hr)
        return x

    def to_lr(self, x: Tensor) -> Tensor:
        """LR = F(x), equation 4."""
        lr: Tensor = self.flow(x)[0]
        return lr

    def path(self, x: Tensor) -> list[Tensor]:
        """x = l_0, ..., l_K = LR: the images between the cells of F."""
        return self.flow.path(x)

    def from_lr(self, lr: Tensor) -> Tensor:
        """x = F^-1(LR), equation 4."""
        return self.flow.inverse(lr)

    def decode(self, x: Tensor) -> Tensor:
        """y = G_u(x), equation 3."""
        hr: Tensor = self.upscaler(x)
        return hr
