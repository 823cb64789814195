"""Squeeze, Haar transform, quantiser, padding."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from fgrn.ops import (
    GREY_LEVELS,
    UNDECIDED,
    channels_last,
    grey_levels,
    haar,
    in_autocast_precision,
    in_float32,
    inverse_haar,
    nearly_quantise,
    quantise,
    squeeze,
    unsqueeze,
)
from tests.reference_irn import haar_filters

sides = st.integers(1, 9)


def random_image(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", [(2, 1, 3, 4), (2, 3, 5, 4), (1, 1, 1, 1), (1, 4, 1, 7)])
def test_channels_last_changes_the_memory_alone(shape: tuple[int, ...]) -> None:
    features = torch.randn(shape, requires_grad=True)
    moved = channels_last(features)
    assert moved.equal(features) and channels_last(moved) is moved
    assert moved.stride()[1] == 1 and moved.permute(0, 2, 3, 1).is_contiguous()
    weights = torch.randn(shape)
    (gradient,) = torch.autograd.grad((moved * weights).sum(), features)
    assert gradient.equal(weights)


def test_convolutions_of_one_channel_stay_in_the_layout() -> None:
    """What `channels_last` is for: with plain strides the result of torch.cat is in the other layout."""
    one, more = torch.randn(2, 1, 8, 8), torch.randn(2, 4, 8, 8).contiguous(memory_format=torch.channels_last)
    assert torch.cat([channels_last(one), more], dim=1).is_contiguous(memory_format=torch.channels_last)


@settings(deadline=None, max_examples=40)
@given(height=sides, width=sides, scale=st.integers(1, 4), channels=st.integers(1, 3))
def test_squeeze_moves_every_pixel_of_a_block_into_its_own_channel(
    height: int, width: int, scale: int, channels: int
) -> None:
    image = random_image(2, channels, height * scale, width * scale)
    squeezed = squeeze(image, scale)
    assert squeezed.shape == (2, channels * scale**2, height, width)
    for c in range(channels):
        for dy in range(scale):
            for dx in range(scale):
                channel = (c * scale + dy) * scale + dx
                assert torch.equal(squeezed[:, channel], image[:, c, dy::scale, dx::scale])
    assert torch.equal(unsqueeze(squeezed, scale), image)


@settings(deadline=None, max_examples=40)
@given(height=sides, width=sides, channels=st.integers(1, 12), seed=st.integers(0, 1000))
def test_haar_is_inverted_and_equals_the_block_formula(
    height: int, width: int, channels: int, seed: int
) -> None:
    image = random_image(2, channels, 2 * height, 2 * width, seed=seed)
    bands = haar(image)
    assert (inverse_haar(bands) - image).abs().max() < 1e-12
    assert (haar(inverse_haar(bands)) - bands).abs().max() < 1e-12
    signs = torch.tensor([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]], dtype=torch.float64)
    for y in range(height):
        for x in range(width):
            block = image[:, :, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2].reshape(2, channels, 4)
            expected = torch.einsum("kp,bcp->bkc", signs, block) / 4  # means of all channels come first
            assert torch.allclose(bands[:, :, y, x], expected.reshape(2, -1), atol=1e-12)


@pytest.mark.parametrize("channels", [3, 12])
def test_haar_equals_the_grouped_convolution_of_the_published_net(channels: int) -> None:
    image = random_image(2, channels, 10, 14)
    filters = haar_filters(channels).double()
    grouped = functional.conv2d(image, filters, stride=2, groups=channels) / 4
    expected = grouped.reshape(2, channels, 4, 5, 7).transpose(1, 2).reshape(2, 4 * channels, 5, 7)
    assert (haar(image) - expected).abs().max() < 1e-12
    assert torch.allclose(haar(image)[:, :channels], functional.avg_pool2d(image, 2), atol=1e-12)
    back = functional.conv_transpose2d(grouped, filters, stride=2, groups=channels)
    assert (inverse_haar(expected) - back).abs().max() < 1e-12


def test_quantise_gives_the_nearest_grey_level() -> None:
    levels = torch.arange(256, dtype=torch.float64) / GREY_LEVELS
    assert torch.equal(quantise(levels), levels)
    for offset in (-0.49, 0.49):
        assert torch.equal(quantise(levels + offset / GREY_LEVELS), levels)
    outside = torch.tensor([-1e9, -0.3, -0.0, 1.0, 1.001, float("inf")])
    assert quantise(outside).tolist() == [0, 0, 0, 1, 1, 1]


def test_quantise_is_exact_in_float32() -> None:
    """The pipeline goes uint8 -> float32 -> uint8: no level may move."""
    levels = torch.arange(256, dtype=torch.uint8).float() / 255
    assert torch.equal(quantise(levels).mul(255).round().byte(), torch.arange(256, dtype=torch.uint8))
    assert torch.equal(quantise(quantise(levels)), quantise(levels))


def test_grey_levels_are_those_of_quantise() -> None:
    values = torch.linspace(-0.5, 1.5, 100_001)
    before = values.clone()
    assert torch.equal(grey_levels(values).float() / 255, quantise(values))
    assert torch.equal(values, before)


@given(st.lists(st.tuples(st.floats(-2, 3), st.floats(-5, 5)), min_size=1, max_size=30))
@settings(deadline=None)
def test_quantise_passes_the_gradient_unless_it_pushes_further_out(pairs: list[tuple[float, float]]) -> None:
    values = torch.tensor([value for value, _ in pairs], dtype=torch.float64, requires_grad=True)
    incoming = torch.tensor([gradient for _, gradient in pairs], dtype=torch.float64)
    quantise(values).backward(incoming)
    assert values.grad is not None
    for (value, gradient), received in zip(pairs, values.grad.tolist(), strict=True):
        outside = value - min(max(value, 0), 1)  # its sign is the way out
        descent = -gradient
        leaves = (outside < 0 and descent < 0) or (outside > 0 and descent > 0)
        assert received == (0 if leaves else gradient)


def test_quantise_gradient_hand_computed() -> None:
    values = torch.tensor([-0.2, -0.2, 0.0, 0.4, 0.4, 1.0, 1.2, 1.2], requires_grad=True)
    quantise(values).backward(torch.tensor([1.0, -1.0, 1.0, 2.0, -2.0, -1.0, 1.0, -1.0]))
    assert values.grad is not None
    assert values.grad.tolist() == [0, -1, 1, 2, -2, -1, 1, 0]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.int32, torch.uint8])
def test_quantise_refuses_types_that_cannot_hold_256_levels(dtype: torch.dtype) -> None:
    with pytest.raises(TypeError, match="float32"):
        quantise(torch.zeros(3, dtype=dtype))


def test_in_autocast_precision_follows_the_region() -> None:
    features = torch.randn(2, 3)
    assert in_autocast_precision(features) is features
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert in_autocast_precision(features).equal(features.bfloat16())
        with torch.autocast("cpu", enabled=False):
            assert in_autocast_precision(features) is features


def test_in_float32_leaves_autocast_and_converts() -> None:
    weight = torch.randn(4, 4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert (torch.randn(4, 4) @ weight).dtype == torch.bfloat16
        assert in_float32(lambda x: x @ weight, torch.randn(4, 4)).dtype == torch.float32
        assert in_float32(lambda x: x @ weight, torch.randn(4, 4).bfloat16()).dtype == torch.float32
        assert (torch.randn(4, 4) @ weight).dtype == torch.bfloat16
    assert in_float32(lambda x: x, torch.zeros(1, dtype=torch.float64)).dtype == torch.float64


def test_nearly_quantise_leaves_whole_levels_alone_and_rounds_what_is_decided() -> None:
    levels = torch.arange(256.0)
    assert nearly_quantise(levels / GREY_LEVELS).equal(levels)
    decided = levels[:, None] + torch.linspace(-0.5 + UNDECIDED / 2, 0.5 - UNDECIDED / 2, 21) * 0.999
    assert nearly_quantise(decided / GREY_LEVELS).equal(levels[:, None].expand_as(decided))
    assert nearly_quantise(torch.tensor([-3.0, 7.0])).tolist() == [0, 255]


@settings(deadline=None, max_examples=100)
@given(value=st.floats(-0.2, 1.2), step=st.floats(0, 1e-3))
def test_nearly_quantise_agrees_with_rounding_and_does_not_jump(value: float, step: float) -> None:
    image = torch.tensor([value, value + step], dtype=torch.float64)
    before = image.clone()
    low, high = nearly_quantise(image).tolist()
    assert image.equal(before), "the input is left alone"
    exact = image[0].clamp(0, 1).item() * GREY_LEVELS
    assert abs(low - exact) <= 0.5 and (abs(exact % 1 - 0.5) < 1e-9 or round(low) == round(exact))
    assert 0 <= high - low <= step * GREY_LEVELS / UNDECIDED + 1e-9


def test_nearly_quantise_is_in_the_middle_where_the_value_is() -> None:
    middle = torch.tensor([7.5 - UNDECIDED / 4, 7.5, 7.5 + UNDECIDED / 4], dtype=torch.float64) / GREY_LEVELS
    assert nearly_quantise(middle).tolist() == pytest.approx([7.25, 7.5, 7.75])
