"""A stand-in for `tests.benchmarks.fuzz_worker` that starts quickly, hangs and crashes."""

from __future__ import annotations

import os
import time
from multiprocessing.connection import Connection
from pathlib import Path


def serve(connection: Connection, weights: Path) -> None:
    """As the real one; the content of a case says what happens."""
    connection.send(("started", 0.0, 0))
    while (case := connection.recv()) is not None:
        if case.data == b"hang":
            time.sleep(1000)
        if case.data == b"crash":
            os.abort()
        connection.send(("read", 0.0, 0))
