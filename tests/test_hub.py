"""Weights by `org/name@revision`, fetched by the real Hub client from a local server that speaks its protocol."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from fgrn import checkpoint
from fgrn.checkpoint import CheckpointError
from fgrn.hub import locate
from fgrn.models import FGRN, FGRNConfig
from tests.conftest import ROOT

REPOSITORY = "somebody/fgrn-weights"
NAME = "fgrn_x2.safetensors"

Weights = tuple[str, dict[str, bytes]]  # digest, files by name
Ask = Callable[..., str]

CHILD = """
import sys
from fgrn import CheckpointError, load
for line in sys.stdin:
    method, scale, reference = line.split()
    try:
        print("loaded", load(method, int(scale), weights=reference, device="cpu").digest, flush=True)
    except CheckpointError as error:
        print("CheckpointError:", error, flush=True)
"""


@dataclass
class Hub:
    """What the local server serves under each revision, and what it was asked."""

    revisions: dict[str, dict[str, bytes]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    status: int = 200
    address: str = ""


def digest_of(data: bytes) -> str:
    """Forty hexadecimal digits, as commits and ETags have."""
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    state = Hub()

    class Handler(BaseHTTPRequestHandler):
        """/{org}/{name}/resolve/{revision}/{file} with the headers that the Hub sends."""

        def respond(self, body: bool) -> None:
            state.requests.append(f"{self.command} {self.path}")
            repository, _, rest = self.path.lstrip("/").partition("/resolve/")
            revision, _, name = rest.partition("/")
            files = state.revisions.get(revision)
            if state.status != 200:
                self.refuse(state.status)
            elif repository != REPOSITORY:
                self.refuse(404, "RepoNotFound")
            elif files is None:
                self.refuse(404, "RevisionNotFound")
            elif name not in files:
                self.refuse(404, "EntryNotFound", digest_of(revision.encode()))
            else:
                data = files[name]
                self.send_response(200)
                self.send_header("X-Repo-Commit", digest_of(revision.encode()))
                self.send_header("ETag", f'"{digest_of(data)}"')
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                if body:
                    self.wfile.write(data)

        def refuse(self, status: int, code: str = "", commit: str = "") -> None:
            self.send_response(status)
            for name, value in (("X-Error-Code", code), ("X-Repo-Commit", commit), ("Content-Length", "0")):
                if value:
                    self.send_header(name, value)
            self.end_headers()

        def do_HEAD(self) -> None:
            self.respond(body=False)

        def do_GET(self) -> None:
            self.respond(body=True)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Weights:
    """Tiny FGRN x2 weights: their digest and their files."""
    folder = tmp_path_factory.mktemp("weights")
    config = FGRNConfig(2, channels=4, down_blocks=1, up_blocks=1, flow_cells=1, flow_growth=2)
    card = checkpoint.save(FGRN(config), folder / "fgrn_x2.safetensors", checkpoint.Provenance("tiny"))
    return card.digest, {file.name: file.read_bytes() for file in folder.iterdir()}


@contextmanager
def client(hub: Hub, cache: Path, *, offline: bool = False) -> Iterator[Ask]:
    """A process of its own, since the Hub's library reads its environment when it is imported."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    environment |= {"HF_ENDPOINT": hub.address, "HF_HOME": str(cache), "HF_HUB_OFFLINE": str(int(offline))}
    environment |= {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD],
        env=environment | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin and process.stdout
    with process, process.stdin as questions, process.stdout as answers:

        def ask(reference: str, method: str = "fgrn", scale: int = 2) -> str:
            print(method, scale, reference, file=questions, flush=True)
            return answers.readline().strip()

        try:
            yield ask
        finally:
            questions.close()  # ends the child


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def ask(hub: Hub, cache: Path) -> Iterator[Ask]:
    """Load weights in a process that is online; returns what it says."""
    with client(hub, cache) as asking:
        yield asking


