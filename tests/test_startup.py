"""Examples that several visitors watch: Stop ends what nobody watches any more, and the next one begins anew."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from fgrn.images import encode_png
from lab import startup
from lab.files import Store
from lab.models import Models
from lab.startup import Showcase
from tests.conftest import Photo

pytestmark = pytest.mark.usefixtures("use_tiny_weights")


@pytest.fixture
def showcase(tmp_path: Path, photo: Photo) -> Showcase:
    path = tmp_path / "example.png"
    path.write_bytes(encode_png(photo(48, 64)))
    return Showcase(Models(), Store(tmp_path / "files"), path, 4, ("bicubic", "irn", "fgrn"))


@pytest.fixture
def slow() -> Iterator[Callable[[], None]]:
    """Every layer waits until the fixture is called."""
    go = threading.Event()
    handle = torch.nn.modules.module.register_module_forward_pre_hook(lambda *_: wait(go))
    yield go.set
    go.set()
    handle.remove()


def wait(go: threading.Event) -> None:
    go.wait(20)


def until(done: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 20
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def workers() -> int:
    return sum(thread.name == "showcase" for thread in threading.enumerate())


def test_stop_breaks_off_what_nobody_watches_and_the_next_one_gets_it_whole(
    showcase: Showcase, slow: Callable[[], None]
) -> None:
    stopped = threading.Event()
    runs = showcase.watch(stopped.is_set)
    first = next(runs)
    stopped.set()
    assert list(runs) == []
    slow()
    until(lambda: not workers())
    assert showcase.sound and not showcase.failed
    whole = list(showcase.watch())
    assert whole[-1].status == "Finished" and len(whole[-1].done) == 3
    assert whole[-1].token != first.token


def test_stop_of_one_visitor_leaves_the_run_to_the_others(
    showcase: Showcase, slow: Callable[[], None]
) -> None:
    stopped = threading.Event()
    leaving, staying = showcase.watch(stopped.is_set), showcase.watch()
    first = next(leaving)
    assert next(staying).token == first.token
    stopped.set()
    assert list(leaving) == []
    slow()
    assert list(staying)[-1].token == first.token


def test_who_comes_while_it_is_broken_off_gets_it_all_the_same(
    showcase: Showcase, slow: Callable[[], None]
) -> None:
    stopped = threading.Event()
    runs = showcase.watch(stopped.is_set)
    next(runs)
    stopped.set()
    assert list(runs) == []
    seen: list[str] = []
    late = threading.Thread(target=lambda: seen.extend(run.status for run in showcase.watch()))
    late.start()
    slow()
    late.join(20)
    assert seen[-1] == "Finished"


def test_an_example_that_fails_in_the_middle_is_not_shown_again(
    showcase: Showcase, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> Any:
        raise OSError("the disk is full")

    monkeypatch.setattr(startup, "measure", fail)
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    assert list(showcase.watch())[-1].active
    until(lambda: not workers())
    assert not showcase.sound
