"""Writing files whole or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file so that readers see the old content or all of the new. Raises OSError; leaves nothing behind."""
    path = Path(path)
    temporary = (
        path.parent / f".{secrets.token_hex(8)}.tmp"
    )  # same folder: os.replace cannot cross file systems
    try:  # from before the file is there: Ctrl-C may come at any moment
        # Not mkstemp: its files are 0600 whatever the umask says.
        with temporary.open("xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
