"""Fixtures that every test module may use: tiny weights of every method, and pictures with structure."""

from __future__ import annotations

import os

os.environ["HF_HUB_OFFLINE"] = "1"  # read once, when huggingface_hub is imported
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from fgrn import checkpoint
from fgrn.models import FGRN, IRN, FGRNConfig, IRNConfig

Photo = Callable[..., np.ndarray]

torch.set_num_threads(
    1
)  # the networks here are tiny, and threads that wait for each other cost more than they do

PERTURBATION = 0.01  # F moves pictures by some grey levels, and they stay pictures
TINY: dict[str, FGRNConfig | IRNConfig] = {
    "fgrn_x2": FGRNConfig(2, channels=8, down_blocks=1, up_blocks=1, flow_cells=2, flow_growth=4),
    "fgrn_x4": FGRNConfig(4, channels=8, down_blocks=1, up_blocks=1, flow_cells=2, flow_growth=4),
    "irn_x2": IRNConfig(2, blocks=1, growth=4),
    "irn_x4": IRNConfig(4, blocks=1, growth=4),
    "du_none_x4": FGRNConfig(4, channels=8, down_blocks=1, up_blocks=1, flow_growth=4, guidance="none"),
    "du_bic_x4": FGRNConfig(4, channels=8, down_blocks=1, up_blocks=1, flow_growth=4, guidance="bicubic"),
}


def make_tiny_weights(folder: Path, seed: int = 0) -> Path:
    """Write a valid weight file and card of each method of `TINY` into `folder`; another seed, other weights."""
    for name, config in TINY.items():
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            net = IRN(config) if isinstance(config, IRNConfig) else FGRN(config)
            with torch.no_grad():
                for parameter in net.parameters():
                    parameter.add_(torch.randn(parameter.shape), alpha=PERTURBATION)
        checkpoint.save(net, folder / f"{name}.safetensors", checkpoint.Provenance("untrained, for tests"))
    return folder


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of tiny untrained weights. Read only: damage a copy."""
    return make_tiny_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture
def use_tiny_weights(tiny_weights: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As `tiny_weights`, and the program uses them as its own during the test (child processes too)."""
    monkeypatch.setenv("FGRN_WEIGHTS", str(tiny_weights))
    return tiny_weights


@pytest.fixture(scope="session")
def photo() -> Photo:
    """`photo(height, width, seed=0)`: a (height, width, 3) uint8 picture with slopes, edges and texture."""
    return make_photo


def make_photo(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A synthetic photograph: smooth shading, coloured shapes with sharp borders, stripes, a little grain."""
    random = np.random.default_rng(seed)
    low = random.integers(40, 216, (4, 5, 3), dtype=np.uint8)
    image = Image.fromarray(low).resize((width, height), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(image)
    for _ in range(6):
        left, top = random.integers(0, [width, height])
        size = random.integers(max(3, min(height, width) // 8), max(4, min(height, width) // 3))
        box = (int(left), int(top), int(left + size), int(top + size))
        colour = tuple(int(value) for value in random.integers(0, 256, 3))
        (draw.ellipse if random.random() < 0.5 else draw.rectangle)(box, fill=colour)
    rows, columns = np.mgrid[:height, :width]
    angle = random.uniform(0, np.pi)
    stripes = 12 * np.sin((rows * np.sin(angle) + columns * np.cos(angle)) * 0.9) * (columns > width / 2)
    pixels = (
        np.asarray(image, dtype=np.float64) + stripes[..., None] + random.normal(0, 2, (height, width, 1))
    )
    rounded: np.ndarray = np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
    return rounded
