"""Files that are made to do harm: they keep a decoder busy, fill the memory, or claim to be enormous."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

UPLOAD = 20_000_000  # bytes: the largest file that the page accepts
SMALL = Image.fromarray(np.random.default_rng(7).integers(0, 256, (20, 24, 3), dtype=np.uint8))


def saved(image: Image.Image, file_format: str, **options: Any) -> bytes:
    """The picture as a file of a format."""
    buffer = io.BytesIO()
    if "append_images" in options:
        options["append_images"] = [other.copy() for other in options["append_images"]]
    image.copy().save(
        buffer, file_format, **options
    )  # copies, since Pillow keeps options of a JPEG in a picture
    return buffer.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    """A PNG chunk with its right checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(kind: bytes, data: bytes, size: int) -> bytes:
    """As many equal chunks as fit, behind the header."""
    whole, part = saved(SMALL, "PNG"), chunk(kind, data)
    return whole[:33] + part * (size // len(part)) + whole[33:]


def png_chunks(size: int) -> bytes:
    return _png(b"prVt", b"", size)


def png_texts(size: int) -> bytes:
    return _png(b"tEXt", b"a\0b", size)


def png_zlib_bomb(size: int) -> bytes:
    """A text of 200 times `size` bytes."""
    packer = zlib.compressobj(9)
    text = (
        b"".join(packer.compress(bytes(1_000_000)) for _ in range(200 * size // 1_000_000)) + packer.flush()
    )
    return _png(b"zTXt", b"a\0\0" + text, len(text) + 15)


def gif_comments(size: int) -> bytes:
    """One comment in blocks of one byte, which Pillow joins one by one."""
    whole = saved(SMALL.convert("P"), "GIF")
    start = 13 + (3 << ((whole[10] & 7) + 1))
    return whole[:start] + b"!\xfe" + b"\1x" * (size // 2) + b"\0" + whole[start:]


def jpeg_comments(size: int) -> bytes:
    whole = saved(SMALL, "JPEG")
    return whole[:2] + b"\xff\xfe\0\2" * (size // 4) + whole[2:]


def jpeg_exif(size: int) -> bytes:
    """EXIF data in pieces of two bytes, which Pillow joins one by one."""
    whole = saved(SMALL, "JPEG")
    return whole[:2] + b"\xff\xe1\0\x0aExif\0\0ab" * (size // 12) + whole[2:]


def jpeg_scans(size: int, side: int = 4000) -> bytes:
    """A progressive JPEG that refines the same values again and again, each time over the whole picture."""
    whole = saved(Image.new("L", (side, side), 90), "JPEG", progressive=True)
    scan = whole[whole.rindex(b"\xff\xda") : -2]
    return whole[:-2] + scan * (size // len(scan)) + whole[-2:]


def tiff(entries: list[tuple[int, int, int, int]], behind: bytes = b"") -> bytes:
    """A little-endian TIFF of one IFD with these entries (tag, type, count, value or offset)."""
    table = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + table + bytes(4) + behind


def _grey_tiff(width: int, height: int) -> list[tuple[int, int, int, int]]:
    return [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]


def tiff_strips(size: int) -> bytes:
    """One pixel wide, every row a strip of its own."""
    rows = size // 4
    offset = 8 + 2 + 7 * 12 + 4
    strips = [(273, 4, rows, offset), (278, 3, 1, 1)]
    return tiff(_grey_tiff(1, rows) + strips, struct.pack("<I", 8) * rows)


def tiff_tags(size: int, count: int = 60_000) -> bytes:
    """Tags that share one value of `size` bytes; Pillow keeps a copy for each."""
    known = _grey_tiff(4, 4)
    extra = [(tag, 1, size, 8 + 2 + count * 12 + 4) for tag in range(1000, 1000 + count - len(known))]
    return tiff(known + extra, bytes(size))


def tiff_huge_tile(size: int) -> bytes:
    """A small picture in one tile of 30,000 x 30,000 pixels, of which there are `size` bytes."""
    data = zlib.compress(bytes(size))
    known = [entry if entry[0] != 259 else (259, 3, 1, 8) for entry in _grey_tiff(32, 32)]
    place = 8 + 2 + 9 * 12 + 4
    tile = [(322, 4, 1, 30_000), (323, 4, 1, 30_000), (324, 4, 1, place), (325, 4, 1, len(data))]
    return tiff(known + tile, data)


def ppm_maximum(size: int) -> bytes:
    """Samples up to 254 instead of 255, which Pillow converts one by one."""
    width, height = 2000, size // 6000
    return b"P6 %d %d 254\n" % (width, height) + bytes(width * height * 3)


def ppm_plain(size: int) -> bytes:
    width, height = 2000, size // 12_000
    return b"P3 %d %d 255\n" % (width, height) + b"1 " * (width * height * 3)


def bmp_runs(size: int) -> bytes:
    """Compressed in runs of one pixel."""
    width, height = 4000, size // 8002
    header = bytearray(saved(Image.new("P", (width, 4)), "BMP")[: 14 + 40 + 1024])
    header[22:26], header[30:34] = struct.pack("<i", height), struct.pack("<I", 1)
    return bytes(header) + (b"\1\7" * width + b"\0\0") * height


SLOW: dict[str, Callable[[int], bytes]] = {
    make.__name__: make
    for make in (
        *(png_chunks, png_texts, png_zlib_bomb, gif_comments, jpeg_comments, jpeg_exif, jpeg_scans),
        *(tiff_strips, tiff_tags, tiff_huge_tile, ppm_maximum, ppm_plain, bmp_runs),
    )
}
"""By name, what makes a file of about so many bytes that is slow to open or fills the memory."""


def _patched(data: bytes, at: int, value: bytes) -> bytes:
    return data[:at] + value + data[at + len(value) :]


def bombs() -> dict[str, bytes]:
    """By format, a small file that claims to be a picture of up to four thousand megapixels."""
    png = saved(SMALL, "PNG")
    jpeg = saved(SMALL, "JPEG")
    webp = saved(SMALL.convert("RGBA"), "WEBP", save_all=True, append_images=[SMALL.rotate(180)])
    avif = saved(SMALL, "AVIF")
    return {
        "PNG": png[:8] + chunk(b"IHDR", struct.pack(">II", 60_000, 60_000) + png[24:29]) + png[33:],
        "JPEG": _patched(jpeg, jpeg.index(b"\xff\xc0") + 5, struct.pack(">HH", 65_500, 65_500)),
        "WEBP": _patched(webp, webp.index(b"VP8X") + 12, b"\xfe\x3f\0\xfe\x3f\0"),
        "GIF": _patched(saved(SMALL.convert("P"), "GIF"), 6, b"\xff\xff\xff\xff"),
        "TIFF": tiff([*_grey_tiff(65_000, 65_000), (273, 4, 1, 8)]),
        "BMP": _patched(saved(SMALL, "BMP"), 18, struct.pack("<ii", 65_000, 65_000)),
        "PPM": b"P6 65000 65000 255\n" + bytes(100),
        "AVIF": _patched(avif, avif.index(b"ispe") + 8, struct.pack(">II", 65_000, 65_000)),
    }
