"""Kept scripts and styles: the same answer as without, from memory, and nothing else kept."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lab import assets
from lab.assets import KeptAssets, Message

ASSET = "/assets/index-abc.js"


class Origin:
    """An application that counts how often it is asked, and answers in two pieces."""

    def __init__(self, status: int = 200) -> None:
        self.status, self.asked = status, 0

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        self.asked += 1
        body = f"{scope.get('path')} {dict(scope.get('headers', [])).get(b'accept-encoding', b'')!r}".encode()
        await send({"type": "http.response.start", "status": self.status, "headers": [(b"vary", b"x")]})
        await send({"type": "http.response.body", "body": body[:5], "more_body": True})
        await send({"type": "http.response.body", "body": body[5:]})


def ask(app: Any, path: str = ASSET, method: str = "GET", root: str = "", **headers: str) -> list[Message]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(dict(message))

    scope = {
        "type": "http",
        "method": method,
        "path": root + path,
        "root_path": root,
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }
    # A thread of its own: the browser tests leave an event loop running in this one.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, app(scope, None, send)).result()
    return sent


def test_the_second_answer_is_the_first_one() -> None:
    origin = Origin()
    kept, plain = KeptAssets(origin), ask(Origin())
    assert [ask(kept), ask(kept), ask(kept)] == [plain] * 3
    assert origin.asked == 1


def test_encodings_and_paths_have_answers_of_their_own() -> None:
    origin = Origin()
    kept = KeptAssets(origin)
    requests: list[dict[str, str]] = [
        {},
        {"accept_encoding": "gzip"},
        {"accept_encoding": "gzip, deflate, br"},
        {"path": "/assets/a.css"},
    ]
    for _ in range(2):
        answers = [ask(kept, **request) for request in requests]
        assert answers == [ask(Origin(), **request) for request in requests]
    assert origin.asked == len(requests)
    ask(kept, root="/behind/a/proxy")
    ask(kept, accept_encoding="gzip;q=0.3, whatever")  # as gzip alone
    assert origin.asked == len(requests)


@pytest.mark.parametrize(
    "request_",
    [
        {"path": "/gradio_api/file=/srv/assets/cat.png"},
        {"path": "/"},
        {"method": "POST"},
        {"method": "HEAD"},
        {"range": "bytes=0-3"},
        {"if_none_match": '"1"'},
    ],
)
def test_what_may_differ_next_time_is_asked_again(request_: dict[str, str]) -> None:
    origin = Origin()
    kept = KeptAssets(origin)
    ask(kept)
    for _ in range(2):
        ask(kept, **request_)
    assert origin.asked == 3


def test_errors_are_not_kept() -> None:
    origin = Origin(status=404)
    kept = KeptAssets(origin)
    ask(kept), ask(kept)
    assert origin.asked == 2


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assets, "MOST_BYTES", 60)
    origin = Origin()
    kept = KeptAssets(origin)
    for _ in range(2):
        for number in range(9):
            ask(kept, path=f"{ASSET}{number}")
    assert origin.asked == 9 + 9 - 60 // len(f"{ASSET}0 b''")


def test_an_answer_counts_once_however_many_wait_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten requests for one file come before its first answer is there; the next file still has room."""
    arrived = []

    async def origin(scope: Message, receive: Any, send: Any) -> None:
        arrived.append(scope["path"])
        while len(arrived) < 10:
            await asyncio.sleep(0)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"12345"})

    async def ignore(message: Message) -> None:
        pass

    async def burst(kept: KeptAssets) -> None:
        def scope(name: str) -> Message:
            return {"type": "http", "method": "GET", "path": f"/assets/{name}.js", "headers": []}

        await asyncio.gather(*(kept(scope("a"), ignore, ignore) for _ in range(10)))  # type: ignore[arg-type]
        for _ in range(2):
            await kept(scope("b"), ignore, ignore)  # type: ignore[arg-type]

    monkeypatch.setattr(assets, "MOST_BYTES", 10)
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, burst(KeptAssets(origin))).result()
    assert arrived == ["/assets/a.js"] * 10 + ["/assets/b.js"]
