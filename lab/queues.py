"""Which handlers wait for which."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, TypeVar

import gradio as gr
from anyio import CapacityLimiter, to_thread

# One picture waits for another, metrics for each other: a slow metric never delays a picture. What takes many networks
# or measures as well has a lane of its own, and gives way between two networks (`Models.alone`).
NETWORK: dict[str, Any] = {"concurrency_id": "model", "concurrency_limit": 1}
SERIES: dict[str, Any] = {"concurrency_id": "series", "concurrency_limit": 4}
METRIC: dict[str, Any] = {"concurrency_id": "metrics", "concurrency_limit": 1}
QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
# Whether what is shown is of what is chosen: only the last look counts.
CHECK: dict[str, Any] = {"concurrency_limit": 4, "trigger_mode": "always_last", **QUIET}


Step = TypeVar("Step")


async def in_own_threads(steps: Iterator[Step], limiter: CapacityLimiter) -> AsyncIterator[Step]:
    """The steps of an iterator that mostly waits, outside of Gradio's forty threads, which also serve files."""
    over: Any = object()
    try:
        while (step := await to_thread.run_sync(next, steps, over, limiter=limiter)) is not over:
            yield step
    finally:
        getattr(steps, "close", lambda: None)()


def shown_waiting(status: gr.HTML, lane: dict[str, Any] = NETWORK) -> dict[str, Any]:
    """Options of an event: as long as it waits, its place in the queue of `lane` stands at the end of `status`."""
    return {**lane, **QUIET, "show_progress": "minimal", "show_progress_on": status}
