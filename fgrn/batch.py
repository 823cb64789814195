"""Which pictures a command reads, where it writes, and how it gets through all of them.

A picture that fails is named and left out; the others are done all the same.
"""

from __future__ import annotations

import errno
import os
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from fgrn.files import ensure_writable

SUFFIXES = {
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".avif", ".gif", ".tif", ".tiff"),
    *(".bmp", ".ppm", ".pgm", ".pbm", ".pnm"),
}
"""Endings of the files taken from a folder. A file that is named itself may have any ending."""

UNREAD_SUFFIXES = {
    *(".heic", ".heif", ".jxl", ".jp2", ".svg", ".psd", ".xcf", ".exr", ".hdr", ".tga"),
    *(".dng", ".nef", ".nrw", ".cr2", ".cr3", ".arw", ".orf", ".rw2", ".raf", ".pef", ".srw"),
}
"""Endings of pictures that are not read: where a folder holds some, it is said."""

OK, FAILED, UNUSABLE, INTERRUPTED = 0, 1, 2, 130
"""Exit codes: all done; some pictures failed; wrong usage or weights that cannot be used; Ctrl-C."""


class UsageError(ValueError):
    """A command line that cannot be carried out; the message says what, why and what next."""


@dataclass(frozen=True)
class Picture:
    """An input file. `name` is where it belongs in an output folder, without the suffix being changed yet."""

    source: Path
    name: Path


@dataclass(frozen=True)
class Job:
    """A picture and the file to write. `problem` says why it must not be written ("" if it may)."""

    source: Path
    target: Path
    problem: str = ""


def find_pictures(inputs: Sequence[str], reporter: Reporter, *, outside: Path | None = None) -> list[Picture]:
    """All pictures of files and folders, folders in depth and in the order of names; hidden files are left out.

    What lies in the folder `outside` is skipped, so that a second run does not read the output of the first.
    A folder among several inputs keeps its own name in `Picture.name`. A folder that cannot be read is reported.

    Raises:
        UsageError: for a folder without pictures. (A missing file is noticed when it is read.)
    """

    def fail(error: OSError) -> None:
        reporter.fail(f"{error.filename} cannot be read: {error.strerror or error}")

    pictures: dict[tuple[str, Path], Picture] = {}  # a file that is named in two ways is there once

    left_out: list[Path] = []

    def add(file: Path, name: Path) -> None:
        pictures.setdefault((os.path.realpath(file), name), Picture(file, name))

    _check_named("input", *inputs)
    for text in inputs:
        path = Path(text)
        if not os.path.isdir(path):  # Path.is_dir raises where a folder above cannot be searched
            add(path, Path(path.name))
            continue
        base = Path(path.resolve().name if len(inputs) > 1 else "")
        below = list(pictures_below(path, outside, fail, left_out.append))
        if not below:
            unread = (
                f"; {left_out[0].name} is of a format that is not read, convert it first" if left_out else ""
            )
            raise UsageError(
                f"{text}: there is no picture in this folder ({', '.join(sorted(SUFFIXES))}{unread})."
            )
        for file in below:
            add(file, base / file.relative_to(path))
    if left_out:
        first, more = ", ".join(map(str, left_out[:5])), len(left_out) - 5
        reporter.note(
            f"left out, since their formats are not read (convert them first): {first}"
            + (f" and {more} more" if more > 0 else "")
        )
    return list(pictures.values())


def pictures_below(
    folder: Path,
    outside: Path | None = None,
    fail: Callable[[OSError], object] | None = None,
    left_out: Callable[[Path], object] = lambda path: None,
) -> Iterator[Path]:
    """Files in and below `folder` that are called as pictures are; nothing hidden, and nothing in or below `outside`.

    Links to folders are followed at the end, each folder once: they may lead in circles. `fail` is called with the
    error of every folder that cannot be read, `left_out` with every picture of a format that is not read.
    """
    skipped = Path(os.path.realpath(outside)) if outside else None
    if skipped and Path(os.path.realpath(folder)).is_relative_to(skipped):
        skipped = None
    tops, seen = deque([os.fspath(folder)]), set()
    while tops:
        for parent, folders, files in os.walk(tops.popleft(), onerror=fail):
            place = os.path.realpath(parent)
            if place in seen or (skipped and Path(place).is_relative_to(skipped)):
                folders.clear()
                continue
            seen.add(place)
            shown = sorted(name for name in folders if name[0] != ".")
            links = [name for name in shown if os.path.islink(os.path.join(parent, name))]
            tops.extend(os.path.join(parent, name) for name in links)
            folders[:] = [name for name in shown if name not in links]
            for name in sorted(files):
                suffix = Path(name).suffix.lower()
                if name[0] != "." and suffix in SUFFIXES:
                    yield Path(parent) / name
                elif name[0] != "." and suffix in UNREAD_SUFFIXES:
                    left_out(Path(parent) / name)


