"""The viewer in a real Chromium: what its canvases show is compared with the PNGs, pixel for pixel.

Most tests put the component alone on an empty page, as Gradio does it; the last ones use it in the running app.
"""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from fgrn import metrics
from fgrn.images import encode_png, read_image
from fgrn.metrics import luma
from fgrn.record import Input
from lab import table, viewer
from lab.asked import RequestError
from lab.compare import region
from lab.compare import runs as compare
from lab.compare.region import Box, Region
from lab.compare.snapshot import Files, Outcome, Run, State
from lab.files import Store
from lab.models import Models
from tests.conftest import Photo, Visitor, canvas_pixels

pytestmark = pytest.mark.browser
SOURCE = Input("n.png", "0" * 64)
SCALE = 4  # of the example that is there when the page opens
FIRST = [
    "hr",
    "bicubic:restored",
    "irn:restored",
    "fgrn:restored",
    "fgrn:x",
    "bicubic:lr",
    "irn:lr",
    "fgrn:lr",
]
"""What is switched on when the page opens, in the order of the number keys."""
KEYS = [*FIRST, "fgrn:x_recovered"]
ROOT = "#viewer .vw"
CANVAS = "#viewer .vw-view canvas"
MOST = 200  # canvas pixels a side that are compared
Pictures = dict[str, np.ndarray]


def factor(key: str) -> int:
    return 1 if key == "hr" or key.endswith("restored") else SCALE


@dataclass
class Shown:
    """A part of a canvas, and where it was cut from; `size` is that of the canvas."""

    pixels: np.ndarray
    top: int
    left: int
    size: tuple[int, int]

    @property
    def rgb(self) -> np.ndarray:
        rgb: np.ndarray = self.pixels[..., :3]
        return rgb


