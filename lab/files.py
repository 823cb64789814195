"""Files that the page serves: PNGs with names that still mean something in a download folder."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from fgrn.images import write_atomic


@dataclass(frozen=True)
class Store:
    """Writes files below `folder`, one subfolder for each content, so that equal names never collide."""

    folder: Path

    def save(self, data: bytes, name: str) -> str:
        """Write `data` unless it is there already; the absolute path."""
        folder = self.folder / hashlib.sha256(data).hexdigest()[:32]
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / name
        if not path.exists():
            write_atomic(path, data)
        return str(path.resolve())


def stem(path: str) -> str:
    """The name of an uploaded file without its ending, reduced to letters, digits, "-" and "_"."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", Path(path).stem).strip("_-")
    return name[:40] or "picture"


def readable_size(count: int) -> str:
    """Bytes for people: "812 bytes", "34.1 kB", "2.3 MB"."""
    if count < 1000:
        return f"{count} bytes"
    return f"{count / 1000:.1f} kB" if count < 1_000_000 else f"{count / 1_000_000:.1f} MB"
