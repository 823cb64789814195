"""Large pictures in tiles: what a tile needs around it, and that it makes no difference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from fgrn import inside
from fgrn.compute import SMALLEST_TILE
from fgrn.layers import DenseBlock, ResidualBlock
from fgrn.models import FGRN, IRN, Bicubic, FGRNConfig, IRNConfig, RescalingNet
from fgrn.pipeline import TILE, Rescaler, rescale
from fgrn.tiles import in_patches, in_tiles, windows
from tests.test_losses import with_random_weights

CPU = torch.device("cpu")
NETS: dict[str, Callable[[], RescalingNet]] = {
    "bicubic_x2": lambda: Bicubic(2),
    "bicubic_x4": lambda: Bicubic(4),
    "fgrn_x2": lambda: with_random_weights(FGRN(FGRNConfig(2, 6, 2, 1, flow_cells=2, flow_growth=3)), 0.2),
    "fgrn_x4": lambda: with_random_weights(FGRN(FGRNConfig(4, 6, 1, 3, flow_cells=1, flow_growth=3)), 0.2),
    "irn_x2": lambda: with_random_weights(IRN(IRNConfig(2, blocks=2, growth=3)), 0.2),
    "irn_x4": lambda: with_random_weights(IRN(IRNConfig(4, blocks=1, growth=3)), 0.2),
}


def rescaler_of(net: RescalingNet, tile: int) -> Rescaler:
    return Rescaler("test", net.scale, net.eval(), "", CPU, tile=tile)


def random_pixels(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@settings(deadline=None, max_examples=200)
@given(length=st.integers(1, 500), side=st.integers(1, 300), reach=st.integers(0, 90))
def test_windows_cover_an_axis_once(length: int, side: int, reach: int) -> None:
    cut = windows(length, side, reach)
    covered = [place for window in cut for place in range(*window.core)]
    assert covered == list(range(length))
    sizes = [stop - start for start, stop in (window.core for window in cut)]
    assert max(sizes) <= side and max(sizes) - min(sizes) <= 1
    for window in cut:
        assert window.source == (max(0, window.core[0] - reach), min(length, window.core[1] + reach))


@pytest.mark.parametrize("name", list(NETS))
def test_reach_is_what_a_network_looks_at(name: str) -> None:
    """A change of one pixel is felt up to `reach` and not beyond: with gradients in double precision, exactly."""
    net = NETS[name]().double().requires_grad_(False)
    scale = net.scale
    steps = {
        "encode": (net.encode, net.reach.encode, scale, 1),
        "decode": (net.decode, net.reach.decode, 1, scale),
        "to_lr": (net.to_lr, net.reach.flow, 1, 1),
        "from_lr": (net.from_lr, net.reach.flow, 1, 1),
    }
    for step, (function, reach, zoom_in, zoom_out) in steps.items():
        side, centre = 2 * reach + 9, reach + 4
        image = torch.rand(1, 3, side * zoom_in, side * zoom_in, dtype=torch.float64, requires_grad=True)
        block = function(image)[..., centre * zoom_out : (centre + 1) * zoom_out, :]
        block = block[..., centre * zoom_out : (centre + 1) * zoom_out]
        (gradient,) = torch.autograd.grad(block.square().sum(), image)
        felt = gradient.abs().amax(dim=(0, 1)).view(side, zoom_in, side, zoom_in).amax(dim=(1, 3)) > 0
        rows = felt.any(dim=1).nonzero()
        furthest = int((rows - centre).abs().max())
        assert furthest <= reach, step
        # Not far more than needed: F's rotation of the colours leaves out some ways, and LR pixels are coarse.
        assert furthest >= 3 * reach // 4 - 1, step


@pytest.mark.parametrize("name", list(NETS))
@pytest.mark.parametrize(("height", "width"), [(161, 75), (64, 200)])
def test_tiles_make_no_difference(name: str, height: int, width: int) -> None:
    net = NETS[name]()
    whole, tiled = rescaler_of(net, TILE), rescaler_of(net, 7)
    result = rescale(whole, random_pixels(height, width))
    levels = whole.from_lr(result.lr)
    pairs: dict[
        str, tuple[NDArray[Any], NDArray[Any]]
    ] = {  # step by step: a grey level less in x would be another picture to restore
        "x": (tiled.encode(result.hr), result.x),
        "LR": (tiled.to_lr(result.x), result.lr),
        "recovered x": (tiled.from_lr(result.lr), levels),
        "reconstruction": (tiled.decode(levels, (height, width)), result.reconstruction),
    }
    for name, (one, other) in pairs.items():
        difference = np.abs(one.astype(np.float32) - other)
        # Convolutions may add in another order for another size; a value at a boundary then falls the other way.
        assert one.shape == other.shape and difference.max() <= 1, name
        assert np.mean(difference > 0.01) < 1e-3, name


def test_a_tile_without_its_surroundings_would_differ() -> None:
    net = NETS["fgrn_x2"]()
    hr = random_pixels(96, 96)
    whole, tile = rescaler_of(net, TILE), rescaler_of(net, 16)
    narrow = in_tiles(whole.encode, hr, side=16, reach=0, zoom_in=2, zoom_out=1)
    assert np.mean(narrow != whole.encode(hr)) > 0.1
    assert np.mean(tile.encode(hr) != whole.encode(hr)) < 1e-3


@settings(deadline=None, max_examples=20)
@given(height=st.integers(1, 40), width=st.integers(1, 40), side=st.integers(1, 30), other=st.integers(1, 50))
def test_patches_make_no_difference(height: int, width: int, side: int, other: int) -> None:
    block = with_random_weights(DenseBlock(2, 3, 4), 0.2).double()
    features = torch.rand(2, 2, height, width, dtype=torch.float64)
    with torch.no_grad():
        expected = block(features)
        patches = in_patches(block.dense, features, size=(side, other), reach=DenseBlock.REACH)
    torch.testing.assert_close(patches, expected, rtol=0, atol=1e-12)


def test_dense_blocks_use_patches_outside_of_training_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DenseBlock, "PATCH", (8, 8))
    block, sizes = DenseBlock(1, 1, 2), []
    block.convs[0].register_forward_hook(lambda _, inputs, __: sizes.append(tuple(inputs[0].shape[2:])))
    features = torch.rand(1, 1, 30, 10)
    block(features)
    assert sizes == [(30, 10)]
    with torch.inference_mode():
        block(features)
    assert len(sizes) == 1 + 4 * 2
    assert max(max(size) for size in sizes[1:]) <= 8 + 2 * DenseBlock.REACH


class Hungry(Bicubic):
    """Needs more memory than there is for tiles wider than `most`."""

    most = 150

    def encode(self, hr: Tensor) -> Tensor:
        if max(hr.shape) > self.scale * self.most:
            raise torch.OutOfMemoryError("too much")
        return super().encode(hr)

    def decode(self, x: Tensor) -> Tensor:
        if max(x.shape) > self.most:
            raise torch.OutOfMemoryError("too much")
        return super().decode(x)


def test_smaller_tiles_when_memory_is_short() -> None:
    hr = random_pixels(900, 700)
    hungry, plain = rescaler_of(Hungry(2), TILE), rescaler_of(Bicubic(2), TILE)
    assert np.array_equal(rescale(hungry, hr).reconstruction, rescale(plain, hr).reconstruction)
    assert np.array_equal(inside.unrounded_x(hungry, hr), inside.unrounded_x(plain, hr))
    starved = Hungry(2)
    starved.most = SMALLEST_TILE // 2
    with pytest.raises(torch.OutOfMemoryError):
        rescale(rescaler_of(starved, TILE), hr)


def test_a_sampled_latent_is_never_tiled() -> None:
    """It is drawn for the whole picture."""
    net = NETS["irn_x2"]()
    lr = random_pixels(40, 30)
    whole = replace(rescaler_of(net, TILE), latent_seed=3)
    assert np.array_equal(replace(whole, tile=8).upscale(lr), whole.upscale(lr))


def test_only_what_draws_ignores_tiles() -> None:
    sizes: list[int] = []

    class Watching(Bicubic):
        def decode(self, x: Tensor) -> Tensor:
            sizes.append(max(x.shape))
            return super().decode(x)

    replace(rescaler_of(Watching(2), 32), latent_seed=3).upscale(random_pixels(100, 100))
    assert len(sizes) > 1 and max(sizes) < 100


def test_encoding_pads_by_reflection() -> None:
    seen = []

    class Watching(Bicubic):
        def encode(self, hr: Tensor) -> Tensor:
            seen.append(hr)
            return super().encode(hr)

    pixels = random_pixels(18, 21)
    rescaler_of(Watching(4), TILE).encode(pixels)
    expected = np.pad(pixels, ((0, 2), (0, 3), (0, 0)), mode="reflect")  # the edge itself is not repeated
    assert np.array_equal((seen[0][0] * 255).round().byte().permute(1, 2, 0).numpy(), expected)


def test_residual_blocks_use_strips_outside_of_training_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ResidualBlock, "STRIP", 8)
    block, sizes = ResidualBlock(4), []
    block.conv1.register_forward_hook(lambda _, inputs, __: sizes.append(tuple(inputs[0].shape[2:])))
    features = torch.rand(1, 4, 24, 50)
    expected = block(features)
    with torch.inference_mode():
        torch.testing.assert_close(block(features), expected, rtol=0, atol=1e-6)
    assert sizes == [(24, 50), (10, 50), (12, 50), (10, 50)]
