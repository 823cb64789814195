"""Pictures out of uploaded files and ZIPs that come from anywhere.

Nothing is extracted: a picture is read into memory when its turn comes, and what the ZIP calls it is only shown.
"""

from __future__ import annotations

import os
import re
import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from fgrn.batch import SUFFIXES, UNREAD_SUFFIXES
from fgrn.images import ImageError
from fgrn.record import BOUNDED, ZIP_ERRORS
from fgrn.scores import readable_size
from lab.asked import RequestError
from lab.files import shown_name, stem

MAX_PICTURES = 200
MAX_BYTES = 64_000_000  # of one picture file
MAX_TOTAL_BYTES = 1_000_000_000  # of all pictures of a request, unpacked
UNREAD = "Its format is not read. Convert it to PNG, JPEG or TIFF first."
MAX_SKIPPED = 50  # files of which it is said why they are left out
MAX_DIRECTORY = (
    1_000_000  # bytes: the table of contents of a ZIP, which is read whole; some ten thousand entries
)

# The record at the end of a ZIP, and the mark in front of it in a ZIP64.
_END, _END_SIZE, _END_64, _END_64_SIZE = b"PK\x05\x06", 22, b"PK\x06\x07", 20
_LONGEST_COMMENT = 1 << 16


@dataclass(frozen=True)
class PictureFile:
    """A picture to measure. `entry` is its place in the ZIP at `path`, -1 if `path` is the picture itself."""

    name: str
    path: Path
    entry: int = -1

    @property
    def file_name(self) -> str:
        """A name for a copy of the file."""
        plain = Path(re.sub(r" \(\d+\)$", "", self.name))  # as `_apart` tells equal names apart
        return f"{stem(plain.name)}{plain.suffix.lower()}"

    def read(self) -> bytes:
        """The bytes of the picture file, of any content.

        Raises:
            ImageError: if they cannot be read or are too many.
        """
        try:
            if self.entry < 0:
                with self.path.open("rb") as stream:
                    data = stream.read(MAX_BYTES + 1)
            else:
                with zipfile.ZipFile(self.path) as archive:
                    entry = archive.infolist()[self.entry]
                    with archive.open(entry) as member:
                        data = member.read(MAX_BYTES + 1)
        except ZIP_ERRORS as error:
            raise ImageError("The file cannot be read from where it lies. Upload it again.") from error
        if len(data) > MAX_BYTES:
            raise ImageError(f"The file has more than {readable_size(MAX_BYTES)}. Use a smaller picture.")
        return data


@dataclass(frozen=True)
class Collected:
    """What was found: the pictures, and by name why other files are left out."""

    sources: tuple[PictureFile, ...]
    skipped: dict[str, str]
    uploads: tuple[str, ...] = ()  # where it was looked for, unless in a named set


def collect(paths: Sequence[str]) -> Collected:
    """All pictures of uploaded files; a ZIP counts for what is in it, nested folders included.

    Raises:
        RequestError: if there is no picture at all, or there are too many.
    """
    if not paths:
        sets = named_sets()
        instead = f", or choose a picture set: {', '.join(sets)}" if sets else ""
        raise RequestError(f"There is no picture yet. Upload pictures or a ZIP of them{instead}.")
    sources: list[PictureFile] = []
    skipped: list[tuple[str, str]] = []
    total = 0
    for path in map(Path, paths):
        if not path.is_file():  # uploads are kept for a day
            raise RequestError(f"{shown_name(path.name)} is not on the server any more. Upload it again.")
        if _is_zip(path):
            found, left_out, size = _entries(path)
            sources += found
            skipped += left_out
            total += size
        elif path.suffix.lower() in SUFFIXES:
            sources.append(PictureFile(shown_name(path.name), path))
            total += path.stat().st_size
        elif path.suffix.lower() in UNREAD_SUFFIXES:
            skipped.append((shown_name(path.name), UNREAD))
        else:
            skipped.append((shown_name(path.name), "This is neither a picture nor a ZIP."))
        _check(len(sources), total)
    if not sources:
        why = f" ({'; '.join(f'{name}: {text}' for name, text in skipped[:3])})" if skipped else ""
        raise RequestError(
            f"There is no picture in what was uploaded{why}. Upload pictures or a ZIP of pictures: "
            f"{', '.join(sorted(SUFFIXES))}."
        )
    used: set[str] = set()
    return Collected(tuple(_apart(sources, used)), _few(skipped, used), tuple(paths))


def _few(skipped: Sequence[tuple[str, str]], used: set[str]) -> dict[str, str]:
    """Why files are left out, by names that are not `used` yet: the first of many, and how many more there are."""
    few = {_unused(name, used): reason for name, reason in skipped[:MAX_SKIPPED]}
    more = len(skipped) - len(few)
    return few | ({f"and {more:,} more files": "For reasons like these."} if more else {})


