"""Training images: folders of them, what is held out, and their pixels, decoded once.

Memory: the decoded pixels (3 bytes each) stay in memory up to `MEMORY_LIMIT`; above it they go to a file that is
mapped into memory, of which the system keeps as much as fits. So at most MEMORY_LIMIT plus one decoded picture is
this program's own, whatever the folders hold. 3,450 pictures at 2K are about 28 GB on disk.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from fgrn.batch import SUFFIXES, pictures_below
from fgrn.files import write_atomic
from fgrn.images import ImageError, read_image
from fgrn.pixels import Pixels

logger = logging.getLogger(__name__)

MEMORY_LIMIT = 4 * 2**30  # bytes of decoded pixels
SHRUNK_FROM = 500_000  # pixels of a picture of which there are smaller copies, if they are wanted
DEVICE_SHARE = 0.5  # of the free memory of a GPU that the pixels may take

_UNREADABLE = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)


def list_images(folder: Path) -> list[Path]:
    """All image files below `folder` but hidden ones, sorted by name. Folders that cannot be read are named.

    Raises:
        FileNotFoundError: if there is no such folder, or no image in it.
    """
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"{folder} is no folder: name a folder of images")
    files = sorted(pictures_below(folder, fail=lambda error: logger.warning("skipped %s", error)))
    if not files:
        raise FileNotFoundError(f"{folder} holds no image ({', '.join(sorted(SUFFIXES))})")
    return files


def training_files(folders: Sequence[Path]) -> list[Path]:
    """The image files of all folders, each once, as none may be held out and trained on.

    Links that cannot be followed are named and left out.

    Raises:
        FileNotFoundError: if there is no such folder, or no image in it.
    """
    files: dict[str, Path] = {}
    for path in (path for folder in folders for path in list_images(folder)):
        if os.path.exists(path):  # Path.exists raises where a folder on the way cannot be searched
            files.setdefault(os.path.realpath(path), path)
        else:
            logger.warning("skipped %s: it is a link that cannot be followed", path)
    if not files:
        raise FileNotFoundError(f"no image in {', '.join(map(str, folders))} can be read")
    return list(files.values())


def split_validation(files: Sequence[Path], count: int) -> tuple[list[Path], list[Path]]:
    """(training, validation): `count` evenly spaced files are held out, the same ones for the same folder."""
    if count >= len(files):
        raise ValueError(
            f"cannot hold out {count} of {len(files)} images: name more folders, or a smaller --hold-out"
        )
    held_out = {round((i + 0.5) * len(files) / count) for i in range(count)} if count else set()
    training = [path for i, path in enumerate(files) if i not in held_out]
    return training, [path for i, path in enumerate(files) if i in held_out]


@dataclass(frozen=True)
class Images:
    """Decoded pictures, one after the other: picture i is `heights[i] * widths[i]` rows of `pixels` from `starts[i]`.

    One buffer, so that a whole batch of crops is one gather, wherever the pixels are.
    """

    pixels: Tensor  # (N, 3) uint8
    starts: np.ndarray
    heights: np.ndarray
    widths: np.ndarray

    def __len__(self) -> int:
        return len(self.starts)

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, i: int) -> Tensor:
        """Picture i: uint8 (3, H, W), a view."""
        start, height, width = int(self.starts[i]), int(self.heights[i]), int(self.widths[i])
        return self.pixels[start : start + height * width].view(height, width, 3).permute(2, 0, 1)

    @classmethod
    def from_tensors(cls, pictures: Sequence[Tensor]) -> Images:
        """Images of uint8 tensors (3, H, W)."""
        heights, widths = np.array([picture.shape[1:] for picture in pictures], dtype=np.int64).T
        ends = np.cumsum(heights * widths)
        pixels = torch.cat([picture.permute(1, 2, 0).reshape(-1, 3) for picture in pictures])
        return cls(pixels, ends - heights * widths, heights, widths)

    def to(self, device: torch.device) -> Images:
        """The pixels on `device`, if it is a GPU with room for them; else these."""
        if device.type != "cuda":
            return self
        free, _ = torch.cuda.mem_get_info(device)
        if self.pixels.numel() > DEVICE_SHARE * free:
            logger.warning("the pixels (%.1f GB) stay in main memory", self.pixels.numel() / 1e9)
            return self
        return Images(self.pixels.to(device), self.starts, self.heights, self.widths)


class Found(NamedTuple):
    """A picture to decode: its file and its size in memory, `shrink` times smaller than in the file."""

    path: Path
    height: int
    width: int
    shrink: int = 1


def read_images(
    files: Sequence[Path],
    smallest: int,
    cache: Path | None = None,
    memory_limit: int = MEMORY_LIMIT,
    *,
    shrinks: Sequence[int] = (),
) -> Images:
    """Decode files. Broken ones, and those below `smallest` pixels a side, are named and skipped.

    Large pictures are there once more at 1 / shrink of their size for each of `shrinks`, unless that is too small:
    sharper, and without traces of JPEG.

    Above `memory_limit` bytes the pixels are written to a file in `cache` and mapped; a later call with the same
    files finds it there.

    Raises:
        ValueError: if no picture is left, or the limit is exceeded without a `cache`.
    """
    found: list[Found] = []
    for path in files:
        try:
            with Image.open(path) as picture:
                width, height = picture.size
        except _UNREADABLE as error:
            logger.warning("skipped %s: %s", path.name, error)
            continue
        if min(width, height) < smallest:
            logger.warning("skipped %s: %d x %d is below %d", path.name, width, height, smallest)
            continue
        found.append(Found(path, height, width))
        if width * height >= SHRUNK_FROM:
            found += [
                Found(path, height // shrink, width // shrink, shrink)
                for shrink in shrinks
                if min(width, height) // shrink >= smallest
            ]
    total = sum(picture.height * picture.width for picture in found)
    if 3 * total <= memory_limit:
        return _decode(found, np.empty((total, 3), np.uint8), len(files), smallest)
    if cache is None:
        raise ValueError(
            f"{3 * total / 1e9:.1f} GB of pixels are more than {memory_limit / 1e9:.1f} GB: give --cache"
        )
    return _decode_to_file(found, total, cache, len(files), smallest)


def _decode(found: Sequence[Found], pixels: np.ndarray, listed: int, smallest: int) -> Images:
    """Fill `pixels` with the pictures that can be decoded."""
    layout, position = [], 0
    for path, copies in groupby(found, key=attrgetter("path")):
        decoded = read_pixels(path)
        if decoded is None:
            continue
        for copy in copies:
            shrunk = _shrunk(decoded, copy.shrink)
            height, width = shrunk.shape[:2]
            pixels[position : position + height * width] = shrunk.reshape(-1, 3)
            layout.append((position, height, width))
            position += height * width
    if not layout:
        raise ValueError(f"none of {listed} images can be used: each needs at least {smallest} pixels a side")
    return _images(pixels, layout)


def read_pixels(path: Path) -> Pixels | None:
    """A picture as the page reads it: (H, W, 3), upright, sRGB, 8 bit. None if it is broken, after naming it."""
    try:
        return read_image(path).pixels
    except ImageError as error:
        logger.warning("skipped %s", error)
        return None


def _shrunk(pixels: Pixels, shrink: int) -> Pixels:
    if shrink == 1:
        return pixels
    full = Image.fromarray(pixels)
    size = (full.width // shrink, full.height // shrink)
    return np.asarray(full.resize(size, Image.Resampling.LANCZOS))


def _images(pixels: np.ndarray, layout: Sequence[Sequence[int]]) -> Images:
    starts, heights, widths = np.array(layout, dtype=np.int64).T
    return Images(torch.from_numpy(pixels), starts, heights, widths)


def _decode_to_file(found: Sequence[Found], total: int, cache: Path, listed: int, smallest: int) -> Images:
    """The pictures in a mapped file; its layout is written last, so that a file with one is complete."""
    stats = [
        (str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns, shrink)
        for path, _, _, shrink in found
    ]
    name = hashlib.sha256(json.dumps(stats).encode()).hexdigest()[:16]
    file, layout_file = cache / f"pixels-{name}.uint8", cache / f"pixels-{name}.json"
    if not layout_file.exists():
        cache.mkdir(parents=True, exist_ok=True)
        logger.info("decoding %d pictures, %.1f GB, into %s", len(found), 3 * total / 1e9, file)
        with _file_in_the_making(file, 3 * total) as unfinished:
            mapped = np.memmap(unfinished, np.uint8, "r+", shape=(total, 3))
            images = _decode(found, mapped, listed, smallest)
            mapped.flush()
        layout = np.stack([images.starts, images.heights, images.widths], axis=1).tolist()
        write_atomic(layout_file, json.dumps(layout).encode())
    # copy-on-write: torch wants a writable array, and nothing may reach the file
    return _images(np.memmap(file, np.uint8, "c", shape=(total, 3)), json.loads(layout_file.read_text()))


@contextmanager
def _file_in_the_making(path: Path, size: int) -> Iterator[Path]:
    """A file of `size` bytes to be filled, which is at `path` afterwards: another run may make the same one.

    Raises:
        ValueError: if the disk has no room for it. Mapped pages without any would end the process.
    """
    unfinished = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        with unfinished.open("xb") as stream:
            try:
                if hasattr(os, "posix_fallocate") and size:
                    os.posix_fallocate(stream.fileno(), 0, size)
                stream.truncate(size)
            except OSError as error:
                raise ValueError(
                    f"{path.parent} has no room for {size / 1e9:.1f} GB of pixels ({error.strerror}): "
                    "name another --cache"
                ) from error
        yield unfinished
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
