"""Gradio's scripts and styles, kept in memory as they are sent: a page asks for ninety of them at once.

Each would otherwise pass through routing, the file system and compression again, some milliseconds of the thread that
answers everybody.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

MOST_BYTES = 16_000_000
COMPRESSIONS = (b"br", b"gzip")  # Gradio looks for these names, and for nothing else
Key = tuple[str, bool, bool]
CONDITIONS = {b"range", b"if-range", b"if-none-match", b"if-modified-since"}


class KeptAssets:
    """The ASGI application `app`, whose whole answers to GET /assets/... are remembered, for each compression it knows.

    Their names contain a hash of what they hold, so an answer never changes. Beyond `MOST_BYTES` no more are kept.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self._kept: dict[Key, list[Message]] = {}
        self._bytes = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        key = _key(scope)
        if key is None:
            await self._app(scope, receive, send)
        elif key in self._kept:
            for message in self._kept[key]:
                await send(message)
        else:
            messages: list[Message] = []

            async def send_and_remember(message: Message) -> None:
                messages.append(message)
                await send(message)

            await self._app(scope, receive, send_and_remember)
            self._keep(key, messages)

    def _keep(self, key: Key, messages: list[Message]) -> None:
        size = sum(len(message.get("body", b"")) for message in messages)
        complete = bool(messages) and not messages[-1].get("more_body", False)
        if key in self._kept:  # by a request at the same time
            return
        if complete and messages[0].get("status") == 200 and self._bytes + size <= MOST_BYTES:
            self._kept[key] = messages
            self._bytes += size


def _key(scope: Message) -> Key | None:
    """By what an answer is remembered; None for a request whose answer is not."""
    if scope["type"] != "http" or scope["method"] != "GET":
        return None
    path, headers = scope["path"].removeprefix(scope.get("root_path", "")), dict(scope["headers"])
    if not path.startswith("/assets/") or CONDITIONS & headers.keys():
        return None
    accepted = headers.get(b"accept-encoding", b"")
    return path, *(name in accepted for name in COMPRESSIONS)
