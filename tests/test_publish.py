"""Publishing by the real Hub client, in a process of its own, to a local server that speaks the Hub's protocol."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard

from fgrn.checkpoint import CheckpointError, read_card
from fgrn.methods import SCALES, WEIGHTS
from tests.conftest import ROOT
from training import publish, report
from training.publish import PublishError, Weights, model_card, read_weights

TOKEN = "right"

Files = dict[str, bytes]
Run = Callable[..., "Outcome"]

CHILD = """
import contextlib, io, json, logging, os, sys
from training import publish
brought = sorted({"gradio", "pyiqa"} & set(sys.modules))
from fgrn import load
from huggingface_hub import constants
ENDPOINT = constants.ENDPOINT
for line in sys.stdin:
    question = json.loads(line)
    os.environ.update(HF_TOKEN=question["token"])
    constants.ENDPOINT = question["endpoint"] or ENDPOINT
    logging.root.handlers.clear()  # the one of the last question writes to the stream of then
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        if question["load"]:
            method, scale, reference = question["load"]
            status = 0
            print(load(method, scale, weights=reference, device="cpu").digest)
        else:
            status = publish.main(question["argv"])
    print(json.dumps([status, out.getvalue(), err.getvalue(), brought]), flush=True)
"""


@dataclass
class Outcome:
    """What the program said, the modules it brought, and what the server was asked meanwhile."""

    status: int
    out: str
    err: str
    brought: list[str]
    requests: list[str]


@dataclass
class Repository:
    """A repository of the server."""

    private: bool = False
    sdk: str | None = None
    ignore: str = ""  # files whose name ends so are in the .gitignore of the repository
    commits: list[tuple[str, Files]] = field(default_factory=list)  # message, and all files after it
    sent: list[list[str]] = field(default_factory=list)  # kind and path of every operation, by commit

    @property
    def files(self) -> Files:
        return self.commits[-1][1] if self.commits else {}

    @property
    def head(self) -> str:
        return self.name(len(self.commits))

    def name(self, count: int) -> str:
        """Of the commit with that number; 0 is the one that creation makes."""
        return hashlib.sha1(f"{id(self)} {count}".encode(), usedforsecurity=False).hexdigest()


@dataclass
class Hub:
    """The server's state: repositories by "models/org/name" and "spaces/org/name"."""

    repositories: dict[str, Repository] = field(default_factory=dict)
    blobs: Files = field(default_factory=dict)  # LFS, by SHA-256
    requests: list[str] = field(default_factory=list)
    refusals: dict[str, int] = field(default_factory=dict)  # status by part of the path
    address: str = ""

    def create(self, wish: dict[str, Any]) -> tuple[int, object]:
        place = f"{wish.get('type', 'model')}s/{wish['organization']}/{wish['name']}"
        content = {"url": f"{self.address}/{place.removeprefix('models/')}"}
        if wish["organization"] == "closed":
            return 403, {"error": "no rights in this namespace"}
        if place in self.repositories:
            return 409, content
        self.repositories[place] = Repository(wish.get("visibility") == "private", wish.get("sdk"))
        return 200, content

    def preupload(self, place: str, wish: dict[str, Any]) -> tuple[int, object]:
        """Weights and pictures go to LFS, as the Hub's .gitattributes has it."""
        repository, answers = self.repositories[place], []
        for file in wish["files"]:
            path = file["path"]
            mode = "lfs" if path.endswith((".safetensors", ".png")) else "regular"
            ignored = bool(repository.ignore) and path.endswith(repository.ignore) and "gitIgnore" not in wish
            there = repository.files.get(path)
            oid = None if there is None else digest_of(there, mode)
            answers.append({"path": path, "uploadMode": mode, "shouldIgnore": ignored, "oid": oid})
        return 200, {"files": answers}

    def batch(self, wish: dict[str, Any]) -> tuple[int, object]:
        """Where to put LFS objects, nowhere for those that are there."""
        objects = [{"oid": entry["oid"], "size": entry["size"]} for entry in wish["objects"]]
        for entry in objects:
            if entry["oid"] not in self.blobs:
                entry["actions"] = {"upload": {"href": f"{self.address}/lfs/{entry['oid']}"}}
        return 200, {"transfer": "basic", "objects": objects}

    def commit(self, place: str, lines: list[dict[str, Any]]) -> tuple[int, object]:
        repository, sent = self.repositories[place], []
        files = dict(repository.files)
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            else:
                assert line["key"] == "lfsFile"
                files[value["path"]] = self.blobs[value["oid"]]
                assert len(files[value["path"]]) == value["size"]
            sent.append(f"{line['key']} {value['path']}")
        repository.commits.append((lines[0]["value"]["summary"], files))
        repository.sent.append(sent)
        url = f"{self.address}/{place.removeprefix('models/')}/commit/{repository.head}"
        return 200, {"commitOid": repository.head, "commitUrl": url}


