"""Handlers outside of Gradio's queue: how many at a time, what becomes of their errors, and their sliders."""

from __future__ import annotations

import inspect
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import gradio as gr
import pytest
from anyio import to_thread
from gradio import helpers

import app
from lab.asked import RequestError
from lab.at_once import AT_MOST, AtOnce, complain
from lab.components import LenientSlider
from lab.errors import shown_errors

pytestmark = pytest.mark.usefixtures("use_tiny_weights")


def in_a_loop(work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Run in another thread: in this one the browser's loop may be running."""
    with ThreadPoolExecutor() as other:
        return other.submit(lambda: anyio.run(work)).result()


def test_only_a_few_run_at_a_time_and_none_holds_a_thread_of_gradio() -> None:
    at_once, lock = AtOnce(), threading.Lock()
    now, most, seen = 0, 0, 0

    def slow(number: int) -> int:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.02)
        with lock:
            now -= 1
        return number

    handlers = [at_once.handler(slow, 1), at_once.handler(lambda number: slow(number), 1)]
    answers: list[Any] = []

    async def many() -> None:
        async def ask(number: int) -> None:
            answers.append(await handlers[number % 2](number))

        async def watch() -> None:
            nonlocal seen
            while len(answers) < 40:
                seen = max(seen, to_thread.current_default_thread_limiter().borrowed_tokens)
                await anyio.sleep(0.005)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch)
            for number in range(40):
                tasks.start_soon(ask, number)

    in_a_loop(many)
    assert most == AT_MOST and seen == 0
    assert sorted(answer[1] for answer in answers) == list(range(40))
    assert all(answer[0] == gr.skip() for answer in answers)


def test_an_error_becomes_a_refusal_that_the_queue_shows(capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(error: Exception) -> tuple[int, int]:
        with shown_errors():
            raise error

    handler = AtOnce().handler(refuse, 2)

    def refusal(error: Exception) -> str:
        text, *rest = in_a_loop(lambda: handler(error))
        assert rest == [gr.skip()] * 2, "all stays as it is"
        assert isinstance(text, str)
        return text

    first, again = (refusal(RequestError("No <picture> yet")) for _ in range(2))
    assert first != again, "the page would not show it again"
    assert capsys.readouterr().err == ""
    with pytest.raises(gr.Error, match="No &lt;picture> yet") as caught:
        complain(first)
    assert caught.value.title == "That did not work"
    with pytest.raises(gr.Error, match="failed .not &lt;b>."):
        complain(refusal(OSError(5, "not <b>")))
    with pytest.raises(gr.Error, match="failed .KeyError."):
        complain(refusal(KeyError("a secret")))
    assert "KeyError" in capsys.readouterr().err, "those who run the page see where"


class Painter:
    """With a handler as the brush has one."""

    def paint(self, kept: list[int], event: gr.EventData, levels: float) -> tuple[object, float]:
        return event._data, levels + len(kept)


def test_gradio_gives_event_data_to_the_handler_within() -> None:
    handler = AtOnce().handler(Painter().paint, 2)
    assert inspect.iscoroutinefunction(handler)
    values, _, where, _ = helpers.special_args(handler, [[7], 2.0], None, gr.EventData(None, "strokes"))
    assert where == 1
    assert in_a_loop(lambda: handler(*values)) == (gr.skip(), "strokes", 3.0)


def test_what_computes_outside_of_the_queue_has_its_threads() -> None:
    names = {
        "draw",
        "show_view",
        "show_channel",
        "show_cell",
        "paint",
        "begin_at_once",
    }
    found = [fn for fn in app.build_demo().fns.values() if fn.name in names and not fn.queue]
    assert {fn.name for fn in found} == names
    for fn in found:
        assert inspect.iscoroutinefunction(fn.fn), fn.name
        assert isinstance(fn.outputs[0], gr.Textbox), "where the refusal goes"


def test_a_slider_takes_what_is_typed_for_the_nearest_it_has() -> None:
    slider = LenientSlider(1, 32, 8, step=1)
    assert [slider.preprocess(value) for value in (1, 5, 32, 99, -4, None)] == [1, 5, 32, 32, 1, 1]
    assert slider.get_block_name() == gr.Slider(1, 32).get_block_name() == "slider"
    sliders = [block for block in app.build_demo().blocks.values() if isinstance(block, gr.Slider)]
    latent = [block for block in sliders if (block.elem_id or "").startswith("latent-")]
    assert len(latent) == 5 and all(isinstance(block, LenientSlider) for block in latent)
