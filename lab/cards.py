"""The files of a run, what was restored, the methods that are missing and the badges, as HTML."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from fgrn.methods import METHODS
from lab.compare.snapshot import Outcome, Run, State
from lab.models import Status
from lab.page import Page
from lab.restore.steps import Restored


def files(run: Run) -> Page:
    """A line for every method of the run: what it is, where it stands, and its files."""
    page = Page()
    rows = "".join(_files(page, run, outcome) for outcome in run.outcomes) + _record(page, run)
    page.html = f'<section class="fg-files" aria-label="Files">{rows}</section>'
    return page


def restored(of: Restored) -> Page:
    """The file that Restore has made."""
    page, (height, width) = Page(), of.size
    title = f"<h2>{escape(METHODS[of.method].label)} ×{of.scale}</h2>"
    head = f"{title}<p>{width} × {height} pixels, from {escape(of.name)}</p>"
    body = page.download(of.path, "Restored PNG")
    page.html = (
        f'<section class="fg-files" aria-label="Files"><article class="fg-file"><header>{head}</header>'
        f"<div>{body}</div></article></section>"
    )
    return page


def missing(statuses: Iterable[Status]) -> str:
    """The methods that cannot be chosen, each with the reason."""
    rows = "".join(
        f'<li><span class="fg-box" aria-hidden="true"></span><div><b>{escape(status.label)}</b> '
        f"<span>not available</span><small>{escape(status.reason)}</small></div></li>"
        for status in statuses
        if status.reason
    )
    return f'<ul class="fg-missing" aria-label="Methods that are not available">{rows}</ul>' if rows else ""


def badge(device: str, scales: dict[str, list[int]]) -> str:
    """Device and weights, for the header."""
    have = [f"{label} {' '.join(f'×{s}' for s in found)}" for label, found in scales.items() if found]
    weights = ", ".join(have) if have else "none: only bicubic works"
    return (
        f'<div class="fg-badges"><span class="fg-badge"><b>Device</b>{escape(device)}</span>'
        f'<span class="fg-badge{"" if have else " fg-warn"}"><b>Weights</b>{escape(weights)}</span></div>'
    )


def _record(page: Page, run: Run) -> str:
    """The ZIPs of the whole run."""
    text = "run.json has settings, versions and all figures, for python -m fgrn repeat"
    words = "When it is measured" if run.active else "Not measured to its end"
    zips = ((run.pictures, "All PNGs as ZIP"), (run.record, "ZIP with run.json"))
    body = "".join(page.download(path, title) for path, title in zips if path)
    body = body or f'<p class="fg-state">{words}</p>'
    return (
        f'<article class="fg-file"><header><h2>The run</h2><p>{text}</p></header><div>{body}</div></article>'
    )


_TITLES = {"lr": "LR PNG", "reconstruction": "Restored PNG", "x": "x PNG", "x_recovered": "Recovered x PNG"}


def _files(page: Page, run: Run, outcome: Outcome) -> str:
    method = METHODS[outcome.method]
    digest = f'<code title="digest of the weights">{outcome.digest[:8]}</code>' if outcome.digest else ""
    head = f"<header><h2>{escape(method.label)} ×{run.scale}{digest}</h2><p>{escape(method.summary)}</p></header>"
    if outcome.files is None:
        words = {State.RUNNING: "Computing", State.WAITING: "Waiting"}.get(outcome.state, outcome.reason)
        body = f'<p class="fg-state">{escape(words)}</p>'
    else:
        paths: dict[str, str] = {}
        for kind, title in _TITLES.items():
            paths.setdefault(getattr(outcome.files, kind), title)  # x may be the LR picture itself
        body = "".join(page.download(path, title) for path, title in paths.items())
    return (
        f'<article class="fg-file" data-method="{method.name}" data-state="{outcome.state.value}">'
        f"{head}<div>{body}</div></article>"
    )
