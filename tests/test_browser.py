"""The page in a real Chromium: upload, run, read, download, restore, stop, bad files; four screenshots to look at.

Every test also fails on a console error, a page error, or a request to another host.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from playwright.sync_api import Browser, Error, Page, expect, sync_playwright

import fgrn
from fgrn import checkpoint, metrics
from fgrn.images import encode_png, read_image
from fgrn.models import FGRN, FGRNConfig
from tests.conftest import Photo, make_tiny_weights

ROOT = Path(__file__).resolve().parent.parent
SCREENSHOTS = ROOT / "build" / "screenshots"
SLOW = 120_000  # ms: the first NIQE loads pyiqa, and the machine may be busy
expect.set_options(timeout=SLOW)
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

pytestmark = pytest.mark.browser


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """$CHROMIUM, one of the system, or Playwright's. Without any: a failure in CI, skipped elsewhere."""
    found = [os.environ.get("CHROMIUM"), *map(shutil.which, NAMES)]
    path = next((name for name in found if name), None)
    with sync_playwright() as playwright:
        try:
            chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        except Error as error:
            if os.environ.get("CI"):
                raise
            pytest.skip(f"no Chromium starts here ({path or 'none found'}): {error.message.splitlines()[0]}")
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny weights, except DU_bic x4: so deep that a run of it can be stopped."""
    folder = make_tiny_weights(tmp_path_factory.mktemp("browser_weights"))
    slow = FGRN(FGRNConfig(4, channels=64, down_blocks=0, up_blocks=60, guidance="bicubic"))
    checkpoint.save(slow, folder / "du_bic_x4.safetensors", checkpoint.Provenance("untrained, for tests"))
    return folder


@pytest.fixture(scope="session")
def url(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`python app.py` as a user starts it, on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("server")
    environment = {
        **os.environ,
        "FGRN_WEIGHTS": str(weights),
        "GRADIO_SERVER_PORT": str(port),
        "GRADIO_TEMP_DIR": str(folder / "files"),
        "HF_HUB_OFFLINE": "1",
    }
    log = folder / "log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "app.py"], cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    address = f"http://127.0.0.1:{port}/"
    try:
        deadline = time.monotonic() + 180
        while time.monotonic() < deadline and server.poll() is None:
            try:
                if httpx.get(address, timeout=5).is_success:
                    break
            except httpx.HTTPError:
                time.sleep(0.2)
        else:
            pytest.fail(f"the server did not start:\n{log.read_text()}")
        yield address
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()


class Visitor:
    """A page with its complaints collected."""

    def __init__(self, browser: Browser, url: str, width: int, height: int) -> None:
        self.url = url
        self.context = browser.new_context(viewport={"width": width, "height": height}, accept_downloads=True)
        self.page = self.context.new_page()
        self.page.set_default_timeout(SLOW)
        self.complaints: list[str] = []
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(f"page error: {error}"))
        self.page.on("request", self._request)

    def _console(self, message: Any) -> None:
        if message.type == "error":
            self.complaints.append(f"console: {message.text}")

    def _request(self, request: Any) -> None:
        if not request.url.startswith((self.url, "data:", "blob:")):
            self.complaints.append(f"request to another host: {request.url}")

    def open(self, theme: str = "light") -> Page:
        self.page.goto(f"{self.url}?__theme={theme}")
        return self.page

    def finish(self) -> None:
        self.context.close()
        assert not self.complaints


@pytest.fixture
def visitor(browser: Browser, url: str) -> Iterator[Visitor]:
    visitor = Visitor(browser, url, 1440, 1000)
    yield visitor
    visitor.finish()


@pytest.fixture
def picture(tmp_path: Path, photo: Photo) -> Path:
    path = tmp_path / "holiday.png"
    path.write_bytes(encode_png(photo(203, 301)))  # a multiple of no scale
    return path


def finished(page: Page) -> None:
    expect(page.locator("#status [role=status]")).to_have_text("Finished", timeout=SLOW)


def upload(page: Page, where: str, path: Path) -> None:
    """Put a file into an image input, also where one is shown already."""
    clear = page.locator(f"{where} button[aria-label='Remove Image'], {where} button[aria-label='Clear']")
    if clear.count():
        clear.first.click()
    page.locator(f"{where} input[type=file]").set_input_files(path)


def tick(page: Page, *methods: str) -> None:
    """Tick exactly these methods, by label."""
    for box in page.locator("#methods label").all():
        box.locator("input").set_checked(box.inner_text().strip() in methods)


def shown_pixels(page: Page, method: str, title: str) -> np.ndarray:
    """What the browser has decoded, read from a canvas."""
    figure = page.locator(f"[data-method={method}] figure", has=page.get_by_text(title, exact=True))
    script = """async image => { await image.decode(); const c = document.createElement('canvas');
        c.width = image.naturalWidth; c.height = image.naturalHeight; const x = c.getContext('2d');
        x.drawImage(image, 0, 0); return [c.height, c.width, [...x.getImageData(0, 0, c.width, c.height).data]]; }"""
    height, width, values = figure.locator("img").evaluate(script)
    return np.array(values, dtype=np.uint8).reshape(height, width, 4)[..., :3]


def download(page: Page, method: str, text: str, folder: Path) -> Path:
    with page.expect_download() as event:
        page.locator(f"[data-method={method}] a[download]", has_text=text).click()
    path = folder / event.value.suggested_filename
    event.value.save_as(path)
    return path


def test_opens_with_a_computed_example(visitor: Visitor) -> None:
    page = visitor.open()
    expect(page.locator("#pictures [data-state=done]").first).to_be_visible()
    finished(page)
    expect(page.locator("#pictures [data-state=done]")).to_have_count(3)
    expect(page.locator("#slider img")).to_have_count(2)
    expect(page.locator("#badge")).to_contain_text("FGRN ×2 ×4")
    reasons = page.locator("#missing li")
    expect(reasons).to_have_count(0)  # at x4 all have weights
    page.get_by_label("×2").check()
    expect(page.locator("#missing")).to_contain_text("du_none_x2.json is missing")
    expect(page.locator("#methods label")).to_have_count(3)


def test_upload_run_read_download_restore(
    visitor: Visitor, picture: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FGRN_WEIGHTS", str(weights))
    expected = fgrn.rescale(fgrn.load("fgrn", 4), picture)
    page = visitor.open()
    finished(page)
    upload(page, "#picture", picture)
    expect(page.locator("#facts")).to_contain_text("301 × 203 pixels, PNG")
    page.locator("#run").click()
    expect(page.locator("#numbers caption")).to_contain_text("holiday, 301 × 203 pixels, ×4")
    finished(page)

    row = page.locator("#numbers tr[data-method=fgrn]")
    psnr = metrics.psnr_y(expected.hr, expected.reconstruction, 4)
    expect(row.locator("[data-key=psnr_y]")).to_contain_text(f"{psnr:.2f}")
    expect(row.locator("[data-key=x_exact]")).to_contain_text(f"{100 * expected.x_exact:.2f}")
    expect(row.locator("[data-key=niqe]")).to_have_text("n/a")
    expect(page.locator("#numbers")).to_contain_text("LR too small: 51 px")
    assert re.fullmatch(
        r"\d+\.\d", row.locator("[data-key=piqe]").inner_text().replace(" (best)", "").strip()
    )
    expect(page.locator("#numbers .fg-wait")).to_have_count(0)

    np.testing.assert_array_equal(shown_pixels(page, "fgrn", "x"), expected.x)
    np.testing.assert_array_equal(shown_pixels(page, "fgrn", "LR"), expected.lr)
    np.testing.assert_array_equal(shown_pixels(page, "fgrn", "Restored"), expected.reconstruction)
    rendering = page.locator("[data-method=fgrn] .fg-lr img").first.evaluate(
        "e => getComputedStyle(e).imageRendering"
    )
    assert rendering == "pixelated"

    lr_png = download(page, "fgrn", "LR PNG", tmp_path)
    assert lr_png.name == "holiday_fgrn_x4_lr.png" and lr_png.read_bytes() == expected.lr_png
    restored_png = download(page, "fgrn", "Restored PNG", tmp_path)
    np.testing.assert_array_equal(read_image(restored_png).pixels, expected.reconstruction)

    page.get_by_role("tab", name="Restore").click()
    upload(page, "#lr", lr_png)
    expect(page.locator("#lr-facts")).to_contain_text("made by FGRN ×4 from 301 × 203")
    page.locator("#restore").click()
    with page.expect_download() as event:
        page.locator("#restored a[download]").click()
    assert event.value.suggested_filename == "holiday_fgrn_x4_restored.png"
    np.testing.assert_array_equal(read_image(event.value.path()).pixels, expected.reconstruction)


def test_restoring_without_the_note_asks_for_method_and_scale(
    visitor: Visitor, tmp_path: Path, photo: Photo
) -> None:
    path = tmp_path / "plain.png"
    path.write_bytes(encode_png(photo(40, 50)))
    page = visitor.open()
    finished(page)
    page.get_by_role("tab", name="Restore").click()
    upload(page, "#lr", path)
    expect(page.locator("#lr-facts")).to_contain_text("name the method and the scale")
    page.locator("#restore").click()
    expect(page.get_by_test_id("toast-body")).to_contain_text("name the method and the scale")
    for name, choice in (("#lr-method", "Bicubic"), ("#lr-scale", "×2")):
        page.locator(f"{name} input").click()
        page.get_by_role("option", name=choice, exact=True).click()
    page.locator("#restore").click()
    expect(page.locator("#restored figure").nth(1)).to_contain_text("100 × 80")
    expect(page.locator("#restore-status")).to_contain_text("size of the original is not known")


def test_examples_run_when_they_are_chosen(visitor: Visitor) -> None:
    page = visitor.open()
    finished(page)
    page.get_by_label("×2").check()
    page.locator("#examples button, #examples .gallery-item").first.click()
    expect(page.locator("#numbers caption")).to_contain_text("cat_341x257, 341 × 257 pixels, ×2")
    finished(page)


def test_the_slider_follows_its_menus(visitor: Visitor) -> None:
    page = visitor.open()
    finished(page)
    expect(page.locator("#caption")).to_contain_text("Left: Bicubic, right: FGRN")
    before = page.locator("#slider img").first.get_attribute("src")
    page.locator("#left input").click()
    page.get_by_role("option", name="Original", exact=True).click()
    expect(page.locator("#caption")).to_contain_text("Left: Original, right: FGRN")
    expect(page.locator("#slider img").first).not_to_have_attribute("src", before or "")


def test_stop_in_a_run_and_run_again(visitor: Visitor, picture: Path, tmp_path: Path, photo: Photo) -> None:
    large = tmp_path / "large.png"
    large.write_bytes(encode_png(photo(1200, 1600)))
    page = visitor.open()
    finished(page)
    upload(page, "#picture", large)
    expect(page.locator("#facts")).to_contain_text("1600 × 1200")
    tick(page, "Bicubic", "DU_bic")
    page.locator("#run").click()
    expect(page.locator("#pictures [data-method=du_bic][data-state=running]")).to_be_visible()
    expect(page.locator("#pictures [data-method=bicubic][data-state=done]")).to_be_visible()
    page.locator("#stop").click()
    expect(page.locator("#status [role=status]")).to_have_text("Stopped")
    expect(page.locator("#pictures [data-method=du_bic]")).to_have_attribute("data-state", "stopped")
    page.wait_for_timeout(3000)
    expect(page.locator("#status [role=status]")).to_have_text("Stopped")
    upload(page, "#picture", picture)
    expect(page.locator("#facts")).to_contain_text("301 × 203")
    tick(page, "Bicubic", "FGRN")
    page.locator("#run").click()
    expect(page.locator("#numbers caption")).to_contain_text("holiday")
    finished(page)
    expect(page.locator("#pictures [data-state=done]")).to_have_count(2)


def test_a_bad_file_says_why_and_leaves_the_page_usable(
    visitor: Visitor, picture: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "broken.png"
    bad.write_bytes(picture.read_bytes()[:3000])
    page = visitor.open()
    finished(page)
    upload(page, "#picture", bad)
    expect(page.locator("#facts [role=alert]")).to_contain_text("cut off or damaged")
    page.locator("#run").click()
    expect(page.get_by_test_id("toast-body")).to_contain_text("broken.png")
    expect(page.locator("#pictures [data-state=done]")).to_have_count(3)  # the example is still there
    upload(page, "#picture", picture)
    expect(page.locator("#facts")).to_contain_text("301 × 203")
    page.locator("#run").click()
    expect(page.locator("#numbers caption")).to_contain_text("holiday")
    finished(page)


def test_pictures_keep_their_place_while_the_rest_arrives(visitor: Visitor, picture: Path) -> None:
    page = visitor.open()
    finished(page)
    upload(page, "#picture", picture)
    expect(page.locator("#facts")).to_contain_text("301 × 203")
    page.locator("#run").click()
    expect(page.locator("#numbers caption")).to_contain_text("holiday")
    place = "() => [...document.querySelectorAll('#pictures .fg-card, #numbers table')].map(e => e.offsetTop)"
    first = page.evaluate(place)
    finished(page)
    moved = np.abs(np.subtract(page.evaluate(place), first))
    assert moved.max() <= 24, f"moved by {moved} px"  # a line of reasons under the table


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1440, 1000), (390, 844)])
def test_fits_the_screen(browser: Browser, url: str, theme: str, width: int, height: int) -> None:
    """No sideways scrolling; the screenshots in build/screenshots are for people."""
    visitor = Visitor(browser, url, width, height)
    page = visitor.open(theme)
    finished(page)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for tab in ("Compare", "Restore", "About"):
        page.get_by_role("tab", name=tab).click()
        page.wait_for_timeout(300)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, tab
        page.screenshot(path=SCREENSHOTS / f"{tab.lower()}_{width}_{theme}.png", full_page=True)
    visitor.finish()
