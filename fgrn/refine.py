"""Refining x for one picture: gradient steps on what `decode` makes of it. The networks stay as they are.

G_d has one look at a picture and cannot know what G_u will make of its x; but whoever shrinks the picture has it at
hand, and can see. HCD (Xu et al., "Downscaled Representation Matters", ICCV 2023) does so with the HR and LR images
of other methods. Here it is x, so that F takes what comes out to LR as ever: LR files and restoring stay as they are.
"""

from __future__ import annotations

import torch
from torch import Tensor

from fgrn.compute import as_array, as_tensor, with_room
from fgrn.devices import computes_in_bf16
from fgrn.models import RescalingNet
from fgrn.ops import GREY_LEVELS, grey_levels, nearly_quantise, quantise
from fgrn.pixels import Pixels
from fgrn.tiles import Window, windows

RATE = 0.25 / GREY_LEVELS  # times the scale: about how far nearly every value goes in the first step
BETAS = (0.8, 0.95)  # memories of 5 and 20 steps, of the few that there are
BLOCK = 256  # x on a side: with them, gradients take about 1.5 GB
SMALLEST_BLOCK = 32
MARGIN = 24  # x around a block that stay as they are: G_u looks further, but hardly
ALL = slice(None)


def refine(net: RescalingNet, hr: Pixels, x: Pixels, *, steps: int, device: torch.device) -> Pixels:
    """x (H, W, 3) after `steps` gradient steps on the squared error of what it restores, through LR, of `hr`.

    `hr` is (scale*H, scale*W, 3); all are uint8. A large picture is refined block by block, each between neighbours
    that are refined already or not yet. A block that restores worse afterwards, which can happen where all was well,
    stays as it was.

    The same picture gives the same x on one machine, on any number of threads. Where gradients are computed in another
    precision, or memory makes blocks smaller, it is another x, as good; restoring does not depend on how it was found.

    Raises:
        torch.OutOfMemoryError: if the memory of a GPU is not enough for the smallest blocks.
    """

    def in_blocks(side: int) -> Pixels:
        result = x.copy()
        for rows in windows(x.shape[0], side, MARGIN):
            for columns in windows(x.shape[1], side, MARGIN):
                source = result[rows.of_source(1), columns.of_source(1)]
                target = hr[rows.of_source(net.scale), columns.of_source(net.scale)]
                block = _Block(net, as_tensor(target, device), as_tensor(source, device), rows, columns)
                result[rows.of_core(1), columns.of_core(1)] = block.refined(steps)
        return result

    return with_room(in_blocks, BLOCK, SMALLEST_BLOCK)


class _Block:
    """The part of a picture that is refined at a time: a core of x, and the source around it, which is fixed."""

    def __init__(self, net: RescalingNet, hr: Tensor, x: Tensor, rows: Window, columns: Window) -> None:
        self._net, self._hr, self._x = net, hr, x
        self._core: tuple[slice, ...] = (ALL, ALL, rows.of_core_in_source(1), columns.of_core_in_source(1))
        self._seen: tuple[slice, ...] = (ALL, ALL, *(_grown(window, net.scale) for window in (rows, columns)))

    def refined(self, steps: int) -> Pixels:
        """The core after so many steps, or as it was if that restores better."""
        with torch.inference_mode(False), torch.enable_grad():
            before = self._x[self._core].clone()
            core = before.clone().requires_grad_()
            rate = RATE * self._net.scale
            # Without decay what is remembered of gradients has the weight of half of beta 1 in all of the few steps.
            optimizer = torch.optim.NAdam([core], lr=rate, betas=BETAS, momentum_decay=0)
            for k in range(steps):
                optimizer.param_groups[0]["lr"] = rate * (1 - k / steps)
                with torch.autocast(core.device.type, torch.bfloat16, enabled=computes_in_bf16(core.device)):
                    error = self._error(self._restored(core, through_flow=2 * k >= steps))
                (core.grad,) = torch.autograd.grad(error, core)
                optimizer.step()
        with torch.inference_mode():
            after, as_it_was = (self._error(quantise(self._restored(x))) for x in (core, before))
            better = after < as_it_was
            return as_array(grey_levels(core if better else before))

    def _restored(self, core: Tensor, *, through_flow: bool = True) -> Tensor:
        """What the source restores with this core, as far as a change of the core is seen.

        What x loses on its way through the LR file takes time, and changes as long as x moves: it can be left out.
        """
        x = self._x.clone()
        x[self._core] = quantise(core)
        return self._net.decode(self._recovered(x) if through_flow else x)[self._seen]

    def _error(self, restored: Tensor) -> Tensor:
        return (restored - self._hr[self._seen]).square().sum()

    def _recovered(self, x: Tensor) -> Tensor:
        """x as it comes back from the LR file; the gradient goes straight through, as through the quantiser."""
        with torch.no_grad():
            lr = quantise(self._net.to_lr(x.detach()))
            recovered = nearly_quantise(self._net.from_lr(lr)) / GREY_LEVELS
        return x + (recovered - x.detach())


def _grown(window: Window, scale: int) -> slice:
    """The core and half of what is around it in the source: further out the decoder would need to see more."""
    (start, stop), (first, last) = window.core, window.source
    return slice((start - (start - first) // 2 - first) * scale, (stop + (last - stop) // 2 - first) * scale)
