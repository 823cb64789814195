"""Any decoded picture as 8-bit sRGB, upright; whatever is changed on the way goes into a list of notices."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageCms

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_GREY_STEPS = {"L;2": 85, "L;4": 17}  # 8-bit levels between two of a grey PNG of 2 and of 4 bits
_PHOTOMETRIC, _WHITE_IS_ZERO = 262, 0  # a tag of TIFF, and one of its values


class ImageError(ValueError):
    """A picture (or its LR note) cannot be used; the message says what, why and what next."""


def raw_mode(image: Image.Image) -> str:
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


def to_8_bits(image: Image.Image, layout: str, name: str, notices: list[str]) -> Image.Image:
    deep_notice = "The picture has more than 8 bits a channel: reduced to 8."
    transparency = image.info.get("transparency")
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):
        peak = 4095 if ";12" in layout else 65535
        samples = np.asarray(image).astype(np.uint32)
        if image.format == "TIFF" and getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
            samples = peak - np.minimum(samples, peak)  # of 8 bit Pillow turns over by itself
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
    if image.format == "PNG" and isinstance(transparency, int) and layout in _GREY_STEPS:
        image.info["transparency"] = transparency * _GREY_STEPS[layout]  # Pillow widens the samples only
    if ";16" in layout and image.format in ("PNG", "TIFF", "PPM"):
        # Pillow has no 16-bit colour mode and keeps the high byte: within one level of rounding value / 257.
        if isinstance(transparency, tuple):
            image.info["transparency"] = tuple(value >> 8 for value in transparency)
        notices.append(deep_notice)
    return image


def _copy_exif(image: Image.Image, reduced: Image.Image) -> None:
    try:
        reduced.getexif().update(image.getexif())
    except Exception:  # the same unreadable EXIF is reported by turn_upright
        reduced.info["exif"] = image.info.get("exif", b"")


def turn_upright(image: Image.Image, notices: list[str]) -> Image.Image:
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


def to_rgb(image: Image.Image, name: str, notices: list[str]) -> Image.Image:
    """Any decoded mode to sRGB "RGB": alpha over white, colour profile applied."""
    profile = image.info.get("icc_profile")
    alpha: Image.Image | None = None
    if image.has_transparency_data:
        rgba = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
        grey = image.mode in ("L", "LA", "La", "1")  # and stays so: a profile for grey is for one channel
        alpha, image = rgba.getchannel("A"), rgba.getchannel("R") if grey else rgba.convert("RGB")
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
