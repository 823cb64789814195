"""What the page says in a line, as HTML."""

from __future__ import annotations

from html import escape

FINISHED = "Finished"
"""The status of a run that has come to its end."""
STOPPED = "Stopped"
"""The beginning of that of one that was stopped."""
NOTHING = "Nothing"
"""That of where nothing was asked for yet."""
BROKEN_OFF = "Broken off. {}"
"""That of one that an error has ended; the problem is to be filled in."""


def status(text: str, active: bool, notices: tuple[str, ...] = ()) -> str:
    """A line that screen readers announce, and the notices below it."""
    nothing = text.startswith((STOPPED, NOTHING))
    ended = " fg-done" if text == FINISHED else " fg-stopped" if nothing else ""
    kind = " fg-busy" if active else ended
    items = "".join(f"<li>{escape(notice)}</li>" for notice in notices)
    listed = f'<ul class="fg-notices">{items}</ul>' if items else ""
    return f'<p class="fg-status{kind}" role="status" aria-live="polite">{escape(text)}</p>{listed}'


def failed(text: str) -> str:
    """As `status`, of what came to nothing."""
    return f'<p class="fg-status fg-failed" role="status" aria-live="polite">{escape(text)}</p>'


def facts(text: str, notices: tuple[str, ...]) -> str:
    """A quiet line about a file, and what was changed on reading it."""
    listed = "".join(f"<li>{escape(notice)}</li>" for notice in notices)
    return f'<div class="fg-info">{escape(text)}{f"<ul>{listed}</ul>" if listed else ""}</div>'


def problem(text: str) -> str:
    """Why a file cannot be used, beside the place where it was dropped."""
    return f'<div class="fg-info fg-problem" role="alert">{escape(text)}</div>'


def outdated(text: str) -> str:
    """What is shown does not belong to what is chosen."""
    return f'<p class="fg-info fg-problem" role="status">{escape(text)}</p>'
