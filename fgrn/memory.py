"""Memory: keeping it between tensors, bounding that of a GPU, and running out of it."""

from __future__ import annotations

import ctypes
import math
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

# mallopt's parameters, from malloc.h
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
KEPT = 1 << 30  # bytes
# What errors say where memory is missing: of a GPU, of the allocator of a CPU, of oneDNN. Not "illegal memory access".
_SIGNS = ("out of memory", "not enough memory", "allocate memory", "could not create a memory")


def keep_freed_memory() -> bool:
    """Let this process keep up to a GiB that tensors have freed, for the next tensors; True where that is possible.

    By default glibc hands every large block back to the system at once, and the system clears each of its pages when
    they are used again: a fifth of the time of a large picture. The peak hardly changes, what is resident between
    pictures does. One arena, because only the first of them can hold blocks of any size. For entry points, before they
    start threads: it changes the whole process. Other systems' allocators stay as they are.
    """
    glibc = _glibc()
    if glibc is None:
        return False
    options = {M_ARENA_MAX: 1, M_MMAP_THRESHOLD: KEPT, M_TRIM_THRESHOLD: KEPT}
    return [glibc.mallopt(option, value) for option, value in options.items()] == [1] * len(options)


def release_freed_memory() -> None:
    """Hand freed memory back to the system if it is more than is to be kept, wherever it lies.

    Between the steps of a large picture: blocks of other sizes would find no place among those that were freed.
    """
    glibc = _glibc()
    if glibc is not None and glibc.mallinfo2().fordblks > KEPT:
        glibc.malloc_trim(0)


class _MallocInfo(ctypes.Structure):
    """`struct mallinfo2` of malloc.h; fordblks are the bytes that are free but not handed back."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks"),
            *("fordblks", "keepcost"),
        )
    )


@cache
def _glibc() -> ctypes.CDLL | None:
    """The C library, if it is a glibc that has all that is needed (2.33 or newer)."""
    if platform.libc_ver()[0] != "glibc":
        return None
    glibc = ctypes.CDLL(None)
    if not hasattr(glibc, "mallinfo2"):
        return None
    glibc.mallinfo2.restype = _MallocInfo
    return glibc


def limit_gpu_memory(device: torch.device) -> None:
    """Keep tensors on a GPU below the gigabytes that the environment variable FGRN_GPU_MEMORY names, if it is set.

    Pictures that would need more are then computed in smaller tiles.

    Raises:
        ValueError: if it is no positive number.
    """
    text = os.environ.get("FGRN_GPU_MEMORY")
    if device.type != "cuda" or not text:
        return
    from torch import cuda  # here, so that entry points can use this module before they load torch

    try:
        limit = float(text)
    except ValueError:
        limit = 0.0
    if not 0 < limit < math.inf:
        raise ValueError(f"FGRN_GPU_MEMORY is {text!r}, but must be a number of gigabytes, such as 4")
    index = cuda.current_device() if device.index is None else device.index
    share = limit * 1e9 / cuda.get_device_properties(index).total_memory
    cuda.set_per_process_memory_fraction(min(1.0, share), index)


@contextmanager
def memory_errors_as(kind: type[Exception], message: str) -> Iterator[None]:
    """Where there is not enough memory, raise `kind` with this message; other errors pass."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        # On a CPU torch raises a plain RuntimeError: only its text tells.
        if isinstance(error, RuntimeError) and not any(text in str(error).lower() for text in _SIGNS):
            raise
        raise kind(message) from error
