"""What a visitor must not be able to do: read other files, run something, make the server fall over for good."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from playwright.sync_api import Browser, expect

import fgrn
from fgrn.images import encode_png, read_image
from lab import addresses
from lab.compare.handlers import Handlers
from lab.restore.tab import RestoreTab
from tests import crafted
from tests import server as servers
from tests.conftest import ROOT, Photo, Visitor, make_tiny_weights
from tests.server import Server
from tests.test_browser import finished, upload

EVIL_NAME = "<img src=x onerror=window.evil=1>.png"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with servers.running(tmp_path_factory.mktemp("security")) as server:
        yield server


@pytest.fixture(scope="module")
def client(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Client:
    return Client(server.address, verbose=False, download_files=str(tmp_path_factory.mktemp("received")))


@pytest.fixture
def picture(tmp_path: Path, photo: Photo) -> Path:
    path = tmp_path / "holiday.png"
    path.write_bytes(encode_png(photo(48, 64)))
    return path


# Files


def test_only_results_and_uploads_are_served(server: Server, client: Client, picture: Path) -> None:
    secret = server.folder / "secret.png"
    secret.write_bytes(picture.read_bytes())
    upload = httpx.post(
        f"{server.address}gradio_api/upload", files={"files": ("a.png", picture.read_bytes())}
    )
    [uploaded] = upload.json()
    assert httpx.get(f"{server.address}gradio_api/file={uploaded}").content == picture.read_bytes()
    link = Path(uploaded).with_name("link.png")
    link.symlink_to(secret)
    inside = Path(uploaded).parent
    for path in (
        "/etc/passwd",
        secret,
        ROOT / "app.py",
        ROOT / "fgrn" / "images.py",
        "app.py",
        "../app.py",
        server.weights / "fgrn_x4.safetensors",
        server.folder / "log",
        f"{inside}/../../../secret.png",
        f"{inside}/..%2f..%2f..%2fsecret.png",
        f"{inside}/%2e%2e/%2e%2e/%2e%2e/secret.png",
        link,
        f"file://{secret}",
        "\\\\host\\share",
    ):
        # httpx would resolve ".." itself; here the server sees what is written
        address = httpx.URL(server.address).copy_with(raw_path=f"/gradio_api/file={path}".encode())
        answer = httpx.get(address)
        assert answer.status_code in (400, 403, 404), (path, answer.status_code)
        assert picture.read_bytes() not in answer.content and b"root:" not in answer.content


def test_requests_read_only_what_was_uploaded(server: Server, picture: Path) -> None:
    link = server.files / "link.png"
    link.symlink_to(picture)
    for path in (str(picture), "/etc/passwd", f"{server.files}/../weights/fgrn_x4.json", str(link)):
        for endpoint, rest in (("downscale", ["bicubic", 4]), ("restore", ["bicubic", 4, False])):
            file = {"path": path, "meta": {"_type": "gradio.FileData"}}
            call = f"{server.address}gradio_api/call/{endpoint}"
            event = httpx.post(call, json={"data": [file, *rest]}).json()["event_id"]
            assert "event: error" in httpx.get(f"{call}/{event}", timeout=60).text, path


@pytest.mark.parametrize(
    "name", ["../../evil.png", "/tmp/evil.png", "..\\evil.png", "a/b.png", "x" * 300 + ".png"]
)
def test_uploads_stay_in_their_folder_whatever_their_name(name: str, server: Server, picture: Path) -> None:
    answer = httpx.post(f"{server.address}gradio_api/upload", files={"files": (name, picture.read_bytes())})
    if answer.is_success:
        [path] = answer.json()
        assert Path(path).resolve().is_relative_to(server.files.resolve()) and Path(path).is_file()
    else:
        assert answer.status_code < 500
    written = [path.resolve() for path in server.folder.parent.rglob("*evil.png")]
    assert all(path.is_relative_to(server.files.resolve()) for path in written)
    assert not Path("/tmp/evil.png").exists()


def test_results_are_named_without_what_the_visitor_chose(
    client: Client, tmp_path: Path, picture: Path
) -> None:
    path = tmp_path / EVIL_NAME
    path.write_bytes(picture.read_bytes())
    result = Path(client.predict(handle_file(str(path)), "bicubic", 4, api_name="/downscale")[0])
    assert result.name == "img_src_x_onerror_window_evil_1_bicubic_x4_lr.png"


def test_no_picture_is_fetched_from_elsewhere(server: Server) -> None:
    """A file of a request may name an address instead of an upload: nobody may be asked for it."""
    for path in (f"{server.address}config", "http://169.254.169.254/latest", "https://example.com/a.png"):
        file = {"path": path, "url": path, "meta": {"_type": "gradio.FileData"}}
        call = f"{server.address}gradio_api/call/downscale"
        event = httpx.post(call, json={"data": [file, "bicubic", 4]}).json()["event_id"]
        answer = httpx.get(f"{call}/{event}", timeout=60).text
        assert "event: error" in answer and addresses.REFUSED in answer
        relayed = httpx.get(f"{server.address}gradio_api/file={path}")
        assert relayed.status_code == 403 and addresses.REFUSED in relayed.text


def test_a_gradio_that_fetches_in_another_way_is_not_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("gradio.routes.secure_url_stream_response")
    with pytest.raises(RuntimeError, match=r"install gradio as in requirements\.txt"):
        addresses.refuse()


# Text that becomes HTML


@pytest.mark.browser
def test_a_name_with_html_is_inert(browser: Browser, server: Server, tmp_path: Path, picture: Path) -> None:
    visitor = Visitor(browser, server.address, 1440, 1000)
    page = visitor.open()
    finished(page)
    path = tmp_path / EVIL_NAME
    path.write_bytes(picture.read_bytes()[:200])
    upload(page, "#picture", path)
    expect(page.locator("#facts [role=alert]")).to_contain_text("cut off or damaged")
    page.locator("#run").click()
    expect(page.get_by_test_id("toast-body")).to_contain_text("onerror")
    path.write_bytes(picture.read_bytes())
    upload(page, "#picture", path)
    expect(page.locator("#facts")).to_contain_text("64 × 48")
    page.locator("#run").click()
    expect(page.locator("#numbers caption")).to_contain_text("onerror")
    finished(page)
    assert page.evaluate("window.evil") is None
    assert page.locator("img[src=x]").count() == 0
    visitor.finish()


# Weights


def test_a_lr_png_of_other_weights_is_restored_on_request_only(
    client: Client, tmp_path: Path, photo: Photo
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FGRN_WEIGHTS", str(make_tiny_weights(tmp_path / "others", seed=5)))
        png = fgrn.rescale(fgrn.load("fgrn", 4), photo(48, 64)).lr_png
    path = tmp_path / "small.png"
    path.write_bytes(png)
    with pytest.raises(AppError, match="other weights"):
        client.predict(handle_file(str(path)), "", 0, False, api_name="/restore")
    restored, notices = client.predict(handle_file(str(path)), "", 0, True, api_name="/restore")
    assert read_image(restored).pixels.shape == (48, 64, 3)
    assert any("other weights" in notice for notice in notices)


def test_nothing_of_the_program_opens_pickles() -> None:
    sources = [path for folder in ("fgrn", "lab") for path in (ROOT / folder).rglob("*.py")]
    names = (
        "pickle",
        "torch.load",
        "np.load",
        "numpy.load",
        "yaml.load",
        "eval(",
        "exec(",
        "os.system",
        "shell=True",
    )
    found = {
        (path.name, name, line.strip())
        for path in sources
        for line in path.read_text(encoding="utf-8").splitlines()
        for name in names
        if name in line and not line.strip().startswith(("#", '"'))
    }
    harmless = (
        "weights_only=True",
        ".eval()",
        "safetensors.torch.load(",
        "np.load(path)",
    )  # numpy opens none itself
    assert not [line for line in found if not any(words in line[2] for words in harmless)]


# Files that are made to do harm


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no clock of computing time here")
def test_a_hostile_upload_is_refused_and_the_page_goes_on(
    client: Client, tmp_path: Path, picture: Path
) -> None:
    path = tmp_path / "slow.gif"
    path.write_bytes(crafted.gif_comments(8_000_000))
    with pytest.raises(AppError, match="takes too long"):
        client.predict(handle_file(str(path)), "bicubic", 4, api_name="/downscale")
    assert client.predict(handle_file(str(picture)), "bicubic", 4, api_name="/downscale")


def test_the_line_beside_the_upload_uses_the_limits_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(source: object, *, max_pixels: int) -> None:
        raise fgrn.ImageError("Refused by the limits. So.")

    monkeypatch.setattr("lab.asked.read_upload", refuse)
    monkeypatch.setattr("lab.restore.steps.read_upload", refuse)
    assert "Refused by the limits" in next(Handlers().describe("a.png", 4))
    assert "Refused by the limits" in RestoreTab(Handlers()).describe("a.png")
