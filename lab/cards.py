"""Pictures of a run as HTML cards. Files are named by their place in a list, and get their address in the browser."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from html import escape

from fgrn.methods import METHODS
from lab.compare import Outcome, Run, State
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
        address, name = self.address(path), escape(os.path.basename(path), quote=True)
        alt = escape(f"{title}, {width} x {height} pixels", quote=True)
        return (
            f'<figure class="fg-figure fg-{kind}"><a class="fg-frame" href="{address}" target="_blank" rel="noopener" '
            f'title="Open at full size"><img src="{address}" alt="{alt}" data-name="{name}"></a>'
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


_ICON = (
    '<svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true" fill="none" stroke="currentColor" '
    'stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round"><path d="M8 2v8M4.8 7 8 10.2 11.2 7M3 13.5h10"/>'
    "</svg>"
)


def render(run: Run) -> Page:
    """A card for every method of the run, in the space it will need when it is done."""
    page = Page()
    ratio = f"{run.size[1] / run.size[0]:.4f}"
    cards = "".join(_card(page, run, outcome) for outcome in run.outcomes)
    page.html = f'<div class="fg-cards" style="--ratio:{ratio}">{cards}</div>'
    return page


def restored(lr: str, picture: str, title: str, lr_size: tuple[int, int], size: tuple[int, int]) -> Page:
    """The card of the Restore tab."""
    page = Page()
    figures = page.picture(lr, "LR", f"{lr_size[1]} × {lr_size[0]}", "lr", lr_size) + page.picture(
        picture, "Restored", f"{size[1]} × {size[0]}", "hr", size
    )
    page.html = (
        f'<div class="fg-cards" style="--ratio:{size[1] / size[0]:.4f}"><section class="fg-card"><header>'
        f'<h3>{escape(title)}</h3></header><div class="fg-figures fg-two">{figures}</div>'
        f"<footer>{page.download(picture, 'Restored PNG')}</footer></section></div>"
    )
    return page


def status(text: str, active: bool, notices: tuple[str, ...] = ()) -> str:
    """A line that screen readers announce, and the notices below it."""
    kind = "fg-busy" if active else "fg-idle"
    items = "".join(f"<li>{escape(notice)}</li>" for notice in notices)
    listed = f'<ul class="fg-notices">{items}</ul>' if items else ""
    return f'<p class="fg-status {kind}" role="status" aria-live="polite">{escape(text)}</p>{listed}'


def facts(text: str, notices: tuple[str, ...]) -> str:
    """A quiet line about a file, and what was changed on reading it."""
    listed = "".join(f"<li>{escape(notice)}</li>" for notice in notices)
    return f'<div class="fg-info">{escape(text)}{f"<ul>{listed}</ul>" if listed else ""}</div>'


def problem(text: str) -> str:
    """Why a file cannot be used, beside the place where it was dropped."""
    return f'<div class="fg-info fg-problem" role="alert">{escape(text)}</div>'


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


def _card(page: Page, run: Run, outcome: Outcome) -> str:
    method = METHODS[outcome.method]
    digest = f'<code title="digest of the weights">{outcome.digest[:8]}</code>' if outcome.digest else ""
    head = f"<header><h3>{escape(method.label)} ×{run.scale}</h3><p>{escape(method.summary)}</p>{digest}</header>"
    files = outcome.files
    if files is None:
        busy = outcome.state in (State.WAITING, State.RUNNING)
        text = {State.RUNNING: "Computing", State.WAITING: "Waiting"}.get(outcome.state, outcome.reason)
        kind = outcome.state.value
        frames = "".join(_placeholder(title, kind) for title in ("x", "LR", "Restored"))
        note = f'<p class="fg-state">{escape(text)}</p>'
        body = f'<div class="fg-figures{"" if busy else " fg-dim"}">{frames}</div><footer>{note}</footer>'
        return (
            f'<section class="fg-card" data-method="{method.name}" data-state="{kind}">{head}{body}</section>'
        )
    size = f"{outcome.lr_size[1]} × {outcome.lr_size[0]}"
    latent = "the LR picture itself" if files.x == files.lr else size
    figures = (
        page.picture(files.x, "x", latent, "lr", outcome.lr_size)
        + page.picture(files.lr, "LR", size, "lr", outcome.lr_size)
        + page.picture(files.reconstruction, "Restored", f"{run.size[1]} × {run.size[0]}", "hr", run.size)
    )
    links = page.download(files.lr, "LR PNG") + page.download(files.reconstruction, "Restored PNG")
    return (
        f'<section class="fg-card" data-method="{method.name}" data-state="done">{head}'
        f'<div class="fg-figures">{figures}</div><footer>{links}</footer></section>'
    )


def _placeholder(title: str, kind: str) -> str:
    return (
        f'<figure class="fg-figure"><div class="fg-frame fg-{kind}"></div>'
        f"<figcaption><b>{title}</b><span>&nbsp;</span></figcaption></figure>"
    )
