"""Training objectives: equations 7 and 9 of the paper, the round trip, and IRN's published losses.

Each objective is a module that owns the network and maps a batch of HR patches to (loss, figures), so that
Accelerate can wrap it for mixed precision and several processes. All losses are means over values; published sums
differ by a constant factor, which neither Adam nor Muon sees (the clipping of gradients is set for means).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from fgrn.models import FGRN, IRN
from fgrn.ops import GREY_LEVELS, quantise
from fgrn.resize import bicubic_downscale
from training.graphics import luma

StepFigures = dict[str, Tensor]
"""Means over the patches of a step, by name: for the log, and for telling a broken step."""
ErrorName = Literal["l1", "rms"]
ERRORS: tuple[ErrorName, ...] = get_args(ErrorName)

SMALLEST_SQUARE = 1e-7  # beside which a patch's mean square does not count: at 0 a root has no gradient
CHARBONNIER_EPSILON = 1e-6  # squared, as in the published IRN: sqrt(d^2 + 1e-6)


def bicubic_guidance(hr: Tensor, scale: int) -> Tensor:
    """y_bic, clamped to [0, 1]: the LR image is an 8-bit picture, so overshoot could not be kept."""
    return bicubic_downscale(hr, scale).clamp(0, 1)


def watched(loss: Tensor, figures: StepFigures) -> Tensor:
    """What tells a normal step from a broken one: never the log-determinant, which may take a loss below 0.

    The reconstruction, if it is in the loss: L_guide rises whenever x has moved on from what F has learnt. Else how far
    LR is from bicubic.
    """
    return figures.get("hr_l1", figures.get("lr_l1", loss))


def mean_squared_error(a: Tensor, b: Tensor) -> Tensor:
    """Mean squared difference, for the figures: no gradient."""
    return (a.detach() - b.detach()).square().mean()


def size_of(error: Tensor, name: ErrorName) -> Tensor:
    """Of the error of patches (B, C, H, W): L1, or with "rms" the mean of the patches' root mean squares.

    The latter is what PSNR measures. Not in the paper.
    """
    if name == "l1":
        return error.abs().mean()
    return (error.square().mean(dim=(1, 2, 3)) + SMALLEST_SQUARE).sqrt().mean()


def missed(recovered: Tensor, x: Tensor) -> Tensor:
    """How far F^-1(round(LR)) is from the 8-bit x beyond half a grey level, which rounding does not mend: a mean."""
    return ((recovered - x).abs() - 0.5 / GREY_LEVELS).clamp(min=0).mean()


def overshoot(lr: Tensor) -> Tensor:
    """How far F(x), of any shape, is beyond [0, 1], which an 8-bit picture cannot hold: a mean. Not in the paper."""
    return (lr - lr.clamp(0, 1)).abs().mean()


def specks(difference: Tensor) -> Tensor:
    """Of the difference of two pictures (B, 3, H, W) in [0, 1]: mean square of what is colour. Not in the paper."""
    return (difference - luma(difference)).square().mean()


class RescalingObjective(nn.Module):
    """Equation 7: L1 between y and G_u(round(G_d(y))). Trains G_d and G_u.

    With `bicubic_weight` > 0 it is DU_bic (section 4.4): L1 between x and y_bic is added. With `luma_weight` > 0 so is
    L1 of luma, which is not in the paper: x cannot hold everything, and eyes, and PSNR of Y, look at luma first. Both
    errors, but not that of x, can be measured otherwise (`size_of`).

    With `chroma_weight` > 0 so are `specks` of x - y_bic, which is not in the paper: x hides in colour what would show
    in luma, in a few pixels strongly, and to L1 few are little.
    """

    def __init__(
        self,
        net: FGRN,
        bicubic_weight: float = 0.0,
        luma_weight: float = 0.0,
        error: ErrorName = "l1",
        chroma_weight: float = 0.0,
    ) -> None:
        super().__init__()
        self.net = net
        self.bicubic_weight = bicubic_weight
        self.chroma_weight = chroma_weight
        self.luma_weight = luma_weight
        self.error = error
        self.trained = nn.ModuleList([net.downscaler, net.upscaler])

    def forward(self, hr: Tensor) -> tuple[Tensor, StepFigures]:
        loss, figures, _ = self.rescale(hr)
        return loss, figures

    def rescale(self, hr: Tensor) -> tuple[Tensor, StepFigures, Tensor]:
        """Loss, figures and the rounded x."""
        x = self.net.encode(hr)
        rounded = quantise(x)
        restored = self.net.decode(rounded)
        error = restored - hr
        loss = size_of(error, self.error)
        if self.luma_weight:
            loss = loss + self.luma_weight * size_of(luma(error), self.error)
        outside = ((x < 0) | (x > 1)).float().mean()
        if self.bicubic_weight or self.chroma_weight:
            distance = x - bicubic_guidance(hr, self.net.scale)
            loss = loss + self.bicubic_weight * distance.abs().mean() + self.chroma_weight * specks(distance)
        return loss, {"hr_mse": mean_squared_error(restored, hr), "x_outside": outside}, rounded


class FlowObjective(nn.Module):
    """Equation 9: L1 between F(x) and y_bic, minus gamma times the log-determinant per value. Trains F alone.

    x is detached, so L_guide never reaches G_d (section 3.4); nothing is lost by training F after G_d and G_u.

    With `exactness` > 0 that times `missed` is added, which is not in the paper: the log-determinant keeps the volume,
    but where F shrinks one direction and stretches another, grey levels still merge.

    With `overshoot_weight` > 0 so is `overshoot`. Few values are clipped, but what F^-1 makes of them is far from x.
    """

    def __init__(
        self, net: FGRN, gamma: float, exactness: float = 0.0, overshoot_weight: float = 0.0
    ) -> None:
        super().__init__()
        self.net = net
        self.gamma = gamma
        self.exactness = exactness
        self.overshoot_weight = overshoot_weight
        self.trained = nn.ModuleList([net.flow])

    def forward(self, hr: Tensor) -> tuple[Tensor, StepFigures]:
        with torch.no_grad():
            x = quantise(self.net.encode(hr))
        return self.guide(hr, x)

    def guide(self, hr: Tensor, x: Tensor) -> tuple[Tensor, StepFigures]:
        """L_guide of a rounded x that carries no gradient."""
        lr, log_det = self.net.flow(x)
        guidance = bicubic_guidance(hr, self.net.scale)
        values = x[0].numel()
        distance = (lr - guidance).abs().mean()
        loss = distance - self.gamma * log_det.mean() / values
        figures = {"lr_l1": distance.detach(), "lr_mse": mean_squared_error(lr, guidance)}
        if self.exactness:  # the inverse is a quarter of the work
            recovered = self.net.from_lr(quantise(lr))
            loss = loss + self.exactness * missed(recovered, x)
            figures["x_exact"] = (quantise(recovered.detach()) == x).float().mean()
        if self.overshoot_weight:
            loss = loss + self.overshoot_weight * overshoot(lr)
        return loss, figures


class JointObjective(nn.Module):
    """The paper's joint schedule (section 3.4): L_rec of G_d and G_u plus L_guide of F, in every step."""

    def __init__(self, net: FGRN, gamma: float, exactness: float = 0.0) -> None:
        super().__init__()
        self.net = net
        self.rescaling = RescalingObjective(net)
        self.flow = FlowObjective(net, gamma, exactness)
        self.trained = nn.ModuleList([net])

    def forward(self, hr: Tensor) -> tuple[Tensor, StepFigures]:
        reconstruction, figures, x = self.rescaling.rescale(hr)
        guide, more = self.flow.guide(hr, x.detach())
        return reconstruction + guide, {"hr_l1": reconstruction.detach(), **figures, **more}


