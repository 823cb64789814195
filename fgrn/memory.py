"""Running out of memory, by whatever exception torch, numpy or Python says so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


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
