"""A client of the page's API that counts on nothing but HTTP, for many requests at once."""

from __future__ import annotations

import json
from typing import Any

import httpx

TIMEOUT = 600.0  # seconds


class QueueFull(Exception):
    """The server has refused a request since too many wait."""


class Client:
    """One visitor. Not for several threads."""

    def __init__(self, address: str) -> None:
        self._base = f"{address}gradio_api/"
        self._http = httpx.Client(timeout=TIMEOUT)

    def upload(self, data: bytes, name: str) -> dict[str, Any]:
        """Send a file; how requests name it."""
        answer = self._http.post(f"{self._base}upload", files={"files": (name, data)})
        answer.raise_for_status()
        return {"path": answer.json()[0], "meta": {"_type": "gradio.FileData"}}

    def join(self, endpoint: str, *values: Any) -> str:
        """Ask for something; the address of the answer.

        Raises:
            QueueFull: if too many requests wait.
        """
        answer = self._http.post(f"{self._base}call/{endpoint}", json={"data": values})
        if answer.status_code == 503 and "Queue is full" in answer.text:
            raise QueueFull
        answer.raise_for_status()
        return f"{self._base}call/{endpoint}/{answer.json()['event_id']}"

    def result(self, address: str) -> list[Any]:
        """Wait for an answer.

        Raises:
            RuntimeError: if it is an error, with its text.
        """
        event = ""
        with self._http.stream("GET", address) as stream:
            for line in stream.iter_lines():
                key, _, value = line.partition(": ")
                if key == "event":
                    event = value
                elif key == "data" and event == "complete":
                    values: list[Any] = json.loads(value)
                    return values
                elif key == "data" and event == "error":
                    raise RuntimeError(value)
        raise RuntimeError("the answer ended before it was complete")

    def call(self, endpoint: str, *values: Any) -> list[Any]:
        """Ask and wait."""
        return self.result(self.join(endpoint, *values))

    def download(self, file: dict[str, Any]) -> bytes:
        """The content of a file of an answer."""
        answer = self._http.get(f"{self._base}file={file['path']}")
        answer.raise_for_status()
        return answer.content

    def close(self) -> None:
        self._http.close()
