"""Muon, the optimizer of the recipes: it turns the gradient of a convolution into a step alike in all directions.

The gradient of a layer is dominated by few directions; the steps of Adam follow them. Muon replaces the singular values
of the averaged gradient, a matrix of output channels times inputs, by (about) 1. Sources: K. Jordan et al., "Muon: an
optimizer for hidden layers in neural networks", 2024; for the length of the step J. Liu et al., "Muon is scalable for
LLM training", 2025. `torch.optim.Muon` takes matrices only, and multiplies large ones where small ones do.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

# An odd polynomial that, applied five times, brings singular values from 0.01 ... 1 to 0.7 ... 1.2 (Jordan et al.).
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5
SMALLEST_NORM = 1e-7  # as in torch.optim.Muon
FEWEST_CHANNELS = 16  # of a layer's output; the weights of narrower layers are Adam's, as biases are


def orthogonalized(matrices: Tensor) -> Tensor:
    """Matrices (..., M, N) with their singular values brought near 1, by a Newton-Schulz iteration.

    The iteration x -> a x + b x x' x + c (x x')^2 x multiplies x by a polynomial of x x', so it is enough to iterate
    on M x M matrices and to multiply x by the result: a third of the time for a layer of 64 channels.
    """
    if matrices.shape[-2] > matrices.shape[-1]:
        return orthogonalized(matrices.mT).mT
    a, b, c = COEFFICIENTS
    # The gradient of a layer whose inputs are always 0 fades: it must not be enlarged until it overflows.
    x = matrices / matrices.norm(dim=(-2, -1), keepdim=True).clamp(min=SMALLEST_NORM)
    gram = x @ x.mT
    identity = torch.eye(x.shape[-2], dtype=x.dtype, device=x.device)
    factor = identity
    for _ in range(ITERATIONS):
        step = a * identity + b * gram + c * (gram @ gram)
        factor = step @ factor
        gram = step @ gram @ step
    result: Tensor = factor @ x
    return result


def is_hidden(weight: Tensor) -> bool:
    """Whether it is the weight of a convolution that is wide enough for Muon."""
    return weight.ndim == 4 and weight.shape[0] >= FEWEST_CHANNELS


class Muon(torch.optim.Optimizer):
    """Muon for the weights of convolutions, Adam for everything else, both at the learning rate `lr` of Adam.

    Steps wait for nothing: with `lr` as a tensor, and after a first step, they can be recorded as a CUDA graph.

    Args:
        momentum: of Muon's average of gradients, with Nesterov's step ahead.
        betas: Adam's averages of gradients and of their squares.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        lr: float | Tensor,
        *,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.99),
        eps: float = 1e-8,
    ) -> None:
        listed = list(parameters)
        hidden = [p for p in listed if is_hidden(p)]
        others = [p for p in listed if not is_hidden(p)]
        groups = [{"params": hidden, "muon": True}, {"params": others, "muon": False}]
        defaults = {"lr": lr, "momentum": momentum, "betas": betas, "eps": eps}
        super().__init__([group for group in groups if group["params"]], defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One step of every parameter that has a gradient. `closure` is not supported, as accelerate never gives one.

        Raises:
            ValueError: if there is a closure.
        """
        if closure is not None:
            raise ValueError("Muon takes no closure: call backward() before step()")
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            if parameters:
                (self._muon if group["muon"] else self._adam)(parameters, group)

    def _muon(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        gradients = [p.grad for p in parameters if p.grad is not None]
        averages = self._states(parameters, "average")
        torch._foreach_lerp_(averages, gradients, 1 - group["momentum"])
        ahead = torch._foreach_lerp(gradients, averages, group["momentum"])
        alike: dict[torch.Size, list[int]] = defaultdict(list)
        for index, parameter in enumerate(parameters):
            alike[parameter.shape].append(index)
        for shape, indices in alike.items():
            # Which column is which makes no difference: in this order nothing is copied if channels are last.
            matrices = torch.stack([ahead[index].permute(0, 2, 3, 1).flatten(1) for index in indices])
            # With this factor the root mean square of a step is that of Adam's (Liu et al., section 2.2).
            length = 0.2 * max(matrices.shape[-2:]) ** 0.5
            outputs, inputs, height, width = shape
            changes = orthogonalized(matrices).mul_(-length * group["lr"])
            changes = changes.view(-1, outputs, height, width, inputs).permute(0, 1, 4, 2, 3)
            torch._foreach_add_([parameters[index] for index in indices], changes.unbind())

    def _adam(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        gradients = [p.grad for p in parameters if p.grad is not None]
        averages, squares = self._states(parameters, "average"), self._states(parameters, "square")
        first, second = group["betas"]
        if "step" not in group:
            group["step"] = parameters[0].new_zeros(())
        group["step"] = group["step"].to(parameters[0].device)  # a state from a file is on the CPU
        count = group["step"].add_(1.0)
        torch._foreach_lerp_(averages, gradients, 1 - first)
        torch._foreach_mul_(squares, second)
        torch._foreach_addcmul_(squares, gradients, gradients, 1 - second)
        scales = torch._foreach_div(squares, 1 - second**count)
        torch._foreach_sqrt_(scales)
        torch._foreach_add_(scales, group["eps"])
        changes = torch._foreach_div(averages, scales)
        torch._foreach_mul_(changes, -group["lr"] / (1 - first**count))
        torch._foreach_add_(parameters, changes)

    def _states(self, parameters: list[Tensor], name: str) -> list[Tensor]:
        """A state of each parameter, zero at first."""
        for parameter in parameters:
            if name not in self.state[parameter]:
                self.state[parameter][name] = torch.zeros_like(parameter)
        return [self.state[parameter][name] for parameter in parameters]