def digest_of(data: bytes, mode: str) -> str:
    """The name of a file's content: Git's for regular files, SHA-256 for LFS."""
    if mode == "lfs":
        return hashlib.sha256(data).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """The part of the Hub's protocol that publishing and loading need."""

    hub: Hub

    def do_POST(self) -> None:
        hub = self.hub
        hub.requests.append(f"{self.command} {self.path}")
        data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status = next((status for part, status in hub.refusals.items() if part in self.path), 0)
        if status:
            self.answer(status, {"error": "refused", "errors": [{"message": "refused"}]})
        elif self.path.startswith("/lfs/"):  # the address itself is the right to write there
            oid = self.path.removeprefix("/lfs/")
            assert oid == hashlib.sha256(data).hexdigest()
            hub.blobs[oid] = data
            self.answer(200, {})
        elif self.headers["Authorization"] != f"Bearer {TOKEN}":
            self.answer(401, {"error": "Invalid username or password."})
        elif self.path == "/api/repos/create":
            self.answer(*hub.create(json.loads(data)))
        elif self.path == "/api/validate-yaml":
            self.answer(200, {"errors": [], "warnings": []})
        elif match := re.fullmatch(r"/api/(\w+/[^/]+/[^/]+)/preupload/main", self.path):
            self.answer(*hub.preupload(match[1], json.loads(data)))
        elif self.path.endswith(".git/info/lfs/objects/batch"):
            self.answer(*hub.batch(json.loads(data)))
        elif match := re.fullmatch(r"/api/(\w+/[^/]+/[^/]+)/commit/main", self.path):
            assert self.headers["Content-Type"] == "application/x-ndjson"
            self.answer(*hub.commit(match[1], [json.loads(line) for line in data.splitlines()]))
        else:
            self.answer(404, {"error": "not in this server"})

    do_PUT = do_POST

    def do_GET(self) -> None:
        self.hub.requests.append(f"{self.command} {self.path}")
        if match := re.fullmatch(r"/api/(\w+/[^/]+/[^/]+)(/revision/main)?", self.path):
            repository = self.hub.repositories.get(match[1])
            if repository is None:
                self.answer(404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})
            else:
                name = match[1].partition("/")[2]
                self.answer(200, {"id": name, "sha": repository.head, "private": repository.private})
        elif match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/([^/]+)", self.path):
            repository = self.hub.repositories[f"models/{match[1]}"]
            numbers = range(1, len(repository.commits) + 1)
            number = next(number for number in numbers if repository.name(number) == match[2])
            data = repository.commits[number - 1][1][match[3]]
            headers = {"X-Repo-Commit": match[2], "ETag": f'"{digest_of(data, "lfs")}"'}
            self.answer(200, data, headers)
        else:
            self.answer(404, {"error": "not in this server"})

    do_HEAD = do_GET

    def answer(self, status: int, content: object, headers: dict[str, str] | None = None) -> None:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[Hub]:
    hub = Hub()
    http = ThreadingHTTPServer(("127.0.0.1", 0), type("HubHandler", (Handler,), {"hub": hub}))
    hub.address = f"http://127.0.0.1:{http.server_address[1]}"
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    yield hub
    http.shutdown()
    http.server_close()
    thread.join()


