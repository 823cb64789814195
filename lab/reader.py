"""Uploaded pictures are decoded in processes of their own, with limits of time and memory.

Pillow bounds neither: a file of 20 MB that is made for it (comments of a GIF, strips of a TIFF, scans of a JPEG) keeps
it busy for minutes or fills the memory, and its C libraries may crash. Here such a file costs one process, which is
replaced, and its visitor gets an ImageError. `fgrn.images.read_image` does the reading; what comes back through the
pipe is JSON and raw pixels, nothing that could run.
"""

from __future__ import annotations

import atexit
import json
import os
import queue
import re
import signal
import struct
import subprocess
import sys
import threading
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import IO, Any

import numpy as np

from fgrn.images import ImageError, LoadedImage, read_bytes, read_image
from fgrn.lr_info import LRInfo

SECONDS = 4.0  # of computing for one picture; one of 16 megapixels needs up to 1.6
PATIENCE = 60.0  # seconds of waiting, where computing is not counted or other programs take all of it
MEMORY = 2 << 30  # bytes of addresses for one picture; one of 16 megapixels needs a quarter of them
PROCESSES = 2  # a slow file then holds up one of two visitors
_ROOT = Path(__file__).resolve().parent.parent
# A library that a crafted file has taken over is to find no secrets: only what Python and its libraries need.
_PASSED = re.compile(
    r"PATH(EXT)?|PYTHON\w*|(DY)?LD_\w+|LC_\w+|LANG(UAGE)?|HOME|TMP(DIR)?|TEMP|SYSTEMROOT|VIRTUAL_ENV",
    re.IGNORECASE,
)
_LENGTHS = struct.Struct(">IQ")  # of a JSON head and of the bytes after it


class Reader:
    """Reads pictures in at most `processes` processes, which are started when they are needed."""

    def __init__(
        self,
        processes: int = PROCESSES,
        seconds: float = SECONDS,
        patience: float = PATIENCE,
        memory: int = MEMORY,
    ) -> None:
        self._seconds, self._patience, self._memory = seconds, patience, memory
        self._idle: queue.LifoQueue[subprocess.Popen[bytes] | None] = queue.LifoQueue()
        for _ in range(processes):
            self._idle.put(None)

    def read(self, source: str | Path | bytes, *, max_pixels: int) -> LoadedImage:
        """As `fgrn.images.read_image`.

        Raises:
            ImageError: if it cannot be read, also because that takes too much time or memory.
        """
        name, data = read_bytes(source)
        process = self._idle.get()
        try:
            if process is None or process.poll() is not None:
                process = _start(self._seconds, self._memory)
            return self._ask(process, name, data, max_pixels)
        finally:
            self._idle.put(process)

    def warm_up(self) -> None:
        """Start one process, so that the first picture does not wait for it."""
        process = self._idle.get()
        try:
            process = process or _start(self._seconds, self._memory)
        finally:
            self._idle.put(process)

    def close(self) -> None:
        """End the idle processes."""
        # All of them first: what is put back comes out next.
        idle = [self._idle.get() for _ in range(self._idle.qsize())]
        for process in idle:
            if process is not None:
                _end(process)
            self._idle.put(None)

    def _ask(self, process: subprocess.Popen[bytes], name: str, data: bytes, max_pixels: int) -> LoadedImage:
        assert process.stdin and process.stdout
        late = threading.Event()

        def end_late() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(self._patience, end_late)
        timer.start()
        try:
            _send(process.stdin, {"name": name, "max_pixels": max_pixels}, data)
            head, pixels = _receive(process.stdout)
        except (OSError, EOFError) as error:
            _end(process)
            if late.is_set() or process.returncode == -getattr(signal, "SIGPROF", 0):
                raise ImageError(
                    f"{name} takes too long to decode: it is built in an unusual way. Export it again as PNG."
                ) from error
            raise ImageError(
                f"{name} cannot be decoded: its content stops the program that reads it. Export it again as PNG."
            ) from error
        except BaseException:  # an answer that is half read would be taken for the next one's
            _end(process)
            raise
        finally:
            timer.cancel()
        if "error" in head:
            raise ImageError(str(head["error"]))
        array = np.frombuffer(pixels, dtype=np.uint8).reshape(head["shape"]).copy()
        info = LRInfo(**head["info"]) if head["info"] else None
        return LoadedImage(array, tuple(head["notices"]), head["format"], info, head["lossless"])


def read_upload(source: str | Path | bytes, *, max_pixels: int) -> LoadedImage:
    """Read a picture that came from anywhere, with the processes that all visitors share.

    Raises:
        ImageError: if it cannot be read, also because that takes too much time or memory.
    """
    return _shared().read(source, max_pixels=max_pixels)


def warm_up() -> None:
    """Start a process for `read_upload`, which then reads its first picture without delay."""
    _shared().warm_up()


@cache
def _shared() -> Reader:
    reader = Reader()
    atexit.register(reader.close)
    return reader


def _start(seconds: float, memory: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "lab.reader", str(seconds), str(memory)]
    # Every thread and every heap of a thread takes addresses, and here some would be there for every processor.
    # Standard error is where libraries report damage in files of others: nothing for the log of the server.
    environment = {name: value for name, value in os.environ.items() if _PASSED.fullmatch(name)}
    environment |= {"OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
    return subprocess.Popen(
        command,
        cwd=_ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        try:
            if stream:
                stream.close()
        except OSError:  # a request that was not sent to its end
            pass


def _send(stream: IO[bytes], head: dict[str, Any], data: bytes | memoryview) -> None:
    text = json.dumps(head).encode()
    stream.write(_LENGTHS.pack(len(text), len(data)) + text)
    stream.write(data)
    stream.flush()


def _receive(stream: IO[bytes]) -> tuple[dict[str, Any], bytes]:
    head_length, data_length = _LENGTHS.unpack(_exactly(stream, _LENGTHS.size))
    head: dict[str, Any] = json.loads(_exactly(stream, head_length))
    return head, _exactly(stream, data_length)


def _exactly(stream: IO[bytes], length: int) -> bytes:
    data = stream.read(length)
    if len(data) != length:
        raise EOFError
    return data


def _limit_memory(memory: int) -> None:
    try:
        import resource
    except ImportError:  # not on Windows
        return
    allowed = resource.getrlimit(resource.RLIMIT_AS)[1]
    limit = memory if allowed == resource.RLIM_INFINITY else min(memory, allowed)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _allow(seconds: float) -> None:
    """End this process when it has computed for so long; 0 stops the clock. Other programs do not make it run."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)


def serve(requests: IO[bytes], answers: IO[bytes], seconds: float) -> None:
    """Answer requests, one after the other, until there are no more."""
    while True:
        try:
            head, data = _receive(requests)
        except EOFError:
            return
        _allow(seconds)
        pixels: bytes | memoryview = b""
        try:
            loaded = read_image(data, max_pixels=head["max_pixels"], name=head["name"])
        except ImageError as error:
            answer: dict[str, Any] = {"error": str(error)}
        else:
            pixels = loaded.pixels.data.cast("B")
            answer = {
                "shape": loaded.pixels.shape,
                "notices": loaded.notices,
                "format": loaded.format,
                "lossless": loaded.lossless,
                "info": asdict(loaded.info) if loaded.info else None,
            }
        _allow(0)
        _send(answers, answer, pixels)


def main() -> None:
    """Serve standard input and output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which then closes the pipe
    seconds, memory = sys.argv[1:]
    _limit_memory(int(memory))
    serve(sys.stdin.buffer, sys.stdout.buffer, float(seconds))


if __name__ == "__main__":
    main()
