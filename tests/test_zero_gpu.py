"""ZeroGPU with a stand-in for `spaces` that, like it, runs tasks in a process of its own and forgets their errors."""

from __future__ import annotations

import multiprocessing
import shutil
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

import fgrn
from fgrn import inside
from fgrn.images import encode_png
from lab import zero_gpu
from lab.compare import runs as compare
from lab.compare.snapshot import Run, State
from lab.files import Store
from lab.models import Models
from tests.conftest import Photo


class Worker:
    """`spaces.GPU`: one process, made anew, which shares nothing with this one."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))

    def gpu(self, task: Callable[..., Any], duration: Callable[..., int]) -> Callable[..., Any]:
        def borrow(*arguments: Any) -> Any:
            assert 0 < duration(*arguments) <= 60
            self.asked.append(arguments[2])
            try:
                return self.pool.submit(task, *arguments).result(120)
            except Exception:
                raise RuntimeError("ZeroGPU worker error") from None

        return borrow


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch, use_tiny_weights: Path) -> Iterator[Worker]:
    worker, spaces = Worker(), ModuleType("spaces")
    spaces.GPU = worker.gpu  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "spaces", spaces)
    yield worker
    worker.pool.shutdown()


def test_refining_large_pictures_gets_more_time() -> None:
    small, large = np.zeros((100, 100, 3), np.uint8), np.zeros((4000, 4000, 3), np.uint8)
    assert zero_gpu.seconds("fgrn_refined", 2, "encode", small) == zero_gpu.SECONDS
    assert zero_gpu.seconds("fgrn_refined", 2, "encode", large) > 2 * zero_gpu.SECONDS
    assert zero_gpu.seconds("fgrn_refined", 2, "to_lr", large) == zero_gpu.SECONDS
    assert zero_gpu.seconds("fgrn", 2, "encode", large) == zero_gpu.SECONDS


@pytest.mark.parametrize(
    ("value", "expected"), [("true", True), ("1", True), ("false", False), (None, False)]
)
def test_only_such_a_space_is_one(value: str | None, expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPACES_ZERO_GPU", raising=False)
    if value is not None:
        monkeypatch.setenv("SPACES_ZERO_GPU", value)
    assert zero_gpu.is_here() is expected


def test_a_comparison_borrows_every_step_and_gives_the_same_pictures(
    worker: Worker, photo: Photo, tmp_path: Path
) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(encode_png(photo(50, 41)))

    def run(models: Models) -> Run:
        runs = compare.compare(models, Store(tmp_path / "files"), str(path), 4, ["bicubic", "irn", "fgrn"])
        return list(runs)[-1]

    lent = run(zero_gpu.models())
    steps = ["encode", "to_lr", "from_lr", "decode"]
    assert worker.asked == [*steps, "encode", "decode"], "neither bicubic nor rounding is a task for a GPU"
    own = run(Models())
    assert [o.files for o in lent.outcomes] == [o.files for o in own.outcomes], "the names are of the content"
    assert [o.digest for o in lent.outcomes] == [o.digest for o in own.outcomes]
    assert zero_gpu.models().summary()[0] == "ZeroGPU"


def test_stop_takes_effect_between_two_steps(worker: Worker, photo: Photo, tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(encode_png(photo(50, 41)))
    runs = compare.compare(
        zero_gpu.models(), Store(tmp_path / "files"), str(path), 4, ["fgrn"], lambda: "encode" in worker.asked
    )
    assert all(o.state is not State.DONE for run in runs for o in run.outcomes)
    assert worker.asked == ["encode"]


def test_a_record_says_that_the_gpu_was_lent(worker: Worker) -> None:
    models = zero_gpu.models()
    for methods, device in ((["bicubic", "fgrn"], "ZeroGPU"), (["bicubic"], "cpu")):
        assert models.machine(models.get(method, 4) for method in methods)["device"] == device


@pytest.mark.parametrize("error", [MemoryError, torch.OutOfMemoryError])
def test_a_lack_of_memory_comes_home_as_one(
    error: type[Exception], use_tiny_weights: Path, photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: fgrn.Rescaler, hr: object) -> None:
        raise error

    monkeypatch.setattr(fgrn.Rescaler, "encode", fail)
    assert isinstance(zero_gpu.step("fgrn", 4, "encode", photo(32, 32)), error)


def test_errors_come_home_with_their_words(worker: Worker, photo: Photo, tmp_path: Path) -> None:
    rescaler = zero_gpu.models().get("fgrn", 4)
    with pytest.raises(fgrn.RescaleError, match="each side needs at least"):
        rescaler.encode(photo(8, 30))
    with pytest.raises(fgrn.RescaleError, match="resized or cropped afterwards"):
        rescaler.upscale(np.zeros((10, 10, 3), np.uint8), (99, 99))


def test_damaged_weights_are_named_before_anything_is_borrowed(
    worker: Worker, use_tiny_weights: Path, photo: Photo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = tmp_path / "weights"
    shutil.copytree(use_tiny_weights, weights)
    (weights / "fgrn_x4.safetensors").write_bytes(b"damaged")
    monkeypatch.setenv("FGRN_WEIGHTS", str(weights))
    path = tmp_path / "photo.png"
    path.write_bytes(encode_png(photo(32, 32)))
    run = list(compare.compare(zero_gpu.models(), Store(tmp_path / "files"), str(path), 4, ["fgrn"]))[-1]
    assert run.outcomes[0].state is State.FAILED and "damaged" in run.outcomes[0].reason
    assert worker.asked == []


def test_what_looks_inside_stays_here(worker: Worker, photo: Photo) -> None:
    rescaler = zero_gpu.models().get("fgrn", 4)
    assert inside.unrounded_x(rescaler, photo(32, 32)).shape == (8, 8, 3)
    assert worker.asked == []