def named_sets() -> dict[str, Path]:
    """The picture sets of this machine: folders that the environment variable FGRN_BENCH names, or folders in them.

    Only these can be asked for, by name.
    """
    found: dict[Path, None] = {}
    for text in filter(None, os.environ.get("FGRN_BENCH", "").split(os.pathsep)):
        top = Path(text)
        for folder in [top] if _pictures(top) else sorted(_paths(top)):
            if _pictures(folder):
                found[folder.resolve()] = None
    called = Counter(folder.name for folder in found)
    # Set5/HR and Set14/HR are two sets, which their own names do not tell apart.
    return {
        shown_name(folder.name if called[folder.name] == 1 else "/".join(folder.parts[-2:])): folder
        for folder in found
    }


def collect_set(name: str) -> Collected:
    """The pictures of a named set.

    Raises:
        RequestError: if there is no set of this name.
    """
    sets = named_sets()
    if name not in sets:
        known = (
            f"Choose among {', '.join(sets)}." if sets else "This server has none: upload pictures instead."
        )
        raise RequestError(f"There is no picture set {shown_name(name)!r} here. {known}")
    files = _pictures(sets[name])
    _check(len(files), sum(path.stat().st_size for path in files))
    return Collected(tuple(_apart([PictureFile(shown_name(path.name), path) for path in files], set())), {})


def _pictures(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in _paths(folder)
        if path.suffix.lower() in SUFFIXES and path.name[0] != "." and os.path.isfile(path)
    )


def _paths(folder: Path) -> list[Path]:
    """What a folder holds; nothing if it is none or cannot be read: the other sets are there all the same."""
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _is_zip(path: Path) -> bool:
    with path.open("rb") as stream:
        return path.suffix.lower() == ".zip" or stream.read(4) == b"PK\x03\x04"


def _entries(path: Path) -> tuple[list[PictureFile], list[tuple[str, str]], int]:
    """The pictures in a ZIP, what is left out and why, and how many bytes the pictures have, as the ZIP says."""
    name = shown_name(path.name)
    _check_directory(path, name)
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile) as error:
        raise RequestError(f"{name} is cut off or damaged, or no ZIP ({error}). Pack it again.") from error
    sources: list[PictureFile] = []
    skipped: list[tuple[str, str]] = []
    total = 0
    for index, entry in enumerate(entries):
        inside = PurePosixPath(entry.filename.replace("\\", "/"))
        title = shown_name(str(inside))
        if entry.filename.endswith("/") or inside.suffix.lower() not in SUFFIXES | UNREAD_SUFFIXES:
            continue
        if any(part.startswith(".") and part != ".." for part in inside.parts) or "__MACOSX" in inside.parts:
            continue
        if inside.is_absolute() or ".." in inside.parts or PureWindowsPath(inside).drive:
            skipped.append((title, "Its name points to a place outside the ZIP."))
        elif inside.suffix.lower() in UNREAD_SUFFIXES:
            skipped.append((title, UNREAD))
        elif entry.flag_bits & 1:
            skipped.append((title, "It is encrypted. Pack it without a password."))
        elif entry.compress_type not in BOUNDED:
            skipped.append((title, "It is packed in an unusual way. Pack it again as an ordinary ZIP."))
        elif entry.file_size > MAX_BYTES:
            skipped.append(
                (
                    title,
                    f"It has {readable_size(entry.file_size)}; at most {readable_size(MAX_BYTES)} are read.",
                )
            )
        else:
            # As it is packed, zipfile reads no more than the size that is said here: the sum is a limit, not a promise.
            sources.append(PictureFile(title, path, index))
            total += entry.file_size
    return sources, skipped, total


def _check_directory(path: Path, name: str) -> None:
    """Look at the end of a ZIP before zipfile makes an object of each of its entries.

    Raises:
        RequestError: if the table of contents is too large.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        stream.seek(max(0, size - _LONGEST_COMMENT - _END_SIZE - _END_64_SIZE))
        tail = stream.read()
    end = tail.rfind(_END)
    if tail[-_END_SIZE:].startswith(_END) and tail.endswith(b"\0\0"):
        end = len(tail) - _END_SIZE  # where zipfile looks first
    large = end >= 0 and int.from_bytes(tail[end + 12 : end + 16], "little") > MAX_DIRECTORY
    if large or _END_64 in tail[max(0, end - _END_64_SIZE) : max(0, end)]:
        raise RequestError(f"{name} holds too many files. Pack at most {MAX_PICTURES} pictures into one ZIP.")


def _check(count: int, total: int) -> None:
    if count > MAX_PICTURES:
        raise RequestError(
            f"There are more than {MAX_PICTURES} pictures, the most for one run here. Leave some out, or use "
            "`python -m fgrn compare FOLDER`."
        )
    if total > MAX_TOTAL_BYTES:
        raise RequestError(
            f"Unpacked, the pictures have more than {readable_size(MAX_TOTAL_BYTES)}, the most for one run here. "
            "Leave some out."
        )


def _apart(sources: list[PictureFile], used: set[str]) -> list[PictureFile]:
    """The same sources, every name different, and not `used` yet."""
    return [PictureFile(_unused(source.name, used), source.path, source.entry) for source in sources]


def _unused(wanted: str, used: set[str]) -> str:
    """A name like the wanted one that is not used yet; it is now."""
    name, count = wanted, 1
    while name in used:
        count += 1
        name = f"{wanted} ({count})"
    used.add(name)
    return name
