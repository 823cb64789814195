"""Comparisons that are begun when a picture is chosen show what they would show without that."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from fgrn.images import encode_png
from lab.compare import ahead
from lab.compare import runs as compare
from lab.compare.ahead import Ahead
from lab.compare.handlers import Handlers
from lab.compare.shown import Shown
from lab.compare.snapshot import Run
from lab.examples import EXAMPLES
from lab.files import Store
from lab.models import Models
from lab.ticket import Ticket
from tests.conftest import Photo

pytestmark = pytest.mark.usefixtures("use_tiny_weights")


@pytest.fixture
def picture(tmp_path: Path, photo: Photo) -> str:
    path = tmp_path / "mine.png"
    path.write_bytes(encode_png(photo(50, 67)))
    return str(path)


def first_shown(page: Handlers, path: str, scale: int, methods: list[str]) -> Run:
    shown = Shown()
    page.begin(path, scale, methods, Ticket(), shown)
    assert shown.run
    return shown.run


def _untimed(run: Run) -> Run:
    """The run without the seconds that it took."""
    outcomes = (
        replace(o, scores={key: score for key, score in o.scores.items() if not key.startswith("seconds")})
        for o in run.outcomes
    )
    return replace(run, outcomes=tuple(outcomes))


def no_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*request: object) -> Run:
        raise AssertionError("the picture is read again")

    monkeypatch.setattr(compare, "opened", refuse)


@pytest.mark.parametrize("methods", [["bicubic"], ["bicubic", "irn", "fgrn"], ["fgrn"]])
def test_what_was_begun_ahead_is_what_run_would_have_begun(
    picture: str, monkeypatch: pytest.MonkeyPatch, methods: list[str]
) -> None:
    page = Handlers()
    expected = first_shown(page, picture, 4, methods)
    assert len(list(page.describe(picture, 4))) == 1
    no_reading(monkeypatch)
    found = first_shown(page, picture, 4, methods)
    again = first_shown(page, picture, 4, methods)
    assert _untimed(found) == replace(_untimed(expected), token=found.token)
    assert len({expected.token, found.token, again.token}) == 3, "each is a run of its own"


def test_another_scale_and_another_picture_are_begun_by_run(
    picture: str, tmp_path: Path, photo: Photo
) -> None:
    page = Handlers()
    list(page.describe(picture, 4))
    assert first_shown(page, picture, 2, ["bicubic"]).scale == 2
    Path(picture).write_bytes(encode_png(photo(40, 40)))
    assert first_shown(page, picture, 4, ["bicubic"]).size == (40, 40), "the file was written again"


def test_pictures_that_were_cleaned_up_are_made_again(picture: str) -> None:
    page = Handlers()
    list(page.describe(picture, 4))
    old = first_shown(page, picture, 4, ["bicubic"])
    assert old.done[0].files
    Path(old.done[0].files.reconstruction).unlink()
    new = first_shown(page, picture, 4, ["bicubic"])
    assert new.done[0].files == old.done[0].files and Path(new.done[0].files.reconstruction).exists()


def test_nothing_is_begun_for_large_broken_or_known_pictures(
    picture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*request: object) -> Run:
        raise AssertionError("begun")

    monkeypatch.setattr(compare, "begun", refuse)
    page = Handlers()
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    assert "fg-problem" in "".join(page.describe(str(broken), 4))
    assert "portrait" not in "".join(page.describe(str(EXAMPLES["portrait"]), 4))
    with pytest.raises(AssertionError, match="begun"):
        list(page.describe(picture, 4))
    monkeypatch.setattr("lab.compare.handlers.AT_ONCE", 50 * 67 - 1)
    assert "67 × 50" in "".join(page.describe(picture, 4))


def test_run_waits_for_what_is_being_made(picture: str, store: Store) -> None:
    begun, may_end, found = threading.Event(), threading.Event(), []
    made = compare.opened(Models(), store, picture, 4, ["bicubic"])

    def slow() -> Run:
        begun.set()
        assert may_end.wait(10)
        return made

    early = Ahead()
    maker = threading.Thread(target=early.make, args=(picture, 4, slow))
    taker = threading.Thread(target=lambda: found.append(early.take(picture, 4)))
    maker.start()
    assert begun.wait(10)
    taker.start()
    assert not found
    may_end.set()
    for thread in (maker, taker):
        thread.join(10)
    assert found == [made]


def test_a_failure_is_not_remembered(picture: str, store: Store) -> None:
    early = Ahead()

    def fail() -> Run:
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        early.make(picture, 4, fail)
    assert early.take(picture, 4) is None
    made = compare.opened(Models(), store, picture, 4, ["bicubic"])
    early.make(picture, 4, lambda: made)
    early.make(picture, 4, fail)  # it is there already
    assert early.take(picture, 4) == made


def test_only_so_many_are_remembered(
    tmp_path: Path, store: Store, picture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ahead, "KEPT", 2)
    made = compare.opened(Models(), store, picture, 4, ["bicubic"])
    early, paths = Ahead(), [tmp_path / f"{i}.png" for i in range(3)]
    for path in paths:
        path.touch()
        early.make(str(path), 4, lambda: made)
    assert [early.take(str(path), 4) for path in paths] == [None, made, made]
    paths[2].unlink()
    assert early.take(str(paths[2]), 4) is None and early.take(None, 4) is None
