"""Training patches: what is read, what is skipped, what is drawn."""

from __future__ import annotations

import errno
import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from fgrn.images import read_image
from tests.conftest import ROOT
from training import data
from training.data import Images, list_images, read_images, split_validation, training_files
from training.patches import PatchSampler

CPU = torch.device("cpu")


def numbered(height: int, width: int) -> torch.Tensor:
    """A picture whose red and green values are the pixel's coordinates."""
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([rows, columns, torch.zeros_like(rows)]).to(torch.uint8)


def test_broken_and_small_images_are_named_and_skipped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Image.new("RGB", (40, 40), (1, 2, 3)).save(tmp_path / "good.png")
    Image.new("L", (40, 42), 7).save(tmp_path / "grey.png")
    Image.new("RGB", (40, 10)).save(tmp_path / "small.png")
    data = (tmp_path / "good.png").read_bytes()
    (tmp_path / "broken.png").write_bytes(data[:50])  # its header is intact
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("no picture")
    with caplog.at_level(logging.WARNING):
        images = read_images(list_images(tmp_path), smallest=16)
    assert [image.shape for image in images] == [(3, 40, 40), (3, 42, 40)]
    assert images[0][:, 5, 6].tolist() == [1, 2, 3]
    assert images[1].unique().tolist() == [7]
    for name in ("broken.png", "small.png", "empty.png"):
        assert name in caplog.text
    with pytest.raises(ValueError, match="none of 5 images"):
        read_images(list_images(tmp_path), smallest=100)


def test_folders_that_cannot_be_read_are_named(
    tmp_path: Path, lock_folder: Callable[[str], None], caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "locked").mkdir()
    Image.new("RGB", (40, 40)).save(tmp_path / "good.png")
    lock_folder("locked")
    assert list_images(tmp_path) == [tmp_path / "good.png"]
    assert "Permission denied" in caplog.text and "locked" in caplog.text


def test_large_pictures_come_again_smaller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "SHRUNK_FROM", 40 * 60)
    sides = {"large": (66, 41), "small": (40, 40), "narrow": (200, 20)}  # a half of the last is below a patch
    for name, size in sides.items():
        Image.new("RGB", size, (9, 8, 7)).save(tmp_path / f"{name}.png")
    files = list_images(tmp_path)
    shapes = [tuple(image.shape[1:]) for image in read_images(files, smallest=13, shrinks=(2, 3, 4))]
    assert shapes == [(41, 66), (20, 33), (13, 22), (20, 200), (40, 40)]  # a quarter of the first is too
    assert len(read_images(files, smallest=13)) == 3
    mapped = read_images(files, 13, tmp_path / "cache", memory_limit=0, shrinks=(2, 3, 4))
    assert [tuple(image.shape[1:]) for image in mapped] == shapes
    assert all(torch.equal(image[:, 0, 0], torch.tensor([9, 8, 7])) for image in mapped)


def test_a_picture_is_decoded_once_for_all_its_copies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(data, "SHRUNK_FROM", 0)
    for name in ("a", "b"):
        Image.new("RGB", (80, 60)).save(tmp_path / f"{name}.png")
    whole = (tmp_path / "b.png").read_bytes()
    (tmp_path / "b.png").write_bytes(whole[:-30])  # its header is sound
    decoded: list[Path] = []
    read = data.read_pixels

    def counted(path: Path) -> Any:
        decoded.append(path)
        return read(path)

    monkeypatch.setattr(data, "read_pixels", counted)
    assert len(read_images(list_images(tmp_path), smallest=15, shrinks=(2, 3, 4))) == 4
    assert [path.name for path in decoded] == ["a.png", "b.png"] and caplog.text.count("b.png") == 1


