"""No address that a visitor names is fetched: a picture is uploaded, or there is none."""

from __future__ import annotations

from typing import NoReturn

import gradio as gr
from fastapi import HTTPException, Request
from gradio import processing_utils, routes

REFUSED = "Addresses are not fetched here: download the picture and upload the file."


def refuse() -> None:
    """Let Gradio fetch nothing for a visitor, in this process.

    Wherever a request names a file, Gradio takes an address too and downloads it, whatever its size, before the
    component sees it; and it hands on what lies at an address as if it were a file of its own. It refuses private hosts
    only. Nothing here needs either, so both are replaced.

    Raises:
        RuntimeError: if this version of Gradio has other ways to do so.
    """
    for module, name, replacement in (
        (processing_utils, "async_ssrf_protected_download", _no_download),
        (routes, "secure_url_stream_response", _no_stream),
    ):
        if not hasattr(module, name):  # a newer Gradio may fetch in another way
            raise RuntimeError(
                f"This Gradio has no {module.__name__}.{name}: install gradio as in requirements.txt."
            )
        setattr(module, name, replacement)


async def _no_download(url: str, cache_dir: str) -> NoReturn:
    raise gr.Error(REFUSED, print_exception=False)


async def _no_stream(url: str, request: Request) -> NoReturn:
    raise HTTPException(403, REFUSED)
