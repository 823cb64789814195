"""One training step in two parts, so that a step whose loss has jumped can be left out: gradients, then the update."""

from __future__ import annotations

from typing import NamedTuple

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from training.graph import Graphed
from training.losses import Objective, StepFigures
from training.muon import Muon
from training.recipes import OptimizerName, Stage
from training.state import RunState


class Gradients(NamedTuple):
    """What is known of a step before its update."""

    loss: Tensor
    figures: StepFigures
    norm: Tensor  # of the gradients, before clipping


class Step:
    """The steps of a stage on a run's network. On a single GPU both parts are CUDA graphs."""

    def __init__(
        self,
        accelerator: Accelerator,
        state: RunState,
        objective: Objective,
        stage: Stage,
        optimizer: OptimizerName,
    ) -> None:
        self._accelerator, self._state, self._clip_norm = accelerator, state, stage.clip_norm
        state.net.requires_grad_(False)
        objective.trained.requires_grad_(True)
        self._parameters = list(objective.trained.parameters())
        self._graphed = accelerator.device.type == "cuda" and accelerator.num_processes == 1
        own = new_optimizer(optimizer, self._parameters, stage.learning_rate, capturable=self._graphed)
        if state.optimizer_state is not None:
            own.load_state_dict(state.optimizer_state)
            state.optimizer_state = None
        self._objective, self.optimizer = accelerator.prepare(objective, own)
        self.gradients = Graphed(self._gradients) if self._graphed else self._gradients
        """Forward and backward pass of HR patches (B, 3, H, W); the gradients are clipped."""
        self.optimizer_replaced()

    def optimizer_replaced(self) -> None:
        """To be called when the optimizer's state has become another one: a recorded update has the old tensors."""
        self._recorded_update = Graphed(self._update) if self._graphed else None

    def update(self, rate: float) -> None:
        """Move the parameters at a learning rate, and the averages after them."""
        share = self._state.averaging_share
        if self._recorded_update is None:
            self._update(rate, share)
        else:
            numbers = torch.tensor([rate, share], pin_memory=True).to(
                self._accelerator.device, non_blocking=True
            )
            self._recorded_update(*numbers)

    def _gradients(self, hr: Tensor) -> Gradients:
        self.optimizer.zero_grad(set_to_none=True)
        loss, figures = self._objective(hr)
        self._accelerator.backward(loss)
        norm = self._accelerator.clip_grad_norm_(self._parameters, self._clip_norm)
        return Gradients(loss.detach(), figures, norm)

    def _update(self, rate: float | Tensor, share: float | Tensor) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self._state.update_average(share)


def new_optimizer(
    name: OptimizerName, parameters: list[nn.Parameter], rate: float, *, capturable: bool = False
) -> torch.optim.Optimizer:
    """The optimizer of a stage; `capturable`, if its steps are to be recorded."""
    # A short memory of squared gradients (0.99): small batches of unlike pictures make them jump.
    betas = (0.9, 0.99)
    if name == "muon":
        return Muon(parameters, lr=rate, betas=betas)
    adam = torch.optim.Adam(parameters, lr=rate, betas=betas, fused=True, capturable=capturable)

    def keep_capturable(optimizer: torch.optim.Optimizer) -> None:
        """A state brings the options that its run had, on a CPU perhaps; whether steps are recorded is this run's."""
        for group in optimizer.param_groups:
            group["capturable"] = capturable

    adam.register_load_state_dict_post_hook(keep_capturable)
    return adam
