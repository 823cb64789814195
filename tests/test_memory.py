"""Freed memory stays in the process; which errors mean that there is not enough memory."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest
import torch

from fgrn.memory import memory_errors_as
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


@pytest.mark.parametrize("error", [RuntimeError("shapes differ"), KeyError("memory")])
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
