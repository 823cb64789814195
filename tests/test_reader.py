"""Uploads are decoded apart: hostile files cost time, memory or a process there, and give an ImageError here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fgrn.images import ImageError, encode_png, read_image
from fgrn.lr_info import LRInfo
from lab import reader as module
from lab.reader import Reader, _start
from tests import crafted
from tests.conftest import Photo

needs_limits = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no clock of computing time here")


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    reader = Reader(processes=1, seconds=0.7)
    yield reader
    reader.close()


def ids(reader: Reader) -> list[int]:
    return [process.pid for process in reader._idle.queue if process is not None]


def test_a_picture_is_the_same_as_without_a_process(reader: Reader, photo: Photo, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encode_png(photo(40, 30), LRInfo("fgrn", 4, 160, 120, "ab")))
    grey = crafted.saved(Image.fromarray(photo(20, 20)).convert("RGBA").rotate(45), "PNG")
    for source in (path, str(path), grey):
        apart, here = reader.read(source, max_pixels=10_000), read_image(source, max_pixels=10_000)
        np.testing.assert_array_equal(apart.pixels, here.pixels)
        assert apart.pixels.flags.writeable
        assert (apart.notices, apart.format, apart.info) == (here.notices, here.format, here.info)


def test_refusals_are_the_same_too(reader: Reader, tmp_path: Path) -> None:
    (tmp_path / 'a "\udcff<b>.png').write_bytes(b"junk")
    large = encode_png(np.zeros((20, 20, 3), dtype=np.uint8))
    for source in (tmp_path / 'a "\udcff<b>.png', tmp_path / "none.png", tmp_path, b"", large):
        with pytest.raises(ImageError) as apart:
            reader.read(source, max_pixels=300)
        with pytest.raises(ImageError) as here:
            read_image(source, max_pixels=300)
        assert str(apart.value) == str(here.value)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_decodes_uploads_knows_no_secrets(monkeypatch: pytest.MonkeyPatch, photo: Photo) -> None:
    for name in ("HF_TOKEN", "LANGCHAIN_API_KEY"):
        monkeypatch.setenv(name, "secret")
    reader = Reader(processes=1)
    reader.read(encode_png(photo(20, 20)), max_pixels=400)
    [pid] = ids(reader)
    environment = Path(f"/proc/{pid}/environ").read_bytes()
    reader.close()
    assert b"MALLOC_ARENA_MAX" in environment and b"secret" not in environment


def test_closing_ends_all_processes() -> None:
    reader = Reader(processes=2)
    taken = [reader._idle.get() for _ in range(2)]
    assert taken == [None, None]
    started = [_start(5, 2**30) for _ in range(2)]
    for process in started:
        reader._idle.put(process)
    reader.close()
    assert all(process.poll() is not None for process in started)
    assert ids(reader) == []
    reader.read(crafted.saved(crafted.SMALL, "PNG"), max_pixels=1000)  # and it starts anew when it is asked
    assert len(ids(reader)) == 1
    reader.close()


def test_one_process_reads_many(reader: Reader) -> None:
    reader.read(crafted.saved(crafted.SMALL, "PNG"), max_pixels=1000)
    before = ids(reader)
    with pytest.raises(ImageError):
        reader.read(b"junk", max_pixels=1000)
    reader.read(crafted.saved(crafted.SMALL, "BMP"), max_pixels=1000)
    assert ids(reader) == before and len(before) == 1


@needs_limits
@pytest.mark.parametrize("name", ["gif_comments", "jpeg_scans", "tiff_strips"])
def test_a_file_that_takes_for_ever_is_given_up(reader: Reader, name: str) -> None:
    with pytest.raises(ImageError, match="takes too long"):
        reader.read(crafted.SLOW[name](5_000_000), max_pixels=20_000_000)
    assert reader.read(crafted.saved(crafted.SMALL, "PNG"), max_pixels=1000).pixels.shape == (20, 24, 3)


@needs_limits
def test_a_file_that_fills_the_memory_is_given_up() -> None:
    reader = Reader(processes=1, seconds=30, memory=500 << 20)
    with pytest.raises(ImageError, match="does not fit in memory"):
        reader.read(crafted.tiff_tags(10_000_000), max_pixels=1000)
    assert ids(reader), "the same process goes on"
    reader.close()


def test_other_programs_cannot_make_it_wait_for_ever() -> None:
    reader = Reader(processes=1, seconds=1000, patience=0.5)
    with pytest.raises(ImageError, match="takes too long"):
        reader.read(crafted.gif_comments(5_000_000), max_pixels=1000)
    reader.close()


def test_a_crash_is_an_error_and_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def crashing(seconds: float, memory: int) -> subprocess.Popen[bytes]:
        code = "import os, sys; sys.stdin.buffer.read(12); os.abort()"
        pipe = subprocess.PIPE
        return subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe)

    reader = Reader(processes=1)
    with monkeypatch.context() as patch:
        patch.setattr(module, "_start", crashing)
        for data in (b"small", bytes(10_000_000)):  # fits into the pipe; does not
            with pytest.raises(ImageError, match="stops the program"):
                reader.read(data, max_pixels=1000)
    reader.read(crafted.saved(crafted.SMALL, "PNG"), max_pixels=1000)
    reader.close()


def test_a_process_that_was_killed_while_idle_is_replaced(reader: Reader) -> None:
    picture = crafted.saved(crafted.SMALL, "PNG")
    reader.read(picture, max_pixels=1000)
    [before] = ids(reader)
    os.kill(before, signal.SIGTERM)
    for process in reader._idle.queue:
        assert process is not None
        process.wait(20)
    assert reader.read(picture, max_pixels=1000).format == "PNG"
    assert ids(reader) != [before]


def test_threads_get_their_own_pictures(photo: Photo) -> None:
    reader, failures = Reader(processes=2), []

    def work(seed: int) -> None:
        picture = photo(30 + seed, 40, seed)
        for _ in range(10):
            if not np.array_equal(reader.read(encode_png(picture), max_pixels=10_000).pixels, picture):
                failures.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures and len(ids(reader)) == 2
    reader.close()


def test_processes_end_with_the_one_that_started_them(tmp_path: Path) -> None:
    code = (
        "import os, signal; from tests import crafted; from lab.reader import Reader; reader = Reader(1);"
        "reader.read(crafted.saved(crafted.SMALL, 'PNG'), max_pixels=1000);"
        "print(reader._idle.queue[0].pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    # communicate() returns when nobody holds the other end of standard error any more: neither has been left over
    started = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    output, _ = started.communicate(timeout=60)
    assert started.returncode == -signal.SIGKILL and int(output) > 0
