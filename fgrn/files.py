"""Writing files whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import secrets
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ASSETS = Path(__file__).resolve().parent.parent / "assets"
"""The folder of weights, examples, results and parameters of metrics."""


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file so that readers see the old content or all of the new. Raises OSError; leaves nothing behind."""
    write_together({path: data})


def write_together(files: Mapping[Path, bytes]) -> None:
    """Write files that belong together: each as `write_atomic`, and none takes its place before all are on the disk.

    A link stays, and what it leads to is written. Raises OSError, also for what is no ordinary file, a device or a pipe
    say; then all are as they were, unless one of them could not even be renamed.
    """
    contents = {Path(os.path.realpath(path)): data for path, data in files.items()}
    for path in contents:
        _check_ordinary(path)
    # In the same folder: os.replace cannot cross file systems.
    temporaries = {path: path.parent / f".{secrets.token_hex(8)}.tmp" for path in contents}
    try:  # from before the files are there: Ctrl-C may come at any moment
        for path, temporary in temporaries.items():
            # Not mkstemp: its files are 0600 whatever the umask says.
            with temporary.open("xb") as stream:
                stream.write(contents[path])
                stream.flush()
                os.fsync(stream.fileno())
        for path, temporary in temporaries.items():
            os.replace(temporary, path)
    except BaseException:
        for temporary in temporaries.values():
            temporary.unlink(missing_ok=True)
        raise


def ensure_writable(path: Path) -> None:
    """Make the folder of a file that is to be written, and try it: better than to fail after hours of work.

    Raises OSError if the file could not be written.
    """
    path = Path(os.path.realpath(path))
    _check_ordinary(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=path.parent):
        pass


def _check_ordinary(path: Path) -> None:
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "it is a folder", str(path))
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is no ordinary file", str(path))


def json_bytes(content: Mapping[str, Any]) -> bytes:
    """JSON as it is stored: indented, with a newline at the end."""
    return (json.dumps(content, indent=2) + "\n").encode()


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON atomically, and its folder if there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, json_bytes(content))
