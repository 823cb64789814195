"""The command line: files and folders in and out, tables, messages, exit codes."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fgrn import __version__, cli, commands, comparison, images, methods, metrics, record
from fgrn.checkpoint import read_card
from fgrn.cli import main
from fgrn.images import encode_png, read_image
from fgrn.lr_info import LRInfo
from fgrn.pipeline import load, rescale
from tests.conftest import ROOT, Photo, make_tiny_weights

pytestmark = pytest.mark.usefixtures("use_tiny_weights")


def run(*arguments: str | Path) -> int:
    """The exit code of `python -m fgrn ARGUMENTS` on the CPU."""
    words = [str(argument) for argument in arguments]
    return main([*words, "--device", "cpu"])


def save(pixels: np.ndarray, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def picture(photo: Photo, tmp_path: Path) -> Path:
    """An odd-sized PNG."""
    return save(photo(45, 58), tmp_path / "photo.png")


@pytest.fixture
def folder(photo: Photo, tmp_path: Path) -> Path:
    """Pictures on two levels, beside things that are no pictures."""
    top = tmp_path / "photos"
    save(photo(33, 40, 1), top / "a.png")
    save(photo(40, 33, 2), top / "trip" / "day.1" / "b.v2.bmp")
    save(photo(36, 36, 3), top / "trip" / "c.JPG")
    save(photo(36, 36, 4), top / ".hidden.png")
    save(photo(36, 36, 4), top / ".cache" / "d.png")
    (top / "notes.txt").write_text("no picture")
    return top


def files_of(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


# --- one file -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["bicubic", "irn", "fgrn"])
@pytest.mark.parametrize("scale", [2, 4])
def test_files_hold_what_the_pipeline_gives(method: str, scale: int, picture: Path, tmp_path: Path) -> None:
    small, back = tmp_path / "small.png", tmp_path / "back.png"
    assert run("downscale", picture, "-o", small, "--scale", str(scale), "--method", method) == 0
    assert run("upscale", small, "-o", back) == 0
    expected = rescale(load(method, scale, device="cpu"), picture)
    assert small.read_bytes() == expected.lr_png
    assert np.array_equal(read_image(back).pixels, expected.reconstruction)


def test_default_is_fgrn_x4(picture: Path, tmp_path: Path) -> None:
    assert run("downscale", picture, "-o", tmp_path / "small.png") == 0
    info = read_image(tmp_path / "small.png").info
    assert info is not None
    assert (info.method, info.scale, info.height, info.width) == ("fgrn", 4, 45, 58)


def test_existing_folder_takes_one_file_too(picture: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert run("downscale", picture, "-o", tmp_path / "out", "--method", "bicubic") == 0
    assert run("downscale", picture, "-o", f"{tmp_path}/new/", "--method", "bicubic") == 0
    assert files_of(tmp_path / "out") == files_of(tmp_path / "new") == {"photo.png"}


def test_an_older_result_is_replaced_and_nothing_left_behind(picture: Path, tmp_path: Path) -> None:
    small = tmp_path / "out" / "small.png"
    small.parent.mkdir()
    small.write_bytes(b"old")
    assert run("downscale", picture, "-o", small, "--method", "bicubic") == 0
    assert read_image(small).info is not None
    assert files_of(small.parent) == {"small.png"}


# --- folders ------------------------------------------------------------------------------------------------------


def test_folder_keeps_its_structure(folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    small, back = tmp_path / "small", tmp_path / "back"
    assert run("downscale", folder, "-o", small, "--scale", "2") == 0
    captured = capfd.readouterr()
    assert files_of(small) == {"a.png", "trip/day.1/b.v2.png", "trip/c.png"}
    assert captured.out == ""
    assert "3/3" not in captured.err, "a progress bar is for a terminal"
    assert "3 of 3 pictures written" in captured.err
    assert run("upscale", small, "-o", back) == 0
    assert files_of(back) == files_of(small)
    assert read_image(back / "trip/day.1/b.v2.png").pixels.shape == (40, 33, 3)


def test_pictures_of_a_folder_that_are_not_read_are_named(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("IMG_1.HEIC", "trip/raw.nef", "notes.txt", ".hidden.heic"):
        (folder / name).write_bytes(b"x")
    assert run("downscale", folder, "-o", tmp_path / "small", "--method", "bicubic") == 0
    said = capfd.readouterr().err
    assert "convert them first" in said and "IMG_1.HEIC" in said and "raw.nef" in said
    assert "notes" not in said and "hidden" not in said and "3 of 3 pictures written" in said


def test_a_folder_of_unread_pictures_alone_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "phone").mkdir()
    (tmp_path / "phone" / "IMG_1.HEIC").write_bytes(b"x")
    assert run("downscale", tmp_path / "phone", "-o", tmp_path / "small", "--method", "bicubic") == 2
    assert "IMG_1.HEIC is of a format that is not read" in capsys.readouterr().err


def test_a_small_picture_that_is_shrunk_again_is_named(
    picture: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    small = tmp_path / "small.png"
    assert run("downscale", picture, "-o", small, "--method", "bicubic", "--scale", "2") == 0
    assert "LR PNG" not in capfd.readouterr().err
    assert run("downscale", small, "-o", tmp_path / "smaller.png", "--method", "bicubic", "--scale", "2") == 0
    assert "small.png: this is itself an LR PNG of Bicubic x2" in capfd.readouterr().err


def test_a_file_that_says_nothing_says_what_is_wrong_with_it(
    picture: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    small = tmp_path / "small.jpg"
    Image.open(picture).resize((20, 20)).convert("RGB").save(small)
    assert run("upscale", small, "-o", tmp_path / "back.png") == 1
    said = capfd.readouterr().err
    assert said.index("compressed with losses") < said.index("name the method and the scale")


def test_quiet_says_nothing(folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run("downscale", folder, "-o", tmp_path / "small", "--method", "bicubic", "--quiet") == 0
    assert capfd.readouterr() == ("", "")


def test_folders_among_several_inputs_keep_their_names(folder: Path, picture: Path, tmp_path: Path) -> None:
    assert run("downscale", folder, picture, "-o", tmp_path / "out", "--method", "bicubic") == 0
    names = {"photos/a.png", "photos/trip/day.1/b.v2.png", "photos/trip/c.png", "photo.png"}
    assert files_of(tmp_path / "out") == names


def test_output_inside_the_input_is_not_read_again(folder: Path) -> None:
    for _ in range(2):
        assert run("downscale", folder, "-o", folder / "small", "--method", "bicubic") == 0
    assert files_of(folder / "small") == {"a.png", "trip/day.1/b.v2.png", "trip/c.png"}


def test_a_picture_within_our_limit_is_none_of_pillows_business(
    tmp_path: Path, photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        Image, "MAX_IMAGE_PIXELS", 2000
    )  # it warns from there on, and refuses from twice as many
    (tmp_path / "large.png").write_bytes(encode_png(photo(48, 64)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert run("downscale", tmp_path / "large.png", "-o", tmp_path / "lr.png", "--method", "bicubic") == 0


def test_one_broken_picture_does_not_stop_the_others(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "broken.png").write_bytes((folder / "a.png").read_bytes()[:200])
    (folder / "tiny.png").write_bytes(encode_png(np.zeros((15, 40, 3), np.uint8)))
    assert run("downscale", folder, "-o", tmp_path / "out", "--method", "bicubic") == 1
    errors = capsys.readouterr().err
    assert re.search(r"broken\.png.*(cut off|damaged)", errors)
    assert re.search(r"tiny\.png.*at least 16", errors)
    assert "3 of 5 pictures written" in errors
    assert "Traceback" not in errors
    assert files_of(tmp_path / "out") == {"a.png", "trip/day.1/b.v2.png", "trip/c.png"}


@pytest.mark.parametrize("command", ["downscale", "compare"])
def test_a_folder_that_cannot_be_read_is_named_and_the_others_done(
    command: str,
    folder: Path,
    tmp_path: Path,
    lock_folder: Callable[[str], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    lock_folder("day.1")
    option = ("-o", tmp_path / "out", "--method") if command == "downscale" else ("--methods",)
    assert run(command, folder, *option, "bicubic") == 1
    captured = capsys.readouterr()
    assert f"{folder / 'trip' / 'day.1'} cannot be read: Permission denied" in captured.err
    if command == "downscale":
        assert files_of(tmp_path / "out") == {"a.png", "trip/c.png"}
        assert "2 of 2 pictures written" in captured.err
    else:
        assert "mean of 2 pictures" in captured.out


def test_names_that_the_system_refuses_do_not_stop_the_others(
    picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loop = tmp_path / "loop.png"
    loop.symlink_to(loop)
    small = tmp_path / "small"
    assert run("downscale", picture, "x" * 300 + ".png", loop, "-o", small, "--method", "bicubic") == 1
    assert files_of(small) == {"photo.png"}
    errors = capsys.readouterr().err
    assert "File name too long" in errors and "loop.png" in errors


def test_a_picture_that_is_named_in_two_ways_is_written_once(picture: Path, tmp_path: Path) -> None:
    link = tmp_path / "elsewhere"
    link.symlink_to(picture.parent)
    small = tmp_path / "small"
    assert run("downscale", picture, link / picture.name, "-o", small, "--method", "bicubic") == 0
    assert files_of(small) == {"photo.png"}


def test_linked_folders_are_followed_once(picture: Path, tmp_path: Path) -> None:
    top, small = tmp_path / "top", tmp_path / "top" / "small"
    (top / "real").mkdir(parents=True)
    picture.rename(top / "real" / "a.png")
    (top / "circle").symlink_to(top)
    (top / "link").symlink_to(top / "real")
    outside = tmp_path / "outside"
    outside.mkdir()
    Image.new("RGB", (20, 20)).save(outside / "b.png")
    (top / "real" / "more").symlink_to(outside)
    (top / "real" / "deep").mkdir()
    Image.new("RGB", (20, 20)).save(top / "real" / "deep" / "c.png")
    (top / "first").symlink_to(top / "real" / "deep")
    for _ in range(2):  # the second time there is an output, and links to it
        assert run("downscale", top, "-o", small, "--method", "bicubic") == 0
        assert files_of(small) == {"real/a.png", "real/deep/c.png", "real/more/b.png"}
        if not (top / "results").exists():
            (top / "results").symlink_to(small)
            (top / "a_result").symlink_to(small / "real")


def test_empty_folder_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    assert run("downscale", tmp_path / "empty", "-o", tmp_path / "out") == 2
    assert "no picture in this folder" in capsys.readouterr().err


# --- nothing is overwritten by accident ---------------------------------------------------------------------------


def test_input_is_overwritten_by_force_only(picture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = picture.read_bytes()
    link = picture.with_name("link.png")
    link.symlink_to(picture)
    for output in (picture, picture.parent / "." / "photo.png", link):
        assert run("downscale", picture, "-o", output, "--method", "bicubic") == 1
        assert "--force" in capsys.readouterr().err
        assert picture.read_bytes() == before
    assert run("downscale", picture, "-o", picture, "--method", "bicubic", "--force") == 0
    assert read_image(picture).pixels.shape == (12, 15, 3)


def test_folder_onto_itself_is_refused_file_by_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (folder / "a.png").read_bytes()
    assert (
        run("downscale", folder, "-o", folder, "--method", "bicubic") == 1
    )  # the JPEG and the BMP have other names
    assert "a.png is an input" in capsys.readouterr().err
    assert (folder / "a.png").read_bytes() == before
    assert read_image(folder / "trip" / "c.png").info is not None


@pytest.mark.parametrize("force", [[], ["--force"]])
def test_two_pictures_for_one_file_are_both_refused(
    force: list[str], photo: Photo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("same.png", "same.bmp", "other.png"):
        save(photo(32, 32), tmp_path / "in" / name)
    before = (tmp_path / "in" / "same.png").read_bytes()
    for output in (tmp_path / "out", tmp_path / "in"):
        assert run("downscale", tmp_path / "in", "-o", output, "--method", "bicubic", *force) == 1
        assert capsys.readouterr().err.count("rename one of them") == 2
    assert files_of(tmp_path / "out") == {"other.png"}
    assert (tmp_path / "in" / "same.png").read_bytes() == before


@pytest.mark.parametrize("name", ["small.jpg", "small.webp", "small"])
@pytest.mark.parametrize("command", ["downscale", "upscale"])
def test_output_is_png_only(
    command: str, name: str, picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(command, picture, "-o", tmp_path / name) == 2
    assert "PNG only" in capsys.readouterr().err
    assert not (tmp_path / name).exists()


def test_several_pictures_do_not_fit_a_file(
    picture: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("downscale", picture, folder / "a.png", "-o", tmp_path / "out.png") == 2
    assert run("downscale", folder, "-o", picture) == 2
    assert capsys.readouterr().err.count("need a folder") == 2


def test_output_that_cannot_be_written_is_named(
    picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert run("downscale", picture, "-o", tmp_path / "file" / "small.png", "--method", "bicubic") == 1
    assert f"{tmp_path / 'file'} cannot be written: File exists" in capsys.readouterr().err
    target = tmp_path / "out" / "photo.png"
    target.mkdir(parents=True)
    assert run("downscale", picture, "-o", tmp_path / "out", "--method", "bicubic") == 1
    assert f"{target} cannot be written: it is a folder" in capsys.readouterr().err


def test_a_link_stays_and_what_is_no_ordinary_file_is_left_alone(
    picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "there").mkdir()
    link, target, pipe = tmp_path / "link.png", tmp_path / "there" / "target.png", tmp_path / "pipe.png"
    target.write_text("old")
    link.symlink_to(target)
    assert run("downscale", picture, "-o", link, "--method", "bicubic") == 0
    assert link.is_symlink() and read_image(target).info is not None
    os.mkfifo(pipe)
    assert run("downscale", picture, "-o", pipe, "--method", "bicubic") == 1
    assert run("compare", picture, "--methods", "bicubic", "--json", pipe) == 2
    errors = capsys.readouterr().err
    assert errors.count(f"{pipe} cannot be written: it is no ordinary file") == 2 and pipe.is_fifo()
    assert sorted(path.name for path in tmp_path.glob("*.png")) == ["link.png", "photo.png", "pipe.png"]


def test_an_empty_name_is_not_the_folder_one_is_in(
    picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`"$PHOTO"` of a variable that is not set."""
    monkeypatch.chdir(picture.parent)
    assert run("downscale", "", "-o", tmp_path / "out") == 2
    assert run("compare", "", "--methods", "bicubic") == 2
    assert capsys.readouterr().err.count("The name of an input is empty") == 2
    assert run("downscale", picture, "-o", "", "--method", "bicubic") == 2
    assert "The name of an output is empty" in capsys.readouterr().err


