"""Links that open the page at a view: `?example=coffee&scale=2&methods=bicubic,fgrn&tab=stress`.

Examples can be linked, uploads cannot: they are the visitor's own, and gone after a day.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import gradio as gr

from fgrn.methods import METHODS, SCALES

TABS = ("compare", "latent", "restore", "stress", "benchmark", "about")
_TITLES = {"latent-x": "latent"}  # of tabs that the page calls otherwise
TAB_NAMES = (*TABS, *_TITLES)


@dataclass(frozen=True)
class Link:
    """What an address asks for; None where it says nothing. `notices` name what it asks for in vain."""

    example: Path | None = None
    scale: int | None = None
    methods: tuple[str, ...] | None = None
    tab: str | None = None
    notices: tuple[str, ...] = ()

    @property
    def asks_for_a_run(self) -> bool:
        """Whether it shows anything else than the page does by itself."""
        return not (self.example is None and self.scale is None and self.methods is None)


def query_of(request: gr.Request | None) -> Mapping[str, str]:
    """The query of the page's address; the API has none."""
    return dict(request.query_params) if request and request.query_params else {}


def read(query: Mapping[str, str], examples: Mapping[str, Path]) -> Link:
    """The link in the query of an address. What is not understood becomes a notice: the page opens all the same."""
    notices = []

    def known(key: str, values: Mapping[str, object]) -> str | None:
        value = query.get(key)
        if value is None or value in values:
            return value
        notices.append(f"The link asks for {key} {value!r}, which is none of {', '.join(values)}.")
        return None

    example = known("example", examples)
    scale = known("scale", {str(s): s for s in SCALES})
    title = query.get("tab", "").strip().lower().replace(" ", "-")
    tab = _TITLES.get(title, title) if title in TAB_NAMES else known("tab", dict.fromkeys(TABS))
    methods = None
    if "methods" in query:
        asked = [name for name in query["methods"].split(",") if name]
        methods = tuple(name for name in METHODS if name in asked) or None
        notices += [
            f"The link asks for method {name!r}, which is none of {', '.join(METHODS)}."
            for name in asked
            if name not in METHODS
        ]
        if not asked:
            notices.append("The link asks for no method.")
    return Link(
        example=examples[example] if example else None,
        scale=int(scale) if scale else None,
        methods=methods,
        tab=tab,
        notices=tuple(notices),
    )


def write(example: str | None, scale: int, methods: list[str]) -> str:
    """The query of a run; "" if its picture is no example."""
    if example is None:
        return ""
    ordered = [name for name in METHODS if name in methods]  # whichever was ticked first
    return urlencode({"example": example, "scale": scale, "methods": ",".join(ordered)}, safe=",")
