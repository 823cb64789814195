"""Metrics: against a direct float64 loop, then scikit-image and pyiqa, then the cases that have no value."""

from __future__ import annotations

import math
import subprocess
import sys
import threading

import numpy as np
import numpy.typing as npt
import pytest

from fgrn import metrics
from fgrn.metrics import luma, niqe, piqe, psnr_rgb, psnr_y, ssim_y
from fgrn.pixels import Pixels
from fgrn.scores import METRICS, Score, format_score


def smooth(height: int, width: int) -> Pixels:
    """A colourful picture with structure at several scales, from a formula."""
    y, x = np.mgrid[:height, :width].astype(np.float64)
    planes = [
        128 + 60 * np.sin(x / (3 + c)) * np.cos(y / (5 - c)) + 40 * np.sin((x + y * (c + 1)) / 29)
        for c in range(3)
    ]
    return np.asarray(np.clip(np.stack(planes, -1), 0, 255), dtype=np.uint8)


def noisy(image: Pixels, amount: int, seed: int = 0) -> Pixels:
    noise = np.random.default_rng(seed).integers(-amount, amount + 1, image.shape)
    return np.asarray(np.clip(image.astype(np.int64) + noise, 0, 255), dtype=np.uint8)


def loop_ssim(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> float:
    """SSIM by its definition, one window at a time."""
    offsets = np.arange(11) - 5
    taps = np.exp(-(offsets**2) / (2 * 1.5**2))
    window = np.outer(taps, taps)
    window /= window.sum()
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    values = []
    for i in range(a.shape[0] - 10):
        for j in range(a.shape[1] - 10):
            p, q = a[i : i + 11, j : j + 11], b[i : i + 11, j : j + 11]
            mp, mq = (window * p).sum(), (window * q).sum()
            vp, vq = (window * (p - mp) ** 2).sum(), (window * (q - mq) ** 2).sum()
            cov = (window * (p - mp) * (q - mq)).sum()
            values.append((2 * mp * mq + c1) * (2 * cov + c2) / ((mp**2 + mq**2 + c1) * (vp + vq + c2)))
    return float(np.mean(values))


def test_luma_is_unrounded_studio_range() -> None:
    colours = np.array([[0, 0, 0], [255, 255, 255], [255, 0, 0], [10, 20, 30]], dtype=np.uint8)
    expected = [16, 235, 81.481, 16 + (654.81 + 2571.06 + 748.98) / 255]
    np.testing.assert_allclose(luma(colours), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("crop", [0, 2, 4])
def test_psnr_by_definition(crop: int) -> None:
    a = smooth(70, 131)
    b = noisy(a, 6)
    total, count = 0.0, 0
    for i in range(crop, 70 - crop):
        for j in range(crop, 131 - crop):
            d = a[i, j].astype(float) - b[i, j].astype(float)
            total += ((65.481 * d[0] + 128.553 * d[1] + 24.966 * d[2]) / 255) ** 2
            count += 1
    assert psnr_y(a, b, crop) == pytest.approx(10 * math.log10(255**2 / (total / count)), abs=1e-9)


def test_crop_excludes_exactly_the_border() -> None:
    a = smooth(40, 50)
    b = a.copy()
    b[3] = 255 - b[3]
    assert psnr_y(a, b, 4) == math.inf
    assert math.isfinite(psnr_y(a, b, 3))


@pytest.mark.parametrize("size", [(11, 11), (16, 40), (64, 65), (64, 130), (75, 64)])
def test_ssim_equals_the_direct_loop(size: tuple[int, int]) -> None:
    """The sizes put the last tile at zero, one and several windows."""
    a = smooth(*size)
    b = noisy(a, 12)
    assert ssim_y(a, b, 0) == pytest.approx(loop_ssim(luma(a), luma(b)), abs=1e-10)


def test_ssim_goes_below_zero_and_is_symmetric() -> None:
    a = noisy(np.full((40, 40, 3), 128, dtype=np.uint8), 60)
    b = 255 - a
    assert ssim_y(a, b, 0) == pytest.approx(loop_ssim(luma(a), luma(b)), abs=1e-10)
    assert ssim_y(a, b, 0) < -0.5
    assert ssim_y(a, b, 0) == pytest.approx(ssim_y(b, a, 0), abs=1e-14)


@pytest.mark.parametrize("crop", [0, 4])
def test_agrees_with_scikit_image(crop: int) -> None:
    skimage_metrics = pytest.importorskip("skimage.metrics")
    a = smooth(97, 151)
    b = noisy(a, 9)
    inner = (slice(crop, 97 - crop), slice(crop, 151 - crop))
    ya, yb = luma(a)[inner], luma(b)[inner]
    assert psnr_y(a, b, crop) == pytest.approx(
        skimage_metrics.peak_signal_noise_ratio(ya, yb, data_range=255), abs=1e-9
    )
    assert psnr_rgb(a, b, crop) == pytest.approx(
        skimage_metrics.peak_signal_noise_ratio(a[inner], b[inner], data_range=255), abs=1e-9
    )
    # truncate 3.5 gives radius 5; the population variance matches the definition; its mean skips a border of 5
    theirs = skimage_metrics.structural_similarity(
        ya, yb, data_range=255, gaussian_weights=True, sigma=1.5, truncate=3.5, use_sample_covariance=False
    )
    assert ssim_y(a, b, crop) == pytest.approx(theirs, abs=1e-9)


def test_agrees_with_pyiqa() -> None:
    torch = pytest.importorskip("torch")
    psnr_arch = pytest.importorskip("pyiqa.archs.psnr_arch")
    ssim_arch = pytest.importorskip("pyiqa.archs.ssim_arch")
    a = smooth(97, 151)
    b = noisy(a, 9)
    ta, tb = (torch.from_numpy(i).permute(2, 0, 1)[None].double() / 255 for i in (a, b))
    on_y = psnr_arch.PSNR(test_y_channel=True, crop_border=4, color_space="ycbcr", data_range=1.0, eps=0.0)
    assert psnr_y(a, b, 4) == pytest.approx(float(on_y(ta, tb)), abs=1e-6)
    assert psnr_rgb(a, b, 4) == pytest.approx(float(psnr_arch.PSNR(crop_border=4, eps=0.0)(ta, tb)), abs=1e-6)
    # The pyiqa class rounds Y to whole levels and its window to float32. Its function, given our Y and a float64
    # window, must agree to the last digits.
    taps = torch.exp(-((torch.arange(11).double() - 5) ** 2) / (2 * 1.5**2))
    window = torch.outer(taps, taps)[None, None] / taps.sum() ** 2
    ya, yb = (torch.from_numpy(luma(i)[4:-4, 4:-4].copy())[None, None] for i in (a, b))
    assert ssim_y(a, b, 4) == pytest.approx(
        float(ssim_arch.ssim(ya, yb, win=window, data_range=255)), abs=1e-10
    )
    rounded = ssim_arch.SSIM(test_y_channel=True, crop_border=4, color_space="ycbcr")
    assert ssim_y(a, b, 4) == pytest.approx(float(rounded(ta, tb)), abs=2e-3)


def test_values_at_the_edges() -> None:
    a = smooth(30, 30)
    assert psnr_y(a, a, 0) == psnr_rgb(a, a, 0) == math.inf
    assert ssim_y(a, a, 0) == pytest.approx(1, abs=1e-12)
    assert math.isnan(ssim_y(a, a, 10))  # 10x10 left: no 11x11 window
    assert not math.isnan(psnr_y(a, noisy(a, 3), 14))
    for crop in (15, 16, 100):
        assert (
            math.isnan(psnr_y(a, a, crop))
            and math.isnan(psnr_rgb(a, a, crop))
            and math.isnan(ssim_y(a, a, crop))
        )


def test_wrong_inputs_are_refused() -> None:
    a = smooth(30, 30)
    for function in (psnr_y, psnr_rgb, ssim_y):
        with pytest.raises(ValueError, match="different sizes"):
            function(a, a[:29], 0)
        with pytest.raises(ValueError, match="uint8"):
            function(a.astype(np.float32), a, 0)
        with pytest.raises(ValueError, match="crop"):
            function(a, a, -1)
    for blind in (niqe, piqe):
        with pytest.raises(ValueError, match="uint8"):
            blind(a[..., 0])


def test_importing_metrics_loads_neither_torch_nor_pyiqa() -> None:
    code = "import sys, fgrn.metrics; sys.exit(any(n in sys.modules for n in ('pyiqa', 'torchvision')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_niqe_says_why_it_is_not_available() -> None:
    small = niqe(smooth(191, 400))
    assert small.value is None and "too small" in small.reason and "191" in small.reason
    assert niqe(np.full((200, 200, 3), 7, dtype=np.uint8)) == Score(None, "the picture has one colour only")
    flat_blocks = np.zeros((250, 250, 3), dtype=np.uint8)
    flat_blocks[240:, 240:] = smooth(10, 10)  # in the rest, which NIQE leaves out
    assert niqe(flat_blocks) == Score(None, "no block of the picture has texture")


def test_piqe_says_why_it_is_not_available() -> None:
    assert "too small" in piqe(smooth(15, 40)).reason
    for level in (0, 90, 255):
        assert piqe(np.full((64, 64, 3), level, dtype=np.uint8)).value is None
    almost_flat = np.zeros((64, 64, 3), dtype=np.uint8)
    almost_flat[:, :, 0] = 255
    almost_flat[0, 0, 1] = 1
    assert piqe(almost_flat).value is None


def test_blind_metrics_equal_pyiqa_offline_and_from_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    pyiqa = pytest.importorskip("pyiqa")
    data = pytest.importorskip("skimage.data")

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("network access")

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("socket.socket.connect", refuse)
    metrics._niqe_model.cache_clear()
    image = data.astronaut()
    batch = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 255
    theirs = pyiqa.create_metric("niqe", device="cpu", pretrained_model_path=str(metrics.NIQE_PARAMETERS))
    expected_niqe = float(theirs(batch))
    expected_piqe = float(pyiqa.create_metric("piqe", device="cpu")(batch))

    scores: list[tuple[Score, Score]] = []
    threads = [threading.Thread(target=lambda: scores.append((niqe(image), piqe(image)))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(scores) == 3
    for niqe_score, piqe_score in scores:
        assert niqe_score.value == pytest.approx(expected_niqe, abs=1e-6)
        assert piqe_score.value == pytest.approx(expected_piqe, abs=1e-4)


def test_niqe_ranks_a_photograph_above_its_noisy_copy() -> None:
    image = pytest.importorskip("skimage.data").astronaut()
    clean, dirty = niqe(image).value, niqe(noisy(image, 40)).value
    assert clean is not None and dirty is not None and clean < dirty


def test_format_score() -> None:
    assert format_score(34.1249) == "34.12"
    assert format_score(math.inf) == "∞"
    assert format_score(math.nan) == format_score(None) == "n/a"
    assert format_score(3.25, 1) == "3.2"
    assert METRICS["x_exact"].show(0.98765) == "98.77" and METRICS["ssim_y"].show(0.5) == "0.5000"
    assert METRICS["lr_bytes"].show(34_120.0) == "34.1 kB" and METRICS["lr_bytes"].show(None) == "n/a"


def test_help_covers_every_column() -> None:
    assert set(METRICS) >= {"psnr_y", "ssim_y", "lr_psnr_y", "niqe", "piqe", "x_exact", "lr_bytes"}
    for entry in METRICS.values():
        assert entry.better in ("higher", "lower", "") and entry.name and entry.caveat.endswith(".")


def test_without_pyiqa_the_blind_metrics_are_not_available(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics._niqe_model.cache_clear()
    monkeypatch.setitem(sys.modules, "pyiqa.archs.niqe_arch", None)
    monkeypatch.setitem(sys.modules, "pyiqa.archs.piqe_arch", None)
    for metric in (metrics.niqe, metrics.piqe):
        score = metric(smooth(256, 256))
        assert score.value is None
        assert "pyiqa cannot be used" in score.reason


def test_where_a_picture_is_worse_than_another() -> None:
    rng = np.random.default_rng(0)
    hr = rng.integers(0, 256, (50, 70, 3), np.uint8)  # 3 x 4 whole blocks
    other = np.clip(hr + rng.integers(-1, 2, hr.shape), 0, 255).astype(np.uint8)
    picture = hr.copy()
    picture[16:32, 32:64] ^= 64  # two blocks
    picture[48:] = picture[:, 64:] = 0  # in no whole block
    assert metrics.worse_share(hr, picture, other) == 2 / 12
    assert metrics.worse_share(hr, other, picture) == 0, "a level more is not clearly worse"
    assert metrics.worse_share(hr, hr, hr) == metrics.worse_share(hr[:15], picture[:15], hr[:15]) == 0
    with pytest.raises(ValueError, match="different sizes"):
        metrics.worse_share(hr, picture, other[:-1])
    noise = rng.normal(0, 6, hr.shape) * rng.uniform(0, 1, (50, 70, 1))
    noisy = np.clip(hr + noise * np.linspace(0, 1, 70)[:, None], 0, 255).astype(np.uint8)
    expected = [
        _rms(hr, noisy, row, column) > _rms(hr, other, row, column) + 2
        for row in range(3)
        for column in range(4)
    ]
    assert 0 < np.mean(expected) < 1 and metrics.worse_share(hr, noisy, other) == np.mean(expected)


def _rms(reference: np.ndarray, picture: np.ndarray, row: int, column: int) -> float:
    block = slice(16 * row, 16 * row + 16), slice(16 * column, 16 * column + 16)
    return float(np.sqrt(((picture[block].astype(float) - reference[block]) ** 2).mean()))
