"""Who waits where: waiting visitors leave Gradio's threads to those who work."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

import anyio
from anyio import CapacityLimiter, to_thread

from lab.queues import in_own_threads

Result = TypeVar("Result")
VISITORS = 50  # more than Gradio has threads


def test_waiting_visitors_hold_no_thread_of_the_common_ones() -> None:
    go_on = threading.Event()
    closed: list[bool] = []

    def watch() -> Iterator[int]:
        try:
            yield 1
            assert go_on.wait(20)
            yield 2
        finally:
            closed.append(True)

    async def visit(limiter: CapacityLimiter, seen: list[int]) -> None:
        async for step in in_own_threads(watch(), limiter):
            seen.append(step)

    async def all_at_once() -> tuple[list[int], float, float]:
        limiter = CapacityLimiter(VISITORS)
        seen: list[int] = []
        async with anyio.create_task_group() as group:
            for _ in range(VISITORS):
                group.start_soon(visit, limiter, seen)
            with anyio.fail_after(10):
                while len(seen) < VISITORS or limiter.borrowed_tokens < VISITORS:
                    await anyio.sleep(0.01)
            taken = to_thread.current_default_thread_limiter().borrowed_tokens
            answer = await to_thread.run_sync(lambda: 42)
            go_on.set()
        return seen, taken, answer

    seen, taken, answer = _run(all_at_once)
    assert (taken, answer) == (0, 42)
    assert sorted(seen) == [1] * VISITORS + [2] * VISITORS and len(closed) == VISITORS


def test_who_leaves_ends_the_steps() -> None:
    closed = []

    def watch() -> Iterator[int]:
        try:
            yield from range(10)
        finally:
            closed.append(True)

    async def leave() -> None:
        steps = in_own_threads(watch(), CapacityLimiter(1))
        assert await anext(steps) == 0
        await steps.aclose()  # type: ignore[attr-defined]  # as Gradio does

    _run(leave)
    assert closed


def _run(function: Callable[[], Awaitable[Result]]) -> Result:
    """In a thread of its own: in this one the browser's loop may be running."""
    result: list[Result] = []
    thread = threading.Thread(target=lambda: result.append(anyio.run(function)))
    thread.start()
    thread.join()
    return result[0]
