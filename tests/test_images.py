"""Reading every ordinary kind of picture, refusing every kind of rubbish, and the LR note."""

from __future__ import annotations

import io
import json
import os
import struct
import threading
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, PngImagePlugin

from fgrn.files import write_atomic
from fgrn.images import ImageError, LoadedImage, encode_png, read_image
from fgrn.lr_info import LRInfo, format_info, parse_info

INFO = LRInfo("fgrn", 4, 341, 257, "0123456789abcdef")
RGB = np.random.default_rng(1).integers(0, 256, (6, 9, 3), dtype=np.uint8)


def saved(image: Image.Image, file_format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def png(width: int, height: int, depth: int, colour: int, rows: bytes, *extra: tuple[bytes, bytes]) -> bytes:
    """A PNG written by hand, for what Pillow cannot write; `rows` without filter bytes."""
    stride = len(rows) // height if height else 0
    filtered = b"".join(b"\0" + rows[y * stride : (y + 1) * stride] for y in range(height))
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = [(b"IHDR", header), *extra, (b"IDAT", zlib.compress(filtered)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def with_note(note: str) -> bytes:
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("fgrn", note)
    return saved(Image.fromarray(RGB), "PNG", pnginfo=chunks)


def one_notice(loaded: LoadedImage, words: str) -> None:
    assert len(loaded.notices) == 1, loaded.notices
    assert words in loaded.notices[0]


# ---- sources and plain pictures


def test_every_kind_of_source(tmp_path: Path) -> None:
    data = encode_png(RGB)
    path = tmp_path / "a.png"
    path.write_bytes(data)
    for source in (path, str(path), data, io.BytesIO(data)):
        loaded = read_image(source)
        np.testing.assert_array_equal(loaded.pixels, RGB)
        assert loaded.pixels.dtype == np.uint8 and loaded.pixels.flags.writeable
        assert loaded.notices == () and loaded.format == "PNG" and loaded.info is None
    with path.open("rb") as stream:
        np.testing.assert_array_equal(read_image(stream).pixels, RGB)


@pytest.mark.parametrize("file_format", ["PNG", "BMP", "PPM", "TIFF"])
def test_lossless_formats_are_exact(file_format: str) -> None:
    loaded = read_image(saved(Image.fromarray(RGB), file_format))
    np.testing.assert_array_equal(loaded.pixels, RGB)
    assert loaded.format == file_format and loaded.notices == ()


def test_lossy_formats_are_named() -> None:
    assert read_image(saved(Image.fromarray(RGB), "JPEG")).format == "JPEG"
    webp = read_image(saved(Image.fromarray(RGB), "WEBP", lossless=True))
    assert webp.format == "WEBP"
    np.testing.assert_array_equal(webp.pixels, RGB)


def test_lossless_is_what_the_file_is_not_what_it_is_called() -> None:
    image = Image.fromarray(RGB)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()  # a chunk before the picture
    for options in ({}, {"icc_profile": profile}):
        assert read_image(saved(image, "WEBP", lossless=True, **options)).lossless
        assert not read_image(saved(image, "WEBP", quality=90, **options)).lossless
    assert read_image(saved(image, "TIFF", compression="tiff_lzw")).lossless
    assert not read_image(saved(image, "TIFF", compression="jpeg")).lossless
    assert read_image(saved(image, "PNG")).lossless and not read_image(saved(image, "JPEG")).lossless


def test_a_lr_png_stays_as_it_was_made() -> None:
    """A viewer that turned it wrote an orientation, and no pixel has moved."""
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("fgrn", format_info(LRInfo("fgrn", 4, 28, 40, "ab")))
    exif = Image.Exif()
    exif[0x0112] = 6
    loaded = read_image(saved(Image.fromarray(RGB), "PNG", pnginfo=chunks, exif=exif))
    np.testing.assert_array_equal(loaded.pixels, RGB)
    assert loaded.notices == () and loaded.info is not None


def test_one_pixel_is_a_picture() -> None:
    assert read_image(encode_png(RGB[:1, :1])).pixels.shape == (1, 1, 3)


def test_grey_and_one_bit_and_palette_become_rgb() -> None:
    grey = Image.fromarray(RGB[..., 0])
    np.testing.assert_array_equal(read_image(saved(grey, "PNG")).pixels, np.repeat(RGB[..., :1], 3, -1))
    bits = read_image(saved(grey.convert("1"), "PNG"))
    assert bits.notices == () and set(np.unique(bits.pixels)) <= {0, 255}
    palette = Image.new("P", (2, 1))
    palette.putpalette([10, 20, 30, 200, 100, 50])
    palette.putpixel((1, 0), 1)
    loaded = read_image(saved(palette, "PNG"))
    assert loaded.pixels.tolist() == [[[10, 20, 30], [200, 100, 50]]] and loaded.notices == ()


# ---- pictures that need a notice


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_exif_orientation(orientation: int, file_format: str) -> None:
    """Expected pixels from the EXIF standard: where row 0 and column 0 of the stored picture lie when shown."""
    shown = {
        1: RGB,
        2: RGB[:, ::-1],
        3: RGB[::-1, ::-1],
        4: RGB[::-1],
        5: RGB.transpose(1, 0, 2),
        6: RGB.transpose(1, 0, 2)[:, ::-1],
        7: RGB[::-1, ::-1].transpose(1, 0, 2),
        8: RGB.transpose(1, 0, 2)[::-1],
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    loaded = read_image(saved(Image.fromarray(RGB), file_format, exif=exif))
    np.testing.assert_array_equal(loaded.pixels, shown)
    if file_format == "PNG" and orientation > 1:
        one_notice(loaded, "upright")


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_damaged_exif_does_not_lose_the_picture() -> None:
    loaded = read_image(saved(Image.fromarray(RGB), "PNG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff"))
    np.testing.assert_array_equal(loaded.pixels, RGB)


def test_16_bit_grey_is_scaled_not_clipped() -> None:
    values = np.array([[0, 128, 129, 255, 256, 257, 32768, 65407, 65535]], dtype=np.uint16)
    loaded = read_image(saved(Image.fromarray(values), "PNG"))
    np.testing.assert_array_equal(loaded.pixels[..., 1], np.round(values / 257).astype(np.uint8))
    one_notice(loaded, "8 bits")
    tiff = read_image(saved(Image.fromarray(values), "TIFF"))
    np.testing.assert_array_equal(tiff.pixels, loaded.pixels)
    one_notice(tiff, "8 bits")


def test_16_bit_pgm_and_ppm() -> None:
    loaded = read_image(b"P5 2 1 65535\n" + struct.pack(">2H", 65535, 257 * 99))
    assert loaded.pixels[0, :, 0].tolist() == [255, 99]
    one_notice(loaded, "8 bits")
    loaded = read_image(b"P6 1 1 65535\n" + struct.pack(">3H", 65535, 257 * 99, 0))
    assert loaded.pixels.tolist() == [[[255, 99, 0]]]
    one_notice(loaded, "8 bits")


def test_16_bit_rgb_and_rgba() -> None:
    rows = (RGB.astype(">u2") * 257).tobytes()
    loaded = read_image(png(9, 6, 16, 2, rows))
    np.testing.assert_array_equal(loaded.pixels, RGB)
    one_notice(loaded, "8 bits")
    rgba = struct.pack(">8H", 257 * 10, 257 * 20, 257 * 30, 65535, 1, 2, 3, 0)
    loaded = read_image(png(2, 1, 16, 6, rgba))
    assert loaded.pixels.tolist() == [[[10, 20, 30], [255, 255, 255]]]
    assert len(loaded.notices) == 2


def test_16_bit_transparent_colour() -> None:
    grey = png(2, 1, 16, 0, struct.pack(">2H", 300, 301), (b"tRNS", struct.pack(">H", 300)))
    assert read_image(grey).pixels[0, :, 0].tolist() == [255, 1]


@pytest.mark.parametrize(("bits", "samples"), [(2, b"\x1b"), (4, b"\x01\x23")])
def test_transparent_grey_of_few_bits(bits: int, samples: bytes) -> None:
    """Four pixels 0 1 2 3, of which 1 is transparent."""
    loaded = read_image(png(4, 1, bits, 0, samples, (b"tRNS", struct.pack(">H", 1))))
    step = 255 // (2**bits - 1)
    assert loaded.pixels[0, :, 0].tolist() == [0, 255, 2 * step, 3 * step]
    one_notice(loaded, "white")


def test_12_bit_samples_are_scaled_by_their_own_peak() -> None:
    samples = [0, 4095, 2048, 16]
    pairs = zip(samples[::2], samples[1::2], strict=True)
    data = b"".join(((a << 12) | b).to_bytes(3, "big") for a, b in pairs)
    tags = {256: 4, 257: 1, 258: 12, 259: 1, 262: 1, 273: 8, 277: 1, 278: 1, 279: len(data)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    loaded = read_image(b"II*\0" + struct.pack("<I", 8 + len(data)) + data + directory)
    assert loaded.pixels[0, :, 0].tolist() == [0, 255, 128, 1]
    one_notice(loaded, "reduced to 8")


def test_32_bit_samples_are_refused_with_advice() -> None:
    for dtype in (np.float32, np.int32):
        with pytest.raises(ImageError, match="32-bit.*8 or 16 bits"):
            read_image(saved(Image.fromarray(np.ones((4, 4), dtype=dtype)), "TIFF"))


def test_alpha_goes_on_white() -> None:
    rgba = Image.new("RGBA", (3, 1))
    for x, pixel in enumerate([(255, 0, 0, 255), (0, 0, 0, 128), (12, 34, 56, 0)]):
        rgba.putpixel((x, 0), pixel)
    loaded = read_image(saved(rgba, "PNG"))
    assert loaded.pixels.tolist() == [[[255, 0, 0], [127, 127, 127], [255, 255, 255]]]
    one_notice(loaded, "white")
    one_notice(read_image(saved(rgba, "WEBP", lossless=True, exact=True)), "white")


def test_grey_alpha_palette_and_colour_key_go_on_white() -> None:
    la = Image.new("LA", (2, 1), (40, 255))
    la.putpixel((1, 0), (40, 0))
    assert read_image(saved(la, "PNG")).pixels[0, :, 0].tolist() == [40, 255]
    palette = Image.new("P", (2, 1))
    palette.putpalette([10, 20, 30, 200, 100, 50])
    palette.putpixel((1, 0), 1)
    loaded = read_image(saved(palette, "PNG", transparency=1))
    assert loaded.pixels.tolist() == [[[10, 20, 30], [255, 255, 255]]]
    one_notice(loaded, "white")
    keyed = read_image(saved(Image.new("RGB", (1, 1), (1, 2, 3)), "PNG", transparency=(1, 2, 3)))
    assert keyed.pixels.tolist() == [[[255, 255, 255]]]


def test_opaque_alpha_changes_nothing_and_says_nothing() -> None:
    loaded = read_image(saved(Image.fromarray(RGB).convert("RGBA"), "PNG"))
    np.testing.assert_array_equal(loaded.pixels, RGB)
    assert loaded.notices == ()


def test_cmyk() -> None:
    loaded = read_image(saved(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "TIFF"))
    assert loaded.pixels[0, 0].tolist() == [255, 0, 0]
    one_notice(loaded, "CMYK")
    one_notice(read_image(saved(Image.new("CMYK", (16, 16)), "JPEG")), "CMYK")


@pytest.mark.parametrize("file_format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_first_frame_of_many(file_format: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ((255, 0, 0), (0, 0, 255))]
    options: dict[str, Any] = {"lossless": True} if file_format == "WEBP" else {}
    loaded = read_image(saved(frames[0], file_format, save_all=True, append_images=frames[1:], **options))
    assert loaded.pixels[0, 0].tolist() == [255, 0, 0] and loaded.pixels.shape == (8, 8, 3)
    one_notice(loaded, "first")


def test_two_pictures_in_one_jpeg() -> None:
    """Phones store JPEGs this way (MPO); the rest of the program should see a JPEG."""
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    loaded = read_image(saved(frames[0], "MPO", save_all=True, append_images=frames[1:]))
    assert loaded.format == "JPEG" and loaded.pixels[0, 0, 0] > 250
    one_notice(loaded, "first")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_tiff_whose_zero_is_white_is_no_negative(dtype: type[np.unsignedinteger[Any]]) -> None:
    values = np.array([[0, 7, 128, 255]], dtype=dtype)
    file = saved(Image.fromarray(values * np.array(np.iinfo(dtype).max // 255, dtype)), "TIFF")
    assert (read_image(file).pixels[..., 0] == values).all()
    photometric = struct.pack("<HHI", 262, 3, 1)
    assert file.count(photometric) == 1
    at = file.index(photometric) + len(photometric)
    white_is_zero = file[:at] + b"\0\0" + file[at + 2 :]
    assert (read_image(white_is_zero).pixels[..., 0] == 255 - values).all()


def test_srgb_profile_leaves_pixels_alone() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    loaded = read_image(saved(Image.fromarray(RGB), "PNG", icc_profile=profile))
    np.testing.assert_array_equal(loaded.pixels, RGB)
    assert loaded.notices == ()


def swapped_profile() -> bytes:
    """An sRGB profile whose red and blue primaries are exchanged, so that the right answer is known."""
    data = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    table = {
        data[128 + 4 + 12 * i : 128 + 8 + 12 * i]: 128 + 4 + 12 * i
        for i in range(struct.unpack(">I", data[128:132])[0])
    }
    out = bytearray(data)
    red, blue = table[b"rXYZ"], table[b"bXYZ"]
    out[red : red + 4], out[blue : blue + 4] = b"bXYZ", b"rXYZ"
    return bytes(out)


def linear_grey_profile() -> bytes:
    """A profile of one channel whose values are proportional to light."""
    white = struct.pack(">3i", *(round(value * 65536) for value in (0.9642, 1.0, 0.8249)))
    tags = {b"wtpt": b"XYZ \0\0\0\0" + white, b"kTRC": b"curv" + bytes(8)}
    table, body = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        table += name + struct.pack(">2I", start + len(body), len(data))
        body += data
    head = struct.pack(">I4x4s4s4s4s", start + len(body), b"\x02\x10\0\0", b"mntr", b"GRAY", b"XYZ ")
    head += struct.pack(">6H", 2000, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + white
    return head.ljust(128, b"\0") + table + body


def test_other_profile_is_converted() -> None:
    loaded = read_image(saved(Image.fromarray(RGB), "PNG", icc_profile=swapped_profile()))
    assert np.abs(loaded.pixels.astype(int) - RGB[..., ::-1]).max() <= 2
    one_notice(loaded, "profile")
    # with alpha the colours are converted before they meet the white
    alpha = Image.fromarray(RGB).convert("RGBA")
    alpha.putalpha(0)
    assert (read_image(saved(alpha, "PNG", icc_profile=swapped_profile())).pixels == 255).all()


def test_profile_for_grey_holds_with_transparency_too() -> None:
    """A grey profile is for one channel; an alpha channel or a transparent value beside it changes no colour."""
    profile = linear_grey_profile()
    grey = Image.fromarray(RGB[..., 0])
    expected = read_image(saved(grey, "PNG", icc_profile=profile)).pixels
    assert np.abs(expected[..., 0].astype(int) - RGB[..., 0]).max() > 20
    opaque = grey.convert("LA")
    assert np.array_equal(read_image(saved(opaque, "PNG", icc_profile=profile)).pixels, expected)
    loaded = read_image(saved(grey, "PNG", icc_profile=profile, transparency=int(RGB[0, 0, 0])))
    shown = RGB[..., 0] != RGB[0, 0, 0]
    assert np.array_equal(loaded.pixels[shown], expected[shown]) and (loaded.pixels[~shown] == 255).all()


def test_unusable_profile_is_a_notice() -> None:
    loaded = read_image(saved(Image.fromarray(RGB), "PNG", icc_profile=b"no profile at all"))
    np.testing.assert_array_equal(loaded.pixels, RGB)
    one_notice(loaded, "profile cannot be used")


# ---- refused


def test_pixel_cap_is_checked_before_decoding() -> None:
    huge = png(9000, 9000, 8, 2, b"")  # the pixel data is missing: decoding would say "cut off"
    with pytest.raises(ImageError, match=r"9000x9000, 81,000,000 pixels; at most 20,000,000"):
        read_image(huge, max_pixels=20_000_000)
    assert read_image(encode_png(RGB), max_pixels=54).pixels.shape == RGB.shape
    with pytest.raises(ImageError, match="at most 53"):
        read_image(encode_png(RGB), max_pixels=53)


def test_decompression_bomb_is_refused_and_pillow_left_alone() -> None:
    before = Image.MAX_IMAGE_PIXELS
    with pytest.raises(ImageError, match="too many pixels.*smaller"):
        read_image(png(60000, 60000, 8, 2, b""), max_pixels=10**12)
    assert before == Image.MAX_IMAGE_PIXELS


@pytest.mark.filterwarnings("error")
def test_bomb_warnings_as_errors_are_refused_too() -> None:
    with pytest.raises(ImageError, match="too many pixels"):
        read_image(png(10000, 9500, 8, 2, b""))


def test_empty_missing_folder_and_odd_names(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    for source, words in (
        (tmp_path / "empty.png", "empty.png.*empty"),
        (tmp_path / "none.png", "none.png.*does not exist"),
        (tmp_path, "is a folder"),
        ("a\0b.png", "cannot be opened|does not exist"),
        (tmp_path / ("x" * 300 + ".png"), "cannot be opened|does not exist"),
        ("", "folder|does not exist"),
        (b"", "empty"),
    ):
        with pytest.raises(ImageError, match=words) as caught:
            read_image(source)
        assert str(tmp_path) not in str(caught.value) and len(str(caught.value)) < 300


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this system")
def test_a_pipe_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(ImageError, match="not an ordinary file"):
        read_image(tmp_path / "pipe.png")


@pytest.mark.parametrize(
    "content", [b"hello", b"\x89PNG\r\n\x1a\n", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"\0" * 5000, b"GIF89a"]
)
def test_not_a_picture(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "holiday.png"
    path.write_bytes(content)
    with pytest.raises(ImageError, match="holiday.png") as caught:
        read_image(path)
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "PPM"])
def test_truncation_anywhere_is_an_image_error(file_format: str) -> None:
    picture = Image.fromarray(np.random.default_rng(2).integers(0, 256, (40, 40, 3), dtype=np.uint8))
    whole = saved(picture, file_format)
    read_image(whole)
    for length in {
        0,
        1,
        7,
        12,
        30,
        60,
        len(whole) // 4,
        len(whole) // 2,
        len(whole) * 3 // 4,
        len(whole) - 30,
    }:
        with pytest.raises(ImageError):
            read_image(whole[:length])


def test_one_changed_bit_of_a_png_is_noticed() -> None:
    whole = encode_png(RGB, INFO)
    for position in range(8, len(whole) - 12):
        damaged = bytearray(whole)
        damaged[position] ^= 0x10
        try:
            loaded = read_image(bytes(damaged))
        except ImageError:
            continue
        # Only a changed name of an ancillary chunk may pass: then the note is lost but the pixels are whole.
        np.testing.assert_array_equal(loaded.pixels, RGB)
        assert loaded.info in (None, INFO)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP"]), st.data())
def test_mutated_files_never_raise_anything_else(file_format: str, data: st.DataObject) -> None:
    content = bytearray(saved(Image.fromarray(RGB), file_format))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        loaded = read_image(bytes(content), max_pixels=1_000_000)
    except ImageError:
        return
    assert loaded.pixels.dtype == np.uint8 and loaded.pixels.shape[2] == 3


def test_zero_size() -> None:
    for content in (png(0, 5, 8, 2, b""), b"P6 0 0 255\n", b"GIF89a\0\0\0\0\0\0\0;"):
        with pytest.raises(ImageError):
            read_image(content)


def test_reading_from_threads() -> None:
    failures: list[BaseException] = []

    def work(seed: int) -> None:
        picture = np.random.default_rng(seed).integers(0, 256, (50, 40, 3), dtype=np.uint8)
        try:
            for _ in range(5):
                np.testing.assert_array_equal(read_image(encode_png(picture)).pixels, picture)
                with pytest.raises(ImageError):
                    read_image(png(60000, 60000, 8, 2, b""))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


# ---- the LR note


def test_note_round_trip_and_determinism(tmp_path: Path) -> None:
    data = encode_png(RGB, INFO)
    assert data == encode_png(RGB.copy(), INFO)
    assert data == encode_png(np.asfortranarray(RGB), INFO)
    loaded = read_image(data)
    np.testing.assert_array_equal(loaded.pixels, RGB)
    assert loaded.info == INFO and loaded.notices == ()


@given(
    st.builds(
        LRInfo,
        method=st.from_regex(r"[a-z][a-z0-9_-]{0,31}", fullmatch=True),
        scale=st.integers(2, 16),
        height=st.integers(1, 30000),
        width=st.integers(1, 30000),
        digest=st.from_regex(r"[0-9a-f]{0,64}", fullmatch=True),
    )
)
def test_note_inverse(info: LRInfo) -> None:
    assert parse_info(format_info(info)) == info


def test_note_is_one_plain_text_chunk() -> None:
    with Image.open(io.BytesIO(encode_png(RGB, INFO))) as image:
        assert isinstance(image, PngImagePlugin.PngImageFile)
        assert list(image.text) == ["fgrn"]
        assert json.loads(image.text["fgrn"]) == {
            "version": 1,
            "method": "fgrn",
            "scale": 4,
            "height": 341,
            "width": 257,
            "digest": "0123456789abcdef",
        }


GOOD = json.loads(format_info(INFO))
BAD_NOTES = {
    "empty": "",
    "not JSON": "hello",
    "not an object": "[1]",
    "null": "null",
    "nested": "[" * 1000,
    "unknown key": json.dumps({**GOOD, "extra": 1}),
    "missing key": json.dumps({k: v for k, v in GOOD.items() if k != "digest"}),
    "repeated key": format_info(INFO)[:-1] + ',"scale":2}',
    "no version": json.dumps({k: v for k, v in GOOD.items() if k != "version"}),
    "next version": json.dumps({**GOOD, "version": 2}),
    "version true": json.dumps({**GOOD, "version": True}),
    "scale text": json.dumps({**GOOD, "scale": "4"}),
    "scale float": json.dumps({**GOOD, "scale": 4.0}),
    "scale true": json.dumps({**GOOD, "scale": True}),
    "scale 1": json.dumps({**GOOD, "scale": 1}),
    "scale 1000": json.dumps({**GOOD, "scale": 1000}),
    "height 0": json.dumps({**GOOD, "height": 0}),
    "height negative": json.dumps({**GOOD, "height": -5}),
    "height huge": json.dumps({**GOOD, "height": 10**12}),
    "area huge": json.dumps({**GOOD, "height": 10**6, "width": 10**6}),
    "width NaN": format_info(INFO).replace("257", "NaN"),
    "method path": json.dumps({**GOOD, "method": "../../etc"}),
    "method newline": json.dumps({**GOOD, "method": "fgrn\n"}),
    "method number": json.dumps({**GOOD, "method": 3}),
    "digest upper": json.dumps({**GOOD, "digest": "ABC"}),
    "digest null": json.dumps({**GOOD, "digest": None}),
    "too long": format_info(INFO) + " " * 2000,
    "digits": format_info(INFO).replace("257", "9" * 900),
}


@pytest.mark.parametrize("note", BAD_NOTES.values(), ids=BAD_NOTES.keys())
def test_bad_note_is_refused_or_noticed(note: str) -> None:
    with pytest.raises(ImageError, match="damaged.*Name the method"):
        parse_info(note)
    data = with_note(note)
    loaded = read_image(data)
    assert loaded.info is None
    np.testing.assert_array_equal(loaded.pixels, RGB)
    one_notice(loaded, "Name the method")


def test_note_after_the_pixels_is_found() -> None:
    """Some tools move text chunks behind IDAT."""
    data = encode_png(RGB, INFO)
    start = data.index(b"tEXt") - 4
    end = start + 12 + struct.unpack(">I", data[start : start + 4])[0]
    moved = data[:start] + data[end:-12] + data[start:end] + data[-12:]
    assert read_image(moved).info == INFO


def test_info_with_absurd_values_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="scale"):
        LRInfo("fgrn", 0, 10, 10, "")


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 1), (4, 4, 4), (0, 4, 3)])
def test_encode_png_refuses_other_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="uint8"):
        encode_png(np.zeros(shape, dtype=np.uint8))


def test_encode_png_refuses_floats() -> None:
    with pytest.raises(ValueError, match="float32"):
        encode_png(np.zeros((4, 4, 3), dtype=np.float32))


# ---- writing


def test_write_atomic(tmp_path: Path) -> None:
    path = tmp_path / "out.png"
    write_atomic(path, b"old")
    write_atomic(path, b"new content")
    assert path.read_bytes() == b"new content" and os.listdir(tmp_path) == ["out.png"]


def test_write_atomic_failure_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out.png"
    path.write_bytes(b"old")

    def fail(descriptor: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["out.png"]


def test_write_atomic_over_a_folder_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError):
        write_atomic(tmp_path / "folder", b"x")
    assert os.listdir(tmp_path) == ["folder"]


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
def test_write_atomic_follows_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_atomic(tmp_path / "f", b"x")
    finally:
        os.umask(before)
    assert (tmp_path / "f").stat().st_mode & 0o777 == 0o640


def test_note_text_survives_ascii(tmp_path: Path) -> None:
    path = tmp_path / "name \x1b[31m\n.png"
    path.write_bytes(b"junk")
    with pytest.raises(ImageError) as caught:
        read_image(path)
    assert str(caught.value).isprintable()


def test_array_type_is_plain() -> None:
    pixels: npt.NDArray[np.uint8] = read_image(encode_png(RGB)).pixels
    assert pixels.flags.c_contiguous and pixels.flags.owndata


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt"])
def test_faxes_are_refused(compression: str) -> None:
    """Where one is damaged, libtiff would show what its memory held before."""
    buffer = io.BytesIO()
    Image.new("1", (33, 26)).save(buffer, "TIFF", compression=compression)
    with pytest.raises(ImageError, match="is a fax .* Save it as PNG"):
        read_image(buffer.getvalue(), name="scan.tif")