@pytest.fixture
def hub(server: Hub) -> Hub:
    """The server, empty again."""
    for state in (server.repositories, server.blobs, server.requests, server.refusals):
        state.clear()
    return server


@pytest.fixture(scope="module")
def run(server: Hub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Run the program online in a child, since the Hub's library reads its environment when it is imported."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    environment |= {"HF_ENDPOINT": server.address, "HF_HOME": str(tmp_path_factory.mktemp("home"))}
    environment |= {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    environment |= {"HF_HUB_DISABLE_XET": "1", "PYTHONPATH": str(ROOT)}  # Xet is another protocol than LFS
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin and process.stdout
    with process, process.stdin as questions, process.stdout as answers:

        def ask(*argv: str | Path, token: str = TOKEN, endpoint: str = "", load: object = None) -> Outcome:
            server.requests.clear()
            question = {"argv": list(map(str, argv)), "token": token, "endpoint": endpoint, "load": load}
            print(json.dumps(question), file=questions, flush=True)
            status, out, err, brought = json.loads(answers.readline())
            return Outcome(status, out, err, brought, list(server.requests))

        try:
            yield ask
        finally:
            questions.close()  # ends the child


@pytest.fixture(scope="module")
def folder(tiny_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tiny weight sets."""
    folder = tmp_path_factory.mktemp("two")
    for name in ("fgrn_x4", "irn_x2"):
        for suffix in (".safetensors", ".json"):
            shutil.copyfile(tiny_weights / f"{name}{suffix}", folder / f"{name}{suffix}")
    return folder


def contents(folder: Path) -> Files:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def entries(folder: Path) -> list[Weights]:
    """The weights of a folder by their cards alone."""
    paths = sorted(folder.glob("*_x?.json"))
    return [Weights(p.stem, p.stem[:-3], int(p.stem[-1]), read_card(p), {}) for p in paths]


def tables(card: str) -> dict[str, dict[str, list[str]]]:
    """The cells of every table by the first cell of the header and of the row; a later table of a name is " 2"."""
    found: dict[str, dict[str, list[str]]] = {}
    for block in re.findall(r"(?:^\|.*\|\n)+", card, re.MULTILINE):
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines()]
        name = rows[0][0] if rows[0][0] not in found else f"{rows[0][0]} 2"
        found[name] = {row[0]: row[1:] for row in rows[2:]} | {"": rows[0][1:]}
    return found


def test_one_commit_holds_the_weights_and_their_description(hub: Hub, run: Run, folder: Path) -> None:
    outcome = run("--repository", "some/weights", "--weights", folder, "--message", "First")
    assert (outcome.status, outcome.err) == (0, "")
    assert list(hub.repositories) == ["models/some/weights"]
    repository = hub.repositories["models/some/weights"]
    assert [message for message, _ in repository.commits] == ["First"]
    assert not repository.private
    expected = contents(folder)
    card = repository.files["README.md"].decode()
    assert {**repository.files, "README.md": b""} == {**expected, "README.md": b""}
    assert sorted(repository.sent[0]) == sorted(
        f"{'lfsFile' if path.endswith('.safetensors') else 'file'} {path}" for path in repository.files
    )
    assert card == model_card("some/weights", read_weights(folder))
    assert outcome.out == f"model some/weights@{repository.head}\n"
    assert outcome.brought == []  # neither Gradio nor pyiqa


def test_what_was_published_loads_from_its_commit(hub: Hub, run: Run, folder: Path) -> None:
    first = run("--repository", "some/again", "--weights", folder).out.split()[1]
    shown = hub.repositories["models/some/again"].files["README.md"].decode()
    assert f'"fgrn", scale=4, weights="{first.partition("@")[0]}@COMMIT"' in shown
    for method, scale in (("fgrn", 4), ("irn", 2)):
        digest = read_card(folder / f"{method}_x{scale}.json").digest
        assert run(load=[method, scale, first]).out == f"{digest}\n"


def test_the_same_again_is_no_commit(hub: Hub, run: Run, folder: Path, tiny_weights: Path) -> None:
    first = run("--repository", "some/same", "--weights", folder)
    second = run("--repository", "some/same", "--weights", folder)
    assert (second.status, second.out) == (0, first.out)
    repository = hub.repositories["models/some/same"]
    assert len(repository.commits) == 1
    third = run("--repository", "some/same", "--weights", tiny_weights)  # more of them
    assert third.status == 0 and third.out != first.out
    assert len(repository.commits) == 2
    assert {path for path in repository.files if path != "README.md"} == set(contents(tiny_weights))
    assert "lfsFile fgrn_x4.safetensors" not in repository.sent[1]  # it is there already


def test_dry_run_lists_what_is_sent_and_asks_nobody(hub: Hub, run: Run, folder: Path) -> None:
    words = ("--repository", "some/dry", "--space", "some/page", "--weights", folder)
    dry = run(*words, "--dry-run", token="")  # not even a token is needed
    assert (dry.status, dry.err, dry.requests, hub.repositories) == (0, "", [], {})
    assert run(*words).status == 0
    blocks = dry.out.strip().split("\n\n")
    assert [block.splitlines()[0] for block in blocks] == [
        "model some/dry, one commit: Weights and model card",
        "space some/page, one commit: Page",
    ]
    for block, place in zip(blocks, ("models/some/dry", "spaces/some/page"), strict=True):
        files = hub.repositories[place].files
        listed = [re.sub(r"^ +", "", line).split("  ", 2) for line in block.splitlines()[1:]]
        assert listed[:-1] == [
            [f"{len(data):,}", hashlib.sha256(data).hexdigest(), path] for path, data in sorted(files.items())
        ]
        assert listed[-1] == [f"{sum(map(len, files.values())):,}", f"bytes in {len(files)} files"]


def test_space_has_what_the_page_needs_and_nothing_else(
    hub: Hub, run: Run, folder: Path, tmp_path: Path
) -> None:
    outcome = run("--repository", "some/weights", "--space", "some/page", "--weights", folder)
    assert outcome.status == 0, outcome.err
    space = hub.repositories["spaces/some/page"]
    assert (space.sdk, len(space.commits), hub.repositories["models/some/weights"].sdk) == ("gradio", 1, None)
    assert outcome.out.splitlines()[1] == f"space some/page@{space.head}"
    tops = {path.partition("/")[0] for path in space.files}
    assert tops == {"app.py", "README.md", "LICENSE", "requirements.txt", "assets", "fgrn", "lab"}
    assert not [path for path in space.files if "__pycache__" in path or path.endswith(".pyc")]
    published = {f"assets/weights/{name}": data for name, data in contents(folder).items()}
    assert {path: data for path, data in space.files.items() if "/weights/" in path} == published
    assert {path for path in space.files if path.startswith("assets/examples/")} >= {
        f"assets/examples/{path.name}" for path in (ROOT / "assets" / "examples").glob("*.png")
    }
    for path in space.files.keys() - published.keys():
        assert space.files[path] == (ROOT / path).read_bytes(), path
    assert space.files["README.md"].startswith(b"---\ntitle: ")  # what makes it a Space
    assert (
        b"[some/page](https://huggingface.co/spaces/some/page)"
        in (hub.repositories["models/some/weights"].files["README.md"])
    )
    for path, data in space.files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    program = (
        "import app, fgrn, fgrn.methods as m; app.build_demo(); "
        "print(fgrn.__file__, [m.unavailable(*w) for w in (('fgrn', 4), ('irn', 2))])"
    )
    environment = {
        key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "FGRN_WEIGHTS")
    }
    started = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert started.stdout == f"{tmp_path / 'fgrn' / '__init__.py'} ['', '']\n", started.stderr


def test_without_rights_nothing_is_published(hub: Hub, run: Run, folder: Path) -> None:
    words = ("--repository", "some/rights", "--weights", folder)
    outcome = run(*words, token="wrong")
    assert outcome.status == 2
    assert outcome.err == (
        "cannot publish: model some/rights: the token is not accepted (401): run `hf auth login`, "
        "or set HF_TOKEN to a valid one (confirmed commits: none)\n"
    )
    outcome = run(*words, token="")
    assert (outcome.status, outcome.requests) == (2, [])
    assert "no token: run `hf auth login`, or set HF_TOKEN to a token that may write" in outcome.err
    outcome = run("--repository", "closed/rights", "--weights", folder)
    assert outcome.status == 2
    assert "model closed/rights: the token may not write there (403): use one that may" in outcome.err
    assert not hub.repositories


@pytest.mark.parametrize("part", ["/api/spaces/some/page/preupload/", "spaces/some/page.git/info/lfs/"])
def test_refused_space_keeps_the_weights_back(hub: Hub, run: Run, folder: Path, part: str) -> None:
    """Write access is checked where files are sent, which both repositories do before either has a commit."""
    hub.refusals[part] = 403
    outcome = run("--repository", "some/weights", "--space", "some/page", "--weights", folder)
    assert outcome.status == 2
    assert "space some/page: the token may not write there (403)" in outcome.err
    assert "(confirmed commits: none)" in outcome.err
    assert [repository.commits for repository in hub.repositories.values()] == [[], []]


def test_failure_says_what_is_published_already(hub: Hub, run: Run, folder: Path) -> None:
    words = ("--repository", "some/weights", "--space", "some/page", "--weights", folder)
    hub.refusals["/api/spaces/some/page/commit/"] = 500
    outcome = run(*words)
    head = hub.repositories["models/some/weights"].head
    assert outcome.status == 2
    assert "space some/page: the Hub answered 500" in outcome.err
    assert f"(confirmed commits: some/weights@{head})" in outcome.err
    hub.refusals.clear()
    assert run(*words).out.startswith(f"model some/weights@{head}\nspace some/page@")  # run again, it goes on


def test_metadata_that_the_hub_refuses(hub: Hub, run: Run, folder: Path) -> None:
    hub.refusals["/api/validate-yaml"] = 400
    outcome = run("--repository", "some/weights", "--weights", folder)
    assert outcome.status == 2
    assert "Invalid metadata in README.md" in outcome.err and "refused" in outcome.err
    assert not hub.repositories["models/some/weights"].commits


def test_no_network(hub: Hub, run: Run, folder: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
    outcome = run("--repository", "some/weights", "--weights", folder, endpoint=nobody)
    assert outcome.status == 2
    assert f"no exchange with {nobody} (ConnectError" in outcome.err
    assert "check the network, then run it again (confirmed commits: none)" in outcome.err


def test_private_is_never_public(hub: Hub, run: Run, folder: Path) -> None:
    words = ("--space", "some/page", "--weights", folder, "--private")
    assert run("--repository", "some/secret", *words).status == 0
    assert all(repository.private for repository in hub.repositories.values())
    hub.repositories["models/some/open"] = Repository()
    outcome = run("--repository", "some/open", *words)
    assert outcome.status == 2
    assert "model some/open: it is public already: make it private in its settings" in outcome.err
    assert not hub.repositories["models/some/open"].commits


def test_gitignore_on_the_hub_drops_nothing(hub: Hub, run: Run, folder: Path) -> None:
    hub.repositories["models/some/weights"] = Repository(ignore=".safetensors")
    assert run("--repository", "some/weights", "--weights", folder).status == 0
    assert set(hub.repositories["models/some/weights"].files) == {*contents(folder), "README.md"}


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda folder: flip(folder / "irn_x2.safetensors"), "irn_x2.safetensors is damaged"),
        (lambda folder: (folder / "irn_x2.json").unlink(), "irn_x2.json is missing"),
        (lambda folder: (folder / "irn_x2.safetensors").unlink(), "irn_x2.safetensors cannot be read"),
        (lambda folder: (folder / "irn_x2.json").write_text("{}"), "irn_x2.json must have exactly the keys"),
        (lambda folder: rename(folder, "irn_x2", "irn_x4"), "irn_x4.safetensors holds IRN x2"),
        (lambda folder: rename(folder, "irn_x2", "du_bic_x2"), "du_bic_x2.safetensors holds IRN x2"),
        (shutil.rmtree, "holds no METHOD_xSCALE.safetensors"),
    ],
)
def test_unusable_weights_are_refused_before_any_request(
    hub: Hub, run: Run, folder: Path, tmp_path: Path, damage: Callable[[Path], None], reason: str
) -> None:
    copy = tmp_path / "weights"
    shutil.copytree(folder, copy)
    damage(copy)
    outcome = run("--repository", "some/weights", "--weights", copy)
    assert (outcome.status, outcome.out, outcome.requests) == (2, "", [])
    assert outcome.err.startswith("cannot publish: ") and reason in outcome.err


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-5] ^= 64
    path.write_bytes(data)


def rename(folder: Path, old: str, new: str) -> None:
    for suffix in (".safetensors", ".json"):
        (folder / f"{old}{suffix}").rename(folder / f"{new}{suffix}")


@pytest.mark.parametrize(
    "name", ["weights", "a/b/c", "a/b@v1", "a/", "/b", "a b/c", "a/b--c", "a/b..c", "a/-b", "a/b.git", "a/ü"]
)
def test_bad_names(name: str, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    good = ("--dry-run", "--weights", str(folder), "--repository", "some/weights")
    assert publish.main([*good, "--space", name]) == 2
    assert publish.main([*good, "--repository", name]) == 2
    assert said(caplog) == 2 * [
        f"cannot publish: {name!r} is no name of a repository on the Hub: give org/name, no revision"
    ]


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the script itself logged: asyncio may report a task of an earlier browser at any moment."""
    return [record.getMessage() for record in caplog.records if record.name == publish.logger.name]


def test_offline(folder: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> None:
    """As in all tests outside the child, HF_HUB_OFFLINE is set."""
    words = ["--repository", "some/weights", "--weights", str(folder)]
    assert publish.main(words) == 2
    assert said(caplog) == [
        "cannot publish: HF_HUB_OFFLINE forbids every request to the Hub: set HF_HUB_OFFLINE=0"
    ]
    assert publish.main([*words, "--dry-run"]) == 0
    assert "fgrn_x4.safetensors" in capsys.readouterr().out


def test_space_needs_a_checkout(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(report, "ROOT", tmp_path)
    words = ["--repository", "some/weights", "--space", "some/page", "--weights", str(folder), "--dry-run"]
    assert publish.main(words) == 2
    assert "git cannot list what the Space needs (" in said(caplog)[0]


def test_weights_are_read_from_the_default_folder(use_tiny_weights: Path) -> None:
    loaded = read_weights(use_tiny_weights)
    assert {name for entry in loaded for name in entry.files} == set(contents(use_tiny_weights))
    with pytest.raises(PublishError, match="holds no METHOD_xSCALE"):
        read_weights(use_tiny_weights / "nowhere")


def test_weights_are_checked_as_they_are_sent(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that writes new weights between the check and the reading does not get unchecked ones published."""
    copy = tmp_path / "weights"
    shutil.copytree(folder, copy)

    def check_and_change(method: str, scale: int, weights: Path) -> None:
        assert weights.read_bytes() == (folder / weights.name).read_bytes()
        (copy / weights.name).write_bytes(b"changed")

    monkeypatch.setattr(publish, "load_net", check_and_change)
    first = read_weights(copy)[0]
    assert hashlib.sha256(first.files[f"{first.name}.safetensors"]).hexdigest() == first.card.sha256
    monkeypatch.undo()
    with pytest.raises(CheckpointError, match="damaged"):
        read_weights(copy)


def test_card_has_the_metadata_and_the_citation(folder: Path) -> None:
    card = ModelCard(model_card("some/weights", entries(folder)))
    keys = ("license", "license_name", "library_name", "pipeline_tag")
    values = ["other", "trained-on-research-images", "fgrn", "image-to-image"]
    assert [card.data.get(key) for key in keys] == values
    assert "image-rescaling" in card.data.get("tags")
    assert "trained on images that are free for research use. The code is under the Apache 2.0" in card.text
    bibtex = (ROOT / "README.md").read_text(encoding="utf-8").partition("```bibtex\n")[2].partition("```")[0]
    assert bibtex and bibtex in card.text
    assert "{" not in re.sub(r"```bibtex.*?```", "", card.text, flags=re.DOTALL)  # every field was filled


@pytest.mark.parametrize("scale", SCALES)
def test_figures_are_those_of_the_results(scale: int) -> None:
    """The shipped weights, as far as the results are theirs."""
    results = json.loads((ROOT / "assets" / "results" / f"benchmark_x{scale}.json").read_text())
    shipped = entries(WEIGHTS)
    card = model_card("some/weights", shipped)
    table = tables(card)[f"x{scale}"]
    columns = dict(zip(table[""], range(9), strict=False))
    ours = {entry.card.sha256: entry for entry in shipped}
    labels = {"irn": "IRN", "fgrn": "FGRN", "du_none": "DU_none", "du_bic": "DU_bic"}
    for method, label in labels.items():
        entry = ours.get(results["weights"].get(method, {}).get("sha256"))
        assert (f"**{label}**" in table) == (entry is not None)
        if entry:
            cells = table[f"**{label}**"]
            provenance = entry.card.provenance
            assert cells[columns["parameters"]] == f"{entry.card.parameters / 1e6:.2f} M"
            assert cells[columns["patches seen"]] == f"{provenance.samples:,}"
            for dataset, measured in results["datasets"].items():
                if method not in measured:
                    assert cells[columns[dataset]] == "-"
                    continue
                mean = measured[method]["mean"]
                assert cells[columns[dataset]] == f"{mean['psnr_y']:.2f} / {mean['ssim_y']:.4f}"
    for entry in shipped:
        row = next(row for name, row in tables(card)["file"].items() if f"`{entry.name}.safetensors`" in name)
        assert f"`{entry.card.digest}`" in row


def test_figures_of_other_weights_are_left_out(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Results of the same method and scale but other weights say nothing about these."""
    source = ROOT / "assets" / "results"
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    shutil.copyfile(source / "paper.json", tmp_path / "paper.json")
    weights = entries(folder)
    assert "x4" not in tables(model_card("some/weights", weights))  # no results at all
    for scale in SCALES:
        shutil.copyfile(source / f"benchmark_x{scale}.json", tmp_path / f"benchmark_x{scale}.json")
    card = model_card("some/weights", weights)
    assert not {"x2", "x4"} & set(tables(card))
    assert "Not measured: fgrn_x4, irn_x2." in card
    results = json.loads((source / "benchmark_x4.json").read_text())
    results["weights"]["fgrn"]["sha256"] = weights[0].card.sha256
    (tmp_path / "benchmark_x4.json").write_text(json.dumps(results))
    card = model_card("some/weights", weights)
    assert "Not measured: irn_x2." in card
    table = tables(card)["x4"]
    assert "**FGRN**" in table and "**Bicubic**" in table and "**IRN**" not in table
    assert "**FGRN refined**" not in table
    results["weights"]["fgrn_refined"]["sha256"] = weights[0].card.sha256  # the same weights, other figures
    (tmp_path / "benchmark_x4.json").write_text(json.dumps(results))
    assert "**FGRN refined**" in tables(model_card("some/weights", weights))["x4"]
    assert not [name for name in tables(card)["x4 2"] if name.startswith("IRN")]
