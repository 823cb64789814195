"""Bicubic resizing against an independent implementation of MATLAB's imresize, and against PIL and torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional

from fgrn.resize import bicubic_downscale, bicubic_upscale, cubic_kernel

Floats = NDArray[np.float64]
SCALES = (2, 3, 4)


def contributions(length: int, out_length: int) -> Floats:
    """Dense (out_length, length) weights of one dimension, by the algorithm of MATLAB's imresize.

    For every output: its centre in input coordinates (pixels counted from 1), all input positions under the kernel
    (stretched when shrinking), weights normalised to 1, positions beyond the border folded back symmetrically.
    """
    scale = out_length / length
    stretch = min(scale, 1.0)
    width = 4.0 / stretch
    matrix = np.zeros((out_length, length))
    fold = np.concatenate([np.arange(length), np.arange(length)[::-1]])
    for row in range(out_length):
        centre = (row + 1) / scale + 0.5 * (1 - 1 / scale)
        first = int(np.floor(centre - width / 2))
        positions = first + np.arange(int(np.ceil(width)) + 2)
        t = np.abs((centre - positions) * stretch)
        near = 1.5 * t**3 - 2.5 * t**2 + 1
        far = -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2
        weights = np.where(t <= 1, near, np.where(t <= 2, far, 0.0))
        weights /= weights.sum()
        np.add.at(matrix[row], fold[(positions - 1) % (2 * length)], weights)
    return matrix


def imresize(image: Floats, height: int, width: int) -> Floats:
    """The reference: (..., H, W) -> (..., height, width)."""
    result: Floats = contributions(image.shape[-2], height) @ image @ contributions(image.shape[-1], width).T
    return result


def random_image(height: int, width: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).random((2, 3, height, width))


@pytest.mark.parametrize("scale", SCALES)
@settings(deadline=None, max_examples=15)
@given(height=st.integers(1, 12), width=st.integers(1, 12), seed=st.integers(0, 99))
def test_equals_imresize_borders_included(scale: int, height: int, width: int, seed: int) -> None:
    hr = random_image(height * scale, width * scale, seed)
    shrunk = bicubic_downscale(torch.from_numpy(hr), scale).numpy()
    assert np.abs(shrunk - imresize(hr, height, width)).max() < 1e-12
    lr = random_image(height, width, seed)
    enlarged = bicubic_upscale(torch.from_numpy(lr), scale).numpy()
    assert np.abs(enlarged - imresize(lr, height * scale, width * scale)).max() < 1e-12


@pytest.mark.parametrize("scale", SCALES)
def test_float32_is_close_enough_for_8_bit(scale: int) -> None:
    hr = random_image(20 * scale, 31 * scale)
    shrunk = bicubic_downscale(torch.from_numpy(hr).float(), scale)
    assert shrunk.dtype == torch.float32
    assert np.abs(shrunk.numpy() - imresize(hr, 20, 31)).max() < 2e-6
    enlarged = bicubic_upscale(torch.from_numpy(hr).float(), scale)
    assert np.abs(enlarged.numpy() - imresize(hr, 20 * scale**2, 31 * scale**2)).max() < 2e-6


def test_reference_weights_of_shrinking_by_two() -> None:
    """The well-known eight taps of imresize(., 1/2): -3 -9 29 111 111 29 -9 -3, divided by 256."""
    expected = np.array([-3, -9, 29, 111, 111, 29, -9, -3]) / 256
    assert np.allclose(contributions(32, 16)[8, 13:21], expected, atol=1e-15)
    row = torch.zeros(1, 1, 32, 32, dtype=torch.float64)
    row[..., 13, :] = 1  # constant along x: only the vertical taps show
    assert np.isclose(bicubic_downscale(row, 2)[0, 0, 8, 8].item(), expected[0])


def test_kernel_is_keys_cubic() -> None:
    assert [cubic_kernel(d) for d in (0.0, 1.0, -1.0, 2.0, -2.0, 3.0)] == [1, 0, 0, 0, 0, 0]
    assert cubic_kernel(0.5) == cubic_kernel(-0.5) == 0.5625
    assert cubic_kernel(1.5) == -0.0625
    for phase in np.linspace(0, 1, 11):  # partition of unity
        assert np.isclose(sum(cubic_kernel(phase + k) for k in range(-3, 4)), 1)


@pytest.mark.parametrize("scale", SCALES)
def test_constants_and_ramps_are_preserved(scale: int) -> None:
    constant = torch.full((1, 3, 6 * scale, 5 * scale), 0.37, dtype=torch.float64)
    assert torch.allclose(
        bicubic_downscale(constant, scale), torch.tensor(0.37, dtype=torch.float64), atol=1e-14
    )
    assert torch.allclose(
        bicubic_upscale(constant, scale), torch.tensor(0.37, dtype=torch.float64), atol=1e-14
    )
    # Pixel centres: the ramp stays where it is, without the half-pixel shift of naive subsampling.
    ramp = torch.arange(24 * scale, dtype=torch.float64).expand(1, 1, 24 * scale, 24 * scale)
    expected = (torch.arange(24, dtype=torch.float64) + 0.5) * scale - 0.5
    assert torch.allclose(bicubic_downscale(ramp, scale)[0, 0, 10, 4:-4], expected[4:-4], atol=1e-10)
    fine = (torch.arange(24 * scale * scale, dtype=torch.float64) + 0.5) / scale - 0.5
    inner = slice(3 * scale, -3 * scale)
    assert torch.allclose(bicubic_upscale(ramp, scale)[0, 0, 10, inner], fine[inner], atol=1e-10)


@pytest.mark.parametrize("scale", SCALES)
def test_mirroring_commutes(scale: int) -> None:
    image = torch.from_numpy(random_image(8 * scale, 7 * scale))
    for dims in ([2], [3], [2, 3]):
        assert torch.allclose(
            bicubic_downscale(image.flip(dims), scale), bicubic_downscale(image, scale).flip(dims)
        )
        assert torch.allclose(
            bicubic_upscale(image.flip(dims), scale), bicubic_upscale(image, scale).flip(dims)
        )
    turned = bicubic_downscale(image.mT.contiguous(), scale)
    assert torch.allclose(turned, bicubic_downscale(image, scale).mT, atol=1e-12)


@pytest.mark.parametrize("scale", SCALES)
def test_shrinking_is_the_adjoint_of_enlarging(scale: int) -> None:
    """Same kernel: away from the borders <shrink(a), b> = <a, enlarge(b)> / scale^2."""
    a = torch.zeros(1, 1, 16 * scale, 16 * scale, dtype=torch.float64)
    inner = slice(5 * scale, -5 * scale)
    a[..., inner, inner] = torch.from_numpy(random_image(6 * scale, 6 * scale))[:1, :1]
    b = torch.zeros(1, 1, 16, 16, dtype=torch.float64)
    b[..., 5:-5, 5:-5] = torch.from_numpy(random_image(6, 6, 1))[:1, :1]
    shrunk, enlarged = bicubic_downscale(a, scale), bicubic_upscale(b, scale)
    assert torch.isclose((shrunk * b).sum(), (a * enlarged).sum() / scale**2, rtol=1e-10)


@pytest.mark.parametrize("scale", SCALES)
def test_interior_equals_pil_and_torch_borders_do_not(scale: int) -> None:
    """Both libraries use the same kernel; at borders they cut it off instead of folding the picture."""
    hr = random_image(24 * scale, 24 * scale)[0, 0]
    ours = bicubic_downscale(torch.from_numpy(hr)[None, None], scale)[0, 0].numpy()
    pil = np.asarray(Image.fromarray(hr.astype(np.float32)).resize((24, 24), Image.Resampling.BICUBIC))
    torch_aa = functional.interpolate(
        torch.from_numpy(hr)[None, None], scale_factor=1 / scale, mode="bicubic", antialias=True
    )[0, 0].numpy()
    interior = np.s_[3:-3, 3:-3]
    assert np.abs(ours - pil)[interior].max() < 1e-5
    assert np.abs(ours - torch_aa)[interior].max() < 1e-10
    assert np.abs(ours - torch_aa).max() > 1e-3  # the reason for an implementation of our own
    assert np.abs(ours - torch_aa)[2:-2, 2:-2].max() < 1e-10  # no further in than two LR pixels
    enlarged = bicubic_upscale(torch.from_numpy(hr)[None, None], scale)[0, 0].numpy()
    pil_up = Image.fromarray(hr.astype(np.float32)).resize(enlarged.shape[::-1], Image.Resampling.BICUBIC)
    margin = 3 * scale
    assert np.abs(enlarged - np.asarray(pil_up))[margin:-margin, margin:-margin].max() < 1e-5


def test_gradient_is_the_transposed_matrix() -> None:
    image = torch.from_numpy(random_image(8, 12)).requires_grad_()
    weight = torch.from_numpy(random_image(4, 6, 1))
    (bicubic_downscale(image, 2) * weight).sum().backward()
    expected = contributions(8, 4).T @ weight.numpy() @ contributions(12, 6)
    assert image.grad is not None
    assert np.abs(image.grad.numpy() - expected).max() < 1e-12


@pytest.mark.parametrize(("height", "width"), [(9, 8), (8, 9), (1, 2)])
def test_sizes_that_do_not_divide_are_refused(height: int, width: int) -> None:
    with pytest.raises(ValueError, match=f"{width} x {height} pixels are no multiple of 2"):
        bicubic_downscale(torch.zeros(1, 3, height, width), 2)
