"""Examples that several visitors watch: Stop ends what nobody watches any more, and the next one begins anew."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest
import torch

from fgrn.images import encode_png
from lab.asked import RequestError
from lab.compare import startup
from lab.compare.snapshot import Run, State
from lab.compare.startup import Showcase, Showcases
from lab.files import Store
from lab.models import Models
from tests.conftest import Photo, until

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


def workers() -> int:
    return sum(thread.name == "showcase" for thread in threading.enumerate())


def break_off(showcase: Showcase) -> Run:
    """Watch until the first snapshot, and stop as the only one who watches. The run ends with its next layer."""
    stopped = threading.Event()
    runs = showcase.watch(stopped.is_set)
    first = next(runs)
    stopped.set()
    assert list(runs) == []
    return first


def test_stop_breaks_off_what_nobody_watches_and_the_next_one_gets_it_whole(
    showcase: Showcase, slow: Callable[[], None]
) -> None:
    first = break_off(showcase)
    slow()
    until(lambda: not workers())
    assert showcase.sound
    whole = list(showcase.watch())
    assert whole[-1].status == "Finished" and len(whole[-1].done) == 3
    assert whole[-1].token != first.token


def test_what_a_visitor_broke_off_is_computed_in_the_background_all_the_same(
    showcase: Showcase, slow: Callable[[], None]
) -> None:
    break_off(showcase)
    slow()
    until(lambda: not workers())
    assert showcase.finish() and len(list(showcase.watch())[-1].done) == 3


def test_an_example_is_begun_for_the_visitor_who_watches_first(showcase: Showcase) -> None:
    visitor: ContextVar[str] = ContextVar("visitor")
    seen: list[str | None] = []
    runs = showcase._runs

    def recorded() -> Iterator[Run]:
        seen.append(visitor.get(None))
        return runs()

    showcase._runs = recorded  # type: ignore[method-assign]
    visitor.set("somebody")
    assert list(showcase.watch())[-1].status == "Finished"
    assert seen == ["somebody"]


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
    break_off(showcase)
    seen: list[str] = []
    late = threading.Thread(target=lambda: seen.extend(run.status for run in showcase.watch()))
    late.start()
    slow()
    late.join(20)
    assert seen[-1] == "Finished"


def test_who_comes_just_after_it_was_broken_off_makes_it_begin_again(
    showcase: Showcase, slow: Callable[[], None]
) -> None:
    """When the worker has given up, and has not said so yet."""
    runs, gave_up, go = showcase._runs, threading.Event(), threading.Event()
    begun: list[int] = []

    def held() -> Iterator[Run]:
        begun.append(1)
        yield from runs()
        if len(begun) == 1:
            gave_up.set()
            wait(go)

    showcase._runs = held  # type: ignore[method-assign]
    break_off(showcase)
    slow()
    assert gave_up.wait(60)
    late = showcase.watch()
    seen: list[str] = []
    reader = threading.Thread(target=lambda: seen.extend(run.status for run in late), daemon=True)
    reader.start()
    until(lambda: showcase._watchers)
    go.set()
    reader.join(60)
    assert len(begun) == 2 and seen[-1] == "Finished"


def test_who_has_seen_enough_does_not_break_it_off(showcase: Showcase, slow: Callable[[], None]) -> None:
    runs = showcase.watch()
    first = next(runs)
    runs.close()  # type: ignore[attr-defined]  # as at the end of `watch_pictures`: nobody has pressed Stop
    slow()
    until(lambda: not workers())
    run = showcase.recall()
    assert run is not None and run.token == first.token and run.status == "Finished"


def test_an_example_that_fails_in_the_middle_is_not_shown_again(
    showcase: Showcase, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> Any:
        raise OSError("the disk is full")

    monkeypatch.setattr(startup, "measure", fail)
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    runs = showcase.watch()
    with pytest.raises(RequestError, match="could not be computed"):
        list(runs)
    assert list(showcase.watch_pictures())[-1].computed, "the pictures are there"
    until(lambda: not workers())
    assert not showcase.sound


def test_what_nobody_watches_gives_way_to_a_visitor(showcase: Showcase, slow: Callable[[], None]) -> None:
    done: list[bool] = []
    background = threading.Thread(target=lambda: done.append(showcase.finish()))
    background.start()
    models = showcase._models

    def in_a_network() -> bool:
        run = showcase.recall()
        return run is not None and any(o.state is State.RUNNING for o in run.outcomes) and not models.idle(0)

    until(in_a_network)
    visitor = threading.Thread(target=lambda: visit(models))
    visitor.start()
    until(lambda: models.wanted)
    slow()
    visitor.join(20)
    background.join(20)
    assert done == [False], "broken off"
    assert showcase.finish(), "begun again"
    assert not models.wanted and len(list(showcase.watch())[-1].done) == 3


def visit(models: Models) -> None:
    with models.alone():
        pass


def test_a_visitor_who_watches_keeps_it_going(showcase: Showcase, slow: Callable[[], None]) -> None:
    runs = showcase.watch()
    first = next(runs)
    visitor = threading.Thread(target=lambda: visit(showcase._models))
    visitor.start()
    slow()
    assert list(runs)[-1].token == first.token
    visitor.join(20)


def test_examples_are_computed_in_the_background_and_kept(
    tmp_path: Path, photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(startup, "IDLE_SECONDS", 0.1)
    examples = {}
    for number, name in enumerate("ab"):
        examples[name] = tmp_path / f"{name}.png"
        examples[name].write_bytes(encode_png(photo(48, 64, number)))
    store = Store(tmp_path / "files")
    cases = Showcases(Models(), store, examples, ("bicubic", "fgrn"), tmp_path / "cache")
    cases.fill([("a", 4), ("b", 4), ("a", 2)])
    until(lambda: all(cases.of(*key).recall() for key in (("a", 4), ("b", 4), ("a", 2))))
    again = Showcases(Models(), store, examples, ("bicubic", "fgrn"), tmp_path / "cache")
    until(lambda: (run := again.of("a", 2).recall()) is not None and run.status == "Finished")
