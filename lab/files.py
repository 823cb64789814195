"""Files that the page serves: PNGs with names that still mean something in a download folder."""

from __future__ import annotations

import atexit
import hashlib
import os
import re
import secrets
import shutil
import stat
import tempfile
import threading
import time
import unicodedata
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

DAY = 86_400.0  # seconds
MOST = 8_000_000_000  # bytes of one store; a study of 16 megapixels leaves 0.3 GB
_DIGITS, _GRADIO = 32, 64  # of the names of subfolders: ours, and those of uploads
_HEX = "[0-9a-f]"
_YOUNG = 600.0  # seconds: a file of which something may still be made
_SWEPT_EVERY = 3600.0  # seconds
_LOCKS: list[IO[str]] = []  # of the temporary folders of this process, held until it ends


@dataclass
class _Swept:
    at: float = 0.0  # seconds since the epoch
    written: int = 0  # bytes since then
    lock: threading.Lock = field(default_factory=threading.Lock)  # nothing is swept that is being written


@dataclass(frozen=True)
class Store:
    """Writes files below `folder`, one subfolder for each content, so that equal names never collide.

    `keep` is for how many seconds, None for ever; beyond `most` bytes the oldest go before, but none that is young.
    Gradio deletes only files that it has handed out itself, and uploads, those after a day: beyond `most` bytes they go
    before as well, unless their subfolder is in `spared`.
    """

    folder: Path
    keep: float | None = None
    most: int = MOST
    spared: set[str] = field(default_factory=set)
    _swept: _Swept = field(default_factory=_Swept, compare=False, repr=False)

    def save(self, data: bytes, name: str) -> str:
        """Write `data` unless it is there already; the absolute path."""
        path = self.folder / hashlib.sha256(data).hexdigest()[:_DIGITS] / name
        self.make_room(len(data))
        if not self._use(path):
            self.folder.mkdir(parents=True, exist_ok=True)
            new = self.folder / f".{secrets.token_hex(8)}"  # as long as it is written, others go on
            try:
                new.write_bytes(data)
                with self._swept.lock:
                    path.parent.mkdir(exist_ok=True)
                    if not path.exists():  # by another request for the same; it may be being served
                        new.replace(path)
            finally:
                new.unlink(missing_ok=True)
        return str(path.resolve())

    def make_room(self, size: int) -> None:
        """Delete what is too old or too much, if it is time; `size` bytes are about to be written."""
        with self._swept.lock:
            self._sweep(size)

    def _use(self, path: Path) -> bool:
        """Whether a file is there; what is used again is as good as new."""
        with self._swept.lock:
            try:
                os.utime(path)
            except FileNotFoundError:
                return False
            return True

    def _sweep(self, size: int) -> None:
        now, swept = time.time(), self._swept
        swept.written += size
        if self.keep is None or (now - swept.at < _SWEPT_EVERY and swept.written < self.most / 10):
            return
        swept.at, swept.written = now, 0
        found = []
        # Gradio leaves tmp* behind: an empty file for each that a request hands over, and uploads that were broken off.
        for pattern in (f"{_HEX * _DIGITS}/*", f"{_HEX * _GRADIO}/*", "tmp*", f".{_HEX}*"):
            for path in self.folder.glob(pattern):
                with suppress(OSError):  # gone already
                    state = path.stat()
                    if stat.S_ISREG(state.st_mode):
                        found.append((state.st_mtime, state.st_size, path))
        left = sum(size for _, size, _ in found)
        for written, size, path in sorted(found):
            if now - written < _YOUNG:
                break
            uploaded = len(path.parent.name) == _GRADIO
            too_old, too_much = now - written > self.keep and not uploaded, left > self.most * 0.9
            if path.parent.name in self.spared or not (too_old or too_much):
                continue
            with suppress(OSError):  # gone already, or not empty yet
                path.unlink()
                left -= size
                if path.parent != self.folder:
                    path.parent.rmdir()


def private_folder(prefix: str) -> Path:
    """A temporary folder that lasts as long as this process; what processes that were killed have left is deleted."""
    try:
        import fcntl
    except ImportError:  # not on Windows: nothing tells whether its process lives
        folder = Path(tempfile.mkdtemp(prefix=prefix))
    else:
        for lock in Path(tempfile.gettempdir()).glob(f"{prefix}*/lock"):
            with suppress(OSError), lock.open() as stream:  # OSError: it is locked, or that of another user
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(lock.parent, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix=prefix))
        new = (
            folder / "new"
        )  # becomes "lock" once it is locked: another process would take it for one left behind
        _LOCKS.append(new.open("w"))
        fcntl.flock(_LOCKS[-1], fcntl.LOCK_EX)
        new.rename(folder / "lock")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def stem(path: str) -> str:
    """The name of an uploaded file without its ending, reduced to letters and digits of any script, "-" and "_"."""
    whole = unicodedata.normalize("NFC", Path(path).stem)  # some systems take letters and their accents apart
    name = re.sub(r"[^\w-]+", "_", whole).strip("_-")
    return name[:40].strip("_-") or "picture"


def holds(path: str | None, digest: str) -> bool:
    """Whether a file has this SHA-256; also if it cannot be read just now, as it is being replaced."""
    try:
        return bool(path) and hashlib.sha256(Path(path or "").read_bytes()).hexdigest() == digest
    except OSError:
        return True


def shown_name(name: str) -> str:
    """A file name of others as it may be shown: printable, not too long."""
    text = "".join(char if char.isprintable() else "?" for char in name)
    return text if len(text) <= 100 else f"{text[:60]}...{text[-30:]}"
