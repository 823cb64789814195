"""Memory: keeping it between tensors, and running out of it."""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

# mallopt's parameters, from malloc.h
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
KEPT = 1 << 30  # bytes


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
    """Hand all freed memory back to the system: what comes next needs blocks of other sizes."""
    glibc = _glibc()
    if glibc is not None:
        glibc.malloc_trim(0)


@cache
def _glibc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None


@contextmanager
def memory_errors_as(kind: type[Exception], message: str) -> Iterator[None]:
    """Where there is not enough memory, raise `kind` with this message; other errors pass."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        # On a CPU torch raises a plain RuntimeError: only its text tells.
        if isinstance(error, RuntimeError) and "memory" not in str(error).lower():
            raise
        raise kind(message) from error
