"""Reading pictures as people have them, and writing LR PNGs that say how to restore them.

`read_image` turns any ordinary picture into (H, W, 3) uint8 sRGB and lists as notices all that it changed on the
way. Bad content always ends as one `ImageError` whose message says what, why and what next, and names the file but
never its folder. Pillow's process-wide settings are left alone, so reading is safe from several threads.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin, UnidentifiedImageError

from fgrn.lr_info import INFO_KEY, LRInfo, format_info, parse_info
from fgrn.pixels import Pixels
from fgrn.srgb import ImageError as ImageError
from fgrn.srgb import raw_mode, to_8_bits, to_rgb, turn_upright

MAX_PIXELS = 100_000_000
"""Default cap on width x height, checked before decoding (the page passes a smaller one)."""

# Only formats that Pillow decodes itself: no EPS (it would run Ghostscript), no vector or scientific formats.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "PPM", "AVIF")
LOSSLESS = ("PNG", "BMP", "TIFF", "PPM")  # unless a TIFF holds one of the next
LOSSY_IN_TIFF = ("jpeg", "tiff_jpeg", "webp")
FAX = ("group3", "group4", "tiff_ccitt")  # libtiff leaves memory as it was where such a file is damaged


@dataclass(frozen=True, eq=False)
class LoadedImage:
    """A picture ready for use: `pixels` (H, W, 3) uint8 sRGB; `notices`, one sentence for each thing that was
    changed on reading; `format` such as "PNG" or "JPEG"; `info`, the LR note of a PNG that carries a sound one;
    `lossless`, whether the file is known to hold every grey level as it was saved.
    """

    pixels: Pixels = field(repr=False)
    notices: tuple[str, ...]
    format: str
    info: LRInfo | None
    lossless: bool


def read_image(
    source: str | Path | bytes | BinaryIO,
    *,
    max_pixels: int = MAX_PIXELS,
    name: str = "",
) -> LoadedImage:
    """Read a picture from a path, its bytes, or a binary stream (read from its current position to the end).

    A damaged LR note does not make the picture unreadable: it becomes a notice and `info` is None. Sizes from 1x1 up
    are accepted. `name` is what messages call the picture, by default its file name. For files of others see
    `lab.reader`: here nothing bounds the time.

    Raises ImageError for anything that is not a whole picture of at most `max_pixels` pixels.
    """
    notices: list[str] = []
    with _named_stream(source) as (own_name, stream), _one_error(name or own_name, max_pixels):
        name = name or own_name
        image, note, lossless = _decode(stream, name, max_pixels, notices)
        pixels = np.array(to_rgb(image, name, notices), dtype=np.uint8)
    info = _info(note, notices)
    # MPO: a JPEG with more JPEGs behind it
    file_format = "JPEG" if image.format == "MPO" else str(image.format)
    return LoadedImage(pixels, tuple(notices), file_format, info, lossless)


def read_bytes(source: str | Path | bytes | BinaryIO) -> tuple[str, bytes]:
    """What messages call a picture, and the content of its file, of any kind.

    Raises ImageError if the file cannot be read.
    """
    with _named_stream(source) as (name, stream), _one_error(name, MAX_PIXELS):
        return name, stream.read()


def from_pil(image: Image.Image) -> LoadedImage:
    """A PIL image with the same care as a file: 16 bit, alpha, orientation, colour profile, LR note.

    Raises ImageError if it cannot be decoded or converted.
    """
    notices: list[str] = []
    with _one_error("This picture", MAX_PIXELS):
        layout = raw_mode(image)
        image.load()
        upright, note = _upright(to_8_bits(image, layout, "This picture", notices), notices)
        pixels = np.array(to_rgb(upright, "This picture", notices), dtype=np.uint8)
    info = _info(note, notices)
    return LoadedImage(pixels, tuple(notices), str(image.format), info, image.format in LOSSLESS)


def _info(note: str | None, notices: list[str]) -> LRInfo | None:
    """What a raw LR note says; a damaged one becomes a notice."""
    try:
        return None if note is None else parse_info(note)
    except ImageError as error:
        notices.append(str(error))
        return None


def encode_png(pixels: NDArray[Any], info: LRInfo | None = None, *, quick: bool = False) -> bytes:
    """(H, W, 3) uint8 as PNG bytes, with `info` in a tEXt chunk; the same input gives the same bytes.

    `quick` takes a third of the time for a file that is a tenth larger: for pictures that somebody waits for.

    Raises ValueError for another shape or dtype.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        raise ValueError(f"encode_png needs (H, W, 3) uint8, got {pixels.shape} {pixels.dtype}")
    chunks = PngImagePlugin.PngInfo()
    if info is not None:
        chunks.add_text(INFO_KEY, format_info(info))
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(
        buffer, "PNG", compress_level=2 if quick else 6, pnginfo=chunks
    )
    return buffer.getvalue()


