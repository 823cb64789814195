"""Residual block, dense block, affine coupling: inverse, log-determinant, start, gradients."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from fgrn.layers import (
    NARROW,
    TENSOR_CORE_CHANNELS,
    AffineCoupling,
    DenseBlock,
    ResidualBlock,
    convolution,
    convolve_parts,
)

SPLITS = [(1, 2), (3, 9), (3, 45)]  # FGRN's flow cell, IRN's two levels


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_weights(module: nn.Module, size: float = 0.1, seed: int = 0) -> nn.Module:
    """Random values everywhere: the zero start would make every coupling the identity."""
    generator = seeded(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(size * torch.randn(parameter.shape, generator=generator))
    return module


def random_coupling(
    split: tuple[int, int], dtype: torch.dtype = torch.float64, size: float = 0.1
) -> AffineCoupling:
    coupling = random_weights(AffineCoupling(*split, growth=6), size).to(dtype)
    assert isinstance(coupling, AffineCoupling)
    return coupling


def random_features(channels: int, side: int = 12, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.rand(2, channels, side, side + 1, generator=seeded(1), dtype=torch.float64).to(dtype)


@pytest.mark.parametrize("split", SPLITS)
def test_inverse_in_float64(split: tuple[int, int]) -> None:
    coupling, features = random_coupling(split), random_features(sum(split))
    out, _ = coupling(features)
    assert (out - features).abs().max() > 0.1  # or the test would say nothing
    assert (coupling.inverse(out) - features).abs().max() < 1e-9
    assert (coupling(coupling.inverse(features))[0] - features).abs().max() < 1e-9


@pytest.mark.parametrize("split", SPLITS)
def test_round_trip_in_float32(split: tuple[int, int]) -> None:
    coupling, features = (
        random_coupling(split, torch.float32),
        random_features(sum(split), dtype=torch.float32),
    )
    assert (coupling.inverse(coupling(features)[0]) - features).abs().max() < 1e-4


def test_inverse_survives_a_saturated_exponent() -> None:
    """The bound is what keeps the inverse stable: weights 100 times too large scale by e, not by infinity."""
    coupling, features = random_coupling((1, 2)), random_features(3)
    for parameter in coupling.beta.parameters():
        parameter.data.mul_(100)
    out, log_det = coupling(features)
    bound = features[0, 1:].numel()
    assert (log_det.abs() <= bound).all()
    assert (log_det.abs() > 0.1 * bound).all()
    assert (coupling.inverse(out) - features).abs().max() < 1e-9


@pytest.mark.parametrize("split", [(1, 2), (2, 1), (3, 9)])
def test_log_det_equals_the_autograd_jacobian(split: tuple[int, int]) -> None:
    coupling = random_coupling(split, size=0.2)
    features = torch.rand(2, sum(split), 3, 4, generator=seeded(2), dtype=torch.float64)
    log_dets = coupling(features)[1]
    assert log_dets.shape == (2,)
    assert (log_dets.abs() > 1e-3).all()
    for sample, log_det in zip(features, log_dets, strict=True):
        jacobian = torch.autograd.functional.jacobian(lambda image: coupling(image[None])[0][0], sample)
        sign, expected = torch.linalg.slogdet(jacobian.reshape(sample.numel(), sample.numel()))
        assert sign == 1
        assert torch.isclose(log_det, expected, rtol=0, atol=1e-9)


def test_coupling_equals_equations_5_and_6_with_constant_branches() -> None:
    """alpha = a, beta = b, phi = p everywhere: only the last biases differ from zero."""
    coupling = AffineCoupling(1, 2, growth=2).double()
    a, b, p = 0.25, 0.8, -0.5
    for block, value in ((coupling.alpha, a), (coupling.beta, b), (coupling.phi, p)):
        last = block.convs[-1]
        assert isinstance(last, nn.Conv2d) and last.bias is not None
        last.bias.data.fill_(value)
    features = random_features(3)
    out, log_det = coupling(features)
    exponent = 2 / (1 + math.exp(-b)) - 1  # 2 sigmoid(b) - 1
    assert torch.allclose(out[:, :1], features[:, :1] + a, atol=1e-12)
    assert torch.allclose(out[:, 1:], features[:, 1:] * math.exp(exponent) + p, atol=1e-12)
    assert torch.allclose(log_det, torch.tensor(exponent, dtype=torch.float64) * features[0, 1:].numel())


@pytest.mark.parametrize("split", SPLITS)
def test_coupling_starts_as_the_identity(split: tuple[int, int]) -> None:
    coupling, features = AffineCoupling(*split, growth=4), random_features(sum(split), dtype=torch.float32)
    out, log_det = coupling(features)
    assert torch.equal(out, features)
    assert torch.equal(coupling.inverse(features), features)
    assert torch.equal(log_det, torch.zeros(2))


@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_every_parameter_of_a_coupling_gets_a_gradient(direction: str) -> None:
    coupling, features = random_coupling((1, 2)), random_features(3)
    result = coupling(features)[0] if direction == "forward" else coupling.inverse(features)
    result.square().sum().backward()
    for name, parameter in coupling.named_parameters():
        assert parameter.grad is not None and (parameter.grad != 0).any(), name


def test_dense_block_starts_at_zero_but_learns() -> None:
    """Only the last convolution is zero: its gradient is not, so the block leaves zero with the first step."""
    block = DenseBlock(3, 2, growth=4)
    features = torch.rand(1, 3, 6, 6, generator=seeded())
    assert torch.equal(block(features), torch.zeros(1, 2, 6, 6))
    block(features).sum().backward()
    *inner, last = block.convs
    assert isinstance(last, nn.Conv2d) and last.weight.grad is not None
    assert (last.weight.grad != 0).any(dim=(0, 2, 3)).all()  # every input of it carries a signal
    assert all((conv.weight != 0).any() for conv in inner if isinstance(conv, nn.Conv2d))


def test_dense_block_sees_all_features_before() -> None:
    block = DenseBlock(3, 2, growth=4)
    assert [conv.in_channels for conv in block.convs if isinstance(conv, nn.Conv2d)] == [3, 7, 11, 15, 19]
    random_weights(block).double()
    image = torch.rand(1, 3, 15, 15, generator=seeded(), dtype=torch.float64).requires_grad_()
    block(image)[0, 0, 7, 7].backward()
    assert image.grad is not None
    reached = (image.grad != 0).any(dim=1)[0]
    assert reached[2:13, 2:13].all() and reached.sum() == 11 * 11  # five 3 x 3 convolutions


@pytest.mark.parametrize("split", [(1, 2), (3, 9), (45, 3), (16, 8)])
@pytest.mark.parametrize("batch", [1, 2])
def test_ways_of_a_gpu_give_what_the_plain_way_gives(split: tuple[int, int], batch: int) -> None:
    """Zero channels between the others, and wide steps: values; of the former, which trains, gradients too."""
    block = random_weights(DenseBlock(*split, growth=16)).double()
    assert isinstance(block, DenseBlock)
    features = torch.rand(batch, split[0], 7, 6, generator=seeded(1), dtype=torch.float64, requires_grad=True)
    plain, aligned = block.dense(features), block.in_aligned_channels(features)
    torch.testing.assert_close(aligned, plain)
    with torch.inference_mode():
        torch.testing.assert_close(block.in_wide_steps(features), plain)
    for_result = torch.rand(plain.shape, generator=seeded(2), dtype=torch.float64)
    sources = [features, *block.parameters()]
    gradients = torch.autograd.grad(aligned, sources, for_result)
    torch.testing.assert_close(gradients, torch.autograd.grad(plain, sources, for_result))


def test_aligned_channels_are_aligned(monkeypatch: pytest.MonkeyPatch) -> None:
    """What tensor cores get: multiples of 8 channels in and out, of every convolution."""
    seen: list[int] = []
    convolve = torch.nn.functional.conv2d

    def noting(features: Tensor, weight: Tensor, *others: Any, **more: Any) -> Tensor:
        seen.extend(weight.shape[:2])
        return convolve(features, weight, *others, **more)

    monkeypatch.setattr(torch.nn.functional, "conv2d", noting)
    result = DenseBlock(3, 9, growth=32).in_aligned_channels(random_features(3, dtype=torch.float32))
    assert result.shape[1] == 9
    assert len(seen) == 10 and all(channels % TENSOR_CORE_CHANNELS == 0 for channels in seen)


def test_residual_block() -> None:
    block = ResidualBlock(4)
    features = torch.randn(2, 4, 5, 7, generator=seeded())
    assert block(features).shape == features.shape
    assert 0 < (block(features) - features).abs().mean() < 0.2  # starts close to the identity
    block.conv2.weight.data.zero_()
    assert torch.equal(block(features), features)


@pytest.mark.parametrize("leak", [0.0, 0.25])
def test_activation_of_a_residual_block(leak: float) -> None:
    """Above 0 as it is, below 0 times `leak`: with it a channel that is never above 0 can still learn."""
    block = random_weights(ResidualBlock(4, leak))
    assert isinstance(block, ResidualBlock)
    features = random_features(4, dtype=torch.float32)
    inner = block.conv1(features)
    assert (inner > 0).any() and (inner < 0).any()
    expected = features + block.conv2(torch.where(inner > 0, inner, leak * inner))
    torch.testing.assert_close(block(features), expected)
    assert block.conv1.bias is not None
    block.conv1.bias.data.fill_(-100)
    block(features).square().sum().backward()
    assert block.conv1.weight.grad is not None
    assert bool(block.conv1.weight.grad.any()) == (leak > 0)


def test_convolution_gain() -> None:
    torch.manual_seed(0)
    full, small, zero = (convolution(64, 64, gain) for gain in (1.0, 0.1, 0.0))
    expected = math.sqrt(2 / (9 * 64 + 9 * 64))  # Xavier
    assert full.weight.std().item() == pytest.approx(expected, rel=0.03)
    assert small.weight.std().item() == pytest.approx(expected / 10, rel=0.03)
    assert not zero.weight.any() and not zero.bias.any() if zero.bias is not None else False
    assert full(torch.zeros(1, 64, 3, 5)).shape == (1, 64, 3, 5)


@pytest.mark.parametrize("out_channels", [1, 2, NARROW - 1, NARROW, 45])
@pytest.mark.parametrize("parts", [(5,), (3, 4), (1, 6, 2)])
@pytest.mark.parametrize("height", [1, 7])
def test_convolution_of_parts_is_that_of_their_concatenation(
    out_channels: int, parts: tuple[int, ...], height: int
) -> None:
    """Values, and gradients of the weights and of every part."""
    layer = random_weights(convolution(sum(parts), out_channels)).double()
    assert isinstance(layer, nn.Conv2d)
    shape = (2, sum(parts), height, 6)
    features = torch.rand(shape, generator=seeded(1), dtype=torch.float64, requires_grad=True)
    one, other = layer(features), convolve_parts(layer, features.split(parts, dim=1))
    torch.testing.assert_close(other, one)
    for_result = torch.rand(one.shape, generator=seeded(2), dtype=torch.float64)
    wanted = torch.autograd.grad(one, [features, *layer.parameters()], for_result)
    torch.testing.assert_close(
        torch.autograd.grad(other, [features, *layer.parameters()], for_result), wanted
    )
