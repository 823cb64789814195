"""Which handlers wait for which."""

from __future__ import annotations

from typing import Any

import gradio as gr

# Networks wait for each other, metrics for each other: a slow metric never delays a picture.
NETWORK: dict[str, Any] = {"concurrency_id": "model", "concurrency_limit": 1}
METRIC: dict[str, Any] = {"concurrency_id": "metrics", "concurrency_limit": 1}
QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


def shown_waiting(status: gr.HTML) -> dict[str, Any]:
    """Options of an event of `NETWORK`: as long as it waits, its place in the queue stands at the end of `status`."""
    return {**NETWORK, **QUIET, "show_progress": "minimal", "show_progress_on": status}