@contextmanager
def _named_stream(source: str | Path | bytes | BinaryIO) -> Iterator[tuple[str, BinaryIO]]:
    """(name to show, seekable stream). The name is a bare file name: folders of a server are nobody's business."""
    if isinstance(source, bytes | bytearray | memoryview):
        yield "The file", io.BytesIO(source)
    elif isinstance(source, str | Path):
        name = f'"{_printable(Path(source).name)}"'
        try:
            path = Path(source)
            if path.is_dir():
                raise ImageError(f"{name} is a folder, not a picture. Name a picture file inside it.")
            if path.exists() and not path.is_file():  # a pipe or device could block for ever
                raise ImageError(f"{name} is not an ordinary file. Save the picture to a file first.")
            stream = path.open("rb")
        except FileNotFoundError as error:
            raise ImageError(f"{name} does not exist. Check the name and the folder.") from error
        except ImageError:
            raise
        except (OSError, ValueError) as error:  # ValueError: a NUL byte in the path
            why = getattr(error, "strerror", None) or "not a valid file name"
            raise ImageError(f"{name} cannot be opened: {why}. Check its name and permissions.") from error
        with stream:
            yield name, stream
    else:
        named = getattr(source, "name", None)
        name = f'"{_printable(Path(named).name)}"' if isinstance(named, str) else "The file"
        try:
            data = source.read()
        except (AttributeError, OSError, ValueError) as error:  # no stream, one to write, closed or of text
            raise ImageError(f"{name} cannot be read ({error}). Open it as open(name, 'rb').") from error
        if not isinstance(data, bytes):
            raise ImageError(f"{name} is open as text. Open it as open(name, 'rb').")
        if not data:
            raise ImageError(
                f"{name} is empty, or was read to its end before: seek(0) leads to its beginning."
            )
        yield name, io.BytesIO(data)


def _printable(name: str) -> str:
    shown = "".join(char if char.isprintable() else "?" for char in name)
    return shown if len(shown) <= 80 else shown[:50] + "..." + shown[-20:]


@contextmanager
def _one_error(name: str, max_pixels: int) -> Iterator[None]:
    """Every failure inside becomes an ImageError."""
    try:
        yield
    except ImageError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(
            f"{name} has far too many pixels to open; at most {max_pixels:,} are accepted. Use a smaller picture."
        ) from error
    except UnidentifiedImageError as error:
        raise ImageError(
            f"{name} is not a picture, its beginning is damaged, or its format is not supported. Use "
            "PNG, JPEG, WebP, AVIF, GIF, TIFF, BMP or PPM (convert HEIC, RAW, SVG and PDF first)."
        ) from error
    except MemoryError as error:
        raise ImageError(f"{name} does not fit in memory. Use a smaller picture.") from error
    except Exception as error:
        # Deliberately broad: on hostile bytes Pillow lets OSError, SyntaxError, struct.error, zlib.error, EOFError,
        # ValueError, IndexError, KeyError, TypeError, ... through. Its text is not shown: it may hold a path.
        raise ImageError(
            f"{name} cannot be decoded: it is cut off or damaged ({type(error).__name__}). "
            "Export or copy it again from the original."
        ) from error


def _decode(
    stream: BinaryIO, name: str, max_pixels: int, notices: list[str]
) -> tuple[Image.Image, str | None, bool]:
    """Open, check, decode the first frame, reduce to 8 bits, turn upright.

    Also returns the raw LR note, and whether the file is known to be lossless.
    """
    if stream.seek(0, os.SEEK_END) == 0:
        raise ImageError(f"{name} is empty (0 bytes). Export or copy it again from the original.")
    stream.seek(0)
    image: Image.Image = Image.open(stream, formats=FORMATS)  # lazy: header only
    width, height = image.size
    if width < 1 or height < 1:
        raise ImageError(f"{name} has no pixels ({width}x{height}). Export it again from the original.")
    if width * height > max_pixels:
        raise ImageError(
            f"{name} is {width}x{height}, {width * height:,} pixels; at most {max_pixels:,} are accepted. "
            "Crop it or use a smaller picture."
        )
    if image.info.get("compression") in FAX:
        raise ImageError(
            f"{name} is a fax (a TIFF with CCITT compression), whose pixels are undefined wherever it is damaged. "
            "Save it as PNG."
        )
    if image.format == "PNG":
        # Pillow skips the checksums of pixel data, and an LR picture must be exact: one pass over the chunks.
        stream.seek(0)
        Image.open(stream, formats=("PNG",)).verify()
        stream.seek(0)
        image = Image.open(stream, formats=("PNG",))
    if getattr(image, "is_animated", False):
        notices.append("The file holds several frames or pages: only the first is used.")
    layout = raw_mode(image)
    image.load()
    lossless = _is_lossless(image, stream)
    return *_upright(to_8_bits(image, layout, name, notices), notices), lossless


def _upright(image: Image.Image, notices: list[str]) -> tuple[Image.Image, str | None]:
    """The picture as it is seen, and the raw LR note: with one it stays as it lies, and is restored as it was made."""
    note = image.info.get(INFO_KEY) if image.format == "PNG" else None
    return (turn_upright(image, notices), None) if note is None else (image, str(note))


def _is_lossless(image: Image.Image, stream: BinaryIO) -> bool:
    if image.format == "WEBP":  # Pillow does not say: the chunk that holds the first picture does
        stream.seek(len(b"RIFF....WEBP"))
        while len(head := stream.read(8)) == 8:
            kind, size = head[:4], int.from_bytes(head[4:], "little")
            if kind in (b"VP8 ", b"VP8L", b"ANMF"):
                return kind == b"VP8L"
            stream.seek(size + size % 2, os.SEEK_CUR)
    return image.format in LOSSLESS and image.info.get("compression") not in LOSSY_IN_TIFF
