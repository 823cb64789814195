"""Reading pictures as people have them, and writing LR PNGs that say how to restore them.

`read_image` turns any ordinary picture into (H, W, 3) uint8 sRGB and lists as notices all that it changed on the
way. Bad content always ends as one `ImageError` whose message says what, why and what next, and names the file but
never its folder. Pillow's process-wide settings are left alone, so reading is safe from several threads.
"""

from __future__ import annotations

import io
import json
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms, PngImagePlugin, UnidentifiedImageError

UInt8Array = npt.NDArray[np.uint8]

MAX_PIXELS = 100_000_000
"""Default cap on width x height, checked before decoding (the page passes a smaller one)."""

# Only formats that Pillow decodes itself: no EPS (it would run Ghostscript), no vector or scientific formats.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "PPM", "AVIF")

INFO_KEY = "fgrn"
INFO_VERSION = 1
_MAX_INFO_CHARS = 1024  # a real chunk is about 150 characters
_MAX_SIDE, _MAX_AREA = 1 << 20, 1 << 30

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class ImageError(ValueError):
    """A picture (or its LR note) cannot be used; the message says what, why and what next."""


@dataclass(frozen=True)
class LRInfo:
    """What restoring a LR picture needs: method name, integer scale, HR height and width in pixels, and the
    lower-case hex digest of the weights ("" for a method without weights). Absurd values raise ValueError.
    """

    method: str
    scale: int
    height: int
    width: int
    digest: str

    def __post_init__(self) -> None:
        for key, kind in (("method", str), ("scale", int), ("height", int), ("width", int), ("digest", str)):
            if type(getattr(self, key)) is not kind:  # not isinstance: True is an int
                raise ValueError(f"{key} must be {'text' if kind is str else 'a whole number'}")
        if not re.fullmatch(r"[a-z][a-z0-9_-]{0,31}", self.method):
            raise ValueError("method must be a short lower-case name")
        if not 1 < self.scale <= 16:
            raise ValueError("scale must be 2 to 16")
        if not (0 < self.height <= _MAX_SIDE and 0 < self.width <= _MAX_SIDE):
            raise ValueError(f"height and width must be 1 to {_MAX_SIDE}")
        if self.height * self.width > _MAX_AREA:
            raise ValueError(f"height x width must be at most {_MAX_AREA}")
        if not re.fullmatch(r"[0-9a-f]{0,128}", self.digest):
            raise ValueError("digest must be lower-case hexadecimal")


@dataclass(frozen=True)
class LoadedImage:
    """A picture ready for use: `pixels` (H, W, 3) uint8 sRGB; `notices`, one sentence for each thing that was
    changed on reading; `format` such as "PNG" or "JPEG"; `info`, the LR note of a PNG that carries a sound one.
    """

    pixels: UInt8Array
    notices: tuple[str, ...]
    format: str
    info: LRInfo | None


def read_image(
    source: str | Path | bytes | BinaryIO, *, max_pixels: int = MAX_PIXELS, strict_info: bool = False
) -> LoadedImage:
    """Read a picture from a path, its bytes, or a binary stream (read from its current position to the end).

    A damaged LR note does not make the picture unreadable: it becomes a notice and `info` is None. Pass
    `strict_info=True` to get an ImageError instead. Sizes from 1x1 up are accepted.

    Raises ImageError for anything that is not a whole picture of at most `max_pixels` pixels.
    """
    notices: list[str] = []
    with _named_stream(source) as (name, stream), _one_error(name, max_pixels):
        image, note = _decode(stream, name, max_pixels, notices)
        pixels = np.array(_to_rgb(image, name, notices), dtype=np.uint8)
    info = None
    if note is not None:
        try:
            info = parse_info(note)
        except ImageError as error:
            if strict_info:
                raise ImageError(f"{name}: {error}") from error
            notices.append(str(error))
    file_format = (
        "JPEG" if image.format == "MPO" else str(image.format)
    )  # MPO: a JPEG with more JPEGs behind it
    return LoadedImage(pixels, tuple(notices), file_format, info)


def from_pil(image: Image.Image) -> LoadedImage:
    """A PIL image with the same care as a file: 16 bit, alpha, orientation, colour profile. `info` stays None.

    Raises ImageError if it cannot be decoded or converted.
    """
    notices: list[str] = []
    with _one_error("This picture", MAX_PIXELS):
        raw_mode = _raw_mode(image)
        image.load()
        upright = _turn_upright(_to_8_bits(image, raw_mode, "This picture", notices), notices)
        pixels = np.array(_to_rgb(upright, "This picture", notices), dtype=np.uint8)
    return LoadedImage(pixels, tuple(notices), str(image.format), None)


