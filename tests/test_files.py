"""Files that the page writes: for how long they stay, and what is left of a server that was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from lab import files
from lab.compare.handlers import Handlers
from lab.files import DAY, Store, private_folder
from tests.conftest import ROOT


def age(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


def test_files_older_than_a_day_are_deleted_whoever_asked_for_them(tmp_path: Path) -> None:
    old, used, new = (Path(Store(tmp_path).save(data, "a.npy")) for data in (b"old", b"used", b"new"))
    broken_off = tmp_path / ".0123456789abcdef"  # by a kill
    gradio = tmp_path / ("a" * 64) / "example.png"
    gradio.parent.mkdir()
    empty, upload = tmp_path / "tmpabc", tmp_path / "tmpdef"
    for path, data in ((gradio, b"example"), (empty, b""), (upload, b"half an upload"), (broken_off, b"x")):
        path.write_bytes(data)
    fresh = tmp_path / "tmpghi"
    fresh.write_bytes(b"more is to come")
    for path in (old, used, gradio, empty, upload, broken_off):
        age(path, DAY + 60)
    Store(tmp_path).save(b"used", "a.npy")
    Store(tmp_path, keep=DAY).save(b"another", "b.png")
    assert not any(path.exists() for path in (old, old.parent, empty, upload, broken_off))
    assert all(path.exists() for path in (used, new, gradio, fresh))


def test_it_is_not_looked_for_at_every_file(tmp_path: Path) -> None:
    store = Store(tmp_path, keep=DAY)
    first = Path(store.save(b"first", "a"))
    age(first, DAY + 60)
    store.save(b"second", "a")
    assert first.exists()
    store._swept.at -= files._SWEPT_EVERY
    store.save(b"third", "a")
    assert not first.exists()


def test_nothing_is_swept_that_another_thread_is_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is used again is not deleted between the look at its age and the use."""
    store = Store(tmp_path, keep=DAY)
    path = Path(store.save(b"used", "a"))
    age(path, DAY + 60)
    sweeper = threading.Thread(target=store.save, args=(b"another", "b"))
    used_again = os.utime

    def slowly(of: Path) -> None:
        if Path(of) == path and not sweeper.ident:
            store._swept.at = 0.0  # due
            sweeper.start()
            sweeper.join(0.3)
        used_again(of)

    monkeypatch.setattr(os, "utime", slowly)
    assert store.save(b"used", "a") == str(path)
    sweeper.join(20)
    assert path.read_bytes() == b"used" and not sweeper.is_alive()


def test_beyond_its_bytes_the_oldest_files_go(tmp_path: Path) -> None:
    store = Store(tmp_path, keep=DAY, most=1000)
    paths = []
    for number in range(30):
        paths.append(Path(store.save(bytes([number]) * 100, "a.npy")))
        age(paths[-1], 3600 - number)
    kept = [path.exists() for path in paths]
    assert sum(kept) <= 11 and kept == sorted(kept) and kept[-1], "the newest stay"


def test_uploads_go_too_where_there_is_too_much_but_not_at_once_and_no_examples(tmp_path: Path) -> None:
    """Gradio deletes them after a day: until then anybody could fill the disk."""
    names = {name: name * 64 for name in "abc"}
    store = Store(tmp_path, keep=DAY, most=1000, spared={names["c"]})
    uploads = {name: tmp_path / folder / "upload.png" for name, folder in names.items()}
    for path in uploads.values():
        path.parent.mkdir()
        path.write_bytes(bytes(600))
    for name in "ac":
        age(uploads[name], 3600)
    result = Path(store.save(b"result", "r.png"))
    assert [name for name, path in uploads.items() if path.exists()] == ["b", "c"]
    assert not uploads["a"].parent.exists() and result.exists()


def test_the_page_keeps_results_for_a_day_and_examples_for_ever(tmp_path: Path) -> None:
    page = Handlers()
    assert page.store.keep == DAY and page.showcases._store.keep is None
    assert {len(folder) for folder in page.store.spared} == {files._GRADIO}


@pytest.mark.skipif(sys.platform == "win32", reason="no locks that end with their process")
def test_the_folder_of_a_killed_process_is_deleted_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    code = (
        "import sys; from lab.files import private_folder;"
        "print(private_folder('fgrn-test-'), flush=True); sys.stdin.read()"
    )
    pipe = subprocess.PIPE
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    started = [
        subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=environment, stdin=pipe, stdout=pipe)
        for _ in range(3)
    ]
    folders = [Path(process.stdout.readline().decode().strip()) for process in started if process.stdout]
    assert len(set(folders)) == 3 and all(folder.is_dir() for folder in folders)
    started[0].send_signal(signal.SIGKILL)
    started[1].communicate()  # ends by itself
    started[0].wait(20)
    ours = private_folder("fgrn-test-")
    assert [folder.exists() for folder in folders] == [False, False, True] and ours.is_dir()
    started[2].communicate()
    assert not folders[2].exists()
