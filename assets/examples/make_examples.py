"""Make the example pictures of this folder: `python assets/examples/make_examples.py [FOLDER]`.

Photographs come from the files that the scikit-image package contains (no download); the rest is drawn here with
numpy and Pillow's own font. The same versions of those packages give the same pixels. Licences: README.md.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import skimage.data
from PIL import Image, ImageDraw, ImageFont

UInt8Array = npt.NDArray[np.uint8]

INK, PAPER, BLUE, GREEN, RED, GREY = "#1b1f24", "#ffffff", "#0b63ce", "#1a7f37", "#c4232b", "#d0d7de"


def portrait() -> UInt8Array:
    """512x512: skin, hair, fabric, fine text on the patch."""
    return np.asarray(skimage.data.astronaut())


def coffee() -> UInt8Array:
    """512x400: smooth porcelain, wood grain, specular highlights."""
    return np.asarray(skimage.data.coffee()[:, 60:572])


def cat_odd_size() -> UInt8Array:
    """341x257, both odd: fur, and a size that is a multiple of no scale."""
    return np.asarray(skimage.data.chelsea()[20:277, 70:411])


def screenshot() -> UInt8Array:
    """512x384: text from 8 to 28 pixels, boxes, one-pixel lines and a plot, as on a screen."""
    image = Image.new("RGB", (512, 384), PAPER)
    draw = ImageDraw.Draw(image)

    def text(x: int, y: int, words: str, size: int, fill: str = INK) -> None:
        draw.text((x, y), words, fill=fill, font=ImageFont.load_default(size=size))

    draw.rectangle((0, 0, 511, 37), fill=INK)
    for i, colour in enumerate((RED, "#d4a72c", GREEN)):
        draw.ellipse((12 + 20 * i, 13, 24 + 20 * i, 25), fill=colour)
    text(84, 9, "Measurements", 16, PAPER)
    draw.rounded_rectangle((408, 8, 500, 30), radius=6, fill=BLUE)
    text(428, 11, "Export...", 13, PAPER)

    draw.rectangle((0, 38, 127, 383), fill="#f3f5f8")
    draw.line((128, 38, 128, 383), fill=GREY)
    for i, item in enumerate(("Overview", "Pictures", "Tables", "Settings", "Help")):
        if i == 1:
            draw.rectangle((0, 50 + 26 * i, 127, 74 + 26 * i), fill="#dbe9fb")
        text(16, 54 + 26 * i, item, 12, BLUE if i == 1 else INK)

    y = 46
    for size in (28, 20, 16, 13, 11, 10, 9, 8):
        text(140, y, f"{size} px: quick brown fox" + (" 0123456789" if size <= 20 else " 0123"), size)
        y += size + 5
    text(140, y + 2, "a link", 12, BLUE)
    draw.line((140, y + 17, 172, y + 17), fill=BLUE)
    text(190, y + 2, "passed", 12, GREEN)
    text(250, y + 2, "failed: 3", 12, RED)

    top = 226
    draw.rectangle((140, top, 318, top + 140), outline=GREY)
    for row in range(7):
        line = top + 20 * (row + 1)
        draw.line((140, line, 318, line), fill=GREY)
        name, value = ("Name", "dB") if row == 0 else (f"image_{row:03d}.png", f"{31.07 + 1.37 * row:.2f}")
        text(146, top + 20 * row + 4, name, 10)
        text(272, top + 20 * row + 4, value, 10, INK if row != 4 else RED)
    draw.line((262, top, 262, top + 140), fill=GREY)

    draw.rectangle((336, top, 500, top + 140), outline=INK)
    for i in range(1, 8):
        draw.line((336 + 20 * i, top + 1, 336 + 20 * i, top + 139), fill="#e6eaef")
        draw.line((337, top + 18 * i, 499, top + 18 * i), fill="#e6eaef")
    x = np.arange(337, 500)
    for phase, colour in ((0.0, BLUE), (1.1, RED)):
        curve = top + 70 - 48 * np.sin((x - 337) / 24 + phase) * np.exp(-(x - 337) / 190)
        draw.line([(int(a), round(float(b))) for a, b in zip(x, curve, strict=True)], fill=colour)
    return np.asarray(image)


def chart() -> UInt8Array:
    """512x512 resolution chart: zone plate, Siemens star, colour bars, ramps, line pairs, checkerboards.

    Where aliasing, ringing and colour errors of a method show at once. The zone plate reaches the highest
    frequency that pixels can hold at the middle of its edges.
    """
    image = np.full((512, 512, 3), 128, dtype=np.uint8)
    y, x = np.mgrid[-124:124, -124:124] + 0.5
    image[4:252, 4:252] = np.round(127.5 + 127.5 * np.cos(np.pi * (x * x + y * y) / 248))[..., None]

    # 4x4 samples a pixel, so that the spokes themselves do not alias
    fine_y, fine_x = (np.mgrid[0:992, 0:992] + 0.5) / 4 - 124
    spokes = np.cos(36 * np.arctan2(fine_y, fine_x)) > 0
    star = spokes.reshape(248, 4, 248, 4).mean((1, 3)) * 255
    star[x * x + y * y > 122**2] = 128
    image[4:252, 260:508] = np.round(star)[..., None]

    bars = [
        (255, 255, 255),
        (255, 255, 0),
        (0, 255, 255),
        (0, 255, 0),
        (255, 0, 255),
        (255, 0, 0),
        (0, 0, 255),
        (0, 0, 0),
    ]
    for i, colour in enumerate(bars):
        image[260:340, 4 + 31 * i : 35 + 31 * i] = colour
    ramp = np.round(np.linspace(0, 255, 248)).astype(np.uint8)
    image[344:368, 4:252] = ramp[:, None]
    for i in range(3):
        image[372 + 16 * i : 388 + 16 * i, 4:252] = 0
        image[372 + 16 * i : 388 + 16 * i, 4:252, i] = ramp
    hue = np.linspace(0, 6, 248, endpoint=False)
    rainbow = np.clip([abs(hue - 3) - 1, 2 - abs(hue - 2), 2 - abs(hue - 4)], 0, 1)
    image[424:464, 4:252] = np.round(255 * rainbow.T)
    image[468:508, 4:252] = np.round(128 + 100 * rainbow.T - 50)

    left = 260
    for period in (2, 3, 4, 6, 8, 12):  # line pairs, across and along
        wide = 36
        stripes = np.where(np.arange(wide) % period < period / 2, 255, 0)
        image[260 : 260 + 60, left : left + wide] = stripes[None, :, None]
        image[324 : 324 + wide, left : left + wide] = stripes[:, None, None]
        left += 42
    for i, size in enumerate((1, 2, 4)):  # checkerboards; the last in two colours of nearly equal brightness
        rows, columns = np.mgrid[:72, :80]
        cells = ((rows // size + columns // size) % 2).astype(bool)
        image[364:432, 260 + 84 * i : 340 + 84 * i] = np.where(cells[:68], 255, 0)[..., None]
        image[436:508, 260 + 84 * i : 340 + 84 * i] = (200, 60, 60)
        image[436:508, 260 + 84 * i : 340 + 84 * i][cells] = (20, 140, 60)
    return image


EXAMPLES = {
    "portrait.png": portrait,
    "coffee.png": coffee,
    "cat_341x257.png": cat_odd_size,
    "screenshot.png": screenshot,
    "chart.png": chart,
}


def main(folder: Path) -> None:
    for name, make in EXAMPLES.items():
        Image.fromarray(np.ascontiguousarray(make())).save(folder / name, "PNG", compress_level=9)
        print(f"{name}: {(folder / name).stat().st_size:,} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent)
