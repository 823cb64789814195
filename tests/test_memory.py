"""Which errors mean that there is not enough memory."""

from __future__ import annotations

import pytest
import torch

from fgrn.memory import memory_errors_as


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