def test_weights_load_from_the_hub_and_then_offline(
    hub: Hub, weights: Weights, ask: Ask, cache: Path
) -> None:
    digest, hub.revisions["v1"] = weights
    hub.requests.clear()
    assert ask(f"{REPOSITORY}@v1") == f"loaded {digest}"
    assert f"GET /{REPOSITORY}/resolve/v1/fgrn_x2.safetensors" in hub.requests
    assert f"GET /{REPOSITORY}/resolve/v1/fgrn_x2.json" in hub.requests
    hub.requests.clear()
    assert ask(f"{REPOSITORY}@v1") == f"loaded {digest}"
    assert not [request for request in hub.requests if request.startswith("GET")]  # from the cache
    with client(hub, cache, offline=True) as ask_offline:
        hub.requests.clear()
        assert ask_offline(f"{REPOSITORY}@v1") == f"loaded {digest}"
        assert ask_offline(f"{REPOSITORY}@{digest_of(b'v1')}") == f"loaded {digest}"
        message = ask_offline(f"{REPOSITORY}@v7")
        assert message.startswith(
            f"CheckpointError: fgrn_x2.safetensors of {REPOSITORY}@v7 cannot be fetched ("
        )
        assert not hub.requests


def test_what_does_not_exist_is_named(hub: Hub, weights: Weights, ask: Ask) -> None:
    hub.revisions["v2"] = weights[1]
    cases = [
        (f"{REPOSITORY}@v404", 2, "RevisionNotFoundError"),
        ("somebody/else@v2", 2, "RepositoryNotFoundError"),
        (f"{REPOSITORY}@v2", 4, "RemoteEntryNotFoundError"),
    ]
    for reference, scale, reason in cases:
        assert ask(reference, scale=scale) == (
            f"CheckpointError: fgrn_x{scale}.safetensors of {reference} cannot be fetched ({reason}): "
            "check the name, the revision and the network"
        )


def test_card_is_needed(hub: Hub, weights: Weights, ask: Ask) -> None:
    hub.revisions["v3"] = {"fgrn_x2.safetensors": weights[1]["fgrn_x2.safetensors"]}
    assert "EntryNotFoundError" in ask(f"{REPOSITORY}@v3")


def test_broken_server(hub: Hub, weights: Weights, ask: Ask) -> None:
    hub.revisions["v4"] = weights[1]
    hub.status = 500
    try:
        message = ask(f"{REPOSITORY}@v4")
    finally:
        hub.status = 200
    assert message.startswith("CheckpointError: fgrn_x2.safetensors of") and "cannot be fetched" in message
    assert ask(f"{REPOSITORY}@v4") == f"loaded {weights[0]}"  # and it recovers


def test_damaged_file_on_the_hub(hub: Hub, weights: Weights, ask: Ask) -> None:
    damaged = bytearray(weights[1]["fgrn_x2.safetensors"])
    damaged[-5] ^= 64
    hub.revisions["v5"] = {**weights[1], "fgrn_x2.safetensors": bytes(damaged)}
    assert ask(f"{REPOSITORY}@v5").startswith("CheckpointError: fgrn_x2.safetensors is damaged")


def test_weights_of_another_method_on_the_hub(hub: Hub, weights: Weights, ask: Ask) -> None:
    hub.revisions["v6"] = {name.replace("fgrn", "irn"): data for name, data in weights[1].items()}
    message = ask(f"{REPOSITORY}@v6", method="irn")
    assert message.startswith("CheckpointError: irn_x2.safetensors holds FGRN x2, not IRN x2")


@pytest.mark.parametrize(
    "reference", ["somebody/weights", "weights@v1", "a/b/c@v1", "a/b@", "@v1", "a b/c@v1", "weights.pth", ""]
)
def test_references_of_another_form(reference: str) -> None:
    with pytest.raises(
        CheckpointError, match=r"names no weights: give a \*.safetensors file, or org/name@revision"
    ):
        locate(reference, NAME)


def test_local_files_are_taken_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    assert locate(path, NAME) == locate(str(path), NAME) == path


def test_any_failure_of_the_client_is_a_checkpoint_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The HTTP library beneath the client has exceptions of its own, which are no OSError."""

    class ProtocolError(Exception):
        pass

    def broken(*_: object, **__: object) -> str:
        raise ProtocolError("server disconnected")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", broken)
    with pytest.raises(CheckpointError, match="ProtocolError"):
        locate("a/b@v1", NAME)
