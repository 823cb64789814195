"""The optimizer: mathematics of the iteration, then parity with torch's own Muon and Adam."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from training.muon import COEFFICIENTS, FEWEST_CHANNELS, ITERATIONS, Muon, orthogonalized


def polynomial(values: Tensor) -> Tensor:
    a, b, c = COEFFICIENTS
    for _ in range(ITERATIONS):
        values = a * values + b * values**3 + c * values**5
    return values


def test_a_gradient_that_fades_stays_finite() -> None:
    """What is left of the gradients of a dead layer; their squares are below what float32 holds."""
    torch.manual_seed(0)
    for exponent in range(0, 40, 2):
        result = orthogonalized(torch.randn(16, 144) * 10.0**-exponent)
        assert result.isfinite().all() and torch.linalg.svdvals(result).max() < 1.3


@pytest.mark.parametrize("shape", [(16, 16), (16, 144), (3, 40, 27), (2, 27, 5)])
def test_iteration_maps_singular_values_and_keeps_their_vectors(shape: tuple[int, ...]) -> None:
    matrices = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    u, s, v = torch.linalg.svd(matrices, full_matrices=False)
    values = polynomial(s / s.norm(dim=-1, keepdim=True))
    expected = u @ torch.diag_embed(values) @ v
    torch.testing.assert_close(orthogonalized(matrices), expected, rtol=1e-9, atol=1e-9)
    assert 0.6 < values.min() and values.max() < 1.3


def test_iteration_in_float32_is_as_exact_as_the_plain_one() -> None:
    spectrum = torch.logspace(0, -4, 64)[:, None]  # gradients are nearly singular
    matrices = torch.randn(8, 64, 576, generator=torch.Generator().manual_seed(2)) * spectrum
    exact = orthogonalized(matrices.double())
    torch.testing.assert_close(orthogonalized(matrices).double(), exact, rtol=0, atol=2e-5)
    assert orthogonalized(torch.zeros(2, 4, 8)).abs().max() == 0


def trained(weights: list[Tensor], optimizer_of: object, steps: int = 4) -> list[Tensor]:
    """Copies of weights after some steps with gradients that are the same for every optimizer."""
    parameters = [nn.Parameter(weight.clone()) for weight in weights]
    optimizer = optimizer_of(parameters)  # type: ignore[operator]
    random = torch.Generator().manual_seed(3)
    for _ in range(steps):
        for parameter in parameters:
            parameter.grad = torch.randn(parameter.shape, generator=random) + 0.3 * parameter.detach()
        optimizer.step()
    return [parameter.detach() for parameter in parameters]


def test_hidden_layers_as_torch_muon() -> None:
    weights = [torch.randn(32, 72), torch.randn(16, 16), torch.randn(64, 27)]
    theirs = trained(
        weights,
        lambda p: torch.optim.Muon(p, lr=0.05, weight_decay=0, adjust_lr_fn="match_rms_adamw"),
    )
    ours = trained([w[:, :, None, None] for w in weights], lambda p: Muon(p, lr=0.05))
    for start, our, their in zip(weights, ours, theirs, strict=True):
        change, other = our.flatten(1) - start, their - start
        assert (change - other).norm() < 0.02 * other.norm()  # theirs is computed in bfloat16


def test_everything_else_as_torch_adam() -> None:
    weights = [torch.randn(40), torch.randn(FEWEST_CHANNELS - 1, 8, 3, 3), torch.randn(2, 3), torch.randn(())]
    ours = trained(weights, lambda p: Muon(p, lr=0.01))
    theirs = trained(weights, lambda p: torch.optim.Adam(p, lr=0.01, betas=(0.9, 0.99)))
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-7)


def test_step_has_the_size_of_adams() -> None:
    weight = torch.randn(64, 64, 3, 3)
    (moved,) = trained([weight], lambda p: Muon(p, lr=0.01), steps=1)
    size = (moved - weight).square().mean().sqrt() / 0.01
    assert 0.15 < size < 0.25  # Adam's own is 0.2 to 0.4 in practice (Liu et al.)


def test_state_goes_on_where_it_was() -> None:
    torch.manual_seed(4)
    net = nn.Sequential(nn.Conv2d(3, 16, 3), nn.PReLU(), nn.Conv2d(16, 3, 3)).to(
        memory_format=torch.channels_last
    )
    batches = torch.randn(6, 2, 3, 9, 9)

    def run(net: nn.Module, optimizer: Muon, batches: Tensor) -> None:
        for batch in batches:
            optimizer.zero_grad()
            net(batch).square().mean().backward()
            optimizer.step()

    whole = copy.deepcopy(net)
    run(whole, Muon(whole.parameters(), lr=0.01), batches)
    first = Muon(net.parameters(), lr=0.01)
    run(net, first, batches[:3])
    second = Muon(net.parameters(), lr=0.5)
    second.load_state_dict(first.state_dict())
    run(net, second, batches[3:])
    torch.testing.assert_close(dict(net.named_parameters()), dict(whole.named_parameters()), rtol=0, atol=0)


def test_parameters_without_gradient_stay_and_closures_are_refused() -> None:
    still, moving = nn.Parameter(torch.ones(16, 3, 3, 3)), nn.Parameter(torch.ones(5))
    optimizer = Muon([still, moving], lr=0.1)
    moving.grad = torch.ones(5)
    optimizer.step()
    assert torch.equal(still, torch.ones(16, 3, 3, 3)) and not torch.equal(moving, torch.ones(5))
    with pytest.raises(ValueError, match="closure"):
        optimizer.step(lambda: 0.0)