def encode_png(pixels: npt.NDArray[Any], info: LRInfo | None = None) -> bytes:
    """(H, W, 3) uint8 as PNG bytes, with `info` in a tEXt chunk; the same input gives the same bytes.

    Raises ValueError for another shape or dtype.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        raise ValueError(f"encode_png needs (H, W, 3) uint8, got {pixels.shape} {pixels.dtype}")
    chunks = PngImagePlugin.PngInfo()
    if info is not None:
        chunks.add_text(INFO_KEY, format_info(info))
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "PNG", compress_level=6, pnginfo=chunks)
    return buffer.getvalue()


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file so that readers see the old content or all of the new. Raises OSError; leaves nothing behind."""
    path = Path(path)
    temporary = (
        path.parent / f".{secrets.token_hex(8)}.tmp"
    )  # same folder: os.replace cannot cross file systems
    # Not mkstemp: its files are 0600 whatever the umask says.
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def format_info(info: LRInfo) -> str:
    """The LR note as compact ASCII JSON, version first."""
    return json.dumps({"version": INFO_VERSION, **asdict(info)}, separators=(",", ":"))


def parse_info(text: str) -> LRInfo:
    """Inverse of `format_info`, strict: a missing, unknown, repeated or absurd value raises ImageError."""
    try:
        if len(text) > _MAX_INFO_CHARS:
            raise ValueError(f"longer than {_MAX_INFO_CHARS} characters")
        fields = json.loads(text, object_pairs_hook=_unique)
        if not isinstance(fields, dict):
            raise ValueError("not a JSON object")
        version = fields.pop("version", None)
        if type(version) is not int or version != INFO_VERSION:
            raise ValueError(f"version is not {INFO_VERSION}")
        if fields.keys() != LRInfo.__dataclass_fields__.keys():
            raise ValueError("it needs exactly method, scale, height, width, digest")
        return LRInfo(**fields)
    except (ValueError, RecursionError) as error:
        why = "not valid JSON" if isinstance(error, json.JSONDecodeError | RecursionError) else str(error)
        raise ImageError(
            f"The note on how to restore this picture is damaged or of another version ({why}), so it is not used. "
            "Name the method and the scale yourself."
        ) from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a key is repeated")
    return fields


@contextmanager
def _named_stream(source: str | Path | bytes | BinaryIO) -> Iterator[tuple[str, BinaryIO]]:
    """(name to show, seekable stream). The name is a bare file name: folders of a server are nobody's business."""
    if isinstance(source, bytes | bytearray | memoryview):
        yield "This picture", io.BytesIO(source)
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
        yield (
            f'"{_printable(Path(named).name)}"' if isinstance(named, str) else "This picture",
            io.BytesIO(source.read()),
        )


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
) -> tuple[Image.Image, str | None]:
    """Open, check, decode the first frame, reduce to 8 bits, turn upright. Also returns the raw LR note."""
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
    if image.format == "PNG":
        # Pillow skips the checksums of pixel data, and a LR picture must be exact: one pass over the chunks.
        stream.seek(0)
        Image.open(stream, formats=("PNG",)).verify()
        stream.seek(0)
        image = Image.open(stream, formats=("PNG",))
    if getattr(image, "is_animated", False):
        notices.append("The file holds several frames or pages: only the first is used.")
    raw_mode = _raw_mode(image)
    image.load()
    image = _to_8_bits(image, raw_mode, name, notices)
    note = image.info.get(INFO_KEY) if image.format == "PNG" else None
    return _turn_upright(image, notices), None if note is None else str(note)


def _raw_mode(image: Image.Image) -> str:
    """Pillow's name of the stored sample layout, such as "RGB;16B"; PPM keeps the largest sample value instead."""
    tiles = getattr(image, "tile", None)
    if not tiles:
        return ""
    args = tiles[0][3]
    if image.format == "PPM":
        deep = isinstance(args, tuple) and any(isinstance(value, int) and value > 255 for value in args[1:])
        return f"{image.mode};16" if deep else ""
    mode = args[0] if isinstance(args, tuple) and args else args
    return mode if isinstance(mode, str) else ""


