"""Fixtures that every test module may use: tiny weights, pictures with structure, the page in a real Chromium."""

from __future__ import annotations

import base64
import errno
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

os.environ["HF_HUB_OFFLINE"] = "1"  # read once, when huggingface_hub is imported
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, Error, Page, expect, sync_playwright

from fgrn import checkpoint
from fgrn.images import encode_png
from fgrn.models import FGRN, IRN, FGRNConfig, IRNConfig
from lab.files import Store
from tests.photos import make_photo

Photo = Callable[..., np.ndarray]

ROOT = Path(__file__).resolve().parent.parent
SLOW = 120_000  # ms: the first NIQE loads pyiqa, and the machine may be busy
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
expect.set_options(timeout=SLOW)

torch.set_num_threads(
    1
)  # the networks here are tiny, and threads that wait for each other cost more than they do

PERTURBATION = 0.01  # F moves pictures by some grey levels, and they stay pictures
TINY: dict[str, FGRNConfig | IRNConfig] = {
    "fgrn_x2": FGRNConfig(2, channels=8, down_blocks=1, up_blocks=1, flow_cells=2, flow_growth=4),
    "fgrn_x4": FGRNConfig(4, channels=8, down_blocks=1, up_blocks=1, flow_cells=2, flow_growth=4),
    "irn_x2": IRNConfig(2, blocks=1, growth=4),
    "irn_x4": IRNConfig(4, blocks=1, growth=4),
    "du_none_x4": FGRNConfig(4, channels=8, down_blocks=1, up_blocks=1, flow_growth=4, guidance="none"),
    "du_bic_x4": FGRNConfig(4, channels=8, down_blocks=1, up_blocks=1, flow_growth=4, guidance="bicubic"),
}


def make_tiny_weights(folder: Path, seed: int = 0) -> Path:
    """Write a valid weight file and card of each method of `TINY` into `folder`; another seed, other weights."""
    for name, config in TINY.items():
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            net = IRN(config) if isinstance(config, IRNConfig) else FGRN(config)
            with torch.no_grad():
                for parameter in net.parameters():
                    parameter.add_(torch.randn(parameter.shape), alpha=PERTURBATION)
        checkpoint.save(net, folder / f"{name}.safetensors", checkpoint.Provenance("untrained, for tests"))
    return folder


@pytest.fixture(scope="session", autouse=True)
def temporary_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Whatever is written to the system's temporary folder: gradio_client leaves a folder there for every download."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("temporary")
        patch.setattr(tempfile, "tempdir", str(folder))
        patch.setenv("TMPDIR", str(folder))
        yield


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The runs of examples that a user of this machine has kept are neither used nor replaced."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FGRN_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of tiny untrained weights. Read only: damage a copy."""
    return make_tiny_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture
def use_tiny_weights(tiny_weights: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As `tiny_weights`, and the program uses them as its own during the test (child processes too)."""
    monkeypatch.setenv("FGRN_WEIGHTS", str(tiny_weights))
    return tiny_weights


@pytest.fixture
def lock_folder(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """`lock_folder(name)`: from now on no folder of that name can be read. By permissions nobody locks out root."""
    scandir = os.scandir

    def lock(name: str) -> None:
        def locked(path: str) -> object:
            if Path(path).name == name:
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return scandir(path)

        monkeypatch.setattr(os, "scandir", locked)

    return lock


@pytest.fixture(scope="session")
def photo() -> Photo:
    """`photo(height, width, seed=0)`: a (height, width, 3) uint8 picture with slopes, edges and texture."""
    return make_photo


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Where the page would put its files."""
    return Store(tmp_path / "served")


def chromium_path() -> str | None:
    """$CHROMIUM, or a Chromium of the system, if there is one."""
    found = [os.environ.get("CHROMIUM"), *map(shutil.which, CHROMIUM_NAMES)]
    return next((name for name in found if name), None)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """$CHROMIUM, one of the system, or Playwright's. Without any: a failure in CI, skipped elsewhere."""
    path = chromium_path()
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
def bench_folder(tmp_path_factory: pytest.TempPathFactory, photo: Photo) -> Path:
    """A folder of picture sets with one set that is called Set5."""
    top = tmp_path_factory.mktemp("sets")
    (top / "Set5").mkdir()
    for seed in range(3):
        (top / "Set5" / f"img_{seed}.png").write_bytes(encode_png(photo(64, 48 + 16 * seed, seed)))
    return top


@pytest.fixture(scope="session")
def url(weights: Path, bench_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`python app.py` as a user starts it, on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("server")
    environment = {
        **os.environ,
        "FGRN_WEIGHTS": str(weights),
        "FGRN_BENCH": str(bench_folder),
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


def canvas_pixels(page: Page, selector: str, most: int = 10_000) -> np.ndarray:
    """The RGBA pixels in the middle of a viewer's canvas, once all is loaded and drawn: `most` on each side."""
    expect(page.locator("#viewer .vw")).to_have_attribute("data-loaded", "yes")
    script = """async (canvas, most) => {
        for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame);
        const [width, height] = [Math.min(canvas.width, most), Math.min(canvas.height, most)];
        const corner = [(canvas.width - width) >> 1, (canvas.height - height) >> 1];
        const { data } = canvas.getContext('2d').getImageData(...corner, width, height);
        let text = '';
        for (let i = 0; i < data.length; i += 32768)
            text += String.fromCharCode(...data.subarray(i, i + 32768));
        return [height, width, btoa(text)]; }"""
    height, width, data = page.locator(selector).first.evaluate(script, most)
    return np.frombuffer(base64.b64decode(data), dtype=np.uint8).reshape(height, width, 4)


class Visitor:
    """A page with its complaints collected."""

    def __init__(self, browser: Browser, url: str, width: int, height: int, ratio: float = 1) -> None:
        self.url = url
        self.context = browser.new_context(
            viewport={"width": width, "height": height}, device_scale_factor=ratio, accept_downloads=True
        )
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

    def tab(self, name: str) -> None:
        """Open a tab; on a narrow screen it may be in a menu."""
        expect(self.page.get_by_role("tab", selected=True)).to_be_visible()
        tab = self.page.get_by_role("tab", name=name, exact=True)
        if not tab.is_visible():
            self.page.locator(".overflow-menu > button").click()
            tab = self.page.locator(".overflow-dropdown").get_by_text(name, exact=True)
        tab.click()

    def screenshot(self, name: str) -> None:
        """Keep a picture of the whole page, for people, as build/screenshots/NAME.png."""
        self.page.screenshot(path=ROOT / "build" / "screenshots" / f"{name}.png", full_page=True)

    def finish(self) -> None:
        self.context.close()
        assert not self.complaints


@pytest.fixture
def visitor(browser: Browser, url: str) -> Iterator[Visitor]:
    visitor = Visitor(browser, url, 1440, 1000)
    yield visitor
    visitor.finish()


def until(done: Callable[[], Any]) -> None:
    """Wait for something; as long as a slow machine may need."""
    deadline = time.monotonic() + 120
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)
