"""Many requests at once and in a row, and what is left when the program is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from gradio_client import Client, handle_file
from PIL import Image

from fgrn.images import encode_png, read_image
from tests import server as servers
from tests.benchmarks import growth, load
from tests.conftest import ROOT, Photo, make_tiny_weights
from tests.server import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with servers.running(tmp_path_factory.mktemp("load")) as server:
        yield server


@pytest.fixture
def picture(tmp_path: Path, photo: Photo) -> Path:
    path = tmp_path / "holiday.png"
    path.write_bytes(encode_png(photo(48, 64)))
    return path


# Many at once, and many in a row


def test_clients_at_once_get_their_own_answers(server: Server) -> None:
    figures = load.load(server, clients=6, seconds=3)
    assert figures["wrong"] == figures["error"] == 0, figures["errors"]
    # Not how many: the machine may be busy otherwise, and `tests.benchmarks.load` is there to measure.
    assert figures["right"] >= 6 and figures["right_after_the_load"]


def test_a_full_queue_refuses_and_recovers(server: Server) -> None:
    """More requests at once than the 64 that may wait."""
    figures = load.load(server, clients=20, seconds=0.5)
    assert figures["wrong"] == figures["error"] == 0, figures["errors"]
    assert figures["queue_full"] > 0 and figures["right_after_the_load"]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_requests_in_a_row_leave_nothing_behind(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "PICTURES", 3)
    monkeypatch.setattr(growth.Asker, "WARM_UP", 3 * len(growth.KINDS))
    figures = growth.growth(server, 3 * len(growth.KINDS))
    assert figures["new_files"] <= figures["new_files_bound"] == 15
    assert figures["memory_growth_mb"] < growth.MEMORY_BOUND / 1e6


# Killed in the middle


@pytest.mark.skipif(os.name != "posix", reason="POSIX signals")
@pytest.mark.usefixtures("use_tiny_weights")
def test_a_killed_batch_leaves_whole_pictures_only(tmp_path: Path, photo: Photo) -> None:
    (tmp_path / "in").mkdir()
    for number in range(60):
        Image.fromarray(photo(160, 200, number)).save(tmp_path / "in" / f"{number:02}.png")
    command = [sys.executable, "-m", "fgrn", "downscale", "in", "-o", "out", "--method", "fgrn", "-q"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    started = subprocess.Popen([*command, "--device", "cpu"], cwd=tmp_path, env=environment)
    while started.poll() is None and len(list((tmp_path / "out").glob("*.png"))) < 5:
        time.sleep(0.001)
    started.kill()
    assert started.wait(60) == -signal.SIGKILL, "it was killed before its end"
    written = sorted((tmp_path / "out").glob("*.png"))
    assert 5 <= len(written) < 60
    for path in written:
        whole = read_image(path)
        assert whole.pixels.shape == (40, 50, 3) and whole.info and not whole.notices
    left = [path for path in (tmp_path / "out").iterdir() if path not in written]
    assert len(left) <= 1 and all(path.name.startswith(".") and path.suffix == ".tmp" for path in left)
    assert subprocess.run([*command, "--device", "cpu"], cwd=tmp_path, env=environment).returncode == 0
    assert len(list((tmp_path / "out").glob("*.png"))) == 60


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_killed_server_starts_again_at_the_same_place(tmp_path: Path, picture: Path) -> None:
    weights, port = make_tiny_weights(tmp_path / "weights"), servers.free_port()
    first = servers.start(tmp_path, weights, port, GRADIO_TEMP_DIR="")
    client = Client(first.address, verbose=False, download_files=str(tmp_path / "received"))
    before = Path(client.predict(handle_file(str(picture)), "fgrn", 4, api_name="/downscale")[0]).read_bytes()
    children = first.children()
    first.process.kill()
    first.process.wait(20)
    deadline = time.monotonic() + 120
    while any(Path(f"/proc/{number}").exists() for number in children) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert children and not any(Path(f"/proc/{number}").exists() for number in children)
    second = servers.start(tmp_path, weights, port, GRADIO_TEMP_DIR="")
    try:
        client = Client(second.address, verbose=False, download_files=str(tmp_path / "received2"))
        after = Path(
            client.predict(handle_file(str(picture)), "fgrn", 4, api_name="/downscale")[0]
        ).read_bytes()
        assert after == before
        for kind in ("example", "files"):
            left = list((tmp_path / "temporary").glob(f"fgrn-{kind}-*"))
            assert len(left) == 1, "the first one's is deleted"
            assert any(np.asarray(Image.open(path)).size for path in left[0].rglob("*.png"))
    finally:
        second.process.kill()
        second.process.wait(20)