def _to_8_bits(image: Image.Image, raw_mode: str, name: str, notices: list[str]) -> Image.Image:
    deep_notice = "The picture has more than 8 bits a channel: reduced to 8."
    transparency = image.info.get("transparency")
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):
        peak = 4095 if ";12" in raw_mode else 65535
        samples = np.asarray(image).astype(np.uint32)
        grey = ((np.minimum(samples, peak) * 255 + peak // 2) // peak).astype(np.uint8)
        reduced = Image.fromarray(grey)
        reduced.info = {key: value for key, value in image.info.items() if key != "transparency"}
        if isinstance(transparency, int):  # one 16-bit grey value stands for "transparent"
            reduced.putalpha(Image.fromarray(np.where(samples == transparency, 0, 255).astype(np.uint8)))
        reduced.format = image.format
        _copy_exif(image, reduced)
        notices.append(deep_notice)
        return reduced
    if image.mode in ("I", "F"):
        raise ImageError(
            f"{name} stores 32-bit samples, whose range is not known. Export it with 8 or 16 bits a channel."
        )
    if ";16" in raw_mode and image.format in ("PNG", "TIFF", "PPM"):
        # Pillow has no 16-bit colour mode and keeps the high byte: within one level of rounding value / 257.
        if isinstance(transparency, tuple):
            image.info["transparency"] = tuple(value >> 8 for value in transparency)
        notices.append(deep_notice)
    return image


def _copy_exif(image: Image.Image, reduced: Image.Image) -> None:
    try:
        reduced.getexif().update(image.getexif())
    except Exception:  # the same unreadable EXIF is reported by _turn_upright
        reduced.info["exif"] = image.info.get("exif", b"")


def _turn_upright(image: Image.Image, notices: list[str]) -> Image.Image:
    """Apply the EXIF orientation. (TIFF: Pillow has already done it while decoding.)"""
    try:
        method = _UPRIGHT.get(image.getexif().get(0x0112, 1))
    except Exception:  # malformed EXIF beside sound pixels: not a reason to refuse the picture
        notices.append("The EXIF data is damaged: if the picture lies on its side, rotate it yourself.")
        return image
    if method is None:
        return image
    notices.append("Turned upright as its EXIF orientation says.")
    upright = image.transpose(method)
    upright.format = image.format
    return upright


def _to_rgb(image: Image.Image, name: str, notices: list[str]) -> Image.Image:
    """Any decoded mode to sRGB "RGB": alpha over white, colour profile applied."""
    profile = image.info.get("icc_profile")
    alpha: Image.Image | None = None
    if image.has_transparency_data:
        rgba = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
        alpha, image = rgba.getchannel("A"), rgba.convert("RGB")
    elif image.mode in ("P", "YCbCr", "HSV", "RGBX"):
        image = image.convert("RGB")
    elif image.mode == "1":
        image = image.convert("L")
    if image.mode not in ("L", "RGB", "CMYK"):
        raise ImageError(
            f"{name} stores colours as {image.mode}, which is not supported. Export it as RGB or grey."
        )
    if image.mode == "CMYK":
        notices.append("The picture is CMYK (for print): converted to RGB, so colours may shift a little.")
    if profile:
        image = _apply_profile(image, profile, notices)
    image = image.convert("RGB")
    if alpha is not None and alpha.getextrema() != (255, 255):  # opaque alpha changes nothing
        image = Image.composite(image, Image.new("RGB", image.size, "white"), alpha)
        notices.append("Transparent parts are shown on white.")
    return image


def _apply_profile(image: Image.Image, profile_bytes: bytes, notices: list[str]) -> Image.Image:
    """Convert to sRGB by an embedded ICC profile; the picture unchanged if the profile is sRGB or unusable."""
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(profile_bytes))
        mode = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}[profile.profile.xcolor_space]
        if mode == "RGB" and image.mode == "L":
            image = image.convert("RGB")
        if mode != image.mode:
            raise ValueError("profile of another colour space")
        transform = ImageCms.buildTransform(
            profile,
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
        if mode != "CMYK" and _is_identity(transform, mode):
            return image
        converted = ImageCms.applyTransform(image, transform)
    except Exception:  # lcms and Pillow report a bad profile in several ways; the pixels themselves are sound
        notices.append("The colour profile cannot be used: colours are read as sRGB.")
        return image
    if converted is None:
        return image
    notices.append("Colours were converted from the embedded profile to sRGB.")
    return converted


def _is_identity(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Whether a transform moves no colour by more than 2 levels: the many files that carry sRGB stay untouched."""
    levels = np.linspace(0, 255, 9).astype(np.uint8)
    if mode == "L":
        probe = Image.fromarray(levels[None])
    else:
        probe = Image.fromarray(np.stack(np.meshgrid(levels, levels, levels), -1).reshape(1, -1, 3))
    moved = ImageCms.applyTransform(probe, transform)
    if moved is None:
        return True
    before = np.asarray(probe.convert("RGB"), dtype=np.int16)
    return int(np.abs(np.asarray(moved, dtype=np.int16) - before).max()) <= 2
