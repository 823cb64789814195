"""The benchmark: pictures from files, ZIPs and sets; rows, means and spread; the record of a run."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
import stat
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
from PIL import Image

import fgrn
from fgrn import comparison, record
from fgrn.figures import TIMINGS, figures_csv, means, spreads
from fgrn.images import ImageError, encode_png
from fgrn.record import Input, RecordError, Settings
from fgrn.scores import Score, plain
from lab import charts
from lab.asked import RequestError
from lab.benchmark import archive, kept, plots, runs, table
from lab.benchmark.archive import Collected
from lab.benchmark.handlers import BenchmarkHandlers, Drawn
from lab.benchmark.runs import Bench
from lab.compare import runs as compare
from lab.compare.handlers import Handlers
from lab.files import Store
from lab.models import Models
from lab.progress import STARTING
from lab.ticket import SKIP, Ticket
from tests.conftest import Photo, make_tiny_weights

pytestmark = pytest.mark.usefixtures("use_tiny_weights")
METHODS = ("bicubic", "fgrn")


@pytest.fixture
def folder(tmp_path: Path, photo: Photo) -> Path:
    """Three sound pictures, one of them with odd sides."""
    top = tmp_path / "pictures"
    top.mkdir()
    for name, size in (("a", (48, 64)), ("b", (51, 50)), ("c", (64, 48))):
        (top / f"{name}.png").write_bytes(encode_png(photo(*size, seed=ord(name))))
    return top


def paths(folder: Path) -> list[str]:
    return [str(path) for path in sorted(folder.iterdir())]


def packed(path: Path, files: dict[str, bytes]) -> str:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name, data in files.items():
            target.writestr(name, data)
    return str(path)


def measured(collected: Collected, settings: Settings | None = None, dataset: str = "") -> Bench:
    chosen = settings or Settings(4, METHODS)
    return list(runs.benchmark(Models(), chosen, collected, dataset))[-1]


# Collecting


def test_files_and_zips_with_nested_folders(tmp_path: Path, folder: Path) -> None:
    a, b = ((folder / name).read_bytes() for name in ("a.png", "b.png"))
    zipped = {
        "set/one/a.png": a,
        "set/b.PNG": b,
        "set/notes.txt": b"no picture",
        "set/.hidden.png": a,
        "__MACOSX/set/._a.png": a,
    }
    found = archive.collect([str(folder / "c.png"), packed(tmp_path / "set.zip", zipped)])
    assert [source.name for source in found.sources] == ["c.png", "set/one/a.png", "set/b.PNG"]
    assert [source.read() for source in found.sources] == [(folder / "c.png").read_bytes(), a, b]
    assert found.skipped == {}


def test_equal_names_are_told_apart(tmp_path: Path, folder: Path) -> None:
    data = (folder / "a.png").read_bytes()
    archives = [packed(tmp_path / f"{n}.zip", {"a.png": data}) for n in range(3)]
    names = [source.name for source in archive.collect(archives).sources]
    assert names == ["a.png", "a.png (2)", "a.png (3)"]


@pytest.mark.parametrize(
    "name", ["../evil.png", "/etc/evil.png", "a/../../evil.png", "..\\evil.png", "C:\\evil.png"]
)
def test_names_that_point_outside_are_left_out(name: str, tmp_path: Path, folder: Path) -> None:
    data = (folder / "a.png").read_bytes()
    before = set(tmp_path.rglob("*"))
    path = packed(tmp_path / "evil.zip", {name: data, "good.png": data})
    found = archive.collect([path])
    assert [source.name for source in found.sources] == ["good.png"]
    assert "outside the ZIP" in next(iter(found.skipped.values()))
    measured(found)
    assert set(tmp_path.rglob("*")) == {*before, Path(path)}, "nothing is extracted"


def test_a_time_in_a_name_is_no_place_outside(tmp_path: Path, folder: Path) -> None:
    data = (folder / "a.png").read_bytes()
    found = archive.collect([packed(tmp_path / "day.zip", {"12:30.png": data})])
    assert [source.name for source in found.sources] == ["12:30.png"] and not found.skipped


def test_an_entry_without_a_name_is_no_picture(tmp_path: Path, folder: Path) -> None:
    """zipfile cuts names at NUL, and asks for the last character of what is left."""
    path = Path(packed(tmp_path / "a.zip", {"x.png": b"", "b.png": (folder / "b.png").read_bytes()}))
    path.write_bytes(path.read_bytes().replace(b"x.png", b"\0.png"))
    assert [source.name for source in archive.collect([str(path)]).sources] == ["b.png"]


def test_a_link_in_a_zip_is_no_picture(tmp_path: Path, folder: Path) -> None:
    path = tmp_path / "link.zip"
    with zipfile.ZipFile(path, "w") as target:
        link = zipfile.ZipInfo("link.png")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        target.writestr(link, "/etc/passwd")
        target.writestr("a.png", (folder / "a.png").read_bytes())
    bench = measured(archive.collect([str(path)]))
    assert list(bench.done) == ["a.png"] and "not a picture" in bench.skipped["link.png"]


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_BYTES", 100_000)
    data = b"\x89PNG\r\n\x1a\n" + bytes(3_000_000)
    path = packed(tmp_path / "bomb.zip", {"bomb.png": data})
    assert os.path.getsize(path) < 10_000
    with pytest.raises(RequestError, match=r"no picture.*bomb\.png: It has 3\.0 MB; at most 100\.0 kB"):
        archive.collect([path])


def test_a_bomb_that_lies_about_its_size_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = b"\x89PNG\r\n\x1a\n" + bytes(3_000_000)
    path = Path(packed(tmp_path / "liar.zip", {"liar.png": data}))
    raw = path.read_bytes()
    true, told = struct.pack("<L", len(data)), struct.pack("<L", 1000)
    assert raw.count(true) == 2
    path.write_bytes(raw.replace(true, told))
    [source] = archive.collect([str(path)]).sources
    with pytest.raises(ImageError):
        source.read()


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_would_be_unpacked_without_bounds_is_left_out(method: int, tmp_path: Path, folder: Path) -> None:
    data = (folder / "a.png").read_bytes()
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as target:
        target.writestr("a.png", data)
        target.writestr("b.png", data, method)
    found = archive.collect([str(tmp_path / "set.zip")])
    assert [source.name for source in found.sources] == ["a.png"]
    assert found.skipped == {"b.png": "It is packed in an unusual way. Pack it again as an ordinary ZIP."}


def test_many_small_bombs_are_refused_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_TOTAL_BYTES", 1_000_000)
    files = {f"{n}.png": bytes(400_000) for n in range(3)}
    with pytest.raises(RequestError, match=r"more than 1\.0 MB"):
        archive.collect([packed(tmp_path / "many.zip", files)])


def test_too_many_pictures_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_PICTURES", 3)
    path = packed(tmp_path / "many.zip", {f"{n}.png": b"x" for n in range(4)})
    with pytest.raises(RequestError, match="more than 3 pictures.*fgrn compare FOLDER"):
        archive.collect([path])


def test_a_huge_table_of_contents_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MAX_DIRECTORY", 1000)
    path = packed(tmp_path / "list.zip", {f"{n:04}": b"" for n in range(100)})
    monkeypatch.setattr(zipfile, "ZipFile", None)
    with pytest.raises(RequestError, match="too many files"):
        archive.collect([path])
    with (tmp_path / "list.zip").open("ab") as stream:  # a comment behind the end record
        stream.write(b"comment")
    with pytest.raises(RequestError, match="too many files"):
        archive.collect([path])


def test_too_many_pixels_are_left_out(tmp_path: Path, folder: Path) -> None:
    buffer = io.BytesIO()
    Image.new("1", (5000, 5000)).save(buffer, "PNG")  # 25 megapixels in some kilobytes
    (folder / "large.png").write_bytes(buffer.getvalue())
    bench = measured(archive.collect(paths(folder)), Settings(4, ("bicubic",)))
    assert "16,000,000" in bench.skipped["large.png"] and len(bench.done) == 3


@pytest.mark.parametrize("damage", ["cut", "text", "inside"])
def test_a_damaged_zip_says_so(damage: str, tmp_path: Path, folder: Path) -> None:
    path = Path(packed(tmp_path / "set.zip", {"a.png": (folder / "a.png").read_bytes()}))
    raw = path.read_bytes()
    if damage == "inside":
        path.write_bytes(raw[:200] + bytes(50) + raw[250:])
        [source] = archive.collect([str(path)]).sources
        with pytest.raises(ImageError):
            source.read()
        return
    path.write_bytes(raw[:-30] if damage == "cut" else b"hello")
    with pytest.raises(RequestError, match=r"set\.zip is cut off or damaged"):
        archive.collect([str(path)])


def test_pictures_that_are_not_read_are_named(tmp_path: Path, folder: Path) -> None:
    data = (folder / "a.png").read_bytes()
    path = packed(tmp_path / "set.zip", {"a.png": data, "b.HEIC": b"x", "notes.txt": b"x"})
    alone = tmp_path / "c.nef"
    alone.write_bytes(b"x")
    found = archive.collect([path, str(alone)])
    assert found.skipped == {"b.HEIC": archive.UNREAD, "c.nef": archive.UNREAD}


def test_of_many_files_that_are_left_out_the_first_are_named(tmp_path: Path, folder: Path) -> None:
    path = tmp_path / "many.zip"
    with zipfile.ZipFile(path, "w") as target:
        for number in range(1234):
            target.writestr(f"../{number:04}.png", b"")
        target.writestr("a.png", next(folder.glob("*.png")).read_bytes())
    found = archive.collect([str(path)])
    assert len(found.sources) == 1 and len(found.skipped) == archive.MAX_SKIPPED + 1
    assert list(found.skipped)[-1] == f"and {1234 - archive.MAX_SKIPPED:,} more files"


def test_files_of_one_name_that_are_left_out_are_all_named(tmp_path: Path, folder: Path) -> None:
    data = (folder / "a.png").read_bytes()
    locked = []
    for n in range(2):
        path = Path(packed(tmp_path / f"{n}.zip", {"a.png": data}))
        raw = bytearray(path.read_bytes())
        raw[raw.index(b"PK\x01\x02") + 8] |= 1  # encrypted
        path.write_bytes(bytes(raw))
        locked.append(str(path))
    found = archive.collect([*locked, str(folder / "a.png")])
    assert [source.name for source in found.sources] == ["a.png"]
    assert list(found.skipped) == ["a.png (2)", "a.png (3)"]


def test_encrypted_entries_are_named(tmp_path: Path, folder: Path) -> None:
    data = (folder / "a.png").read_bytes()
    path = Path(packed(tmp_path / "secret.zip", {"a.png": data, "b.png": data}))
    raw = bytearray(path.read_bytes())
    first = raw.index(b"PK\x01\x02")
    raw[first + 8] |= 1
    path.write_bytes(bytes(raw))
    found = archive.collect([str(path)])
    assert [source.name for source in found.sources] == ["b.png"] and "encrypted" in found.skipped["a.png"]


def test_nothing_to_measure_says_what_is_accepted(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("no picture")
    with pytest.raises(RequestError, match="no picture in what was uploaded.*notes.txt: This is neither"):
        archive.collect([str(text)])


def test_nothing_was_uploaded_yet(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FGRN_BENCH", raising=False)
    with pytest.raises(RequestError, match=r"There is no picture yet\. Upload pictures or a ZIP of them\.$"):
        archive.collect([])
    monkeypatch.setenv("FGRN_BENCH", str(folder))
    with pytest.raises(RequestError, match="There is no picture yet.* choose a picture set: pictures"):
        archive.collect([])


@pytest.mark.parametrize("locked", ["sets", "locked"])
def test_a_set_that_cannot_be_read_does_not_hide_the_others(
    locked: str, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sets" / "locked").mkdir(parents=True)
    monkeypatch.setenv("FGRN_BENCH", os.pathsep.join([str(tmp_path / "sets"), str(folder)]))
    iterdir = Path.iterdir

    def read(path: Path) -> Iterator[Path]:
        if path.name == locked:  # nobody is locked out as root
            raise PermissionError(13, "Permission denied", str(path))
        return iterdir(path)

    monkeypatch.setattr(Path, "iterdir", read)
    assert list(archive.named_sets()) == ["pictures"]


def test_sets_are_those_that_the_server_names(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FGRN_BENCH", raising=False)
    assert archive.named_sets() == {}
    with pytest.raises(RequestError, match="This server has none"):
        archive.collect_set("pictures")
    other = tmp_path / "sets" / "Set5"
    other.mkdir(parents=True)
    (other / "x.png").write_bytes((folder / "a.png").read_bytes())
    (tmp_path / "sets" / "empty").mkdir()
    monkeypatch.setenv("FGRN_BENCH", os.pathsep.join([str(folder), str(tmp_path / "sets"), "/nowhere"]))
    assert list(archive.named_sets()) == ["pictures", "Set5"]
    assert [source.name for source in archive.collect_set("pictures").sources] == ["a.png", "b.png", "c.png"]
    for name in ("..", "/etc", "sets/Set5", "empty", str(folder)):
        with pytest.raises(RequestError, match="Choose among pictures, Set5"):
            archive.collect_set(name)


def test_sets_of_one_name_are_told_apart(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("Set5", "Set14"):
        (tmp_path / name / "HR").mkdir(parents=True)
        (tmp_path / name / "HR" / f"{name}.png").write_bytes((folder / "a.png").read_bytes())
    tops = [tmp_path / "Set5" / "HR", tmp_path / "Set14" / "HR", tmp_path / "Set5", folder]
    monkeypatch.setenv("FGRN_BENCH", os.pathsep.join(map(str, tops)))
    assert list(archive.named_sets()) == ["Set5/HR", "Set14/HR", "pictures"]
    assert [source.name for source in archive.collect_set("Set14/HR").sources] == ["Set14.png"]


# Measuring


def test_rows_are_the_figures_of_compare(tmp_path: Path, folder: Path) -> None:
    bench = measured(archive.collect([str(folder / "b.png")]), Settings(4, METHODS, "whole"))
    models = Models()
    runs = list(compare.compare(models, Store(tmp_path / "s"), str(folder / "b.png"), 4, METHODS))
    expected = list(compare.measure(models, Store(tmp_path / "s"), runs[-1]))[-1]
    for outcome in expected.outcomes:
        found = bench.figures["b.png"][outcome.method]
        for key in ("psnr_y", "ssim_y", "lr_psnr_y", "x_exact", "lr_bytes"):
            assert found[key].value == outcome.scores[key].value, key


def test_the_paper_protocol_cuts_to_a_multiple_of_the_scale(folder: Path) -> None:
    bench = measured(archive.collect([str(folder / "b.png")]))
    cut = fgrn.read_image(folder / "b.png").pixels[:48, :48]
    result = fgrn.rescale(fgrn.load("fgrn", 4), cut)
    expected = comparison.measure(result, fgrn.load("bicubic", 4).downscale(cut))
    for key in set(expected) - set(TIMINGS):
        assert bench.figures["b.png"]["fgrn"][key] == expected[key]


def test_the_device_is_that_of_the_networks(folder: Path) -> None:
    models = Models(partial(fgrn.load, device="cpu:0"))
    bench = next(runs.benchmark(models, Settings(4, METHODS), archive.collect(paths(folder))))
    assert METHODS[0] == "bicubic" and bench.machine["device"] == "cpu:0"


def test_a_row_for_every_picture_and_method_as_it_is_done(folder: Path) -> None:
    benches = list(runs.benchmark(Models(), Settings(4, METHODS), archive.collect(paths(folder))))
    counts = [sum(map(len, bench.figures.values())) for bench in benches]
    assert counts == [0, 1, 2, 2, 3, 4, 4, 5, 6, 6]
    assert [len(bench.done) for bench in benches] == [0, 0, 1, 1, 1, 2, 2, 2, 3, 3]
    assert all(bench.progress.active for bench in benches[:-1]) and not benches[-1].progress.active
    assert benches[4].means["fgrn"] == benches[3].means["fgrn"], "a half-done picture is not in the means"


def test_mean_and_spread_are_those_of_numpy(folder: Path) -> None:
    bench = measured(archive.collect(paths(folder)))
    for method in METHODS:
        for key in ("psnr_y", "ssim_y", "lr_bytes", "x_exact"):
            values = np.array(
                [bench.figures[name][method][key].value for name in ("a.png", "b.png", "c.png")], float
            )
            assert bench.means[method][key].value == pytest.approx(np.mean(values), rel=1e-12)
            assert bench.spreads[method][key].value == pytest.approx(np.std(values, ddof=1), rel=1e-12)
    assert bench.means["bicubic"]["lr_psnr_y"].value == float("inf"), "the reference itself"
    assert bench.spreads["bicubic"]["lr_psnr_y"].value is None


def test_one_picture_has_no_spread() -> None:
    assert spreads({"fgrn": [{"psnr_y": Score(30.0)}]})["fgrn"]["psnr_y"].value is None
    assert spreads({"fgrn": []}) == {"fgrn": {}}


def test_means_of_all_methods_are_over_the_same_pictures() -> None:
    """Bicubic restores the flat picture exactly: it must not look worse for it, and so nobody has its figure."""
    exact, none = Score(math.inf), Score(None, "one colour only")
    columns = {
        "bicubic": [{"psnr_y": exact, "lr_psnr_y": exact}, {"psnr_y": Score(20.0), "lr_psnr_y": exact}],
        "fgrn": [
            {"psnr_y": Score(60.0), "lr_psnr_y": none},
            {"psnr_y": Score(29.0), "lr_psnr_y": Score(40.0)},
        ],
    }
    mean = means(columns)
    assert [mean[m]["psnr_y"].value for m in columns] == [20.0, 29.0]
    assert [mean[m]["lr_psnr_y"].value for m in columns] == [math.inf, 40.0]
    assert all(score.value is None for row in spreads(columns).values() for score in row.values())
    apart = {
        "bicubic": [{"piqe": none}, {"piqe": Score(1.0)}],
        "fgrn": [{"piqe": Score(2.0)}, {"piqe": none}],
    }
    assert [row["piqe"].value for row in means(apart).values()] == [None, None]
    assert means({"fgrn": [{"piqe": none}]})["fgrn"]["piqe"].value is None


def test_broken_pictures_are_named_and_the_others_measured(folder: Path) -> None:
    (folder / "a2.png").write_bytes((folder / "a.png").read_bytes()[:300])
    (folder / "a3.png").write_bytes(encode_png(np.zeros((15, 40, 3), np.uint8)))
    bench = measured(archive.collect(paths(folder)))
    assert list(bench.done) == ["a.png", "b.png", "c.png"]
    assert "cut off or damaged" in bench.skipped["a2.png"] and "each side needs 16" in bench.skipped["a3.png"]
    assert bench.progress.done == bench.progress.total == 6
    shown = table.pictures(bench)
    assert "a2.png" in shown and "damaged" in shown


def test_what_was_changed_on_reading_is_said(folder: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(folder / "a.png").save(folder / "turned.jpg", exif=exif)
    Image.new("RGBA", (15, 40)).save(folder / "small.png")
    benches = list(runs.benchmark(Models(), Settings(4, METHODS), archive.collect(paths(folder))))
    bench = benches[-1]
    [(name, (notice,))] = bench.notices.items()
    assert name == "turned.jpg" and "upright" in notice and "small.png" in bench.skipped
    assert f'Changed on reading:</p><ul class="fg-notices"><li><b>{name}</b>: {notice}' in table.pictures(
        bench
    )
    assert "Changed on reading" not in table.pictures(benches[0])
    expected = {name: [notice]}
    assert runs.plain_summary(bench)["notices"] == expected
    files = runs.documents(bench)
    assert json.loads(files["json"])["notices"] == expected
    with zipfile.ZipFile(io.BytesIO(files["zip"])) as packed_run:
        assert json.loads(packed_run.read("figures.json"))["notices"] == expected
    half = next(b for b in benches if len(b.figures.get(name, {})) == 1)
    assert half.notices and not runs.stopped(half).notices, "it is left out"


def test_a_file_counts_once_whatever_it_is_called(folder: Path) -> None:
    (folder / "z.png").write_bytes((folder / "b.png").read_bytes())
    bench = measured(archive.collect(paths(folder)))
    assert list(bench.done) == ["a.png", "b.png", "c.png"]
    assert "the same file as b.png" in bench.skipped["z.png"]
    assert bench.progress.done == bench.progress.total


def test_a_picture_that_one_method_cannot_do_counts_for_none(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure = comparison.measure

    def fail(result: Any, bicubic_lr: Any, **options: Any) -> Any:
        if result.method == "fgrn" and result.hr.shape == (48, 48, 3):
            raise RuntimeError("not enough memory")
        return measure(result, bicubic_lr, **options)

    monkeypatch.setattr(comparison, "measure", fail)
    bench = measured(archive.collect(paths(folder)))
    assert list(bench.figures) == ["a.png", "c.png"] and "memory" in bench.skipped["b.png"]


def test_stop_ends_in_the_middle_and_keeps_whole_pictures(folder: Path) -> None:
    seen: list[Bench] = []
    collected = archive.collect(paths(folder))
    for bench in runs.benchmark(Models(), Settings(4, METHODS), collected, stop=lambda: len(seen) >= 5):
        seen.append(bench)
    assert len(seen) == 5 and list(seen[-1].figures) == ["a.png", "b.png"]
    assert list(seen[-1].figures["b.png"]) == ["bicubic"]
    ended = runs.stopped(seen[-1])
    assert list(ended.figures) == ["a.png"] and not ended.progress.active
    assert ended.progress.text == "Stopped after 1 of 3 pictures"
    assert set(runs.documents(ended)) == {"csv", "json", "zip"}
    assert runs.documents(runs.stopped(seen[0])) == {}


def test_stop_in_the_middle_of_a_network(folder: Path) -> None:
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked > 12

    benches = list(
        runs.benchmark(Models(), Settings(4, ("fgrn",)), archive.collect(paths(folder)), stop=stop)
    )
    assert asked == 13 and len(benches[-1].done) < 3 and benches[-1].progress.active


def test_settings_are_checked_as_in_compare() -> None:
    assert runs.check_settings("4", ["fgrn", "bicubic"]) == Settings(4, METHODS)
    for values, message in (
        ((3, ["fgrn"]), "Scale 3 is not supported"),
        ((4, []), "No method is chosen"),
        ((4, ["magic"]), "no method 'magic'"),
        ((4, [["fgrn"]]), "no method \\['fgrn'\\]"),
        ((4, 5), "no method 5"),
        ((4, ["fgrn"], "mine"), "no protocol 'mine'"),
    ):
        with pytest.raises(RequestError, match=message):
            runs.check_settings(*values)


def test_an_upload_that_was_cleaned_up_is_named(folder: Path) -> None:
    (gone, *_) = paths(folder)
    Path(gone).unlink()
    with pytest.raises(RequestError, match="not on the server any more. Upload it again"):
        archive.collect([gone])


def test_missing_weights_are_said_before_anything_runs(folder: Path) -> None:
    with pytest.raises(RequestError, match="DU_none has weights for x4 only"):
        next(runs.benchmark(Models(), Settings(2, ("du_none",)), archive.collect(paths(folder))))


# The paper, tables, plots


def test_there_are_no_figures_beforehand_of_other_weights() -> None:
    assert kept.names(4) == kept.names(2) == []
    assert kept.load("Set5", 4) is None


@pytest.mark.parametrize("scale", [2, 4])
def test_figures_of_the_shipped_weights_are_there_beforehand(
    scale: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FGRN_WEIGHTS")
    content = json.loads((kept.RESULTS / f"benchmark_x{scale}.json").read_text())
    assert kept.names(scale) == list(content["datasets"])
    for name, measured in content["datasets"].items():
        bench = kept.load(name, scale)
        assert bench and set(bench.settings.methods) == set(measured) and not bench.progress.active
        for method, row in bench.means.items():
            for key, score in row.items():
                mean = measured[method]["mean"][key]
                if mean is not None:
                    assert score.value == pytest.approx(float(mean)), (name, method, key)
        assert "paper" in table.summary(bench)
        assert not any(key in table.summary(bench) for key in TIMINGS), "measured on different days"
        bold = re.findall(
            r'data-key="psnr_y" class="fg-best"><strong>([0-9.]+)</strong>', table.summary(bench)
        )
        assert bold == [f"{max(means['psnr_y'].value or 0 for means in bench.means.values()):.2f}"]
        assert 'data-key="x_exact" class="fg-best"><strong>100' not in table.summary(bench), "x is LR itself"
        missing = [m for m, row in measured.items() if "psnr_rgb" not in row["mean"]]
        assert ("Not measured of" in table.summary(bench)) == bool(missing)
        assert json.loads(runs.documents(bench)["json"])["images"] and "zip" not in runs.documents(bench)


def test_the_tab_begins_with_figures_and_a_run_takes_their_place(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FGRN_WEIGHTS")
    benchmarks, ticket = BenchmarkHandlers(Handlers()), Ticket()
    choice, own, bench, status, *_ = benchmarks.first(4, None, ticket)
    assert own is None
    assert choice.value == "Set5" and choice.visible and "Set5 ×4: measured beforehand" in status
    assert benchmarks.first(4, bench, ticket) == (SKIP, SKIP, *Drawn()), "it is there already"
    assert "×2" in benchmarks.show_kept("Urban100", 2, bench, None, ticket)[3]
    assert benchmarks.outdated(bench, "", None, 2, [], "whole", True) == "", "they are of no request"
    ticket, _, choice, _ = benchmarks.begin(ticket, "", paths(folder), 4, ["bicubic"], "paper", False, 0)
    assert choice.value is None
    assert benchmarks.first(4, bench, ticket) == (SKIP, SKIP, *Drawn())
    choice, _, *drawn = benchmarks.show_kept("Set5", 4, bench, None, ticket)
    assert choice.value is None and drawn[0] == SKIP and "is running" in drawn[1], "a run is not drawn over"
    last = [drawn.bench for drawn in benchmarks.on_run(ticket) if isinstance(drawn.bench, Bench)][-1]
    assert len(last.done) == 3
    choice, own, shown, status, *_ = benchmarks.show_kept("Set5", 4, last, None, ticket)
    assert "Set5" in status and own is last and ("Your run", "own") in choice.choices
    choice, kept_own, again, *_ = benchmarks.show_kept("own", 2, shown, own, ticket)
    assert again is kept_own is last and choice.value == "own", "a look at a set does not cost the run"
    choice, *_ = benchmarks.show_kept(None, 2, last, None, ticket)
    assert ("Your run", "own") not in choice.choices, "it is what is shown"
    assert benchmarks.stop(last, ticket) == Drawn(), "nothing is running: what is shown stays as it is"


def test_figures_that_cannot_be_written_are_shown_all_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> str:
        raise OSError(28, "No space left on device", "/secret")

    page = Handlers()
    monkeypatch.setattr("lab.files.Store.save", full)
    benchmarks = BenchmarkHandlers(page)
    ticket, *_ = benchmarks.begin(Ticket(), "", paths(folder), 4, ["bicubic"], "paper", False, 0)
    *_, last = [drawn for drawn in benchmarks.on_run(ticket) if isinstance(drawn.bench, Bench)]
    assert "Finished" in last.status and len(last.bench.done) == 3
    assert "No space left" in last.downloads["html"] and "secret" not in last.downloads["html"]


def test_a_run_is_called_outdated_by_other_choices(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    benchmarks, ticket = BenchmarkHandlers(Handlers()), Ticket()
    monkeypatch.setenv("FGRN_BENCH", str(folder))
    files, methods = paths(folder), ["bicubic", "fgrn"]

    def shown(*request: Any) -> Bench:
        *_, old = (begun := benchmarks.begin(ticket, *request, 0))
        assert old == ""
        return [drawn.bench for drawn in benchmarks.on_run(begun[0]) if isinstance(drawn.bench, Bench)][-1]

    def said(bench: Bench | None, *request: Any) -> str:
        return benchmarks.outdated(bench, *request)

    request = ("", files, 4, methods, "paper", False)
    assert said(None, *request) == ""
    bench = shown(*request)
    assert said(bench, *request) == said(bench, "", files[::-1], 4, methods[::-1], "paper", False) == ""
    changes = ("pictures", None, 2, ["fgrn"], "whole", True)
    for place, value in enumerate(changes):
        other = (*request[:place], value, *request[place + 1 :])
        text = "Still shown: 3 pictures at ×4. Press Run for what is chosen now."
        assert text in said(bench, *other), other
    request = ("pictures", files[:1], 4, methods, "paper", False)
    bench = shown(*request)
    assert said(bench, *request) == said(bench, "pictures", None, *request[2:]) == "", "a set, not the files"
    assert "Still shown: pictures at ×4" in said(bench, "", *request[1:])


def test_the_papers_row() -> None:
    assert runs.paper_row("Set5", 4, "fgrn") == {"psnr_y": 36.97, "ssim_y": 0.9505}
    assert runs.paper_row("Set5", 2, "bicubic") == {"psnr_y": 33.66, "ssim_y": 0.9299}
    assert runs.paper_row("Set5", 4, "du_bic") == runs.paper_row("parameters", 4, "irn") == {}
    assert runs.paper_row("", 4, "fgrn") == {}


def test_the_tables_show_mean_spread_and_paper(folder: Path) -> None:
    bench = measured(archive.collect(paths(folder)), dataset="Set14")
    shown = table.summary(bench)
    mean, spread = (found["fgrn"]["psnr_y"].value for found in (bench.means, bench.spreads))
    assert f'{mean:.2f}<span class="fg-spread">± {spread:.2f}' in shown
    assert "FGRN, paper" in shown and "33.77" in shown and "Set14: Mean" in shown
    assert f"{bench.figures['a.png']['fgrn']['ssim_y'].value:.4f}" in table.pictures(bench)
    assert "paper" not in table.summary(measured(archive.collect(paths(folder))))
    figure = plots.bench_figure(bench).to_dict()
    assert [list(trace["y"])[1] for trace in figure["data"]][:2] == [mean, 33.77]


def test_rows_are_as_high_before_there_is_a_spread_as_with_it(folder: Path) -> None:
    """Also after one picture of several, which has none; a single picture never gets one."""

    def lines(files: list[str]) -> set[int]:
        snapshots = runs.benchmark(Models(), Settings(4, METHODS), archive.collect(files))
        return {
            table.summary(bench).count('class="fg-spread"') for bench in snapshots if bench.progress.total
        }

    several = lines(paths(folder))
    assert len(several) == 1 and several != {0}
    assert lines(paths(folder)[:1]) == {0}


def test_the_papers_bars_are_filled_without_an_address(folder: Path) -> None:
    bench = measured(archive.collect(paths(folder)), dataset="Set14")
    [_, paper, *_] = plots.bench_figure(bench).to_dict()["data"]
    colours = [charts.COLOURS[name] for name in METHODS]
    assert paper["name"] == "as the paper reports" and set(paper["marker"]) == {"color", "line"}
    assert list(paper["marker"]["line"]["color"]) == colours
    assert paper["marker"]["color"][1] == "rgba(11, 123, 193, 0.3)" and colours[1] == "#0b7bc1"


def test_what_a_mean_leaves_out_is_counted_and_named() -> None:
    def bench(*rows: tuple[Score, Score]) -> Bench:
        figures = {
            f"{n}.png": {
                "bicubic": {"psnr_y": one, "niqe": one},
                "fgrn": {"psnr_y": other, "niqe": Score(5.0)},
            }
            for n, (one, other) in enumerate(rows)
        }
        active = replace(STARTING, active=False)
        return Bench(
            Settings(4, METHODS), tuple(figures), figures=figures, done=tuple(figures), progress=active
        )

    exact, plain = Score(math.inf), Score(30.0)
    small = [Score(None, f"LR too small: {size} px, NIQE needs 192") for size in (80, 96, 64)]
    assert "Left out" not in table.summary(bench((plain, plain), (plain, plain)))
    assert "Left out" not in table.summary(bench((exact, exact))), "the mean is infinite too"
    text = table.summary(bench((exact, exact), (plain, plain), (plain, exact)))
    assert "PSNR-Y of 1 of 3 pictures: restored exactly (Bicubic)." in text
    assert "PSNR-Y of 2 of 3 pictures: restored exactly (FGRN)." in text
    text = table.summary(bench((exact, exact), (plain, plain)))
    assert "Left out of means, for all methods: PSNR-Y of 1 of 2 pictures: restored exactly." in text
    text = table.summary(bench(*((score, plain) for score in (*small, plain))))
    assert "NIQE of LR of 3 of 4 pictures: LR too small: 64 to 96 px, NIQE needs 192 (Bicubic)." in text


def test_names_are_escaped(tmp_path: Path, folder: Path) -> None:
    evil = '<img src=x onerror="alert(1)">'
    path = packed(tmp_path / "e.zip", {f"{evil}.png": (folder / "a.png").read_bytes(), f"{evil}2.png": b"x"})
    shown = table.pictures(measured(archive.collect([path]), Settings(4, ("bicubic",))))
    assert "<img" not in shown and "&lt;img" in shown


# The record


def test_the_documents_hold_all_figures(folder: Path) -> None:
    bench = measured(archive.collect(paths(folder)))
    files = runs.documents(bench)
    rows = list(csv.DictReader(io.StringIO(files["csv"].decode())))
    assert [(row["image"], row["method"]) for row in rows[:3]] == [
        ("a.png", "bicubic"),
        ("a.png", "fgrn"),
        ("b.png", "bicubic"),
    ]
    assert float(rows[1]["psnr_y"]) == bench.figures["a.png"]["fgrn"]["psnr_y"].value
    assert rows[0]["lr_psnr_y"] == "inf", "it is the reference itself"
    content = json.loads(files["json"])
    assert content["mean"]["fgrn"]["psnr_y"] == bench.means["fgrn"]["psnr_y"].value
    assert (content["scale"], content["protocol"], content["weights"]) == (4, "paper", bench.weights)
    assert {(row["scale"], row["protocol"]) for row in rows} == {("4", "paper")}
    with zipfile.ZipFile(io.BytesIO(files["zip"])) as packed_run:
        assert packed_run.namelist() == ["run.json", "figures.json", "figures.csv"]
        assert packed_run.read("figures.csv") == files["csv"]
        run = json.loads(packed_run.read("run.json"))
    assert run["settings"] == {
        "scale": 4,
        "methods": ["bicubic", "fgrn"],
        "protocol": "paper",
        "no_reference": False,
    }
    assert run["weights"] == {"bicubic": "", "fgrn": fgrn.load("fgrn", 4).digest}
    assert run["inputs"][0] == {"name": "a.png", "sha256": record.sha256((folder / "a.png").read_bytes())}
    assert {"fgrn", "torch", "gradio", "python"} <= set(run["versions"])


def test_files_are_called_after_what_was_measured(folder: Path, tmp_path: Path) -> None:
    several = measured(archive.collect(paths(folder)))
    assert several.file_name == "benchmark_x4"
    assert "over 3 pictures, ×4, cut to multiples of 4" in table.summary(several)
    zipped = packed(tmp_path / "my set.zip", {p.name: p.read_bytes() for p in folder.iterdir()})
    bench = measured(archive.collect([zipped]), Settings(4, METHODS, "whole"))
    assert bench.file_name == "benchmark_my_set_x4"
    part = replace(bench, done=bench.done[:1])
    assert part.file_name == "benchmark_my_set_x4_1of3"
    assert "over 1 of 3 pictures, ×4, whole pictures" in table.summary(part)
    assert replace(bench, dataset="Set5").file_name == "benchmark_Set5_x4"


def test_a_formula_is_no_name_in_the_csv() -> None:
    figures = {"=1+1.png": {"bicubic": {"psnr_y": Score(30.0)}}}
    assert "'=1+1.png,bicubic,30.0,4,paper" in figures_csv(figures, 4, "paper")


def test_a_record_comes_back_as_it_was(tmp_path: Path, folder: Path) -> None:
    bench = measured(archive.collect(paths(folder)), dataset="Set5")
    path = tmp_path / "run.zip"
    path.write_bytes(record.pack(bench.record, bench.counted, bench.skipped))
    found, images = record.unpack(path)
    assert found == bench.record and found.dataset == "Set5"
    assert images == {name: plain(rows) for name, rows in bench.figures.items()}
    assert record.pack(bench.record, bench.counted, bench.skipped) == path.read_bytes()


def sound_run() -> dict[str, Any]:
    run = record.Record(
        Settings(4, METHODS), (Input("a", "0" * 64),), {"bicubic": "", "fgrn": "ab"}, {"fgrn": "1"}, {}
    )
    return json.loads(json.dumps(record.as_json(run)))  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "format is 2"),
        ({"format": True}, "format is True"),
        ({"more": 1}, "exactly the keys"),
        ({"settings": {"scale": 4}}, "settings must have exactly"),
        ({"settings.scale": 3}, "scale must be one of"),
        ({"settings.scale": True}, "scale must be one of"),
        ({"settings.methods": ["magic"]}, "methods must be some of"),
        ({"settings.methods": [["fgrn"]]}, "methods must be some of"),
        ({"settings.methods": "fgrn"}, "must be lists"),
        ({"settings.methods": ["fgrn", "fgrn"]}, "holds one twice"),
        ({"settings.protocol": []}, "protocol must be"),
        ({"settings.no_reference": 1}, "true or false"),
        ({"inputs": []}, "names 0 pictures"),
        ({"inputs": [{"name": "a", "sha256": "../x"}]}, "SHA-256"),
        ({"inputs": [{"name": "a", "sha256": "0" * 64}] * 2}, "same name"),
        ({"weights": {"fgrn": "ab"}}, "every method"),
        ({"weights": {"fgrn": 1, "bicubic": ""}}, "must hold texts"),
        ({"versions": []}, "must hold texts"),
        ({"versions": {"torch": "\x1b[31mred"}}, "that can be printed"),
        ({"machine": {"\x1b]0;x\x07": "cpu"}}, "that can be printed"),
        ({"dataset": "\x1b[2J"}, "that can be printed"),
        ({"inputs": [{"name": "\x1b[2Ja.png", "sha256": "0" * 64}]}, "that can be printed"),
        ({"dataset": None}, "dataset must be text"),
    ],
)
def test_a_damaged_record_is_refused(change: dict[str, Any], message: str) -> None:
    content = sound_run()
    record.parse(content)
    for key, value in change.items():
        *parents, last = key.split(".")
        target = content[parents[0]] if parents else content
        target[last] = value
    with pytest.raises(RecordError, match=message):
        record.parse(content)


def test_figures_that_json_does_not_know_are_refused(tmp_path: Path) -> None:
    run, figures = json.dumps(sound_run()).encode(), b'{"images": {"a": {"fgrn": {"psnr_y": NaN}}}}'
    with pytest.raises(RecordError, match=r"figures\.json in this ZIP is no JSON"):
        record.unpack(Path(packed(tmp_path / "a.zip", {record.RUN: run, record.FIGURES: figures})))


def test_other_zips_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RecordError, match="does not exist"):
        record.unpack(tmp_path / "none.zip")
    (tmp_path / "text.zip").write_text("hello")
    with pytest.raises(RecordError, match="cannot be read as a ZIP"):
        record.unpack(tmp_path / "text.zip")
    with pytest.raises(RecordError, match=r"no run\.json"):
        record.unpack(Path(packed(tmp_path / "a.zip", {"a.png": b""})))
    run = json.dumps(sound_run()).encode()
    for figures in (b"[]", b"{}", b'{"images": {"b": {}}}'):
        with pytest.raises(RecordError, match="does not hold the pictures"):
            record.unpack(Path(packed(tmp_path / "b.zip", {"run.json": run, "figures.json": figures})))
    with pytest.raises(RecordError, match="no JSON"):
        record.unpack(Path(packed(tmp_path / "c.zip", {"run.json": b"[" * 100_000})))
    monkeypatch.setattr(record, "_MAX_BYTES", 1000)
    with pytest.raises(RecordError, match="larger than any"):
        record.unpack(Path(packed(tmp_path / "d.zip", {"run.json": b" " * 2000})))


def test_other_weights_have_another_digest(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = measured(archive.collect(paths(folder)[:1])).weights
    monkeypatch.setenv("FGRN_WEIGHTS", str(make_tiny_weights(tmp_path / "others", seed=1)))
    assert measured(archive.collect(paths(folder)[:1])).weights != before


def test_a_picture_of_a_run_opens_in_compare(folder: Path, tmp_path: Path) -> None:
    data = (folder / "a.png").read_bytes()
    archives = [packed(tmp_path / f"{n}.zip", {"in/a.PNG": (folder / f"{n}.png").read_bytes()}) for n in "ab"]
    tab = BenchmarkHandlers(Handlers())
    bench = measured(archive.collect(archives))
    assert bench.names == ("in/a.PNG", "in/a.PNG (2)")
    for name, original in zip(bench.names, (data, (folder / "b.png").read_bytes()), strict=True):
        path, scale, choices, _, hidden, tabs = tab.open_in_compare(bench, gr.EventData(None, {"name": name}))
        assert Path(path).read_bytes() == original and Path(path).name == "a.png"
        assert scale == 4 and choices.value == list(METHODS) and hidden == [] and tabs.selected == "compare"
    for wrong in ("other.png", None, ["in/a.PNG"], 3):
        with pytest.raises(gr.Error, match="is not of the run"):
            tab.open_in_compare(bench, gr.EventData(None, {"name": wrong}))
    packed(Path(archives[1]), {"in/a.PNG": (folder / "c.png").read_bytes()})
    with pytest.raises(gr.Error, match="another picture than the one that was measured"):
        tab.open_in_compare(bench, gr.EventData(None, {"name": "in/a.PNG (2)"}))
    Path(archives[1]).unlink()
    with pytest.raises(gr.Error, match="cannot be read from where it lies"):
        tab.open_in_compare(bench, gr.EventData(None, {"name": "in/a.PNG (2)"}))
    assert Path(tab.open_in_compare(bench, gr.EventData(None, {"name": "in/a.PNG"}))[0]).read_bytes() == data
    assert "fg-opens" in table.pictures(bench)


def test_a_set_measured_beforehand_has_no_pictures_to_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FGRN_WEIGHTS")
    bench = kept.load("Set5", 4)
    assert bench and "fg-opens" not in table.pictures(bench) and "<tbody>" in table.pictures(bench)
    with pytest.raises(RequestError, match="is not of the run"):
        runs.read_again(bench, bench.names[0])
