"""How much a request may bring: neither a body that is parsed, nor uploads that nobody restores, fill the machine."""

from __future__ import annotations

from collections.abc import Callable

from anyio import CapacityLimiter, to_thread

from lab.assets import App, Message, Receive, Send

MAX_BODY = 2_000_000  # bytes of JSON: the strokes of a brush are the most that there is to say
MAX_FILES = 1_000_000_000  # bytes of the files of one upload


class Limits:
    """The ASGI application `app` without requests that are too large, and without those that do not say their size.

    `coming` is called with the bytes of an upload before it is let in, in a thread, for one upload at a time.
    """

    def __init__(self, app: App, coming: Callable[[int], object]) -> None:
        self._app = app
        self._coming, self._one = coming, CapacityLimiter(1)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in ("GET", "HEAD", "OPTIONS"):
            path = scope["path"].removeprefix(scope.get("root_path", ""))
            is_upload = path.rstrip("/") == "/gradio_api/upload"
            size, most = _size(dict(scope["headers"])), MAX_FILES if is_upload else MAX_BODY
            if size is None:
                await _refuse(send, 411, "The request does not say how long it is (Content-Length).")
                return
            if size > most:
                await _refuse(send, 413, f"The request has {size:,} bytes; at most {most:,} are read.")
                return
            if is_upload:
                await to_thread.run_sync(self._coming, size, limiter=self._one)
        await self._app(scope, receive, send)


def _size(headers: dict[bytes, bytes]) -> int | None:
    """Bytes of the body; None if that is not said. The server holds the sender to it."""
    if b"transfer-encoding" in headers:
        return None
    text = headers.get(b"content-length", b"0")
    return int(text) if text.isdigit() else None


async def _refuse(send: Send, status: int, why: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": why.encode()})
