"""The quick look during training: figures of images without any error are no numbers."""

from __future__ import annotations

import math

import torch

from fgrn.models import Bicubic
from training.validate import validate


def test_an_image_without_an_error_leaves_the_mean_of_the_others() -> None:
    torch.manual_seed(0)
    noise = torch.randint(0, 256, (3, 40, 40), dtype=torch.uint8)
    white = torch.full((3, 40, 40), 255, dtype=torch.uint8)
    net = Bicubic(4)
    net.register_parameter("where", torch.nn.Parameter(torch.zeros(1)))  # its device counts
    alone = validate(net, [noise])
    assert math.isfinite(alone["psnr_y"]) and validate(net, [white, noise])["psnr_y"] == alone["psnr_y"]
    assert validate(net, [white]) == {"x_exact": 1.0}
