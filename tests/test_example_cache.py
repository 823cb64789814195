"""Runs of the examples on disk: what is kept comes back, and nothing that does not belong."""

from __future__ import annotations

import os
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
import torch

import app
from fgrn import checkpoint
from fgrn.images import encode_png, read_image
from lab import examples
from lab.compare import example_cache, handlers, startup
from lab.compare.runs import compare, measure
from lab.compare.shown import Shown
from lab.compare.snapshot import Run, State
from lab.files import Store
from lab.models import Models
from lab.ticket import Ticket
from tests.conftest import Photo, make_tiny_weights

METHODS = ("bicubic", "fgrn")


@pytest.fixture
def picture(tmp_path: Path, photo: Photo) -> Path:
    path = tmp_path / "example.png"
    path.write_bytes(encode_png(photo(48, 64)))
    return path


@pytest.fixture
def run(tmp_path: Path, picture: Path, use_tiny_weights: Path) -> Run:
    computed = list(compare(Models(), Store(tmp_path / "made"), str(picture), 4, METHODS))[-1]
    return list(measure(Models(), Store(tmp_path / "made"), computed))[-1]


def nameless(run: Run) -> Run:
    """Without what differs between two equal runs: where the files lie, and the token."""
    outcomes = tuple(replace(outcome, files=None) for outcome in run.outcomes)
    return replace(run, hr="", token="", outcomes=outcomes, record="", pictures="")


def files(run: Run) -> list[Path]:
    pngs = [Path(path) for outcome in run.done if outcome.files for path in outcome.files.paths]
    return [*map(Path, (run.hr, run.record, run.pictures)), *pngs]