def plan(inputs: Sequence[str], output: str, reporter: Reporter, *, force: bool = False) -> list[Job]:
    """The jobs for writing one PNG per picture.

    One file goes to the file `output`; a folder, or several inputs, go below the folder `output`, with the structure
    of folders kept. Inputs are not overwritten unless `force` is set; of two pictures that would become the same
    file none is written. A folder that cannot be read is reported.

    Raises:
        UsageError: if `output` does not fit the inputs.
    """
    _check_named("input", *inputs)
    _check_named("output", output)
    target = Path(output)
    into_folder = os.path.isdir(target) or output.endswith(os.sep)
    if len(inputs) > 1 or os.path.isdir(inputs[0]):
        if not into_folder and (os.path.exists(target) or target.suffix.lower() in SUFFIXES):
            raise UsageError(f"{output}: several pictures need a folder to go to, and this is a file name.")
        into_folder = True
    if not into_folder and target.suffix.lower() != ".png":
        raise UsageError(
            f"{output}: the result is written as PNG only, because it has to stay exact. End the name in .png."
        )
    pictures = find_pictures(inputs, reporter, outside=target if into_folder else None)
    targets = [target / item.name.with_suffix(".png") if into_folder else target for item in pictures]
    sources = {os.path.realpath(item.source) for item in pictures}
    writers = Counter(map(os.path.realpath, targets))
    jobs = []
    for item, path in zip(pictures, targets, strict=True):
        problem = ""
        if writers[os.path.realpath(path)] > 1:
            problem = f"another input would become {path} too: rename one of them."
        elif os.path.realpath(path) in sources and not force:
            problem = f"{path} is an input and would be overwritten: choose another name, or pass --force."
        jobs.append(Job(item.source, path, problem))
    return jobs


def _check_named(what: str, *names: str) -> None:
    """An empty name would mean the folder one is in, and comes from a variable that is not set."""
    if not all(names):
        raise UsageError(
            f"The name of an {what} is empty: name a file or a folder, . for the one you are in."
        )


@contextmanager
def writing(file: Path) -> Iterator[None]:
    """What goes wrong in writing a file of results, as a UsageError; it names the folder if that is at fault."""
    try:
        yield
    except OSError as error:
        named = Path(error.filename or file)
        what = named if named in file.parents else file  # else the temporary file, which is gone
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        advice = "Make room" if full else "Choose another name"
        raise UsageError(f"{what} cannot be written: {error.strerror or error}. {advice}.") from error


def try_writing(file: Path) -> None:
    """Try at the start what is to be written at the end (`files.ensure_writable`, which makes the folder).

    Raises:
        UsageError: if it could not be written.
    """
    with writing(file):
        ensure_writable(file)


def drop_stdout() -> None:
    """Send stdout nowhere from now on, once its reader is gone: the flush at exit would fail once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@dataclass
class Reporter:
    """Messages on stderr that do not tear the progress bar; remembers what failed.

    `unread_goes_on`: results are also for a file, so that nothing ends when nobody reads them on stdout any more.
    """

    quiet: bool = False
    code: int = OK
    unread_goes_on: bool = False

    def note(self, text: str) -> None:
        """Something the user may want to know."""
        if not self.quiet:
            tqdm.write(f"fgrn: {text}", file=sys.stderr)

    def result(self, text: str) -> None:
        """A result, on stdout.

        Raises:
            BrokenPipeError: if nobody reads it any more, unless `unread_goes_on`.
        """
        with tqdm.external_write_mode(file=sys.stderr):
            try:
                print(text, flush=True)
            except BrokenPipeError:
                if not self.unread_goes_on:
                    raise
                drop_stdout()

    def fail(self, text: str, code: int = FAILED) -> None:
        """Something that could not be done; never silent."""
        tqdm.write(f"fgrn: {text}", file=sys.stderr)
        self.code = max(self.code, code)

    @contextmanager
    def progress(self, total: int, unit: str) -> Iterator[Callable[[], object]]:
        """A progress bar on a terminal, for more than one step; yields the function that counts one."""
        needless = self.quiet or total < 2 or None  # None: unless stderr is a terminal
        with tqdm(total=total, unit=unit, file=sys.stderr, disable=needless) as bar:
            yield bar.update
