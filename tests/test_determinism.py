"""The same picture and weights give the same bytes: from everywhere, on any number of threads, tiled or not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import fgrn
from fgrn.compute import as_tensor
from fgrn.images import encode_png, read_image
from fgrn.methods import RESTORING, SCALES, WEIGHTS
from fgrn.ops import GREY_LEVELS, grey_levels, nearly_quantise
from fgrn.pipeline import load
from tests import server as servers
from tests.benchmarks.client import Client
from tests.conftest import ROOT, Photo
from tests.photos import make_photo

RESTORED = ROOT / "tests" / "goldens" / "restored"  # written by tests/make_goldens.py
NETWORKS = [("fgrn", 2), ("fgrn", 4), ("irn", 2), ("irn", 4)]


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def from_cli(picture: Path, out: Path, method: str, scale: int, threads: int) -> bytes:
    """The LR PNG of a process of its own."""
    command = [sys.executable, "-m", "fgrn", "downscale", str(picture), "-o", str(out), "--device", "cpu"]
    subprocess.run(
        [*command, "--method", method, "--scale", str(scale), "--quiet"],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": str(threads)},
        check=True,
    )
    return out.read_bytes()


@pytest.mark.parametrize(("method", "scale"), [("fgrn", 4), ("irn", 2)])
def test_the_lr_png_is_the_same_from_everywhere(
    method: str, scale: int, tmp_path: Path, photo: Photo, use_tiny_weights: Path
) -> None:
    """Page, API, command line on one thread and two, Python, which the evaluation uses; and after a restart."""
    picture = tmp_path / "holiday.png"
    picture.write_bytes(encode_png(photo(131, 97)))
    expected = fgrn.rescale(fgrn.load(method, scale, device="cpu"), picture).lr_png
    for threads in (1, 2):
        assert from_cli(picture, tmp_path / "lr.png", method, scale, threads) == expected
    for _ in range(2):
        with servers.running(tmp_path / "server") as server:
            client = Client(server.address)
            sent = client.upload(picture.read_bytes(), picture.name)
            from_api, _ = client.call("downscale", sent, method, scale)
            _, files = client.call("compare", sent, scale, [method], None)
            [from_page] = [file for file in files if file["orig_name"].endswith("_lr.png")]
            assert client.download(from_api) == client.download(from_page) == expected
            client.close()


@pytest.mark.parametrize(("method", "scale"), NETWORKS)
def test_threads_and_tiles_make_no_difference_to_the_shipped_networks(
    method: str, scale: int, threads: None
) -> None:
    """On random sizes. A value in a thousand pictures may lie so near a boundary that another kernel rounds it over."""
    random = np.random.default_rng(scale)
    whole = fgrn.load(method, scale, device="cpu")
    values = different = 0
    for seed in range(3):
        height, width = random.integers(60, 200, 2)
        hr = make_photo(int(height), int(width), seed)
        torch.set_num_threads(1)
        lr = whole.downscale(hr)
        back = whole.upscale(lr)
        torch.set_num_threads(2)
        for rescaler in (whole, replace(whole, tile=int(random.integers(17, 60)))):
            for one, other in ((rescaler.downscale(hr), lr), (rescaler.upscale(lr), back)):
                difference = np.abs(one.astype(int) - other.astype(int))
                assert difference.max() <= 1
                values, different = values + difference.size, different + int(np.count_nonzero(difference))
    assert different <= 1e-5 * values


@pytest.mark.parametrize("scale", SCALES)
def test_other_ways_to_add_move_the_restored_picture_by_a_level_at_most(scale: int) -> None:
    """Another device, imitated by double precision: x that falls between two levels must not jump with the last bit."""
    rescaler, other = load("fgrn", scale, device="cpu"), load("fgrn", scale, device="cpu")
    other.net.double()
    lr = rescaler.downscale(make_photo(256, 256, seed=1))
    restored = []
    for rescaled, dtype in ((rescaler, torch.float32), (other, torch.float64)):
        with torch.inference_mode():
            x = nearly_quantise(rescaled.net.from_lr(as_tensor(lr, rescaler.device).to(dtype))) / GREY_LEVELS
            restored.append(grey_levels(rescaled.net.decode(x)).int())
    difference = (restored[0] - restored[1]).abs()
    assert difference.max() <= 1 and (difference > 0).float().mean() < 1e-3


def shipped() -> list[tuple[str, int]]:
    """All methods that restore LR files, at the scales that they have weights for in this repository."""
    return [
        (method, scale)
        for scale in SCALES
        for method in RESTORING
        if method == "bicubic" or (WEIGHTS / f"{method}_x{scale}.safetensors").is_file()
    ]


@pytest.mark.parametrize(("method", "scale"), shipped())
def test_an_lr_file_of_an_earlier_version_restores_to_what_it_did(
    method: str, scale: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LR files outlive versions of this program, as long as the weights are the same."""
    monkeypatch.delenv("FGRN_WEIGHTS", raising=False)
    lr, before = RESTORED / f"{method}_x{scale}_lr.png", RESTORED / f"{method}_x{scale}_restored.png"
    rescaler, info = load(method, scale, device="cpu"), read_image(lr).info
    assert info and info.digest == rescaler.digest, "new weights: python -m tests.make_goldens --restored"
    restored, then = rescaler.upscale(lr), read_image(before).pixels
    moved = np.abs(restored.astype(int) - then)  # another processor may add up in another order
    assert moved.max() <= 1 and (moved > 0).mean() < 0.005