@dataclass
class Viewer:
    """A viewer with the pictures that it was given."""

    page: Page
    pictures: Pictures

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
        self.drawn()

    def drawn(self) -> None:
        self.page.evaluate(
            "async () => { for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame); }"
        )

    def state(self, name: str) -> Any:
        self.drawn()
        text = self.page.locator(ROOT).get_attribute(f"data-{name}") or ""
        return json.loads(text) if text.startswith("{") else text

    def canvas(self, number: int = 0) -> Shown:
        """The middle of a canvas; all of it would take long to hand over."""
        selector = f"{CANVAS} >> nth={number}"
        size = self.page.locator(selector).evaluate("canvas => [canvas.height, canvas.width]")
        pixels = canvas_pixels(self.page, selector, MOST)
        (top, left) = ((whole - part) // 2 for whole, part in zip(size, pixels.shape, strict=False))
        return Shown(pixels, top, left, (size[0], size[1]))

    def mode(self, name: str) -> None:
        self.page.locator(f"#viewer button[data-mode={name}]").click()
        self.drawn()

    def centre(self, number: int = 0) -> tuple[float, float]:
        box = self.page.locator("#viewer .vw-view").nth(number).bounding_box()
        assert box
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def expected(self, key: str, shown: Shown, own: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """What should be there, by the definition of the view: RGB, and where the picture is."""
        view = self.state("view")
        step = view["zoom"] * (1 if own else factor(key))
        assert step == int(step)
        indices = []
        for axis, middle in enumerate("yx"):
            corner = np.floor(shown.size[axis] / 2 - view[middle] / factor(key) * step + 0.5)
            place = np.arange(shown.pixels.shape[axis]) + (shown.top, shown.left)[axis]
            index = np.floor((place - corner) / step).astype(int)
            length = self.pictures[key].shape[axis]
            indices.append((np.clip(index, 0, length - 1), (index >= 0) & (index < length)))
        (rows, row_inside), (columns, column_inside) = indices
        return self.pictures[key][np.ix_(rows, columns)], np.outer(row_inside, column_inside)

    def check(self, key: str, number: int = 0, own: bool = False) -> None:
        """A canvas shows this picture, and nothing around it."""
        shown = self.canvas(number)
        pixels, inside = self.expected(key, shown, own)
        assert inside.any()
        np.testing.assert_array_equal(shown.pixels[..., 3] == 255, inside, key)
        np.testing.assert_array_equal(shown.rgb[inside], pixels[inside], key)


# The component alone


HARNESS = """([html, css, script, value]) => {
    document.body.innerHTML = `<style>#v { ${css} }</style><div id="viewer"><div id="v">${html}</div></div>`;
    window.sent = []; window.props = { value };
    const watch = (name, callback) => { window.show = (next) => { window.props.value = next; callback(); }; };
    window.decoded = 0;
    const decode = window.createImageBitmap;
    window.createImageBitmap = (...all) => { window.decoded += 1; return decode(...all); };
    Function('element', 'trigger', 'props', 'watch', script)(
        document.getElementById('v'), (name, data) => window.sent.push([name, data]), window.props, watch); }"""


def open_component(
    browser: Browser, value: Any, width: int = 1000, height: int = 700, ratio: float = 1
) -> tuple[Page, list[str]]:
    """The component on an empty page, as Gradio puts it there; and the list of the page's complaints."""
    page = browser.new_page(viewport={"width": width, "height": height}, device_scale_factor=ratio)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(f"page error: {error}"))
    page.on("request", lambda asked: None if asked.url.startswith("data:") else complaints.append(asked.url))
    part = viewer.component("viewer", regions=True, render=False)
    page.evaluate(HARNESS, [part.html_template, part.css_template, part.js_on_load, value])
    return page, complaints


def made_up(
    outcomes: tuple[Outcome, ...], pixels: Pictures, size: tuple[int, int], token: str = "t"
) -> dict[str, Any]:
    """A value whose files are data addresses, by the keys of the pictures."""
    value = viewer.value(Run("n", SCALE, size, "/hr.png", (), outcomes, "", SOURCE, token=token))
    for picture in value["pictures"]:
        picture["file"] = None
        if picture["key"] in pixels:
            data = base64.b64encode(encode_png(pixels[picture["key"]])).decode()
            picture["file"] = {"url": f"data:image/png;base64,{data}"}
            picture["name"] = f"n_{picture['method']}_x{SCALE}_{picture['kind']}.png"
    return value


def nine_pictures(photo: Photo) -> Pictures:
    """HR with sides that are multiples of no scale, and three methods."""
    pictures = {"hr": photo(203, 301)}
    for seed, key in enumerate(KEYS[1:], 1):
        noise = np.random.default_rng(seed).integers(-20, 21, (203, 301, 3))
        near = np.clip(pictures["hr"] + noise, 0, 255).astype(np.uint8)
        pictures[key] = near if factor(key) == 1 else photo(51, 76, seed)
    return pictures


def open_viewer(browser: Browser, photo: Photo, ratio: float = 1) -> tuple[Viewer, list[str]]:
    pictures = nine_pictures(photo)
    files = {"bicubic": Files("/l", "/l", "/l", "/r"), "irn": Files("/l", "/l", "/l", "/r")}
    files["fgrn"] = Files("/x", "/l", "/y", "/r")
    outcomes = tuple(Outcome(name, State.DONE, files=found) for name, found in files.items())
    page, complaints = open_component(browser, made_up(outcomes, pictures, (203, 301)), ratio=ratio)
    page.locator("#viewer button[data-kind=x_recovered]").click()
    expect(page.locator("#viewer .vw-pane")).to_have_count(9)
    page.locator("#viewer .vw-stage").focus()
    return Viewer(page, pictures), complaints


@pytest.fixture
def view(browser: Browser, photo: Photo) -> Iterator[Viewer]:
    view, complaints = open_viewer(browser, photo)
    yield view
    view.page.close()
    assert not complaints


# The view, alone


@pytest.fixture(scope="module")
def call(browser: Browser) -> Iterator[Callable[..., Any]]:
    """`call("fitZoom", ...)`: a function of the scripts that need no page."""
    page = browser.new_page()
    names = ("view.js", "errors.js", "modes.js")
    scripts = "\n".join((viewer.FOLDER / name).read_text(encoding="utf-8") for name in names)
    page.evaluate(f"() => {{ {scripts}; window.call = (name, values) => eval(name)(...values); }}")
    yield lambda name, *values: page.evaluate("([name, values]) => window.call(name, values)", [name, values])
    page.close()


def test_fit_shows_all_and_enlarges_by_whole_numbers(call: Callable[..., Any]) -> None:
    frame = {"width": 600, "height": 500}
    assert call("fitZoom", {"width": 1200, "height": 500}, frame) == 0.5
    assert call("fitZoom", {"width": 160, "height": 100}, frame) == 3
    assert call("fitZoom", {"width": 1, "height": 1}, frame) == 64


def test_the_view_stays_in_the_picture(call: Callable[..., Any]) -> None:
    picture, frame = {"width": 100, "height": 80}, {"width": 200, "height": 100}
    assert call("clampView", {"x": -50, "y": 500, "zoom": 4}, picture, frame) == {
        "x": 25,
        "y": 67.5,
        "zoom": 4,
    }
    assert call("clampView", {"x": 0, "y": 0, "zoom": 1}, picture, frame) == {"x": 50, "y": 40, "zoom": 1}
    assert call("clampView", {"x": 0, "y": 0, "zoom": 999}, picture, frame)["zoom"] == 64


def test_steps_go_on_beyond_the_last_round_zoom(call: Callable[..., Any]) -> None:
    picture, frame = {"width": 9000, "height": 9000}, {"width": 300, "height": 300}
    assert call("nextStep", 0.05, 1) == 1 / 16 and call("nextStep", 1, -1) == 2 / 3
    smaller = {"x": 0, "y": 0, "zoom": call("nextStep", 1 / 16, -1)}
    assert call("clampView", smaller, picture, frame)["zoom"] == 300 / 9000, "and not back to 1/16"
    assert call("nextStep", 64, 1) == 64


@pytest.mark.parametrize("zoom", [0.3, 1, 2, 4, 8])
@pytest.mark.parametrize("scale", [2, 4])
def test_lr_lies_over_the_same_region_as_hr(call: Callable[..., Any], zoom: float, scale: int) -> None:
    view, frame = {"x": 37.3, "y": 21.9, "zoom": zoom}, {"width": 301, "height": 200}
    hr = call("placeOf", {"factor": 1}, view, frame, False)
    lr = call("placeOf", {"factor": scale}, view, frame, False)
    assert (hr["left"], hr["top"]) == (lr["left"], lr["top"]) and isinstance(hr["left"], int)
    assert lr["step"] == scale * hr["step"] == scale * zoom
    own = call("placeOf", {"factor": scale}, view, frame, True)
    assert own["step"] == zoom
    for place in (hr, lr, own):
        at = call("toPicture", place, call("toFrame", place, {"x": 11.5, "y": 7.25}))
        assert at["x"] == pytest.approx(11.5) and at["y"] == pytest.approx(7.25)


def test_zooming_keeps_the_point_under_the_pointer(call: Callable[..., Any]) -> None:
    view, point = {"x": 40, "y": 30, "zoom": 2}, {"x": 50, "y": -20}
    after = call("zoomAt", view, 8, point)
    assert after["zoom"] == 8
    for axis in "xy":
        assert view[axis] + point[axis] / 2 == pytest.approx(after[axis] + point[axis] / 8)


def test_boxes_and_parts_are_whole_pixels_inside_the_picture(call: Callable[..., Any]) -> None:
    picture = {"width": 20, "height": 10}
    assert call("boxBetween", picture, {"x": 5.9, "y": 8.1}, {"x": 2.2, "y": -4}) == [2, 0, 4, 9]
    assert call("boxBetween", picture, {"x": 99, "y": 99}, {"x": 19, "y": 9}) == [19, 9, 1, 1]
    frame, place = {"width": 100, "height": 40}, {"left": -10, "top": 5, "step": 4, "factor": 1}
    part = call("visiblePixels", picture, place, frame)
    assert part == {"x": 2, "y": 0, "width": 18, "height": 9}
    assert call("visiblePixels", picture, {**place, "left": 500}, frame) is None


def test_zoom_goes_in_round_steps(call: Callable[..., Any]) -> None:
    assert [call("nextStep", zoom, 1) for zoom in (0.4, 1, 3.5, 64)] == [0.5, 2, 4, 64]
    assert [call("nextStep", zoom, -1) for zoom in (0.4, 1, 3.5, 64)] == [pytest.approx(1 / 3), 2 / 3, 3, 48]


# Pixels


def test_every_picture_is_shown_pixel_for_pixel(view: Viewer) -> None:
    view.mode("flip")
    for number, key in enumerate(KEYS, 1):
        view.press(str(number))
        for zoom in (1, 4):
            view.page.locator(f"#viewer [data-zoom='{zoom}']").click()
            view.check(key)


def test_a_screen_with_small_pixels_shows_one_picture_pixel_on_each(browser: Browser, photo: Photo) -> None:
    view, complaints = open_viewer(browser, photo, ratio=1.5)
    view.mode("flip")
    view.press("z")
    for number, key in ((1, "hr"), (8, "fgrn:lr")):
        view.press(str(number))
        view.check(key)
    width = view.page.locator(CANVAS).first.evaluate("canvas => canvas.getBoundingClientRect().width")
    assert view.canvas().size[1] == pytest.approx(1.5 * width, abs=1)
    view.page.close()
    assert not complaints


def test_zoom_and_pan_are_the_same_in_all_pictures(view: Viewer) -> None:
    for keys in (("z", "+", "ArrowRight", "ArrowDown"), ("+", "+", "+", "+", "ArrowLeft")):  # 200, 800 %
        view.press(*keys)
        for number, key in enumerate(KEYS):
            view.check(key, number)


def test_what_belongs_together_stands_in_one_row_or_column(view: Viewer) -> None:
    def places() -> dict[str, tuple[float, float]]:
        found = view.page.locator(CANVAS).evaluate_all(
            "all => all.map(canvas => { const box = canvas.getBoundingClientRect(); return [box.x, box.y]; })"
        )
        return dict(zip(KEYS, map(tuple, found), strict=True))

    for size in ((1440, 1000), (2560, 1300)):
        view.page.set_viewport_size({"width": size[0], "height": size[1]})
        view.press("0")
        at = places()
        for method in ("bicubic", "fgrn"):
            together = [at[f"{method}:{kind}"] for kind in ("restored", "lr")]
            assert len({x for x, _ in together}) == 1 or len({y for _, y in together}) == 1, (size, at)
        assert at["hr"][0] == at["fgrn:x"][0] == at["fgrn:x_recovered"][0], (
            "only one method has an x of its own"
        )


def test_actual_size_shows_lr_at_its_own_pixels(view: Viewer) -> None:
    view.press("z", "a")
    for number, key in enumerate(KEYS):
        view.check(key, number, own=factor(key) > 1)
    view.press("a")
    view.check("fgrn:lr", 7)


def test_fit_shows_the_whole_picture_in_every_size(view: Viewer) -> None:
    height, width = view.pictures["hr"].shape[:2]
    for size in ((1440, 1000), (900, 700), (2560, 1300), (390, 844)):
        view.page.set_viewport_size({"width": size[0], "height": size[1]})
        view.press("0")
        frames = view.page.locator(CANVAS).evaluate_all(
            "all => all.map(canvas => [canvas.height, canvas.width])"
        )
        fit = min(*(rows / height for rows, _ in frames), *(columns / width for _, columns in frames))
        assert view.state("view") == {"x": width / 2, "y": height / 2, "zoom": fit if fit < 1 else int(fit)}
        assert view.page.locator(ROOT).get_attribute("data-fits") == "yes", "a finger scrolls the page"
        assert view.page.evaluate("document.documentElement.scrollWidth") <= size[0]


# Errors


def expected_error(
    reference: np.ndarray, picture: np.ndarray, signed: bool, plane: str, gain: int
) -> np.ndarray:
    if plane == "y":
        difference = np.repeat((luma(picture) - luma(reference))[..., None], 3, axis=2)
    else:
        difference = picture.astype(float) - reference
    value = 128 + gain * difference if signed else gain * np.abs(difference)
    return np.clip(np.rint(value), 0, 255)


def test_error_maps_follow_the_formula(view: Viewer) -> None:
    view.mode("error")
    view.press("z")
    for signed in (True, False):
        for plane in ("y", "rgb"):
            for gain in (1, 8, 32):
                view.page.locator("#viewer [data-gain]").select_option(str(gain))
                view.page.locator(f"#viewer [data-signed={'yes' if signed else 'no'}]").click()
                view.page.locator(f"#viewer [data-plane={plane}]").click()
                view.drawn()
                for number, method in ((0, "bicubic"), (2, "fgrn")):
                    shown = view.canvas(number)
                    reference, inside = view.expected("hr", shown)
                    picture, _ = view.expected(f"{method}:restored", shown)
                    expected = expected_error(reference, picture, signed, plane, gain)
                    off = np.abs(shown.rgb - expected)[inside]
                    # a tie may round either way: the differences of Y are summed in another order
                    assert off.max() <= 1 and (off > 0).mean() < 1e-3, (signed, plane, gain, method)
                    if plane == "rgb":
                        assert off.max() == 0


def test_error_maps_are_enlarged_with_the_pictures(view: Viewer) -> None:
    view.mode("error")
    view.press("z", "+", "+", "+", "y", ".")
    assert view.state("error") == {"of": "restored", "signed": True, "plane": "rgb", "gain": 16}
    shown = view.canvas(2)
    reference, inside = view.expected("hr", shown)
    picture, _ = view.expected("fgrn:restored", shown)
    expected = expected_error(reference, picture, True, "rgb", 16)
    np.testing.assert_array_equal(shown.rgb[inside], expected[inside])


def test_reduced_error_maps_are_errors_of_single_pixels(view: Viewer) -> None:
    view.page.set_viewport_size({"width": 420, "height": 640})
    view.mode("error")
    view.press("0", "y", ",", ",", ",")
    assert view.state("error")["gain"] == 1 and view.state("view")["zoom"] < 1
    shown = view.canvas(0)
    found = {tuple(pixel) for pixel in shown.rgb[shown.pixels[..., 3] == 255][::7]}
    all_errors = expected_error(view.pictures["hr"], view.pictures["bicubic:restored"], True, "rgb", 1)
    assert len(found) > 100
    assert found <= {tuple(pixel) for pixel in all_errors.reshape(-1, 3).astype(np.uint8)}


def test_lr_pictures_and_x_are_compared_with_bicubics(view: Viewer) -> None:
    view.mode("error")
    view.press("z", "y", "o")
    captions = view.page.locator("#viewer .vw-caption b")
    expect(captions).to_have_text(["FGRN x − bicubic", "IRN LR − bicubic", "FGRN LR − bicubic"])
    for number, key in enumerate(("fgrn:x", "irn:lr", "fgrn:lr")):
        shown = view.canvas(number)
        reference, inside = view.expected("bicubic:lr", shown)
        picture, _ = view.expected(key, shown)
        np.testing.assert_array_equal(
            shown.rgb[inside], expected_error(reference, picture, True, "rgb", 8)[inside]
        )
    with view.page.expect_download() as started:
        view.page.get_by_role("button", name="Download IRN LR − bicubic as PNG").click()
    expected = expected_error(view.pictures["bicubic:lr"], view.pictures["irn:lr"], True, "rgb", 8)
    np.testing.assert_array_equal(read_image(started.value.path()).pixels, expected)


def test_without_bicubic_there_is_nothing_to_compare_lr_pictures_with(browser: Browser, photo: Photo) -> None:
    pictures = {"hr": photo(203, 301), "fgrn:lr": photo(51, 76), "fgrn:restored": photo(203, 301, 2)}
    outcomes = (Outcome("fgrn", State.DONE, files=Files("/x", "/l", "/y", "/r")),)
    page, _ = open_component(browser, made_up(outcomes, pictures, (203, 301)))
    page.locator("#viewer .vw-stage").focus()
    page.keyboard.press("e")
    page.keyboard.press("o")
    expect(page.locator("#viewer .vw-note:visible").last).to_have_text(
        "Compared with bicubic's LR: tick Bicubic and press Run."
    )
    page.close()


def test_error_maps_can_be_kept_whole_as_they_are_set(view: Viewer) -> None:
    view.page.set_viewport_size({"width": 420, "height": 640})  # where they are seen reduced
    view.mode("error")
    view.press("y", "m")
    with view.page.expect_download() as started:
        view.page.get_by_role("button", name="Download |FGRN restored − HR| as PNG").click()
    assert started.value.suggested_filename == "n_fgrn_x4_restored_error_rgb_absolute_gain8.png"
    expected = expected_error(view.pictures["hr"], view.pictures["fgrn:restored"], False, "rgb", 8)
    np.testing.assert_array_equal(read_image(started.value.path()).pixels, expected)


# The loupe


def test_the_loupe_tells_the_values_of_the_png(view: Viewer) -> None:
    view.press("z", "+")
    x, y = map(round, view.centre(0))
    for dx, dy in ((0, 0), (31, -37), (-60, 22)):
        view.page.mouse.move(x + dx, y + dy)
        view.drawn()
        text = view.page.locator("#viewer .vw-place").inner_text()
        column, row = (int(re.findall(rf"{name} (\d+)", text)[0]) for name in ("column", "row"))
        assert f"LR {column // SCALE}, {row // SCALE}" in text
        shown = view.canvas(0)
        box = view.page.locator(CANVAS).first.bounding_box()
        assert box
        top, left = int(box["y"] + 0.5), int(box["x"] + 0.5)  # it is drawn from a whole pixel on
        under = shown.rgb[y + dy - top - shown.top, x + dx - left - shown.left]
        np.testing.assert_array_equal(under, view.pictures["hr"][row, column])
        for key, pixels in view.pictures.items():
            told = view.page.locator(f"#viewer [data-picture='{key}']").get_attribute("data-values")
            value = pixels[row // factor(key), column // factor(key)]
            assert told == " ".join(map(str, value)), key


def test_the_loupe_goes_by_keyboard_and_speaks_on_request(view: Viewer) -> None:
    view.press("Shift+ArrowRight", "Shift+ArrowRight", "Shift+ArrowDown")
    place = view.page.locator("#viewer .vw-place")
    expect(place).to_contain_text("column 151\nrow 102")  # the first puts it in the middle
    live = view.page.locator("#viewer .vw-live")
    expect(live).to_have_text("")
    view.press("v")
    values = " ".join(map(str, view.pictures["hr"][102, 151]))
    expect(live).to_contain_text(f"Column 151, row 102. HR {values}; Bicubic restored ")
    view.press("l")
    expect(view.page.locator("#viewer .vw-loupe")).to_be_hidden()


def test_all_readings_are_in_sight_on_a_wide_screen(view: Viewer) -> None:
    hidden = "list => [list.scrollWidth - list.clientWidth, list.scrollHeight - list.clientHeight]"
    assert view.page.locator("#viewer .vw-readings").evaluate(hidden) == [0, 0]


@pytest.mark.parametrize(("width", "height"), [(844, 390), (700, 500), (450, 1024)])
def test_there_is_room_for_the_pictures_on_small_screens(view: Viewer, width: int, height: int) -> None:
    view.page.set_viewport_size({"width": width, "height": height})
    view.mode("flip")  # it has the highest toolbar
    stage, loupe = view.page.locator("#viewer .vw-stage"), view.page.locator("#viewer .vw-loupe")
    rows = stage.bounding_box(), loupe.bounding_box()
    assert rows[0] and rows[0]["height"] >= 280 and rows[1] and rows[1]["height"] < 100
    view.page.locator(ROOT).evaluate("viewer => viewer.classList.add('vw-full')")
    full = loupe.bounding_box()
    assert full and full["y"] + full["height"] <= height, "the loupe is in sight"


def test_on_a_narrow_screen_the_readings_are_scrolled_by_their_own_arrow_keys(view: Viewer) -> None:
    view.page.set_viewport_size({"width": 390, "height": 844})
    view.press("z", "Shift+ArrowRight")
    before = view.state("view")
    readings = view.page.locator("#viewer .vw-readings")
    readings.focus()
    view.press("ArrowRight", "ArrowRight")
    view.page.wait_for_function("document.querySelector('#viewer .vw-readings').scrollLeft > 0")
    assert view.state("view") == before


# Modes and keys


def test_the_slider_shows_one_picture_on_each_side(view: Viewer) -> None:
    view.mode("slider")
    view.press("z", "1", "Shift+Digit8")  # right HR, left FGRN's LR
    divider = view.page.get_by_role("slider", name="Divider")
    for move, part in (((), 0.5), (("[",) * 2, 0.46), (("]",) * 4, 0.54), (("a",), 0.54)):
        view.press(*move)
        shown = view.canvas()
        column = int(np.floor(part * shown.size[1] + 0.5)) - shown.left
        assert 0 < column < MOST
        left, _ = view.expected("fgrn:lr", shown)
        right, inside = view.expected("hr", shown)
        expected = np.concatenate([left[:, :column], right[:, column:]], axis=1)
        np.testing.assert_array_equal(shown.rgb[inside], expected[inside])
        expect(divider).to_have_attribute("aria-valuenow", str(round(100 * part)))
    box = view.page.locator("#viewer .vw-view").bounding_box()
    handle = divider.bounding_box()
    assert box and handle
    view.page.mouse.move(handle["x"] + handle["width"] / 2, handle["y"] + 100)
    view.page.mouse.down()
    view.page.mouse.move(box["x"] + box["width"] * 0.2, handle["y"] + 120, steps=4)
    view.page.mouse.up()
    expect(divider).to_have_attribute("aria-valuenow", "20")
    divider.focus()
    view.press("ArrowRight", "Shift+ArrowRight", "Home", "PageUp")
    expect(divider).to_have_attribute("aria-valuenow", "10")
    view.page.locator("#viewer [data-act=swap]").click()
    expect(view.page.locator("#viewer .vw-title b")).to_have_text(["HR", "FGRN LR"])


def test_before_any_picture_there_is_nothing_to_swap(browser: Browser, photo: Photo) -> None:
    page, complaints = open_component(browser, None)
    page.locator("#viewer [data-mode=slider]").click()
    page.locator("#viewer [data-act=swap]").click()
    assert not complaints
    page.close()


def test_a_button_that_ends_what_it_is_for_hands_the_focus_on(view: Viewer) -> None:
    view.press("b")
    clear = view.page.locator("#viewer [data-act=clear]")
    clear.focus()
    view.press("Enter")
    expect(clear).to_be_disabled()
    expect(view.page.locator("#viewer .vw-stage")).to_be_focused()


def test_number_keys_choose_and_space_goes_back(view: Viewer) -> None:
    title = view.page.locator("#viewer .vw-title b")
    view.press("f")
    labels = [
        "HR",
        "Bicubic restored",
        "IRN restored",
        "FGRN restored",
        "FGRN x",
        "Bicubic LR",
        "IRN LR",
        "FGRN LR",
    ]
    for number, label in enumerate([*labels, "FGRN x recovered"], 1):
        view.press(str(number))
        expect(title).to_have_text(label)
    view.press("2", "4", "Space")
    expect(title).to_have_text("Bicubic restored")
    view.press("Space")
    expect(title).to_have_text("FGRN restored")
    view.page.locator("#viewer [data-flip='hr']").click()  # and then the keys work on
    view.press("Space")
    expect(title).to_have_text("FGRN restored")
    view.press("g", "3")
    expect(title).to_have_text("IRN restored")


def test_every_key_of_the_list_does_something(view: Viewer) -> None:
    for key, mode in (("s", "slider"), ("f", "flip"), ("e", "error"), ("g", "grid")):
        view.press(key)
        assert view.state("mode") == mode
    view.press("z")
    assert view.state("view")["zoom"] == 1
    view.press("+", "ArrowRight")
    right = view.state("view")
    view.press("ArrowLeft", "ArrowUp")
    assert view.state("view")["x"] < right["x"] and view.state("view")["y"] < right["y"]
    view.press("-")
    assert view.state("view")["zoom"] == 1
    view.press("0")
    assert view.state("view")["zoom"] < 1
    view.press("e", "m", "y", ".", ".", ".", ".")
    assert view.state("error") == {"of": "restored", "signed": False, "plane": "rgb", "gain": 32}
    view.press(",")
    assert view.state("error")["gain"] == 16
    view.press("r")
    assert view.state("tool") == "region"
    view.press("Escape")
    assert view.state("tool") == "pan"
    view.press("?")
    expect(view.page.get_by_role("dialog", name="Keys")).to_be_visible()
    view.press("Escape")
    expect(view.page.get_by_role("dialog", name="Keys")).to_be_hidden()
    view.press("?")
    expect(view.page.get_by_role("dialog", name="Keys")).to_be_visible()
    view.press("?")
    expect(view.page.get_by_role("dialog", name="Keys")).to_be_hidden()
    view.press("x")
    view.page.wait_for_function("document.fullscreenElement !== null")
    view.press("x")
    view.page.wait_for_function("document.fullscreenElement === null")
    expect(view.page.get_by_role("button", name="Fullscreen")).to_be_visible()


def test_keys_elsewhere_are_left_alone(view: Viewer) -> None:
    view.page.evaluate("document.body.insertAdjacentHTML('beforeend', '<input id=other>')")
    view.page.locator("#other").focus()
    view.press("f")
    assert view.state("mode") == "grid"
    view.mode("slider")
    view.page.locator("#viewer [data-side=left]").focus()
    view.press("g")
    assert view.state("mode") == "slider"


def test_wheel_and_drag(view: Viewer) -> None:
    x, y = view.centre(1)
    view.press("z", "+")
    view.page.mouse.move(x + 40, y + 30)
    view.drawn()
    place = view.page.locator("#viewer .vw-place")
    before = place.inner_text()
    for _ in range(2):
        view.page.mouse.wheel(0, -100)
        view.drawn()
    assert view.state("view")["zoom"] == 4
    assert place.inner_text() == before, "the pixel under the pointer stays"
    start = view.state("view")
    view.page.mouse.down()
    view.page.mouse.move(x + 10, y + 10, steps=3)
    view.page.mouse.up()
    moved = view.state("view")
    assert moved["x"] - start["x"] == pytest.approx(30 / start["zoom"])
    assert moved["y"] - start["y"] == pytest.approx(20 / start["zoom"])
    view.check("irn:restored", 2)


def test_a_double_click_zooms_to_the_place_and_back(view: Viewer) -> None:
    fitted = view.state("view")
    assert fitted["zoom"] < 1
    x, y = view.centre(1)
    for zoom in (1, fitted["zoom"]):
        view.page.mouse.dblclick(x + 20, y)
        assert view.state("view")["zoom"] == zoom
    assert view.state("view") == fitted


def test_below_100_percent_pixels_are_averaged(browser: Browser) -> None:
    """One of them in place of several would show patterns that the picture does not have."""
    lines = np.zeros((400, 1200, 3), np.uint8)
    lines[:, ::2] = 255
    outcomes = (Outcome("bicubic", State.RUNNING),)
    page, _ = open_component(browser, made_up(outcomes, {"hr": lines}, (400, 1200)), 400, 700)
    view = Viewer(page, {"hr": lines})
    view.mode("flip")
    expect(page.locator(ROOT)).to_have_attribute("data-loaded", "yes")
    assert view.state("view")["zoom"] < 0.5
    shown = view.canvas().rgb[view.canvas().pixels[..., 3] == 255]
    assert 90 < shown.mean() < 165 and shown.std() < 40
    view.press("z")
    shown = view.canvas().rgb[view.canvas().pixels[..., 3] == 255]
    assert set(np.unique(shown)) == {0, 255}, "from 100 % on they are squares"
    page.close()


def test_keys_are_told_to_those_who_do_not_see(view: Viewer) -> None:
    live = view.page.locator("#viewer .vw-live")
    for key, said in (
        ("f", "flip, HR"),
        ("2", "Bicubic restored"),
        ("n", "IRN restored"),
        ("p", "Bicubic restored"),
        ("s", "slider, Bicubic restored, right of the divider FGRN restored"),
        ("p", "Bicubic restored, right of the divider IRN restored"),
        ("n", "Bicubic restored, right of the divider FGRN restored"),
        ("e", "error, signed, Y, gain 8"),
        ("o", "LR and x, signed, Y, gain 8"),
        ("o", "restored, signed, Y, gain 8"),
        (".", "signed, Y, gain 16"),
        ("m", "absolute, Y, gain 16"),
        ("y", "absolute, RGB, gain 16"),
        ("r", "draw a region"),
        ("Escape", "move the pictures"),
        ("a", "LR and x at their own size"),
        ("l", "loupe off"),
        ("z", "zoom 100 %"),
        ("0", "fit"),
        ("g", "grid"),
    ):
        view.press(key)
        expect(live).to_have_text(said)


def test_x_stands_beside_its_method_in_rows_too(call: Callable[..., Any]) -> None:
    shown = [
        {"kind": kind, "method": method}
        for kind, method in (
            ("hr", ""),
            ("restored", "bicubic"),
            ("restored", "irn"),
            ("restored", "fgrn"),
            ("x", "fgrn"),
            ("lr", "bicubic"),
            ("lr", "irn"),
            ("lr", "fgrn"),
        )
    ]
    columns, rows = call("tables", shown)
    assert columns == [[1, 1], [2, 1], [3, 1], [4, 1], [1, 2], [2, 2], [3, 2], [4, 2]]
    assert rows == [[1, 1], [2, 1], [2, 2], [2, 3], [1, 3], [3, 1], [3, 2], [3, 3]]
    alone = [picture for picture in shown if picture["method"] in ("", "fgrn")]
    assert call("tables", alone)[1] == [[1, 1], [2, 1], [1, 2], [3, 1]], "HR is above it"


def test_what_cannot_be_dragged_stays_fitted(view: Viewer) -> None:
    fit = view.page.locator("#viewer [data-zoom=fit]")
    x, y = view.centre(1)
    view.page.mouse.move(x, y)
    view.page.mouse.down()
    view.page.mouse.move(x + 30, y + 9, steps=3)
    view.page.mouse.up()
    view.press("ArrowLeft")
    expect(fit).to_have_attribute("aria-pressed", "true")
    view.press("+")
    expect(fit).to_have_attribute("aria-pressed", "false")


def test_two_fingers_zoom_and_one_moves(view: Viewer) -> None:
    view.mode("flip")
    x, y = view.centre()
    script = """([type, id, x, y]) => {
        const target = document.querySelector('#viewer .vw-view canvas');
        Element.prototype.setPointerCapture = () => {};  // made-up pointers cannot be captured
        target.dispatchEvent(new PointerEvent(type, { pointerId: id, pointerType: 'touch', isPrimary: id === 1,
            clientX: x, clientY: y, bubbles: true, cancelable: true })); }"""

    def touch(kind: str, finger: int, down: float) -> None:
        view.page.evaluate(script, [f"pointer{kind}", finger, x, y + down])

    fitted = view.state("view")["zoom"]
    touch("down", 1, -50)
    touch("down", 2, 50)
    touch("move", 1, -100)
    touch("move", 2, 100)
    start = view.state("view")
    assert start["zoom"] == pytest.approx(2 * fitted)
    touch("up", 2, 100)
    touch("move", 1, -120)
    assert view.state("view")["y"] == pytest.approx(start["y"] + 20 / start["zoom"])
    touch("up", 1, -120)
    assert view.page.locator(ROOT).get_attribute("data-fits") == "no"


def test_pictures_of_a_method_stand_below_each_other(view: Viewer) -> None:
    view.page.locator("#viewer button[data-kind=x_recovered]").click()
    view.page.set_viewport_size({"width": 1400, "height": 900})
    lefts = (
        "() => [...document.querySelectorAll('#viewer .vw-pane')].map(e => e.getBoundingClientRect().left)"
    )
    expect(view.page.locator("#viewer .vw-pane")).to_have_count(8)
    view.page.wait_for_function(f"() => {{ const l = ({lefts})(); return l[0] === l[4] && l[3] === l[7]; }}")
    hr, bicubic, irn, fgrn, *below = view.page.evaluate(lefts)
    assert hr < bicubic < irn < fgrn and below == [hr, bicubic, irn, fgrn], "x stands beside the LR pictures"
    view.page.set_viewport_size({"width": 400, "height": 900})
    view.page.wait_for_function(f"() => new Set(({lefts})()).size < 4")


def test_pictures_can_be_switched_off(view: Viewer) -> None:
    panes = view.page.locator("#viewer .vw-pane")
    view.page.locator("#viewer button[data-method=irn]").click()
    expect(panes).to_have_count(7)
    view.page.locator("#viewer button[data-kind=lr]").click()
    expect(panes).to_have_count(5)
    view.press("z")
    view.check("fgrn:restored", 2)
    for kind in ("hr", "restored", "x", "x_recovered"):
        view.page.locator(f"#viewer button[data-kind={kind}]").click()
    expect(panes).to_have_count(0)
    expect(view.page.locator("#viewer .vw-empty")).to_have_text("Nothing is switched on.")


def test_a_picture_that_is_gone_says_so_in_its_error_map_too(browser: Browser, photo: Photo) -> None:
    files = Files("/l", "/l", "/l", "/r")
    value = made_up((Outcome("bicubic", State.DONE, files=files),), nine_pictures(photo), (203, 301))
    value["pictures"][0]["file"] = {"url": "data:image/png;base64,AAAA"}  # HR
    page, _ = open_component(browser, value)
    notes = page.locator("#viewer .vw-note:not([hidden])")
    expect(notes).to_have_text("This picture is no longer on the server. Run again.")
    page.locator("#viewer button[data-mode=error]").click()
    expect(page.locator("#viewer .vw-pane")).to_have_count(1)
    expect(notes).to_have_text("This picture is no longer on the server. Run again.")
    page.close()


# The region


def test_a_box_is_measured_and_cleared(visitor: Visitor) -> None:
    page = visitor.open()
    expect(page.locator("#status [role=status]")).to_have_text("Finished")
    expect(page.locator(ROOT)).to_have_attribute("data-loaded", "yes")
    links = page.locator("#viewer .vw-title a").evaluate_all("links => links.map(link => link.href)")
    decoded = [np.asarray(Image.open(io.BytesIO(httpx.get(link).content)).convert("RGB")) for link in links]
    view = Viewer(page, dict(zip(FIRST, decoded, strict=True)))
    caption = page.locator("#numbers caption")
    cell = page.locator("#numbers tr[data-method=fgrn] [data-key=psnr_y]")
    whole = cell.inner_text()
    view.mode("flip")
    view.press("z")
    view.check("hr")
    canvas = page.locator(CANVAS).bounding_box()
    state = view.state("view")
    assert canvas
    left = canvas["x"] + np.floor(canvas["width"] / 2 - state["x"] + 0.5)
    top = canvas["y"] + np.floor(canvas["height"] / 2 - state["y"] + 0.5)

    def draw(box: Box) -> None:
        page.mouse.move(left + box.left + 0.5, top + box.top + 0.5)
        page.mouse.down()
        page.mouse.move(left + box.left + box.width - 0.5, top + box.top + box.height - 0.5, steps=3)
        page.mouse.up()

    def check(box: Box) -> None:
        expect(caption).to_contain_text(f"PSNR-Y, SSIM-Y and PSNR-RGB of the region {box}")
        for method in ("bicubic", "irn", "fgrn"):
            hr, picture = box.crop(view.pictures["hr"]), box.crop(view.pictures[f"{method}:restored"])
            row = page.locator(f"#numbers tr[data-method={method}]")
            expect(row.locator("[data-key=psnr_y]")).to_contain_text(f"{metrics.psnr_y(hr, picture, 0):.2f}")
            ssim = "n/a" if min(hr.shape[:2]) < 11 else f"{metrics.ssim_y(hr, picture, 0):.4f}"
            expect(row.locator("[data-key=ssim_y]")).to_contain_text(ssim)
            rgb = metrics.psnr_rgb(hr, picture, 0)
            expect(row.locator("[data-key=psnr_rgb]")).to_contain_text(f"{rgb:.2f}")

    page.keyboard.down("Shift")
    draw(Box(200, 120, 64, 47))
    page.keyboard.up("Shift")
    check(Box(200, 120, 64, 47))
    view.press("r")
    draw(Box(310, 300, 40, 10))
    check(Box(310, 300, 40, 10))
    expect(page.locator("#numbers .fg-notes")).to_contain_text("the region is 40 × 10, SSIM needs 11 pixels")
    view.press("b")  # its numbers are not waited for
    draw(Box(200, 120, 30, 20))
    check(Box(200, 120, 30, 20))
    page.locator("#viewer [data-act=clear]").click()
    expect(caption).not_to_contain_text("region")
    expect(cell).to_have_text(whole)
    expect(page.locator("#viewer .vw-box")).to_be_hidden()
    view.press("b")
    page.get_by_label("×2").check()
    page.locator("#run").click()
    expect(caption).to_contain_text(re.compile("×2.*of the region"))
    expect(page.locator("#status [role=status]")).to_have_text("Finished")
    expect(page.locator("#numbers")).to_contain_text("dB, region")
    expect(cell).to_have_text(re.compile(r"^\d+\.\d\d"))
    page.locator("#viewer [data-act=clear]").click()
    page.locator("#viewer [data-zoom='4']").click()
    view.press("b")  # what is seen
    expect(caption).to_contain_text("of the region")
    for mode in ("grid", "slider", "flip", "error"):
        view.mode(mode)
        view.press("0")  # the whole picture, at less than 100 %
        view.press("b")
        height, width = view.pictures["hr"].shape[:2]
        expect(caption).to_contain_text(f"of the region {Box(0, 0, width, height)}")
        page.locator("#viewer [data-act=clear]").click()
        expect(caption).not_to_contain_text("region")
    view.press("b", "Escape", "Escape")
    expect(caption).not_to_contain_text("region")


def run_of(tmp_path: Path, photo: Photo) -> Run:
    path = tmp_path / "picture.png"
    path.write_bytes(encode_png(photo(40, 60)))
    return list(compare.compare(Models(), Store(tmp_path / "served"), str(path), 4, ["bicubic"]))[-1]


@pytest.mark.parametrize(
    "sent",
    [
        None, "box", 7, {}, [], [1, 2, 3], [1, 2, 3, 4, 5], [0, 0, 10.5, 10], ["0", 0, 9, 9], [True, 0, 9, 9],
        [None, 0, 9, 9], [-1, 0, 9, 9], [0, 0, 0, 9], [0, 0, 61, 9], [55, 0, 9, 9], [0, 35, 9, 9], [10**30, 0, 1, 1],
        [float("nan"), 0, 9, 9], [0, 0, -5, -5],
    ],
)  # fmt: skip
def test_what_the_browser_sends_is_checked(sent: Any, tmp_path: Path, photo: Photo) -> None:
    with pytest.raises(RequestError, match="Draw it again"):
        region.read_box(sent, run_of(tmp_path, photo))


def test_a_region_is_measured_for_methods_that_come_later(
    tmp_path: Path, photo: Photo, use_tiny_weights: Path
) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(encode_png(photo(40, 60)))
    runs = list(compare.compare(Models(), Store(tmp_path / "served"), str(path), 4, ["bicubic", "fgrn"]))
    early = region.measure(runs[0], Region(Box(8, 4, 20, 30)))
    assert set(early.scores) == {"bicubic"}
    late = region.measure(runs[-1], early)
    assert set(late.scores) == {"bicubic", "fgrn"} and late.scores["bicubic"] is early.scores["bicubic"]
    again = replace(runs[0], token="another run")
    assert region.measure(again, late).scores["bicubic"] == late.scores["bicubic"]
    assert set(region.measure(again, late).scores) == {"bicubic"}, "FGRN's of that run is still to come"
    assert table.render(again, late).count("fg-wait") > table.render(runs[0], early).count("fg-wait")
    html = table.render(runs[0], early)
    assert "region 20 × 30 at x 8, y 4" in html and "dB, region" in html
    assert html.count("fg-wait") > 0, "FGRN's numbers in the box are still to come"


# Data


def test_the_value_names_every_picture_and_keeps_its_place() -> None:
    outcomes = (Outcome("bicubic", State.DONE, files=Files("/l", "/l", "/l", "/r")), Outcome("fgrn"))
    value = viewer.value(Run("n", 4, (203, 301), "/hr.png", (), outcomes, "", SOURCE))
    keys = [picture["key"] for picture in value["pictures"]]
    assert keys == [key for key in KEYS if not key.startswith("irn")]
    sizes = {p["key"]: (p["height"], p["width"], p["factor"]) for p in value["pictures"]}
    assert sizes["hr"] == sizes["fgrn:restored"] == (203, 301, 1)
    assert sizes["bicubic:lr"] == sizes["fgrn:x"] == (51, 76, 4)
    assert [p["state"] for p in value["pictures"]].count("waiting") == 4
    assert len(json.dumps(value)) < 5000, "no pixels in it"


def test_templates_survive_interpolation() -> None:
    """Gradio reads both as a Handlebars template inside a JavaScript template string."""
    for name in ("viewer.html", "viewer.css"):
        text = (viewer.FOLDER / name).read_text(encoding="utf-8")
        assert not any(mark in text for mark in ("`", "\\", "${", "{{", "@children")), name
    scripts = "".join((viewer.FOLDER / name).read_text(encoding="utf-8") for name in viewer.SCRIPTS)
    assert (
        "</script" not in scripts
        and "<!--" not in scripts
        and "http:" not in scripts.replace("http://www.w3.org/", "")
    )


def test_text_from_outside_is_never_html(browser: Browser) -> None:
    evil = "<img src=x onerror=alert(1)>"
    value = made_up(
        (Outcome("irn", State.FAILED, reason=evil),), {"hr": np.zeros((20, 20, 3), np.uint8)}, (20, 20)
    )
    value["pictures"][0]["name"] = evil
    value["methods"][0]["label"] = evil
    page, _ = open_component(browser, value)
    expect(page.locator("#viewer .vw-note").filter(has_text=evil).first).to_be_visible()
    assert page.locator("#viewer img").count() == 0
    page.close()


def test_a_new_snapshot_decodes_only_what_is_new(browser: Browser, photo: Photo) -> None:
    done = Files("/l", "/l", "/l", "/r")
    pixels = {"hr": photo(40, 60), "bicubic:restored": photo(40, 60, 1), "bicubic:lr": photo(10, 15, 2)}
    first = made_up((Outcome("bicubic", State.RUNNING), Outcome("irn")), {"hr": pixels["hr"]}, (40, 60))
    page, _ = open_component(browser, first)
    notes = page.locator("#viewer .vw-note:visible")
    expect(notes).to_have_text(["Computing", "Waiting", "Computing", "Waiting"])
    places = page.locator("#viewer .vw-view").evaluate_all(
        "all => all.map(e => JSON.stringify(e.getBoundingClientRect()))"
    )
    second = made_up(
        (Outcome("bicubic", State.DONE, files=done), Outcome("irn", State.STOPPED)), pixels, (40, 60)
    )
    page.evaluate("value => window.show(value)", second)
    expect(notes).to_have_text(["Stopped", "Stopped"])
    expect(page.locator("#viewer .vw")).to_have_attribute("data-loaded", "yes")
    assert page.evaluate("window.decoded") == 3
    now = page.locator("#viewer .vw-view").evaluate_all(
        "all => all.map(e => JSON.stringify(e.getBoundingClientRect()))"
    )
    assert now == places, "nothing moved"
    page.evaluate("value => window.show(JSON.parse(JSON.stringify(value)))", second)
    page.locator("#viewer .vw-stage").focus()
    for key in ("f", "2", "e", "s", "g", "b"):
        page.keyboard.press(key)
    assert page.evaluate("window.decoded") == 3
    ((event, sent),) = page.evaluate("window.sent")
    assert (event, sent["source"], sent["box"]) == ("select", SOURCE.sha256, [0, 0, 60, 40])
    assert sent["asked"] > 0
    expect(page.locator("#viewer .vw-box").first).to_be_visible()
    page.evaluate("value => window.show({ ...value, run: 'u' })", second)
    page.wait_for_timeout(100)
    expect(page.locator("#viewer .vw-box").first).to_be_visible()  # another run of the same picture
    page.evaluate("value => window.show({ ...value, source: 'u' })", second)
    expect(page.locator("#viewer .vw-box").first).to_be_hidden()
    page.close()


def test_the_loupe_keeps_its_place_in_a_picture_and_reads_every_run_anew(
    browser: Browser, photo: Photo
) -> None:
    hr = photo(40, 60)
    value = made_up((Outcome("bicubic", State.RUNNING),), {"hr": hr}, (40, 60))
    page, _ = open_component(browser, value)
    read = page.locator("#viewer [data-picture='hr']")
    page.locator("#viewer .vw-view canvas").first.hover()
    expect(read).to_have_attribute("data-values", re.compile(r"\d+ \d+ \d+"))
    page.mouse.move(1, 1)
    place = page.locator("#viewer .vw-place")
    old, at = read.get_attribute("data-values"), place.inner_text()
    other = made_up((Outcome("bicubic", State.RUNNING),), {"hr": 255 - hr}, (40, 60), "u")
    page.evaluate("value => window.show(value)", other)
    expect(read).not_to_have_attribute("data-values", str(old))
    expect(read).to_have_attribute("data-values", re.compile(r"\d+ \d+ \d+"))
    assert place.inner_text() == at
    page.evaluate("value => window.show({ ...value, run: 'v', source: 'v' })", other)
    expect(place).to_contain_text("Point at")
    assert not read.get_attribute("data-values")
    page.close()
