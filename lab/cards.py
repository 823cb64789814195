"""Files, notices and badges as HTML. Files are named by their place in a list, and get their address in the browser."""

from __future__ import annotations

import os
from base64 import b64encode
from dataclasses import dataclass, field
from html import escape

from fgrn.methods import METHODS
from lab.compare import FINISHED, Outcome, Run, State
from lab.files import readable_size


@dataclass
class Page:
    """HTML in which `@file:N@` stands for the address of `files[N]`."""

    html: str = ""
    files: list[str] = field(default_factory=list)

    def address(self, path: str) -> str:
        """The placeholder of a file."""
        if path not in self.files:
            self.files.append(path)
        return f"@file:{self.files.index(path)}@"

    def picture(self, path: str, title: str, note: str, kind: str, size: tuple[int, int]) -> str:
        """A figure with a title; the picture opens at full size. `size` is (height, width)."""
        height, width = size
        address = self.address(path)
        alt = escape(f"{title}, {width} x {height} pixels", quote=True)
        return (
            f'<figure class="fg-figure fg-{kind}"><a class="fg-frame" href="{address}" target="_blank" rel="noopener" '
            f'title="Open at full size"><img src="{address}" alt="{alt}"></a>'
            f"<figcaption><b>{escape(title)}</b><span>{escape(note)}</span></figcaption></figure>"
        )

    def download(self, path: str, text: str) -> str:
        """A link that saves the file under its own name."""
        name = escape(os.path.basename(path), quote=True)
        size = readable_size(os.path.getsize(path)) if os.path.exists(path) else ""
        return (
            f'<a class="fg-download" href="{self.address(path)}" download="{name}">{_ICON}{escape(text)}'
            f"<small>{size}</small></a>"
        )


def text_download(text: str, name: str, title: str) -> str:
    """A link that saves a text of some kilobytes under a name. The link holds it, so there is no file to keep."""
    data = b64encode(text.encode()).decode()
    return (
        f'<a class="fg-download" href="data:text/plain;base64,{data}" download="{escape(name, quote=True)}">'
        f"{_ICON}{escape(title)}</a>"
    )


_ICON = (
    '<svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true" fill="none" stroke="currentColor" '
    'stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round"><path d="M8 2v8M4.8 7 8 10.2 11.2 7M3 13.5h10"/>'
    "</svg>"
)


def files(run: Run) -> Page:
    """A line for every method of the run: what it is, where it stands, and its files."""
    page = Page()
    rows = "".join(_files(page, run, outcome) for outcome in run.outcomes) + _record(page, run)
    page.html = f'<section class="fg-files" aria-label="Files">{rows}</section>'
    return page


def restored(lr: str, picture: str, title: str, lr_size: tuple[int, int], size: tuple[int, int]) -> Page:
    """The card of the Restore tab."""
    page = Page()
    figures = page.picture(lr, "LR", f"{lr_size[1]} × {lr_size[0]}", "lr", lr_size) + page.picture(
        picture, "Restored", f"{size[1]} × {size[0]}", "hr", size
    )
    page.html = (
        f'<div class="fg-cards" style="--ratio:{size[1] / size[0]:.4f}"><section class="fg-card"><header>'
        f'<h2>{escape(title)}</h2></header><div class="fg-figures">{figures}</div>'
        f"<footer>{page.download(picture, 'Restored PNG')}</footer></section></div>"
    )
    return page


def status(text: str, active: bool, notices: tuple[str, ...] = ()) -> str:
    """A line that screen readers announce, and the notices below it."""
    kind = " fg-busy" if active else " fg-done" if text == FINISHED else ""
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


def missing(reasons: list[tuple[str, str]]) -> str:
    """The methods that cannot be chosen, each with the reason."""
    rows = "".join(
        f'<li><span class="fg-box" aria-hidden="true"></span><div><b>{escape(label)}</b> <span>not available</span>'
        f"<small>{escape(reason)}</small></div></li>"
        for label, reason in reasons
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
    """The ZIP that repeats the run."""
    text = "Settings, versions, digests of the weights and all figures, to repeat it: python -m fgrn repeat"
    words = "When it is measured" if run.active else "Not measured to its end"
    body = (
        page.download(run.record, "ZIP with run.json") if run.record else f'<p class="fg-state">{words}</p>'
    )
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
