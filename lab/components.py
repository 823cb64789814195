"""Gradio components with small changes of our own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gradio as gr
from gradio import component_meta
from gradio.data_classes import FileData, ImageData

from lab.page import Page

# The address of a file is known only after Gradio has put it where it is served. It is percent-encoded, and the HTML
# is built by lab.cards and its like, which escape what came from outside.
_TEMPLATE = "${value ? value.html.replace(/@file:([0-9]+)@/g, (_, n) => value.files[n].url) : ''}"


def html(value: str = "", **options: Any) -> gr.HTML:
    """HTML of ours, without Gradio's text styles."""
    return gr.HTML(value, js_on_load=None, apply_default_css=False, **options)


def pictures(**options: Any) -> gr.HTML:
    """An output that shows the `picture_value` of a page; its files are served as they are, byte for byte."""
    return gr.HTML(html_template=_TEMPLATE, js_on_load=None, apply_default_css=False, **options)


def picture_value(page: Page) -> dict[str, Any]:
    """A page for `pictures`."""
    return {"html": page.html, "files": [FileData(path=path).model_dump() for path in page.files]}


@contextmanager
def no_stub_files() -> Iterator[None]:
    """Where a component's class is defined, Gradio writes a stub file beside it, into the source tree: not here."""
    write, component_meta.create_or_modify_pyi = component_meta.create_or_modify_pyi, lambda *_: None
    try:
        yield
    finally:
        component_meta.create_or_modify_pyi = write


with no_stub_files():
    # A class, since Gradio makes a visitor's own copy of a component that an event has changed, and copies its class.
    class UploadedImage(gr.Image):
        """An image input that hands over the path of the uploaded file, untouched, whatever is in it.

        gr.Image would open the file itself, in this process, and its message about a broken one is of no help.
        """

        is_template = True  # for the browser it is an image

        def preprocess(self, payload: ImageData | None) -> str | None:
            """The path; None if there is no uploaded file."""
            if payload is None or not payload.path or (payload.url or "").startswith("data:"):
                return None
            return payload.path

    class NamedChoices(gr.CheckboxGroup):
        """Checkboxes that hand over what was ticked, whatever can be ticked by now.

        gr.CheckboxGroup refuses what is no choice any more, with a message of its own, when an event was sent just
        before another changed the choices. Handlers check names themselves (`asked.check_names`).
        """

        is_template = True  # for the browser it is a checkbox group

        def preprocess(self, payload: list[Any]) -> list[Any]:
            """The names that were sent."""
            return [name for name in payload if isinstance(name, str)] if isinstance(payload, list) else []

    class SentNumber(gr.Number):
        """A number of a program's request, as it was sent: gr.Number fails at a text, and makes 2.4 a 2."""

        is_template = True  # for the browser it is a number

        def preprocess(self, payload: Any) -> Any:
            """What was sent. Handlers check it."""
            return payload

    class LenientSlider(gr.Slider):
        """A slider that takes the nearest value it has; an emptied field is 0 for it, as in the browser.

        gr.Slider would raise an error while a number is being typed; outside of the queue nobody would see why.
        """

        is_template = True  # for the browser it is a slider

        def preprocess(self, payload: float | None) -> float:
            """A number from `minimum` to `maximum`."""
            nearest: float = min(max(payload or 0, self.minimum), self.maximum)
            return super().preprocess(nearest)


LIMITED = "fg-limited"
"""The class of inputs that refuse files over the limit in the browser, see size_limit.js."""
REQUESTS = "fg-requests"
"""The class of what asks for something anew, beside the primary buttons."""


def upload(elem_classes: str = "", **options: Any) -> UploadedImage:
    """An input for a picture file, which can be pasted too; `lab.reader` reads it."""
    options = {"sources": ["upload", "clipboard"], "buttons": [], **options}
    options["elem_classes"] = [LIMITED, elem_classes] if elem_classes else LIMITED
    return UploadedImage(type="filepath", image_mode=None, format="png", **options)


# Run and Stop reach the server by different ways, so that Stop may be there first: clicks are numbered in the browser,
# in the order in which they come.
NUMBER_CLICKS = """() => {
    window.fgrnClicks = {};
    let count = 0;
    const number = event => {
        const button = event.target.closest('button');
        if (button) window.fgrnClicks[button.id] = ++count;
    };
    document.addEventListener('click', number, true);
}"""
# What was said of the request before is over with the next. A link clicks Run itself, and may have said something.
CLOSE_MESSAGES = """() => document.addEventListener('click', event => {
    if (event.isTrusted && event.target.closest('button.primary, .fg-requests, .gallery-item'))
        document.querySelectorAll('.toast-close').forEach(close => close.click());
}, true)"""


def click_number() -> gr.Number:
    """The last input of an event with `js=clicked(...)`; 0 of what is no click."""
    return gr.Number(0, visible=False)


def clicked(button: gr.Button) -> str:
    """JS that gives an event the number of the last click on a button; 0 if there is none."""
    return f"(...values) => [...values.slice(0, -1), window.fgrnClicks?.['{button.elem_id}'] ?? 0]"
