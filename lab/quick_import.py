"""Gradio, imported in half the time. Only the first import of it in a process counts, which has to be this one.

Whenever it is imported, Gradio parses the source of each of its components, to write a type stub beside it for editors.
It leaves out a component that has no source file; so for the time of the import none has.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["gradio"]


@contextmanager
def _without_sources(package: str) -> Iterator[None]:
    """`inspect` finds no source files of the classes of a package."""
    find = inspect.getfile

    def find_others(owner: Any) -> str:
        if isinstance(owner, type) and owner.__module__.partition(".")[0] == package:
            raise OSError(f"the source of {owner} is not wanted")
        return find(owner)

    inspect.getfile = find_others  # type: ignore[assignment]  # its type is a union of six
    try:
        yield
    finally:
        inspect.getfile = find


with _without_sources("gradio"):
    import gradio