# --- weights ------------------------------------------------------------------------------------------------------


def test_missing_and_damaged_weights(
    picture: Path,
    tiny_weights: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("downscale", picture, "-o", tmp_path / "s.png", "--method", "du_bic", "--scale", "2") == 2
    assert "DU_bic has weights for x4 only: choose x4" in capsys.readouterr().err
    copy = tmp_path / "weights"
    shutil.copytree(tiny_weights, copy)
    data = bytearray((copy / "fgrn_x4.safetensors").read_bytes())
    data[-1] ^= 1
    (copy / "fgrn_x4.safetensors").write_bytes(data)
    monkeypatch.setenv("FGRN_WEIGHTS", str(copy))
    assert run("downscale", picture, "-o", tmp_path / "s.png") == 2
    assert "damaged" in capsys.readouterr().err
    assert not (tmp_path / "s.png").exists()


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("irn_x4.safetensors", "holds IRN x4, not FGRN x4"),
        ("fgrn_x2.safetensors", "holds FGRN x2"),
        ("?", "names no"),
    ],
)
def test_weights_that_do_not_fit(
    weights: str,
    message: str,
    picture: Path,
    tiny_weights: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    option = str(tiny_weights / weights) if weights != "?" else weights
    assert run("downscale", picture, "-o", tmp_path / "s.png", "--weights", option) == 2
    said = capsys.readouterr().err
    assert message in said and option in said


def test_other_weights_are_used_and_needed_again(
    picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = make_tiny_weights(tmp_path / "weights", seed=1) / "fgrn_x4.safetensors"
    small, back = tmp_path / "small.png", tmp_path / "back.png"
    assert run("downscale", picture, "-o", small, "--weights", weights) == 0
    assert run("upscale", small, "-o", back) == 1
    assert "other weights" in capsys.readouterr().err
    assert not back.exists()
    assert run("upscale", small, "-o", back, "--weights", weights) == 0
    right = read_image(back).pixels
    assert run("upscale", small, "-o", back, "--allow-other-weights") == 0
    assert not np.array_equal(read_image(back).pixels, right)
    assert run("downscale", picture, "-o", small, "--method", "bicubic") == 0
    capsys.readouterr()
    assert run("upscale", small, "-o", back, "--weights", weights) == 0
    assert "--weights has no effect, Bicubic has none" in capsys.readouterr().err


def test_a_folder_of_several_methods_is_restored_as_far_as_weights_go(
    picture: Path,
    tiny_weights: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for method, scale in (("bicubic", "2"), ("irn", "4"), ("fgrn", "2")):
        target = tmp_path / "lr" / f"{method}.png"
        assert run("downscale", picture, "-o", target, "--method", method, "--scale", scale) == 0
    (tmp_path / "weights").mkdir()
    for suffix in ("json", "safetensors"):
        shutil.copy(tiny_weights / f"fgrn_x2.{suffix}", tmp_path / "weights")
    monkeypatch.setenv("FGRN_WEIGHTS", str(tmp_path / "weights"))
    assert run("upscale", tmp_path / "lr", "-o", tmp_path / "hr") == 2
    assert files_of(tmp_path / "hr") == {"bicubic.png", "fgrn.png"}
    assert "irn_x4" in capsys.readouterr().err


# --- restoring ----------------------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_progress_bar(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert run("downscale", folder, "-o", tmp_path / "small", "--method", "bicubic") == 0
    assert "3/3" in terminal.getvalue() and "picture" in terminal.getvalue()


def test_plain_png_needs_method_and_scale(
    photo: Photo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain, back = save(photo(20, 24), tmp_path / "plain.png"), tmp_path / "back.png"
    for options, missing in (
        ([], "method and the scale."),
        (["--method", "fgrn"], "scale."),
        (["--scale", "2"], "method."),
    ):
        assert run("upscale", plain, "-o", back, *options) == 1
        assert f"name the {missing}" in capsys.readouterr().err
    assert run("upscale", plain, "-o", back, "--method", "fgrn", "--scale", "4") == 0
    assert read_image(back).pixels.shape == (80, 96, 3)


def test_contradicting_method_is_refused(
    picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("downscale", picture, "-o", tmp_path / "small.png", "--method", "irn") == 0
    assert run("upscale", tmp_path / "small.png", "-o", tmp_path / "back.png", "--method", "fgrn") == 1
    assert "made by IRN x4" in capsys.readouterr().err


def test_lr_of_a_scale_that_does_not_exist_is_refused(
    photo: Photo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lr = tmp_path / "lr.png"
    lr.write_bytes(encode_png(photo(20, 20), LRInfo("fgrn", 3, 60, 60, "ab")))
    assert run("upscale", lr, "-o", tmp_path / "back.png") == 1
    assert "scale 3 is not supported" in capsys.readouterr().err


def test_notices_go_to_stderr(photo: Photo, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(photo(32, 48)).save(tmp_path / "turned.jpg", exif=exif)
    assert run("downscale", tmp_path / "turned.jpg", "-o", tmp_path / "s.png", "--method", "bicubic") == 0
    assert "upright" in capsys.readouterr().err
    assert read_image(tmp_path / "s.png").pixels.shape == (12, 8, 3)
    options = ("--method", "bicubic", "--scale", "2")
    assert run("upscale", tmp_path / "turned.jpg", "-o", tmp_path / "b.png", *options) == 0
    captured = capsys.readouterr()
    assert "compressed with losses" in captured.err
    assert captured.out == ""


def test_seed_draws_z_for_irn_only(picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small, back = tmp_path / "small.png", tmp_path / "back.png"

    def restored(*options: str) -> np.ndarray:
        assert run("upscale", small, "-o", back, *options) == 0
        return read_image(back).pixels

    assert run("downscale", picture, "-o", small, "--method", "irn") == 0
    first = restored("--seed", "1")
    assert np.array_equal(first, restored("--seed", "1"))
    assert not np.array_equal(first, restored("--seed", "2"))
    assert not np.array_equal(first, restored())
    assert "no effect" not in capsys.readouterr().err
    assert run("downscale", picture, "-o", small) == 0
    assert np.array_equal(restored("--seed", "1"), restored())
    assert "no effect" in capsys.readouterr().err


# --- compare ------------------------------------------------------------------------------------------------------


def test_compare_prints_and_writes_the_figures(
    picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.json"
    assert run("compare", picture, "--scale", "4", "--json", out) == 0
    text = capsys.readouterr().out
    content = json.loads(out.read_text())
    assert (content["version"], content["scale"], content["device"]) == (__version__, 4, "cpu")
    assert content["seed"] is None  # z = 0
    rows = content["images"][str(picture)]
    assert list(rows) == ["bicubic", "irn", "fgrn"]
    hr = read_image(picture).pixels
    bicubic = rescale(load("bicubic", 4, device="cpu"), hr)
    for method, row in rows.items():
        rescaler = load(method, 4, device="cpu")
        result = rescale(rescaler, hr)
        assert row["psnr_y"] == metrics.psnr_y(hr, result.reconstruction, 4)
        assert row["ssim_y"] == metrics.ssim_y(hr, result.reconstruction, 4)
        assert row["psnr_rgb"] == metrics.psnr_rgb(hr, result.reconstruction, 4)
        assert row["x_exact"] == pytest.approx(result.x_exact, abs=1e-12)
        assert row["lr_bytes"] == len(result.lr_png)
        assert row["seconds_down"] > 0 and row["seconds_up"] > 0
        lr_psnr = "inf" if method == "bicubic" else metrics.psnr_y(result.lr, bicubic.lr, 0)
        assert row["lr_psnr_y"] == lr_psnr
        lr_rgb = "inf" if method == "bicubic" else metrics.psnr_rgb(result.lr, bicubic.lr, 0)
        assert row["lr_psnr_rgb"] == lr_rgb
        assert content["mean"][method] == row
        assert content["weights"][method] == rescaler.digest
        (line,) = [line for line in text.splitlines() if line.startswith(methods.METHODS[method].label)]
        cells = line.split()
        assert cells[1:4] == [f"{row['psnr_y']:.2f}", f"{row['ssim_y']:.4f}", f"{row['psnr_rgb']:.2f}"]
        assert cells[4] == ("∞" if isinstance(lr_psnr, str) else f"{lr_psnr:.2f}")
        assert cells[5] == ("∞" if isinstance(lr_rgb, str) else f"{lr_rgb:.2f}")
        assert cells[6] == f"{100 * result.x_exact:.2f}"
        assert cells[9] == str(len(result.lr_png))
    assert "58 x 45 -> 15 x 12, x4" in text
    assert "PSNR-Y ↑" in text and "NIQE" not in text


def test_compare_means_over_a_folder(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "empty.png").write_bytes(b"")
    out = tmp_path / "out.json"
    assert run("compare", folder, "--methods", "fgrn", "bicubic", "--scale", "2", "--json", out) == 1
    captured = capsys.readouterr()
    assert "empty.png" in captured.err and "mean of 3 pictures" in captured.out
    content = json.loads(out.read_text())
    assert list(content["mean"]) == ["fgrn", "bicubic"]
    values = [rows["fgrn"]["psnr_y"] for rows in content["images"].values()]
    assert len(values) == 3
    assert content["mean"]["fgrn"]["psnr_y"] == pytest.approx(np.mean(values), abs=1e-9)
    assert content["mean"]["bicubic"]["lr_psnr_y"] == "inf"


def test_compare_cuts_pictures_as_papers_do(
    picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line: list[str | Path] = ["compare", picture, "--methods", "bicubic", "--json", tmp_path / "figures.json"]
    hr = read_image(picture).pixels
    assert hr.shape[0] % 4 or hr.shape[1] % 4
    height, width = (side // 4 * 4 for side in hr.shape[:2])
    for protocol, measured in (("whole", hr), ("paper", hr[:height, :width])):
        assert run(*line, "--protocol", protocol) == 0
        content = json.loads((tmp_path / "figures.json").read_text())
        bicubic = load("bicubic", 4)
        expected = comparison.measure(rescale(bicubic, measured), bicubic.downscale(measured))
        assert content["protocol"] == protocol
        assert content["images"][str(picture)]["bicubic"]["psnr_y"] == expected["psnr_y"].value
        assert f"{measured.shape[1]} x {measured.shape[0]} -> " in capsys.readouterr().out


def test_a_mean_says_what_it_leaves_out(
    photo: Photo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(np.full((24, 24, 3), 90, np.uint8), tmp_path / "in" / "flat.png")
    save(photo(17, 60), tmp_path / "in" / "low.png")
    save(photo(40, 40), tmp_path / "in" / "photo.png")
    assert run("compare", tmp_path / "in", "--methods", "bicubic", "fgrn") == 0
    out = capsys.readouterr().out
    assert "left out of the mean: PSNR-Y of 1 of 3 pictures: restored exactly (Bicubic)\n" in out
    assert "left out of the mean: SSIM-Y of 1 of 3 pictures: the picture is too small\n" in out
    assert "LR PSNR-Y" not in out.partition("left out")[2], "bicubic's is always infinite"


def test_a_picture_that_is_named_twice_is_compared_once(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = folder / ".." / folder.name / "a.png"
    assert run("compare", folder, again, folder / "a.png", "--methods", "bicubic") == 0
    assert "mean of 3 pictures" in capsys.readouterr().out


def test_compare_knows_beforehand_that_it_cannot_write(
    picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("compare", picture, "--methods", "bicubic", "--json", tmp_path) == 2
    captured = capsys.readouterr()
    assert "it is a folder" in captured.err and not captured.out
    (tmp_path / "file").write_text("")
    assert run("compare", picture, "--methods", "bicubic", "--json", tmp_path / "file" / "out.json") == 2
    captured = capsys.readouterr()
    assert f"{tmp_path / 'file'} cannot be written: File exists" in captured.err and not captured.out


def test_compare_takes_weights_of_one_of_its_methods(
    picture: Path, tmp_path: Path, use_tiny_weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = make_tiny_weights(tmp_path / "others", seed=1) / "fgrn_x4.safetensors"
    out = tmp_path / "out.json"
    assert run("compare", picture, "--weights", other, "--json", out) == 0
    used = json.loads(out.read_text())["weights"]
    assert used == {
        "bicubic": "",
        "irn": read_card(use_tiny_weights / "irn_x4.json").digest,
        "fgrn": read_card(other.with_suffix(".json")).digest,
    }
    assert run("compare", picture, "--weights", other, "--scale", "2") == 2
    assert "another method or scale" in capsys.readouterr().err
    assert run("compare", picture, "--methods", "bicubic", "fgrn", "--seed", "1") == 0
    assert "only IRN draws z" in capsys.readouterr().err
    assert run("downscale", picture, "-o", tmp_path / "a.png", "--method", "bicubic", "--weights", other) == 2
    assert "Bicubic has none" in capsys.readouterr().err


def test_compare_leaves_out_a_method_without_weights_unless_it_is_named(
    picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "none").mkdir()
    monkeypatch.setenv("FGRN_WEIGHTS", str(tmp_path / "none"))
    assert run("compare", picture) == 0
    captured = capsys.readouterr()
    assert "IRN is left out" in captured.err and "FGRN is left out" in captured.err
    assert "Bicubic" in captured.out
    assert run("compare", picture, "--methods", "fgrn") == 2
    assert "fgrn_x4" in capsys.readouterr().err


def test_compare_says_why_a_figure_is_missing(
    photo: Photo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = save(photo(17, 60), tmp_path / "flat.png")
    assert (
        run("compare", path, "--methods", "bicubic", "--no-reference-metrics", "--json", tmp_path / "o.json")
        == 0
    )
    captured = capsys.readouterr()
    assert "n/a: NIQE of LR, LR too small" in captured.out
    assert "n/a: SSIM-Y, the picture is too small" in captured.out
    row = json.loads((tmp_path / "o.json").read_text())["mean"]["bicubic"]
    assert row["niqe"] is row["piqe"] is row["ssim_y"] is None


def test_a_link_that_leads_to_itself_is_named_and_the_others_are_compared(
    picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loop = picture.with_name("loop.png")
    loop.symlink_to(loop)
    assert run("compare", loop, picture, "--methods", "bicubic") == 1
    captured = capsys.readouterr()
    assert "loop.png" in captured.err and "Traceback" not in captured.err and str(picture) in captured.out


def test_compare_does_not_write_json_over_a_picture(
    picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = picture.read_bytes()
    assert run("compare", picture, "--methods", "bicubic", "--json", picture) == 2
    assert "overwrite an input" in capsys.readouterr().err
    assert picture.read_bytes() == before


# --- usage, failures, signals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["shrink", "photo.png"],
        ["downscale", "photo.png"],
        ["downscale", "photo.png", "-o", "s.png", "--scale", "3"],
        ["downscale", "photo.png", "-o", "s.png", "--method", "fgrm"],
        ["upscale", "photo.png", "-o", "s.png", "--seed", "-1"],
        ["upscale", "photo.png", "-o", "s.png", "--seed", str(2**63)],
        ["compare"],
    ],
)
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main(arguments)
    assert exit_info.value.code == 2
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize("device", ["abacus", "cuda:99", "meta"])
def test_device_that_cannot_be_used(
    device: str, picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["downscale", str(picture), "-o", str(tmp_path / "s.png"), "--device", device]) == 2
    assert f"--device {device} cannot be used" in capsys.readouterr().err


def test_missing_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("downscale", tmp_path / "gone.png", "-o", tmp_path / "s.png", "--method", "bicubic") == 1
    assert "does not exist" in capsys.readouterr().err


def test_out_of_memory_is_a_failed_picture(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(source: Path) -> images.LoadedImage:
        if source.name == "a.png":
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return read_image(source)

    monkeypatch.setattr(commands, "read_image", full)
    assert run("downscale", folder, "-o", tmp_path / "out", "--method", "bicubic") == 1
    assert "not enough memory" in capsys.readouterr().err
    assert files_of(tmp_path / "out") == {"trip/day.1/b.v2.png", "trip/c.png"}


def test_a_bug_is_not_hidden(picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(source: Path) -> images.LoadedImage:
        raise RuntimeError("shapes differ")

    monkeypatch.setattr(commands, "read_image", wrong)
    with pytest.raises(RuntimeError, match="shapes differ"):
        run("downscale", picture, "-o", tmp_path / "s.png", "--method", "bicubic")


def test_names_in_the_parser_are_those_of_the_program() -> None:
    assert tuple(methods.METHODS) == cli.METHODS
    assert methods.SCALES == cli.SCALES
    assert set(record.PROTOCOLS) == set(cli.PROTOCOLS)


def child(*arguments: str, encoding: str = "utf-8") -> subprocess.Popen[bytes]:
    """`python -m fgrn ARGUMENTS` as a process of its own, from another folder than the checkout."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": encoding}
    command = [sys.executable, "-m", "fgrn", *arguments]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        cwd="/",
        preexec_fn=lambda: signal.signal(
            signal.SIGINT, signal.SIG_DFL
        ),  # ignored where a shell runs tests with &
    )


def test_help_and_version_need_no_torch(capsys: pytest.CaptureFixture[str]) -> None:
    script = (
        "import sys, runpy\nsys.argv = ['fgrn', sys.argv[1]]\n"
        "try: runpy.run_module('fgrn', run_name='__main__')\n"
        "except SystemExit as e: sys.exit(e.code or ('torch' in sys.modules))"
    )
    for option, expected in (("--help", "exit codes:"), ("--version", __version__)):
        done = subprocess.run(
            [sys.executable, "-c", script, option], capture_output=True, text=True, cwd=ROOT
        )
        assert done.returncode == 0
        assert expected in done.stdout


def test_reader_that_leaves_early_is_no_error(picture: Path) -> None:
    with child(
        "compare", str(picture), str(picture.parent), "--methods", "bicubic", "--device", "cpu"
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        errors = process.stderr.read().decode()
        assert process.wait(120) == 0
    assert "Traceback" not in errors and "BrokenPipe" not in errors


def test_figures_are_written_although_the_reader_left_early(
    picture: Path, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.json"
    options = ("--methods", "bicubic", "--device", "cpu", "--json", str(out))
    with child("compare", str(picture), str(folder), *options) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        errors = process.stderr.read().decode()
        assert process.wait(120) == 0, errors
    assert len(json.loads(out.read_text())["images"]) == 4
    assert "Traceback" not in errors and "BrokenPipe" not in errors


def test_terminal_without_unicode(picture: Path) -> None:
    process = child("compare", str(picture), "--methods", "bicubic", "--device", "cpu", encoding="ascii")
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert b"PSNR-Y ?" in out


def test_ctrl_c_ends_with_130_and_whole_files(photo: Photo, tmp_path: Path) -> None:
    count = 3000  # many minutes' worth: the signal may come late on a busy machine
    save(photo(128, 128), tmp_path / "in" / "first.png")
    for index in range(1, count):
        os.link(tmp_path / "in" / "first.png", tmp_path / "in" / f"{index:04}.png")
    process = child("downscale", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--device", "cpu")
    deadline = time.monotonic() + 120
    while not list((tmp_path / "out").glob("*.png")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert b"interrupted" in errors and b"Traceback" not in errors
    written = files_of(tmp_path / "out")
    assert 0 < len(written) < count
    for name in written:
        assert read_image(tmp_path / "out" / name).info is not None


def test_ctrl_c_leaves_the_figures_of_what_was_measured(photo: Photo, tmp_path: Path) -> None:
    first = save(photo(64, 64), tmp_path / "in" / "0000.png")
    for index in range(1, 2000):
        os.link(first, first.with_name(f"{index:04}.png"))
    out = tmp_path / "out.json"
    line = ["compare", str(tmp_path / "in"), "--methods", "bicubic", "--device", "cpu", "--json", str(out)]
    process = child(*line)
    assert process.stdout
    process.stdout.readline()  # the first picture is measured
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    content = json.loads(out.read_text())
    assert content["complete"] is False and 0 < len(content["images"]) < 2000
    measured = content["images"][str(first)]["bicubic"]["psnr_y"]
    assert content["mean"]["bicubic"]["psnr_y"] == pytest.approx(measured)


def test_what_could_not_be_measured_is_in_the_json(folder: Path, tmp_path: Path) -> None:
    (folder / "broken.png").write_bytes(b"")
    out = tmp_path / "out.json"
    assert run("compare", folder, "--methods", "bicubic", "--json", out) == 1
    content = json.loads(out.read_text())
    assert content["complete"] is True and content["skipped"] == [str(folder / "broken.png")]


# --- repeat -------------------------------------------------------------------------------------------------------


@pytest.fixture
def recorded(folder: Path, tmp_path: Path) -> Path:
    """The ZIP of a run over the pictures of `folder`, as the page writes it."""
    settings = record.Settings(4, ("bicubic", "irn", "fgrn"))
    rescalers = {name: load(name, 4, device="cpu") for name in settings.methods}
    inputs, figures = [], {}
    for path in (folder / "a.png", folder / "trip" / "day.1" / "b.v2.bmp", folder / "trip" / "c.JPG"):
        hr = settings.prepare(read_image(path).pixels)
        inputs.append(record.Input(path.name, record.sha256(path.read_bytes())))
        figures[path.name] = {
            name: comparison.measure(rescale(rescaler, hr), rescalers["bicubic"].downscale(hr))
            for name, rescaler in rescalers.items()
        }
    weights = {name: rescaler.digest for name, rescaler in rescalers.items()}
    machine = record.machine(rescalers["fgrn"].device)
    done = record.Record(settings, tuple(inputs), weights, record.versions(), machine)
    archive = tmp_path / "run.zip"
    archive.write_bytes(record.pack(done, figures, {}))
    return archive


def rewritten(archive: Path, name: str, old: str, new: str) -> Path:
    """The archive with a text in one of its files replaced."""
    with zipfile.ZipFile(archive) as source:
        files = {entry: source.read(entry).decode() for entry in source.namelist()}
    assert old in files[name]
    files[name] = files[name].replace(old, new, 1)
    with zipfile.ZipFile(archive, "w") as target:
        for entry, text in files.items():
            target.writestr(entry, text)
    return archive


def test_a_run_repeats_to_the_last_digit(
    recorded: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "a.png").rename(folder / "trip" / "renamed.png")  # pictures are known by what is in them
    assert run("repeat", recorded, folder) == 0
    captured = capsys.readouterr()
    assert captured.out == "Equal: 3 of 3 pictures, 63 figures, every digit the same.\n"
    assert "then" not in captured.err


def test_a_figure_that_differs_is_named(
    recorded: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with zipfile.ZipFile(recorded) as source:
        value = json.loads(source.read("figures.json"))["images"]["a.png"]["fgrn"]["psnr_y"]
    rewritten(recorded, "figures.json", repr(value), repr(value + 1e-13))
    assert run("repeat", recorded, folder) == 1
    out = capsys.readouterr().out
    assert "Different: 1 of 63 figures" in out
    assert f"a.png: FGRN, psnr_y: {value + 1e-13!r} then, {value!r} now" in out


def test_what_an_earlier_version_did_not_measure_is_not_compared(
    recorded: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with zipfile.ZipFile(recorded) as source:
        content = source.read("figures.json").decode()
    rewritten(recorded, "figures.json", content, re.sub(r'"psnr_rgb": [\d.]+,\s*', "", content))
    assert run("repeat", recorded, folder) == 0
    assert capsys.readouterr().out == "Equal: 3 of 3 pictures, 54 figures, every digit the same.\n"


def test_a_picture_that_differs_or_is_gone_is_named(
    recorded: Path, folder: Path, photo: Photo, capsys: pytest.CaptureFixture[str]
) -> None:
    save(photo(33, 40, 9), folder / "a.png")
    (folder / "trip" / "c.JPG").unlink()
    assert run("repeat", recorded, folder) == 1
    captured = capsys.readouterr()
    assert re.search(r"a\.png is another file than the one that was measured", captured.err)
    assert "c.JPG: no file here has its SHA-256" in captured.err
    assert captured.out.startswith("Equal: 1 of 3 pictures, 21 figures")


def test_a_picture_that_cannot_be_read_is_reported_once(
    recorded: Path, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Path.open

    def locked(path: Path, *args: Any, **kwargs: Any) -> Any:
        if path.name == "a.png":
            raise PermissionError(13, "Permission denied")
        return opened(path, *args, **kwargs)

    monkeypatch.setattr(Path, "open", locked)
    assert run("repeat", recorded, folder) == 1
    err = capsys.readouterr().err
    assert '"a.png" cannot be opened: Permission denied' in err and "another file" not in err


def test_a_pipe_among_the_pictures_is_named(
    recorded: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(folder / "pipe.png")  # reading it would wait for ever
    assert run("repeat", recorded, folder) == 1
    captured = capsys.readouterr()
    assert '"pipe.png" is not an ordinary file' in captured.err and captured.out.startswith("Equal: 3 of 3")


def test_weights_of_one_method_of_the_run_can_be_named(
    recorded: Path, folder: Path, use_tiny_weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("repeat", recorded, folder, "--weights", use_tiny_weights / "fgrn_x4.safetensors") == 0
    assert capsys.readouterr().out.startswith("Equal: 3 of 3 pictures")


def test_weights_of_no_method_of_the_run_are_refused(
    recorded: Path, folder: Path, use_tiny_weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("repeat", recorded, folder, "--weights", use_tiny_weights / "du_bic_x4.safetensors") == 2
    assert "weights of another method or scale than the run is of" in capsys.readouterr().err


def test_other_weights_are_refused(
    recorded: Path,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("FGRN_WEIGHTS", str(make_tiny_weights(tmp_path / "others", seed=1)))
    assert run("repeat", recorded, folder) == 2
    errors = capsys.readouterr().err
    assert "IRN x4 was run with" in errors and "FGRN x4 was run with" in errors
    assert "Bicubic" not in errors and "FGRN_WEIGHTS" in errors


def test_another_version_is_told(recorded: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    version = record.versions()["torch"]
    rewritten(recorded, "run.json", f'"torch": "{version}"', '"torch": "1.0"')
    assert run("repeat", recorded, folder) == 0
    assert f"torch 1.0 then, {version} now" in capsys.readouterr().err


def test_another_device_is_told(
    recorded: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["repeat", str(recorded), str(folder), "--device", "cpu:0"]) == 0
    assert "device cpu then, cpu:0 now" in capsys.readouterr().err
    line = [
        "compare",
        str(folder / "a.png"),
        "--device",
        "cpu:0",
        "--json",
        str(tmp_path / "o.json"),
        "--methods",
    ]
    for names, device in ((("bicubic", "fgrn"), "cpu:0"), (("bicubic",), "cpu")):
        assert main([*line, *names]) == 0
        assert json.loads((tmp_path / "o.json").read_text())["device"] == device


def test_what_is_no_recorded_run_is_refused(
    recorded: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("repeat", folder / "a.png", folder) == 2
    assert "cannot be read as a ZIP" in capsys.readouterr().err
    rewritten(recorded, "run.json", '"scale": 4', '"scale": 3')
    assert run("repeat", recorded, folder) == 2
    assert "run.json is damaged" in capsys.readouterr().err