def test_pictures_are_read_as_the_page_reads_them(tmp_path: Path) -> None:
    deep = np.random.default_rng(0).integers(0, 2**16, (24, 30), dtype=np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    turned = Image.fromarray(np.random.default_rng(1).integers(0, 256, (20, 32, 3), dtype=np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: to be turned by a quarter
    turned.save(tmp_path / "turned.png", exif=exif)
    files = list_images(tmp_path)
    images = read_images(files, 16)
    assert [tuple(picture.shape[1:]) for picture in images] == [(24, 30), (32, 20)]
    for path, picture in zip(files, images, strict=True):
        np.testing.assert_array_equal(picture.permute(1, 2, 0), read_image(path).pixels)


def test_more_pixels_than_the_limit_are_mapped_from_a_file(tmp_path: Path) -> None:
    folder, cache = tmp_path / "pictures", tmp_path / "cache"
    folder.mkdir()
    random = np.random.default_rng(0)
    for i in range(6):
        Image.fromarray(random.integers(0, 256, (30 + i, 40, 3), dtype=np.uint8)).save(folder / f"{i}.png")
    (folder / "5a.png").write_bytes((folder / "5.png").read_bytes()[:200])
    files = list_images(folder)
    in_memory = read_images(files, smallest=16)
    with pytest.raises(ValueError, match="give --cache"):
        read_images(files, smallest=16, memory_limit=1000)
    mapped = read_images(files, smallest=16, cache=cache, memory_limit=1000)
    assert len(mapped) == 6
    assert all(a.equal(b) for a, b in zip(mapped, in_memory, strict=True))
    batches = [PatchSampler(images, 16, 8, seed=1).batch(0, CPU) for images in (mapped, in_memory)]
    assert batches[0].equal(batches[1])
    stamp = {path: path.stat().st_mtime_ns for path in cache.iterdir()}
    mapped.pixels[0] = 0  # stays in this process
    again = read_images(files, smallest=16, cache=cache, memory_limit=1000)
    assert all(a.equal(b) for a, b in zip(again, in_memory, strict=True))
    assert {path: path.stat().st_mtime_ns for path in cache.iterdir()} == stamp  # nothing is decoded twice


def test_two_runs_may_fill_one_cache_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second begins while the first one decodes; neither touches what the other has written."""
    folder, cache = tmp_path / "pictures", tmp_path / "cache"
    folder.mkdir()
    random = np.random.default_rng(0)
    for i in range(3):
        Image.fromarray(random.integers(0, 256, (30, 40, 3), dtype=np.uint8)).save(folder / f"{i}.png")
    files, decode = list_images(folder), data._decode
    in_memory = read_images(files, smallest=16)
    others: list[data.Images] = []

    def decode_after_another(*arguments: Any) -> data.Images:
        monkeypatch.setattr(data, "_decode", decode)
        decoded = decode(*arguments)
        others.append(read_images(files, smallest=16, cache=cache, memory_limit=1000))
        return decoded

    monkeypatch.setattr(data, "_decode", decode_after_another)
    for images in (read_images(files, smallest=16, cache=cache, memory_limit=1000), *others):
        assert all(a.equal(b) for a, b in zip(images, in_memory, strict=True))
    assert len(others) == 1 and not list(cache.glob(".*"))


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    Image.new("RGB", (40, 30)).save(tmp_path / "a.png")
    monkeypatch.setattr("os.posix_fallocate", full)
    with pytest.raises(ValueError, match="has no room for .*No space left"):
        read_images(list_images(tmp_path), smallest=16, cache=tmp_path / "cache", memory_limit=10)
    assert not list((tmp_path / "cache").iterdir())


def test_mapped_pixels_do_not_count_as_memory_of_the_process(tmp_path: Path) -> None:
    """48 MB of pixels with a limit of 1 MB: anonymous memory grows by a picture or two, not by all of them."""
    program = """
import sys
from pathlib import Path
from training.data import list_images, read_images
def anonymous():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))
files = list_images(Path(sys.argv[1]))
read_images(files[:1], 16)
before = anonymous()
images = read_images(files, 16, cache=Path(sys.argv[2]), memory_limit=2**20)
print(len(images), anonymous() - before)
"""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i in range(16):
        Image.new("RGB", (1000, 1000), (i, i, i)).save(folder / f"{i:02}.png")
    command = [sys.executable, "-c", program, str(folder), str(tmp_path / "cache")]
    count, grown = map(int, subprocess.run(command, capture_output=True, check=True, cwd=ROOT).stdout.split())
    assert count == 16
    assert grown < 16_000  # kB


def test_validation_is_held_out_and_stable() -> None:
    files = [Path(f"{i:03}.png") for i in range(100)]
    training, validation = split_validation(files, 8)
    assert len(validation) == 8
    assert set(training) | set(validation) == set(files)
    assert not set(training) & set(validation)
    assert split_validation(files, 8) == (training, validation)
    assert split_validation(files, 0) == (files, [])


def test_a_picture_is_there_once_in_however_many_ways_it_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    inside = tmp_path / "photos" / "inside"
    inside.mkdir(parents=True)
    for path in (inside / "a.png", inside.parent / "b.png"):
        Image.new("RGB", (40, 40)).save(path)
    (inside.parent / "again.png").symlink_to(inside / "a.png")
    (inside.parent / "gone.png").symlink_to(tmp_path / "nothing")
    (tmp_path / "link").symlink_to(inside.parent)
    found = training_files([inside, inside.parent, tmp_path / "link", tmp_path])
    assert found == [inside / "a.png", inside.parent / "b.png"]
    assert "gone.png: it is a link that cannot be followed" in caplog.text


def test_a_sample_depends_on_seed_and_number_only() -> None:
    """Not on the batch it is drawn in: so two processes see together what one sees with the double batch."""
    images = Images.from_tensors([numbered(40, 50), numbered(30, 60)])
    whole = PatchSampler(images, patch=8, batch_size=12, seed=5).batch(100, CPU)
    assert whole.shape == (12, 3, 8, 8)
    parts = [PatchSampler(images, 8, 4, seed=5).batch(first, CPU) for first in (100, 104, 108)]
    assert torch.cat(parts).equal(whole)
    assert not PatchSampler(images, 8, 12, seed=6).batch(100, CPU).equal(whole)
    assert not PatchSampler(images, 8, 12, seed=5).batch(112, CPU).equal(whole)


def test_graphics_are_a_share_of_the_samples_and_leave_the_others_alone() -> None:
    images = Images.from_tensors([numbered(40, 50)])
    photos = PatchSampler(images, 8, 400, seed=5).batch(40, CPU)
    mixed = PatchSampler(images, 8, 400, seed=5, graphics=0.25).batch(40, CPU)
    drawn = (photos != mixed).flatten(1).any(dim=1)
    assert 70 < drawn.sum() < 130  # 100 +- 8.7; stripes of one colour may be what is there
    parts = [PatchSampler(images, 8, 100, seed=5, graphics=0.25).batch(40 + 100 * i, CPU) for i in range(4)]
    assert torch.cat(parts).equal(mixed), "a sample depends on seed and number only"


def test_patches_are_flipped_and_rotated_windows_of_the_picture() -> None:
    """Rows and columns step by one in one of the eight orientations; all eight and all positions occur."""
    sampler = PatchSampler(Images.from_tensors([numbered(20, 24)]), patch=6, batch_size=64, seed=1)
    orientations, corners = [], []
    for batch in range(60):
        for patch in (sampler.batch(64 * batch, CPU) * 255).round().long():
            rows, columns = patch[0], patch[1]
            down = (int(rows[1, 0] - rows[0, 0]), int(columns[1, 0] - columns[0, 0]))
            right = (int(rows[0, 1] - rows[0, 0]), int(columns[0, 1] - columns[0, 0]))
            assert sorted(map(abs, down)) == sorted(map(abs, right)) == [0, 1]
            steps = (rows[1:] - rows[:-1], rows[:, 1:] - rows[:, :-1])
            assert all(step.unique().numel() == 1 for step in steps)
            orientations.append((down, right))
            corners.append((int(rows.min()), int(columns.min())))
    assert len(set(corners)) == (20 - 6 + 1) * (24 - 6 + 1)
    counts = np.array([orientations.count(kind) for kind in set(orientations)])
    assert len(counts) == 8
    assert chi_square(counts) < 24.3  # 7 degrees of freedom: exceeded once in a thousand seeds


def test_images_are_drawn_evenly_whatever_their_size() -> None:
    images = Images.from_tensors([torch.full((3, 16 + 4 * i, 16), i, dtype=torch.uint8) for i in range(4)])
    sampler = PatchSampler(images, patch=8, batch_size=100, seed=0)
    drawn = torch.cat([sampler.batch(100 * i, CPU)[:, 0, 0, 0] for i in range(10)]).mul(255).round().long()
    assert chi_square(torch.bincount(drawn, minlength=4).numpy()) < 16.3  # 3 degrees of freedom, as above


def chi_square(counts: np.ndarray) -> float:
    """Pearson's statistic against a uniform distribution."""
    expected = counts.sum() / len(counts)
    return float(((counts - expected) ** 2 / expected).sum())
