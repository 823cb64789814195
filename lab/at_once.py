"""Handlers that are answered at once, outside of Gradio's queue: how many at a time, and how their errors are shown."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import gradio as gr
from anyio import CapacityLimiter, to_thread

from lab.errors import Refusal, shown_errors

AT_MOST = 4  # at a time: each may hold whole pictures


class AtOnce:
    """Runs handlers, a few at a time; what waits holds no thread of Gradio's, which serves files with them too.

    An error outside of the queue has no message box, and is an error 500 for the browser. So it becomes the value of
    a hidden Textbox, the first output, and `complain` shows it in the queue when that changes.
    """

    def __init__(self) -> None:
        self._limiter = CapacityLimiter(AT_MOST)

    async def answer(
        self, handler: Callable[..., Any], values: Sequence[Any], outputs: int
    ) -> tuple[Any, ...]:
        """The refusal, and what the handler makes of `values` for so many outputs: either is to be skipped."""
        try:
            with shown_errors():
                answer = await to_thread.run_sync(handler, *values, limiter=self._limiter)
            return gr.skip(), *((answer,) if outputs == 1 else answer)
        except Refusal as refusal:
            # The number makes it another value: the same refusal is to be shown again.
            return f"{time.monotonic_ns()} {refusal.text}", *[gr.skip()] * outputs

    def handler(
        self, handler: Callable[..., Any], outputs: int
    ) -> Callable[..., Coroutine[Any, Any, tuple[Any, ...]]]:
        """`answer` of a handler as Gradio takes it: with its signature, by which Gradio knows who wants EventData."""

        @functools.wraps(handler)
        async def at_once(*values: Any) -> tuple[Any, ...]:
            return await self.answer(handler, values, outputs)

        return at_once


def complain(refusal: str) -> None:
    """Show why a handler has refused."""
    _, _, text = refusal.partition(" ")
    raise Refusal(text)
