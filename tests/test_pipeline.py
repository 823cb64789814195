"""8-bit pictures through every method: sizes, exactness, LR files, errors."""

from __future__ import annotations

import io
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import fgrn
from fgrn.devices import default_device
from fgrn.images import encode_png, read_image
from fgrn.inputs import RescaleError, as_pixels
from fgrn.lr_files import source_of
from fgrn.lr_info import LRInfo
from fgrn.models import FGRN, IRN, Bicubic, FGRNConfig, IRNConfig, RescalingNet
from fgrn.ops import UNDECIDED
from fgrn.pipeline import Rescaler, load, rescale
from fgrn.pixels import clamped

CPU = torch.device("cpu")


def perturbed(net: RescalingNet, size: float = 0.02) -> RescalingNet:
    """A net whose zero-initialised convolutions do something."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=size)
    return net.eval()


def rescaler_of(method: str, scale: int) -> Rescaler:
    """A tiny rescaler, the same one at every call."""
    torch.manual_seed(7)
    nets: dict[str, RescalingNet] = {
        "bicubic": Bicubic(scale),
        "irn": perturbed(IRN(IRNConfig(scale, blocks=1, growth=4))),
        "fgrn": perturbed(FGRN(FGRNConfig(scale, 8, 1, 1, 2, 4))),
    }
    return Rescaler(method, scale, nets[method], "" if method == "bicubic" else "0123456789abcdef", CPU)


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A smooth random picture: a small noise image, enlarged."""
    random = np.random.default_rng(seed)
    small = random.integers(0, 256, (max(height // 8, 2), max(width // 8, 2), 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


@settings(max_examples=25, deadline=None)
@given(
    method=st.sampled_from(["bicubic", "irn", "fgrn"]),
    scale=st.sampled_from([2, 4]),
    height=st.integers(16, 45),
    width=st.integers(16, 45),
)
def test_every_size_comes_back_at_its_own_size(method: str, scale: int, height: int, width: int) -> None:
    hr = picture(height, width)
    result = rescale(rescaler_of(method, scale), hr)
    assert result.lr.shape == (-(-height // scale), -(-width // scale), 3)
    assert result.x.shape == result.x_recovered.shape == result.lr.shape
    assert result.reconstruction.shape == hr.shape
    assert all(image.dtype == np.uint8 for image in (result.x, result.lr, result.reconstruction))
    assert result.x_exact == np.mean(result.x == result.x_recovered)


@pytest.mark.parametrize("method", ["bicubic", "irn", "fgrn"])
@pytest.mark.parametrize("scale", [2, 4])
def test_lr_png_alone_restores_the_same_picture(method: str, scale: int) -> None:
    rescaler = rescaler_of(method, scale)
    result = rescale(rescaler, picture(37, 50))
    file = read_image(result.lr_png)
    assert np.array_equal(file.pixels, result.lr)
    assert file.info == LRInfo(method, scale, 37, 50, rescaler.digest)
    source = source_of(file)
    assert (source.method, source.scale) == (method, scale)
    assert np.array_equal(rescaler.upscale(file), result.reconstruction)


def test_decoder_gets_recovered_x_between_levels_where_it_is_undecided() -> None:
    """With an F that does something: what the decoder gets, rounded, is what `Result` shows, but not the same."""
    rescaler = rescaler_of("fgrn", 2)
    result = rescale(rescaler, picture(64, 64))
    levels = rescaler.from_lr(result.lr)
    lr = torch.from_numpy(result.lr).permute(2, 0, 1)[None] / 255
    exact = 255 * rescaler.net.from_lr(lr)[0].permute(1, 2, 0).detach().clamp(0, 1).numpy()
    assert np.array_equal(clamped(levels), result.x_recovered) and result.x_exact < 1
    assert np.array_equal(clamped(exact), result.x_recovered)
    between = levels != result.x_recovered
    assert 0.01 < between.mean() < 0.3
    assert np.abs(exact % 1 - 0.5)[between].max() <= UNDECIDED / 2 + 1e-4
    assert np.array_equal(rescaler.decode(levels), result.reconstruction)
    assert not np.array_equal(rescaler.decode(result.x_recovered), result.reconstruction)


def test_lr_png_is_the_same_bytes_every_time() -> None:
    hr = picture(40, 32)
    assert rescale(rescaler_of("fgrn", 2), hr).lr_png == rescale(rescaler_of("fgrn", 2), hr).lr_png


def test_padding_leaves_the_inside_alone() -> None:
    """Bicubic on a multiple of the scale and on the same picture with a column less agree away from that border."""
    hr = picture(64, 64)
    rescaler = rescaler_of("bicubic", 4)
    assert np.array_equal(rescaler.downscale(hr[:, :63])[:, :14], rescaler.downscale(hr)[:, :14])


def test_methods_without_flow_have_x_equal_to_lr() -> None:
    for method in ("bicubic", "irn"):
        result = rescale(rescaler_of(method, 2), picture(32, 32))
        assert np.array_equal(result.x, result.lr)
        assert result.x_exact == 1.0


def test_sampled_latent_depends_on_the_seed_only() -> None:
    rescaler = rescaler_of("irn", 2)
    lr = picture(16, 16)
    first, again, other = (replace(rescaler, latent_seed=seed).upscale(lr) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first, rescaler.upscale(lr))


@pytest.mark.parametrize("shape", [(15, 40, 3), (40, 15, 3), (1, 1, 3)])
def test_too_small_a_picture_is_refused(shape: tuple[int, int, int]) -> None:
    with pytest.raises(RescaleError, match="at least 16"):
        rescaler_of("bicubic", 2).downscale(np.zeros(shape, np.uint8))


def test_too_small_a_lr_image_is_refused() -> None:
    with pytest.raises(RescaleError, match="at least 4 on each side"):
        rescaler_of("fgrn", 4).upscale(np.zeros((3, 9, 3), np.uint8))


@pytest.mark.parametrize(
    ("array", "hint"),
    [
        (np.full((32, 32, 3), 0.5), r"np.rint\(255"),
        (np.full((32, 32, 3), 77.0, np.float32), r"clip\(0, 255\)"),
        (np.zeros((3, 32, 32)), "transpose"),
        (np.zeros((32, 32, 1), np.uint8), r"\[..., 0\]"),
        (np.zeros((32, 32, 4), np.uint8), r"\[..., :3\]"),
        (np.zeros((3, 32, 32), np.uint8), "transpose"),
        (np.zeros((2, 32, 32, 3), np.uint8), "one picture at a time"),
        (np.zeros((32, 32, 3), np.uint16), r"pass uint8 \(H, W, 3\), or \(H, W\) for grey\.$"),
    ],
)
def test_arrays_that_are_no_picture_are_refused(array: np.ndarray, hint: str) -> None:
    with pytest.raises(RescaleError, match=f"8-bit picture.*{hint}"):
        as_pixels(array)


def test_grey_arrays_and_streams_are_pictures() -> None:
    grey = picture(20, 30)[..., 0]
    assert np.array_equal(as_pixels(grey), np.stack([grey] * 3, axis=2))
    data = encode_png(picture(20, 30))
    sources: tuple[Any, ...] = (data, bytearray(data), memoryview(data), io.BytesIO(data))
    for source in sources:
        assert np.array_equal(as_pixels(source), picture(20, 30))


def test_streams_that_give_no_bytes_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encode_png(picture(20, 30)))
    closed, ended = path.open("rb"), io.BytesIO(path.read_bytes())
    closed.close()
    ended.read()
    with path.open() as text:
        wrongs: tuple[tuple[Any, str], ...] = (
            (closed, "cannot be read"),
            (ended, r"seek\(0\)"),
            (io.StringIO("a"), "open as text"),
            (text, "Open it as open"),
        )
        for wrong, words in wrongs:
            with pytest.raises(fgrn.ImageError, match=words):
                as_pixels(wrong)


def test_what_is_no_x_is_refused() -> None:
    rescaler = load("bicubic", 2)
    wrongs: tuple[Any, ...] = (picture(20, 20) / 255.0, picture(20, 20)[..., 0], picture(20, 20)[:0], "x.png")
    for wrong in wrongs:
        with pytest.raises(RescaleError, match="is no x"):
            rescaler.decode(wrong)


def test_sides_in_the_wrong_order_are_named() -> None:
    rescaler = rescaler_of("fgrn", 4)
    lr = rescaler.downscale(picture(42, 83))
    with pytest.raises(RescaleError, match=r"size is \(height, width\): this LR image is one of \(42, 83\)"):
        rescaler.upscale(lr, (83, 42))


def test_whole_numbers_of_numpy_are_whole_numbers(use_tiny_weights: Path) -> None:
    scale, seed = np.array([4, 3])
    rescaler = load("irn", scale, latent_seed=seed)
    assert type(rescaler.scale) is int and type(rescaler.latent_seed) is int
    wrongs: tuple[Any, ...] = (True, np.array([2, 4]), torch.tensor(4.0))
    for wrong in wrongs:
        with pytest.raises(ValueError, match="is not supported"):
            load("irn", wrong)


def test_what_a_notebook_shows_is_short(use_tiny_weights: Path) -> None:
    rescaler = load("fgrn", 4)
    result = rescale(rescaler, picture(32, 32))
    assert len(repr(rescaler)) < 200 and rescaler.digest in repr(rescaler)
    assert len(repr(result)) < 200 and "x_exact" in repr(result)
    assert len(repr(read_image(result.lr_png))) < 250
    assert result == result and result != rescale(rescaler, picture(32, 32))


def test_resized_lr_is_refused() -> None:
    rescaler = rescaler_of("fgrn", 4)
    resized = read_image(encode_png(picture(20, 20), LRInfo("fgrn", 4, 64, 64, rescaler.digest)))
    with pytest.raises(RescaleError, match="resized or cropped"):
        rescaler.upscale(resized)


@pytest.mark.parametrize("size", [(40.0, 30), (-40, 30), (0, 0), (40,), 40, ("40", "30")])
def test_a_size_that_is_none_is_named(size: Any) -> None:
    with pytest.raises(RescaleError, match="is no size"):
        load("bicubic", 2).upscale(np.zeros((20, 15, 3), np.uint8), size)


def test_a_size_may_be_whole_numbers_of_numpy() -> None:
    size: Any = np.array([39, 30])
    assert load("bicubic", 2).upscale(np.zeros((20, 15, 3), np.uint8), size).shape == (39, 30, 3)


def test_plain_png_needs_method_and_scale() -> None:
    rescaler = rescaler_of("fgrn", 4)
    plain = read_image(encode_png(picture(20, 20)))
    with pytest.raises(RescaleError, match="name the method and the scale"):
        source_of(plain)
    assert rescaler.upscale(plain).shape == (80, 80, 3)


def test_contradicting_method_is_refused() -> None:
    file = read_image(rescale(rescaler_of("irn", 2), picture(32, 32)).lr_png)
    with pytest.raises(RescaleError, match="made by IRN x2"):
        source_of(file, "fgrn", 2)
    with pytest.raises(RescaleError, match="made by IRN x2"):
        source_of(file, scale=4)


def test_other_weights_are_refused_unless_allowed() -> None:
    rescaler = rescaler_of("fgrn", 2)
    result = rescale(rescaler, picture(32, 32))
    file = read_image(result.lr_png)
    other = replace(rescaler, digest="f" * 16)
    with pytest.raises(RescaleError, match="other weights"):
        other.upscale(file)
    assert np.array_equal(other.upscale(file, other_weights=True), result.reconstruction)


def test_lossy_lr_is_named(tmp_path: Path) -> None:
    Image.fromarray(picture(16, 16)).save(tmp_path / "lr.jpg")
    source = source_of(read_image(tmp_path / "lr.jpg"), "bicubic", 2)
    assert any("compressed with losses" in notice for notice in source.notices)
    Image.fromarray(picture(16, 16)).save(tmp_path / "lr.webp", lossless=True)
    assert source_of(read_image(tmp_path / "lr.webp"), "bicubic", 2).notices == ()


def test_a_lr_png_is_restored_as_it_says(tmp_path: Path) -> None:
    rescaler = rescaler_of("fgrn", 2)
    result = rescale(rescaler, picture(33, 41))
    path = tmp_path / "small.png"
    path.write_bytes(result.lr_png)
    for file in (Image.open(path), result.lr_png):
        assert np.array_equal(rescaler.upscale(file), result.reconstruction)
        with pytest.raises(RescaleError, match="was made by"):
            rescaler_of("irn", 2).upscale(file)
    assert np.array_equal(rescaler.upscale(path), result.reconstruction), (
        "cropped to the size of the original"
    )
    assert rescaler.upscale(read_image(path).pixels).shape == (34, 42, 3), "an array says nothing"
    with pytest.raises(RescaleError, match="made by FGRN x2; restored as FGRN x4"):
        rescaler_of("fgrn", 4).upscale(path)
    with pytest.raises(RescaleError, match="made by FGRN x2; restored as IRN x2"):
        rescaler_of("irn", 2).upscale(path)
    with pytest.raises(RescaleError, match="other weights"):
        replace(rescaler, digest="f" * 16).upscale(path)


def test_threads_that_ask_for_the_device_at_once_all_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page asks from two when it starts. Like Accelerate's, this state is shared while it is being made."""

    class State:
        shared: ClassVar[dict[str, Any]] = {}

        def __init__(self) -> None:
            self.__dict__ = self.shared
            if not self.shared:
                self.device = None
                time.sleep(0.05)
                self.device = torch.device("cpu")

    monkeypatch.setattr("accelerate.PartialState", State)
    with ThreadPoolExecutor(4) as pool:
        devices = list(pool.map(lambda _: default_device(), range(4)))
    assert devices == [torch.device("cpu")] * 4


def test_public_api_accepts_paths_and_pil(tmp_path: Path) -> None:
    rescaler = load("bicubic", 2, device="cpu")
    Image.fromarray(picture(32, 48)).save(tmp_path / "photo.png")
    from_path = rescaler.downscale(tmp_path / "photo.png")
    assert np.array_equal(from_path, rescaler.downscale(Image.open(tmp_path / "photo.png")))
    assert np.array_equal(from_path, fgrn.rescale(rescaler, picture(32, 48)).lr)


@pytest.mark.parametrize(
    ("method", "scale", "options", "message"),
    [
        ("fgrm", 2, {}, "unknown method"),
        ("fgrn", 3, {}, "scale 3"),
        ("fgrn", 4.0, {}, "scale 4.0"),
        ("bicubic", 4, {"weights": "some.safetensors"}, "Bicubic has no weights"),
        ("fgrn", 4, {"latent_seed": 1}, "no effect on FGRN"),
        ("irn", 4, {"latent_seed": 2**63}, "is no seed"),
        ("irn", 4, {"latent_seed": -1}, "is no seed"),
        ("irn", 4, {"latent_seed": 1.5}, "is no seed"),
        ("fgrn", 4, {"device": 3.5}, "device 3.5 cannot be used"),
        ("fgrn", 4, {"device": "abacus"}, "device abacus cannot be used"),
        ("fgrn", 4, {"device": "cuda:99"}, "device cuda:99 cannot be used"),
    ],
)
def test_what_cannot_be_loaded_is_named(
    method: str, scale: int, options: dict[str, Any], message: str, use_tiny_weights: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        load(method, scale, **{"device": "cpu", **options})
