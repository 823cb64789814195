"""Training patches: what is read, what is skipped, what is drawn."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from training.data import PatchSampler, list_images, read_images, split_validation

CPU = torch.device("cpu")


def numbered(height: int, width: int) -> torch.Tensor:
    """A picture whose red and green values are the pixel's coordinates."""
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([rows, columns, torch.zeros_like(rows)]).to(torch.uint8)


def test_broken_and_small_images_are_named_and_skipped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Image.new("RGB", (40, 40)).save(tmp_path / "good.png")
    Image.new("L", (40, 40)).save(tmp_path / "grey.png")
    Image.new("RGB", (40, 10)).save(tmp_path / "small.png")
    (tmp_path / "broken.png").write_bytes((tmp_path / "good.png").read_bytes()[:50])
    (tmp_path / "notes.txt").write_text("no picture")
    with caplog.at_level(logging.WARNING):
        images = read_images(list_images(tmp_path), smallest=16)
    assert [image.shape for image in images] == [(3, 40, 40), (3, 40, 40)]
    assert "broken.png" in caplog.text
    assert "small.png" in caplog.text
    with pytest.raises(ValueError, match="none of 4 images"):
        read_images(list_images(tmp_path), smallest=100)


def test_validation_is_held_out_and_stable() -> None:
    files = [Path(f"{i:03}.png") for i in range(100)]
    training, validation = split_validation(files, 8)
    assert len(validation) == 8
    assert set(training) | set(validation) == set(files)
    assert not set(training) & set(validation)
    assert split_validation(files, 8) == (training, validation)
    assert split_validation(files, 0) == (files, [])


def test_batches_depend_on_seed_rank_and_step_only() -> None:
    images = [numbered(40, 50)]
    sampler = PatchSampler(images, patch=8, batch_size=4, seed=5)
    first = sampler.batch(3, CPU)
    sampler.batch(4, CPU)
    assert first.equal(PatchSampler(images, 8, 4, seed=5).batch(3, CPU))
    assert first.shape == (4, 3, 8, 8)
    others = [
        sampler.batch(4, CPU),
        PatchSampler(images, 8, 4, 6).batch(3, CPU),
        PatchSampler(images, 8, 4, 5, 1).batch(3, CPU),
    ]
    assert not any(first.equal(other) for other in others)


def test_patches_are_flipped_and_rotated_windows_of_the_picture() -> None:
    """Rows and columns step by one in one of the eight orientations; all eight and all positions occur."""
    sampler = PatchSampler([numbered(20, 24)], patch=6, batch_size=64, seed=1)
    orientations, corners = set(), set()
    for step in range(60):
        for patch in (sampler.batch(step, CPU) * 255).round().long():
            rows, columns = patch[0], patch[1]
            down = (int(rows[1, 0] - rows[0, 0]), int(columns[1, 0] - columns[0, 0]))
            right = (int(rows[0, 1] - rows[0, 0]), int(columns[0, 1] - columns[0, 0]))
            assert sorted(map(abs, down)) == sorted(map(abs, right)) == [0, 1]
            orientations.add((down, right))
            corners.add((int(rows.min()), int(columns.min())))
    assert len(orientations) == 8
    assert len(corners) == (20 - 6 + 1) * (24 - 6 + 1)


def test_images_are_drawn_evenly() -> None:
    images = [torch.full((3, 16, 16), value, dtype=torch.uint8) for value in range(4)]
    sampler = PatchSampler(images, patch=8, batch_size=100, seed=0)
    drawn = torch.cat([sampler.batch(step, CPU)[:, 0, 0, 0] for step in range(10)]).mul(255).round().long()
    counts = torch.bincount(drawn, minlength=4).numpy()
    assert np.all(np.abs(counts - 250) < 60)
