"""The quick look during training: its figures are those of the pipeline; without any error there is no number."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fgrn.metrics import psnr_rgb, psnr_y
from fgrn.models import Bicubic
from fgrn.pipeline import MIN_SIDE, load, rescale
from tests.test_pipeline import picture, rescaler_of
from training.validate import CROP, held_out, middles, validate


def test_an_image_without_an_error_leaves_the_mean_of_the_others() -> None:
    torch.manual_seed(0)
    noise = torch.randint(0, 256, (3, 40, 40), dtype=torch.uint8)
    white = torch.full((3, 40, 40), 255, dtype=torch.uint8)
    net = Bicubic(4)
    net.register_parameter("where", torch.nn.Parameter(torch.zeros(1)))  # its device counts
    alone = validate(net, [noise])
    assert math.isfinite(alone["psnr_y"]) and validate(net, [white, noise])["psnr_y"] == alone["psnr_y"]
    assert validate(net, [white]) == {"x_exact": 1.0}


@pytest.mark.parametrize("scale", [2, 4])
def test_figures_are_those_of_the_pipeline(scale: int) -> None:
    rescaler = rescaler_of("fgrn", scale)  # of random weights: F loses some of x
    whole = picture(CROP + 16, CROP + 24)
    hr = whole[8 : 8 + CROP, 12 : 12 + CROP]
    result = rescale(rescaler, hr)
    found = validate(rescaler.net, [torch.from_numpy(whole.copy()).permute(2, 0, 1)])
    bicubic = load("bicubic", scale, device="cpu").downscale(hr)
    assert found == pytest.approx(
        {
            "psnr_y": psnr_y(result.reconstruction, hr, scale),
            "psnr_y_direct": psnr_y(rescaler.decode(result.x), hr, scale),
            "lr_psnr_y": psnr_y(result.lr, bicubic, 0),
            "lr_psnr_rgb": psnr_rgb(result.lr, bicubic, 0),
            "x_exact": result.x_exact,
        },
        abs=1e-3,
    )
    assert found["psnr_y"] != found["psnr_y_direct"] and 0 < found["x_exact"] < 1
    assert not np.array_equal(result.reconstruction, rescaler.decode(result.x_recovered))


def test_a_picture_is_cut_to_a_multiple_of_its_scale() -> None:
    rescaler, hr = rescaler_of("fgrn", 2), picture(42, 42)  # no multiple of 4
    (found, expected) = (
        validate(rescaler.net, [torch.from_numpy(hr.copy()).permute(2, 0, 1)])["psnr_y"],
        psnr_y(rescale(rescaler, hr).reconstruction, hr, 2),
    )
    assert found == pytest.approx(expected, abs=1e-3)


def test_of_held_out_pictures_the_middle_is_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    large, small = picture(CROP + 16, CROP + 24), picture(40, 30)
    for name, pixels in (("large", large), ("small", small), ("tiny", picture(MIN_SIDE - 1, 40))):
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    found = middles(sorted(tmp_path.iterdir()))
    expected = (large[8 : 8 + CROP, 12 : 12 + CROP], small[5:35])
    for square, pixels in zip(found, expected, strict=True):
        np.testing.assert_array_equal(square.permute(1, 2, 0).numpy(), pixels)
        assert square.untyped_storage().nbytes() == pixels.size, "the rest is gone"
    assert "broken.png" in caplog.text and "tiny.png" in caplog.text
    with pytest.raises(ValueError, match="none of the 1 held-out images"):
        middles([tmp_path / "broken.png"])
    assert middles([]) == held_out([tmp_path], 0) == []


def test_nothing_held_out_is_an_error_that_says_so() -> None:
    with pytest.raises(ValueError, match="hold out 1 or more"):
        validate(Bicubic(2), [])