def test_a_user_without_a_home_names_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    monkeypatch.setenv("FGRN_CACHE", "/kept")
    assert example_cache.default_folder() == Path("/kept")
    monkeypatch.delenv("FGRN_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert example_cache.default_folder() == Path("/caches/fgrn-lab")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert example_cache.default_folder() is None, "nothing is kept"


def test_what_is_kept_comes_back(run: Run, tmp_path: Path) -> None:
    example_cache.save(tmp_path / "kept", "key", run)
    loaded = example_cache.load(tmp_path / "kept", "key", Store(tmp_path / "served"))
    assert loaded is not None
    assert nameless(loaded) == nameless(run)
    assert [path.read_bytes() for path in files(loaded)] == [path.read_bytes() for path in files(run)]
    assert all(path.is_relative_to(tmp_path / "served") for path in files(loaded))


@pytest.mark.parametrize(
    "damage", ["other key", "no folder", "cut off", "no picture", "unknown field", "a list"]
)
def test_what_does_not_belong_is_not_used(run: Run, tmp_path: Path, damage: str) -> None:
    folder, key = tmp_path / "kept", "key"
    example_cache.save(folder, "key", run)
    index = folder / example_cache.INDEX
    match damage:
        case "other key":
            key = "other"
        case "no folder":
            folder = tmp_path / "nowhere"
        case "cut off":
            index.write_bytes(index.read_bytes()[:100])
        case "no picture":
            next(folder.rglob("*restored.png")).unlink()
        case "unknown field":
            index.write_text(index.read_text().replace('"scale"', '"scales"'))
        case _:
            index.write_text("[]")
    assert example_cache.load(folder, key, Store(tmp_path / "served")) is None


def test_the_key_changes_with_picture_scale_and_weights(picture: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.png"
    other.write_bytes(encode_png(read_image(picture).pixels[:, ::-1]))
    keys = [
        example_cache.make_key(picture, 4, {"fgrn": "00"}),
        example_cache.make_key(other, 4, {"fgrn": "00"}),
        example_cache.make_key(picture, 2, {"fgrn": "00"}),
        example_cache.make_key(picture, 4, {"fgrn": "01"}),
        example_cache.make_key(picture, 4, {"irn": "00"}),
    ]
    assert len(set(keys)) == len(keys)
    assert keys[0] == example_cache.make_key(picture, 4, {"fgrn": "00"})


def test_a_run_of_other_hardware_is_not_shown(picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [example_cache.make_key(picture, 4, {})]
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 7)
    keys.append(example_cache.make_key(picture, 4, {}))
    monkeypatch.setattr(os, "cpu_count", lambda: 1000)
    keys.append(example_cache.make_key(picture, 4, {}))
    assert len(set(keys)) == 3


def test_what_was_kept_without_pyiqa_is_measured_again_with_it(
    picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = metadata.version

    def without(name: str) -> str:
        if name == "pyiqa":
            raise metadata.PackageNotFoundError(name)
        return version(name)

    with_it = example_cache.make_key(picture, 4, {"fgrn": "00"})
    monkeypatch.setattr(metadata, "version", without)
    assert example_cache.make_key(picture, 4, {"fgrn": "00"}) != with_it


@pytest.mark.usefixtures("use_tiny_weights")
def test_a_second_start_runs_no_network(picture: Path, tmp_path: Path) -> None:
    first = startup.Showcase(Models(), Store(tmp_path / "a"), picture, 4, METHODS, tmp_path / "cache")
    computed = list(first.watch())[-1]
    models = Models()
    with models.alone():  # a network would wait for ever
        second = startup.Showcase(models, Store(tmp_path / "b"), picture, 4, METHODS, tmp_path / "cache")
        shown = list(second.watch())
    assert [nameless(run) for run in shown] == [nameless(computed)]


def test_what_weights_in_memory_made_is_not_kept_as_that_of_new_ones(
    picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = make_tiny_weights(tmp_path / "weights") / "fgrn_x4.safetensors"
    monkeypatch.setenv("FGRN_WEIGHTS", str(weights.parent))
    models = Models()
    first = startup.Showcase(models, Store(tmp_path / "a"), picture, 4, METHODS, tmp_path / "cache")
    loaded = {status.method: status.digest for status in models.status(4)}
    net, card = checkpoint.load(weights)
    with torch.no_grad():
        next(net.parameters()).add_(0.5)
    checkpoint.save(net, weights, card.provenance)
    shown = list(first.watch())[-1]
    assert {outcome.method: outcome.digest for outcome in shown.outcomes}["fgrn"] == loaded["fgrn"]
    second = startup.Showcase(Models(), Store(tmp_path / "b"), picture, 4, METHODS, tmp_path / "cache")
    assert second.recall() is None, "the new weights have computed nothing yet"


@pytest.mark.usefixtures("use_tiny_weights")
def test_without_a_place_to_keep_it_the_example_is_shown_all_the_same(picture: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_bytes(b"")
    showcase = startup.Showcase(Models(), Store(tmp_path / "a"), picture, 4, METHODS, blocked)
    run = list(showcase.watch())[-1]
    assert not run.active and all(outcome.state is State.DONE for outcome in run.outcomes)


@pytest.mark.usefixtures("use_tiny_weights")
def test_the_page_is_served_with_the_example_that_was_kept(
    tmp_path: Path, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FGRN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(examples.EXAMPLES, examples.FIRST_EXAMPLE, picture)

    def values(page: handlers.Handlers) -> dict[str, Any]:
        blocks = app.build_demo(page).blocks.values()
        return {str(b.elem_id): getattr(b, "value", None) for b in blocks}

    page = handlers.Handlers()
    empty = values(page)
    assert empty["viewer"] is None and "Computing" in empty["status"]
    computed = list(page.first.watch())[-1]

    again = handlers.Handlers()
    shown = values(again)
    assert "Finished" in shown["status"]
    assert [picture["key"] for picture in shown["viewer"]["pictures"]][:2] == ["hr", "bicubic:restored"]
    assert all(Path(picture["file"]["path"]).is_file() for picture in shown["viewer"]["pictures"])
    assert len(shown["files"]["files"]) > 3 and "dB" in shown["numbers"]
    assert not again.models._loaded  # no network was needed for it
    assert nameless(list(again.first.watch())[-1]) == nameless(computed)

    seen = Shown()
    assert list(again._watch_example(Ticket(), seen, gr.Request(query_params={}))) == [gr.skip()]
    assert seen.run and nameless(seen.run) == nameless(computed), "the numbers of a box can be asked for"
