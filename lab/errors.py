"""Errors as the page shows them, and as programs get them."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import gradio as gr

from lab.asked import RequestError
from lab.models import Interrupted


def inert(text: str) -> str:
    """A message for a box of the page, which would show tags in it as HTML; for programs it stays readable."""
    return text.replace("<", "&lt;")


@contextmanager
def shown_errors() -> Iterator[None]:
    """Turn errors into the message box of the page (and the error of the API)."""
    try:
        yield
    except (gr.Error, Interrupted):
        raise
    except Exception as error:
        raise Refusal(explained(error)) from error


def explained(error: Exception) -> str:
    """What the page says of an error; of one that nobody has foreseen, the traceback is printed."""
    if isinstance(error, RequestError):
        return str(error)
    traceback.print_exc()
    # Without the path, which is the server's own affair.
    reason = error.strerror if isinstance(error, OSError) else None
    return (
        f"The server has failed ({reason or type(error).__name__}), not your request. Try again; if that does not "
        "help, report it with the traceback that the server has printed."
    )


def nothing_to_do() -> gr.Error:
    """Ends a chain of events without a message."""
    return gr.Error("Nothing to do", visible=False, print_exception=False)


class Refusal(gr.Error):
    """The message box of the page, and the error of the API: why something was not done, as plain text."""

    def __init__(self, text: str) -> None:
        super().__init__(inert(text), title="That did not work", duration=20, print_exception=False)
        self.text = text


def plain_text(error: gr.Error) -> str:
    """What an error says, without the links that one of others may have, such as that of a used up GPU quota."""
    return error.text if isinstance(error, Refusal) else re.sub("<[^>]*>", "", error.message)
