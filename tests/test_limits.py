"""How much a request may bring: the wrapper alone, and in a running server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from lab.assets import Message
from lab.limits import MAX_BODY, MAX_FILES, Limits
from tests import server as servers
from tests.server import Server

UPLOAD = "/gradio_api/upload"


def status(path: str, headers: dict[str, str], method: str = "POST") -> tuple[int, list[int]]:
    """What is answered, 200 if the application is asked; and the uploads for which room was made."""
    sent: list[Message] = []
    made: list[int] = []

    async def origin(scope: Message, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: Message) -> None:
        sent.append(message)

    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": path, "headers": pairs}
    with ThreadPoolExecutor(1) as thread:  # the browser tests leave an event loop running in this one
        asked = Limits(origin, made.append)(scope, None, send)  # type: ignore[arg-type]
        thread.submit(asyncio.run, asked).result()
    return sent[0]["status"], made


@pytest.mark.parametrize(("path", "most"), [("/gradio_api/queue/join", MAX_BODY), (UPLOAD, MAX_FILES)])
def test_what_is_too_large_or_hides_its_size_is_refused(path: str, most: int) -> None:
    made = [most] if path == UPLOAD else []
    assert status(path, {"content-length": str(most)}) == (200, made)
    assert status(path, {"content-length": str(most + 1)}) == (413, [])
    for hidden in ({"transfer-encoding": "chunked"}, {"content-length": "-1"}, {"content-length": "x"}):
        assert status(path, hidden) == (411, [])
    assert status(path, {})[0] == status(path, {"transfer-encoding": "chunked"}, "GET")[0] == 200


def test_only_the_upload_itself_may_be_large() -> None:
    size = {"content-length": str(MAX_BODY + 1)}
    assert status(f"{UPLOAD}/", size) == (200, [MAX_BODY + 1])
    for path in ("/gradio_api/call/upload", "/gradio_api/run/upload", "/upload"):
        assert status(path, size) == (413, [])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with servers.running(tmp_path_factory.mktemp("limits")) as server:
        yield server


def test_nothing_that_computes_is_reached_past_the_queue(server: Server) -> None:
    """Gradio's direct calls know neither the length of the queue nor who waits for whom."""
    api = f"{server.address}gradio_api/"
    endpoints = httpx.get(f"{api}info").json()["named_endpoints"]
    answers = {name: httpx.post(f"{api}run{name}", json={"data": []}).status_code for name in endpoints}
    assert answers.pop("/methods") == 200, "which computes nothing"
    assert len(answers) >= 8 and set(answers.values()) == {404}


def test_a_running_server_refuses_large_bodies(server: Server) -> None:
    address = f"{server.address}gradio_api/call/methods"
    assert httpx.post(address, json={"data": []}).status_code == 200
    refused = httpx.post(address, content=b"[" + b" " * MAX_BODY)
    assert refused.status_code == 413 and f"at most {MAX_BODY:,}" in refused.text
    assert httpx.post(address, json={"data": []}).status_code == 200
