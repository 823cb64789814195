"""Small files of every format and kind that can be read: what `tests.mutations` damages."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from fgrn.images import encode_png
from fgrn.lr_info import LRInfo
from tests.crafted import saved, tiff

HEIGHT, WIDTH = 26, 33


def _images() -> dict[str, Image.Image]:
    random = np.random.default_rng(3)
    low = Image.fromarray(random.integers(0, 256, (5, 6, 4), dtype=np.uint8))
    rgba = low.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
    rgb = rgba.convert("RGB")
    converted = {mode: rgb.convert(mode) for mode in ("L", "P", "1", "CMYK")}
    deep = Image.fromarray(random.integers(0, 65536, (HEIGHT, WIDTH), dtype=np.uint16))
    return {"RGB": rgb, "RGBA": rgba, "I;16": deep, **converted}


def pictures() -> dict[str, list[bytes]]:
    """By format, sound files."""
    images = _images()
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "maker"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    extras: dict[str, Any] = {"exif": exif, "icc_profile": profile}
    frames: dict[str, Any] = {"save_all": True, "append_images": [images["RGB"].rotate(180)]}
    table: list[tuple[str, str, dict[str, Any]]] = [
        *(("PNG", mode, {}) for mode in images if mode != "CMYK"),
        *(("PNG", "RGBA", extras), ("PNG", "RGB", frames), ("PNG", "P", {"transparency": 3})),
        *(("JPEG", "RGB", extras), ("JPEG", "L", {"progressive": True}), ("JPEG", "RGB", {})),
        *(("JPEG", "CMYK", {}), ("JPEG", "RGB", {"progressive": True, "restart_marker_rows": 1})),
        ("MPO", "RGB", frames),
        *(("WEBP", "RGB", extras), ("WEBP", "RGBA", {"lossless": True}), ("WEBP", "RGB", {})),
        ("WEBP", "RGBA", frames),
        *(("GIF", "P", {}), ("GIF", "RGB", frames), ("GIF", "L", {"comment": "hello"})),
        ("GIF", "P", {"transparency": 2, "interlace": 1}),
        *(("TIFF", "RGB", {"compression": f"tiff_{name}"}) for name in ("lzw", "adobe_deflate")),
        *(("TIFF", "RGB", {"compression": name}) for name in ("packbits", "jpeg", "zstd")),
        *(("TIFF", "RGB", extras), ("TIFF", "I;16", {}), ("TIFF", "CMYK", {}), ("TIFF", "RGB", frames)),
        *(("TIFF", "1", {"compression": "tiff_adobe_deflate"}), ("TIFF", "P", {}), ("TIFF", "RGBA", {})),
        *(("BMP", mode, {}) for mode in ("RGB", "RGBA", "L", "P", "1")),
        *(("PPM", mode, {}) for mode in ("RGB", "L", "1", "I;16")),
        *(("AVIF", "RGB", {}), ("AVIF", "RGBA", extras), ("AVIF", "RGB", frames)),
    ]
    files = by_hand(images)
    for file_format, mode, options in table:
        name = "JPEG" if file_format == "MPO" else file_format
        files[name].append(saved(images[mode], file_format, **options))
    return files


def by_hand(images: dict[str, Image.Image]) -> dict[str, list[bytes]]:
    """By format, what Pillow does not write."""
    samples = np.asarray(images["RGB"])
    tiles = [(256, 3, 1, 16), (257, 3, 1, 16), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
    tiles += [(322, 3, 1, 16), (323, 3, 1, 16), (324, 4, 1, 8 + 2 + 9 * 12 + 4), (325, 4, 1, 256)]
    runs = bytearray(saved(images["P"], "BMP")[: 14 + 40 + 1024])
    runs[30:34] = struct.pack("<I", 1)
    size = b"%d %d" % (WIDTH, HEIGHT)
    return {
        "PNG": [encode_png(samples, LRInfo("bicubic", 2, 2 * HEIGHT, 2 * WIDTH, ""))],
        "JPEG": [],
        "WEBP": [],
        "GIF": [],
        "TIFF": [tiff(tiles, bytes(range(256)))],
        "BMP": [bytes(runs) + b"\x21\7\0\0" * HEIGHT + b"\0\1"],
        "PPM": [
            b"P3 " + size + b" 255\n" + " ".join(map(str, samples.ravel())).encode(),
            b"P6 " + size + b" 200\n" + bytes(samples // 2),
            b"P1 4 4\n0101 1010 0101 1010",
        ],
        "AVIF": [],
    }


def weights(folder: Path) -> list[tuple[bytes, bytes]]:
    """The weight files at x2 of a folder, with their cards."""
    files = sorted(folder.glob("*_x2.safetensors"))
    return [(file.read_bytes(), file.with_suffix(".json").read_bytes()) for file in files]
