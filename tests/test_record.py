"""The ZIP that repeats a run: what was packed comes back, and whatever is damaged is named as such."""

from __future__ import annotations

import io
import json
import zipfile
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from fgrn import record
from fgrn.record import Input, Record, RecordError, Settings
from fgrn.scores import Score

RUN = Record(
    Settings(4, ("bicubic", "fgrn")), (Input("a.png", "0" * 64),), {"bicubic": "", "fgrn": "1" * 8}, {}, {}
)
FIGURES = {"a.png": {"bicubic": {"psnr_y": Score(30.0)}, "fgrn": {"psnr_y": Score(36.0)}}}


def repacked(data: bytes, method: int) -> bytes:
    """The same files, packed in another way."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", method) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return out.getvalue()


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_damaged_zip_is_an_error_that_says_so(method: int, tmp_path: Path) -> None:
    data, path = repacked(record.pack(RUN, FIGURES, {}), method), tmp_path / "run.zip"
    path.write_bytes(data)
    assert record.unpack(path)[0] == RUN
    random, refused = np.random.default_rng(method), 0
    for _ in range(300):
        damaged = bytearray(data[: random.integers(1, len(data))] if random.random() < 0.2 else data)
        for place in random.integers(0, len(damaged), 4):
            damaged[place] = random.integers(256)
        path.write_bytes(damaged)
        try:
            record.unpack(path)
        except RecordError:
            refused += 1
    assert refused > 200


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_would_be_unpacked_without_bounds_is_not_opened(method: int, tmp_path: Path) -> None:
    path = tmp_path / "run.zip"
    path.write_bytes(repacked(record.pack(RUN, FIGURES, {}), method))
    with pytest.raises(RecordError, match=r"run\.json in this ZIP is packed in another way"):
        record.unpack(path)


def test_versions_name_what_the_figures_need_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    here = {"torch": "1", "pyiqa": "0.1"}

    def version(name: str) -> str:
        if name not in here:
            raise metadata.PackageNotFoundError(name)
        return here[name]

    monkeypatch.setattr(metadata, "version", version)
    assert here.items() <= record.versions().items()
    del here["pyiqa"]
    assert "pyiqa" not in record.versions()


def test_what_comes_back_is_what_was_packed(tmp_path: Path) -> None:
    path = tmp_path / "run.zip"
    notices = {"a.png": ("Turned upright.",)}
    path.write_bytes(record.pack(RUN, FIGURES, {"b.png": "no picture"}, notices))
    found, images = record.unpack(path)
    assert found == RUN and images == {"a.png": {"bicubic": {"psnr_y": 30.0}, "fgrn": {"psnr_y": 36.0}}}
    with zipfile.ZipFile(path) as archive:
        content = json.loads(archive.read(record.FIGURES))
    assert content["skipped"] == {"b.png": "no picture"}
    assert content["notices"] == {"a.png": ["Turned upright."]}


@pytest.mark.parametrize(
    "row",
    [
        '{"psnr_y": "\\u001b[2J"}',
        '{"\\u001b[31mkey": 1}',
        '{"psnr_y": [30]}',
        '{"psnr_y": true}',
        '{"psnr_y": "30"}',
    ],
)
def test_figures_that_are_none_are_refused(row: str, tmp_path: Path) -> None:
    """A terminal would obey what is printed of them."""
    path = tmp_path / "run.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(record.RUN, json.dumps(record.as_json(RUN)))
        archive.writestr(record.FIGURES, f'{{"images": {{"a.png": {{"bicubic": {row}}}}}}}')
    with pytest.raises(RecordError, match="is damaged"):
        record.unpack(path)
