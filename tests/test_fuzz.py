"""A few hundred of the cases of `python -m tests.benchmarks.fuzz`, and that it notices hangs and crashes."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import numpy as np
import pytest

from fgrn.images import ImageError, read_image
from lab.asked import MAX_PIXELS
from tests import crafted, faulty_child, mutations, sound_files
from tests.benchmarks import fuzz, fuzz_worker
from tests.mutations import Case

HANG = 60  # seconds: the machine of the tests may be busy


def test_damaged_files_are_read_or_refused() -> None:
    tally = fuzz.fuzz(images=160, notes=40, weights=60, hang=HANG)
    assert tally.findings == []
    assert sum(sum(counts.values()) for counts in tally.outcomes.values()) == 260
    assert set(tally.outcomes) == {*sound_files.pictures(), "LR note", "card", "safetensors"}
    assert sum(counts["read"] for counts in tally.outcomes.values()) > 20, "some damage is harmless"


def test_the_same_cases_every_time() -> None:
    pictures = sound_files.pictures()
    first, second = (mutations.picture(pictures, 11, seed=1) for _ in range(2))
    assert first == second != mutations.picture(pictures, 19, seed=1)


def test_undamaged_files_are_read() -> None:
    for name, files in sound_files.pictures().items():
        assert {read_image(data).format for data in files} == {name}


@pytest.mark.parametrize("name", crafted.bombs())
def test_bombs_are_refused_before_they_are_decoded(name: str) -> None:
    before = fuzz_worker.peak_memory()
    with pytest.raises(ImageError):
        read_image(crafted.bombs()[name], max_pixels=MAX_PIXELS)
    assert fuzz_worker.peak_memory() - before < 100e6, (
        "bytes; the picture would have at least a thousand megapixels"
    )


def test_hangs_and_crashes_are_findings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(fuzz, "CHILD", faulty_child.serve)
    tally = fuzz.Tally()
    watched = fuzz.Watched(tmp_path, tally, hang=1)
    for number, data in enumerate((b"hang", b"fine", b"crash", b"fine")):
        case = Case("picture", "PNG", "", data)
        tally.count(number, case, *watched.run(case))
    watched.close()
    assert [finding["outcome"] for finding in tally.findings] == [
        "hang: more than 1 s",
        "crash: exit status -6",
    ]
    assert tally.outcomes == {"PNG": {"read": 2, "finding": 2}}


def test_a_bug_is_a_finding_and_not_the_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def buggy(program: fuzz_worker.Program, case: Case) -> str:
        raise KeyError(case.data)

    monkeypatch.setattr(fuzz_worker.Program, "run", buggy)
    ours, theirs = multiprocessing.Pipe()
    for data in (b"a", b"b"):
        ours.send(Case("picture", "PNG", "", data))
    ours.send(None)
    with monkeypatch.context() as patch:
        patch.setenv("FGRN_WEIGHTS", "")
        fuzz_worker.serve(theirs, tmp_path)
    outcomes = [ours.recv()[0] for _ in range(3)]
    assert outcomes == ["started", "KeyError: b'a'", "KeyError: b'b'"]


def test_mutations_change_something() -> None:
    data = bytes(range(200))
    for mutation in mutations.COMMON:
        changed = [mutation(data, np.random.default_rng(seed)) for seed in range(10)]
        assert len({data, *changed}) > 5, mutation.__name__
