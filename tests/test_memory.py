"""Freed memory stays in the process; which errors mean that there is not enough memory."""

from __future__ import annotations

import platform
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from fgrn.memory import limit_gpu_memory, memory_errors_as
from tests.conftest import ROOT

CLEARED_PAGES = """
import resource, sys, threading, numpy
from fgrn.memory import keep_freed_memory

def work():
    for turn in range(20):
        if turn == 10:
            begin = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        numpy.empty(64 << 20, numpy.uint8).fill(1)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - begin)

if sys.argv[1] == "keep":
    assert keep_freed_memory()
thread = threading.Thread(target=work)
thread.start()
thread.join()
"""


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"),
        torch.OutOfMemoryError("CUDA out of memory."),
    ],
)
def test_memory_errors_become_the_error_that_is_asked_for(error: Exception) -> None:
    with pytest.raises(ValueError, match="too large") as raised, memory_errors_as(ValueError, "too large"):
        raise error
    assert raised.value.__cause__ is error


@pytest.mark.parametrize(
    "error", [RuntimeError("shapes differ"), RuntimeError("an illegal memory access"), KeyError("memory")]
)
def test_other_errors_pass(error: Exception) -> None:
    with pytest.raises(type(error)) as raised, memory_errors_as(ValueError, "too large"):
        raise error
    assert raised.value is error


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators are left as they are")
def test_freed_memory_is_used_again_by_any_thread() -> None:
    """The pages that the system had to hand out for ten times 64 MB."""

    def pages(option: str) -> int:
        child = [sys.executable, "-c", CLEARED_PAGES, option]
        return int(subprocess.run(child, cwd=ROOT, check=True, capture_output=True, text=True).stdout)

    assert pages("keep") < pages("as it is") / 10


@pytest.fixture
def fractions(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What torch is told about a GPU of 8 GB."""
    told: list[float] = []
    monkeypatch.delenv("FGRN_GPU_MEMORY", raising=False)

    def tell(share: float, device: int) -> None:
        assert device == 1, "torch wants to know which GPU"
        told.append(share)

    monkeypatch.setattr("torch.cuda.current_device", lambda: 1)
    monkeypatch.setattr("torch.cuda.get_device_properties", lambda device: SimpleNamespace(total_memory=8e9))
    monkeypatch.setattr("torch.cuda.set_per_process_memory_fraction", tell)
    return told


@pytest.mark.parametrize(("gigabytes", "share"), [("2", 0.25), ("0.5", 0.0625), ("99", 1.0)])
def test_the_memory_of_a_gpu_is_bounded(
    gigabytes: str, share: float, fractions: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FGRN_GPU_MEMORY", gigabytes)
    limit_gpu_memory(torch.device("cpu"))
    assert not fractions
    limit_gpu_memory(torch.device("cuda", 1))
    limit_gpu_memory(torch.device("cuda"))
    assert fractions == [share, share]


def test_without_a_bound_torch_takes_what_it_needs(fractions: list[float]) -> None:
    limit_gpu_memory(torch.device("cuda", 0))
    assert not fractions


@pytest.mark.parametrize("text", ["much", "-1", "0", "inf", "nan"])
def test_a_bound_that_is_no_number_is_an_error(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FGRN_GPU_MEMORY", text)
    with pytest.raises(ValueError, match="number of gigabytes"):
        limit_gpu_memory(torch.device("cuda", 0))