class RoundTripObjective(nn.Module):
    """What is used in the end: L1 between y and G_u(round(F^-1(round(F(round(G_d(y))))))), plus L_guide.

    Trains all three. The gradient of L1 reaches F and G_d through the whole way, all of x being rounded (the few values
    that `nearly_quantise` leaves in between have no use here); that of L_guide only F, as ever.
    Not in the paper.
    """

    def __init__(self, net: FGRN, gamma: float, exactness: float = 0.0) -> None:
        super().__init__()
        self.net = net
        self.flow = FlowObjective(net, gamma, exactness)
        self.trained = nn.ModuleList([net])

    def forward(self, hr: Tensor) -> tuple[Tensor, StepFigures]:
        x = quantise(self.net.encode(hr))
        recovered = quantise(self.net.from_lr(quantise(self.net.to_lr(x))))
        restored = self.net.decode(recovered)
        guide, figures = self.flow.guide(hr, x.detach())
        reconstruction = (restored - hr).abs().mean()
        return reconstruction + guide, {
            "hr_l1": reconstruction.detach(),
            "hr_mse": mean_squared_error(restored, hr),
            **figures,
        }


def charbonnier(error: Tensor) -> Tensor:
    """IRN's measure of an error of any shape: a mean of what L1 is, smooth at 0."""
    return (error.square() + CHARBONNIER_EPSILON).sqrt().mean()


class IRNObjective(nn.Module):
    """IRN's published losses (section 3.3 there): Charbonnier on HR, L2 on LR, sum of z^2.

    On the way up z = 0 (the paper's z_0, section 4.5), or with `sampled` a draw from N(0, 1), as published.
    Published per-image sums have the weights 1, scale^2 and 1; as means over HR, LR and HR values they are 1, 1, 1.
    With `coarse` only the couplings of the last level, at LR resolution, are computed and trained. With
    `luma_weight` > 0 the error of luma is added, as in `RescalingObjective`, which is not in the papers.
    """

    def __init__(
        self, net: IRN, *, coarse: bool = False, sampled: bool = False, luma_weight: float = 0.0
    ) -> None:
        super().__init__()
        self.net = _coarse_view(net) if coarse else net
        self.sampled = sampled
        self.luma_weight = luma_weight
        self.trained = nn.ModuleList([self.net.levels])

    def forward(self, hr: Tensor) -> tuple[Tensor, StepFigures]:
        lr, z = self.net(hr)
        drawn = torch.randn_like(z) if self.sampled else torch.zeros_like(z)
        restored = self.net.inverse(quantise(lr), drawn)
        guidance = bicubic_guidance(hr, self.net.scale)
        error = restored - hr
        reconstruction = charbonnier(error)
        if self.luma_weight:
            reconstruction = reconstruction + self.luma_weight * charbonnier(luma(error))
        fidelity = (lr - guidance).square().mean()
        latent = z.square().sum() / hr.numel()
        figures = {"hr_mse": mean_squared_error(restored, hr), "lr_mse": mean_squared_error(lr, guidance)}
        return reconstruction + fidelity + latent, figures


def _coarse_view(net: IRN) -> IRN:
    """An IRN that shares the couplings of the last level; the finer levels are their Haar transforms alone.

    Couplings start as the identity, so at the start this is the same function, at 30 % of the cost for x4.
    """
    view = IRN(replace(net.config, blocks=0))
    view.levels[-1] = net.levels[-1]
    return view


Objective = RescalingObjective | FlowObjective | JointObjective | RoundTripObjective | IRNObjective
