"""HTML with files in it: they are named by their place in a list, and get their address in the browser."""

from __future__ import annotations

import os
from base64 import b64encode
from dataclasses import dataclass, field
from html import escape

from fgrn.scores import readable_size


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
