"""`python app.py` as a process of its own, with tiny weights: for tests and measurements that ask much of it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.conftest import ROOT, make_tiny_weights

START = 300.0  # seconds, on a machine that is busy otherwise


@dataclass
class Server:
    """A running server. `folder` holds the files it serves and its log; `weights` are those it uses."""

    address: str
    port: int
    folder: Path
    weights: Path
    process: subprocess.Popen[bytes]

    @property
    def files(self) -> Path:
        """The folder of uploads and results, the only one that is served."""
        return self.folder / "files"

    @property
    def log(self) -> str:
        """What it has printed."""
        return (self.folder / "log").read_text(errors="replace")

    def memory(self) -> int:
        """Resident memory in bytes, of the server and of the processes that it started. Linux only."""
        status = [
            Path(f"/proc/{number}/status").read_text() for number in (self.process.pid, *self.children())
        ]
        lines = [line.split() for text in status for line in text.splitlines() if line.startswith("VmRSS:")]
        return sum(int(kilobytes) * 1024 for _, kilobytes, _ in lines)

    def children(self) -> list[int]:
        """The processes that the server has started. Linux only."""
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        return [int(number) for task in tasks for number in task.read_text().split()]

    def stored(self) -> tuple[int, int]:
        """How many files its temporary folders hold, and their bytes."""
        found = [path for path in self.folder.rglob("*") if path.is_file() and path.name != "log"]
        return len(found), sum(path.stat().st_size for path in found)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(folder: Path, weights: Path, port: int, **environment: str) -> Server:
    """Start a server and wait until it answers.

    Raises:
        RuntimeError: if it ends or does not answer.
    """
    (folder / "temporary").mkdir(parents=True, exist_ok=True)
    settings = {
        "FGRN_WEIGHTS": str(weights),
        "GRADIO_SERVER_PORT": str(port),
        "GRADIO_TEMP_DIR": str(folder / "files"),
        "TMPDIR": str(folder / "temporary"),
        "GRADIO_ANALYTICS_ENABLED": "False",
        "HF_HUB_OFFLINE": "1",
    }
    with (folder / "log").open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "app.py"],
            cwd=ROOT,
            env={**os.environ, **settings, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    server = Server(f"http://127.0.0.1:{port}/", port, folder, weights, process)
    deadline = time.monotonic() + START
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(server.address, timeout=5).is_success:
                return server
        except httpx.HTTPError:
            time.sleep(0.2)
    process.kill()
    raise RuntimeError(f"the server did not start:\n{server.log}")


@contextmanager
def running(folder: Path, **environment: str) -> Iterator[Server]:
    """A server with tiny weights below `folder`, ended afterwards."""
    server = start(folder, make_tiny_weights(folder / "weights"), free_port(), **environment)
    try:
        yield server
    finally:
        server.process.terminate()
        try:
            server.process.wait(20)
        except subprocess.TimeoutExpired:
            server.process.kill()
            server.process.wait(20)
