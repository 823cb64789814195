"""The evaluation program: its JSON, the protocol, what is skipped, several processes."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from fgrn import metrics
from fgrn.pipeline import load, rescale
from tests.conftest import ROOT, Photo
from tests.test_pipeline import picture, rescaler_of
from training import evaluate


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Several would wait for each other on a busy machine; and `--threads` is for a process of its own."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    """Two sets of small pictures, one of odd size."""
    random = np.random.default_rng(0)
    for name, size in (("SetA", (48, 40)), ("SetB", (51, 45))):
        (tmp_path / name).mkdir()
        for i in range(2):
            small = Image.fromarray(random.integers(0, 256, (5, 6, 3), dtype=np.uint8))
            small.resize(size, Image.Resampling.BICUBIC).save(tmp_path / name / f"picture{i}.png")
    return [tmp_path / "SetA", tmp_path / "SetB"]


def run(folders: list[Path], out: Path, *options: str) -> int:
    data = [str(folder) for folder in folders]
    return evaluate.main(["--data", *data, "--json", str(out), "--device", "cpu", *options])


def without_times(content: Any) -> Any:
    """`content` without the environment and what differs from run to run."""
    if not isinstance(content, dict):
        return content
    return {
        key: without_times(value)
        for key, value in content.items()
        if not key.startswith("seconds") and key != "environment"
    }


def test_update_keeps_the_other_sets_and_refuses_another_scale(
    folders: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    out = tmp_path / "out.json"
    for folder in folders:
        assert run([folder], out, "--scale", "4", "--methods", "bicubic", "--update", "--reference-only") == 0
    kept = out.read_text()
    assert set(json.loads(kept)["datasets"]) == {"SetA", "SetB"}
    assert run(folders, out, "--scale", "2", "--methods", "bicubic", "--update") == 2
    assert "the file has scale 4, this evaluation 2" in caplog.text
    assert out.read_text() == kept


def test_json_has_the_documented_shape(folders: list[Path], tmp_path: Path, use_tiny_weights: Path) -> None:
    out = tmp_path / "out.json"
    assert run(folders, out, "--scale", "4", "--methods", "bicubic", "irn", "fgrn") == 0
    content = json.loads(out.read_text())
    assert content["scale"] == 4
    assert content["limit"] is None
    assert content["skipped"] == {name: {"count": 0, "images": {}} for name in ("SetA", "SetB")}
    assert set(content["weights"]) == {"irn", "fgrn"}
    assert set(content["datasets"]) == {"SetA", "SetB"}
    for dataset in content["datasets"].values():
        assert set(dataset) == {"bicubic", "irn", "fgrn"}
        for figures in dataset.values():
            assert set(figures["images"]) == {"picture0", "picture1"}
            values = [row["psnr_y"] for row in figures["images"].values()]
            assert figures["mean"]["psnr_y"] == pytest.approx(np.mean(values))
            assert set(figures["mean"]) == set(figures["images"]["picture0"])
        assert set(dataset["fgrn"]["mean"]) == {
            *(
                "psnr_y",
                "ssim_y",
                "psnr_rgb",
                "psnr_y_direct",
                "lr_psnr_y",
                "lr_psnr_rgb",
                "niqe",
                "piqe",
                "x_exact",
                "lr_bytes",
            ),
            *("seconds_down", "seconds_up", "megapixels", "seconds_per_megapixel"),
        }
        assert dataset["fgrn"]["mean"]["niqe"] is None  # too small
        assert dataset["bicubic"]["mean"]["lr_psnr_y"] == "inf"  # equal to itself
        assert dataset["bicubic"]["mean"]["x_exact"] == 1
        assert dataset["bicubic"]["mean"]["psnr_y_direct"] == dataset["bicubic"]["mean"]["psnr_y"]


def test_figures_follow_the_protocol(folders: list[Path], tmp_path: Path) -> None:
    """HR cropped to a multiple of the scale, 8-bit LR, `scale` pixels cropped on Y."""
    out = tmp_path / "out.json"
    assert run(folders[1:], out, "--scale", "4", "--methods", "bicubic") == 0
    row = json.loads(out.read_text())["datasets"]["SetB"]["bicubic"]["images"]["picture0"]
    hr = np.asarray(Image.open(folders[1] / "picture0.png"))[:44, :48]
    rescaler = load("bicubic", 4, device="cpu")
    restored = rescaler.upscale(rescaler.downscale(hr))
    assert row["psnr_y"] == pytest.approx(metrics.psnr_y(restored, hr, crop=4))
    assert row["ssim_y"] == pytest.approx(metrics.ssim_y(restored, hr, crop=4))
    assert row["psnr_rgb"] == pytest.approx(metrics.psnr_rgb(restored, hr, crop=4))
    assert row["megapixels"] == pytest.approx(44 * 48 / 1e6)


def test_direct_figure_is_of_x_that_never_went_through_the_flow() -> None:
    """`cost of the round trip` in the README is the difference of the two."""
    rescaler = rescaler_of("fgrn", 4)  # of random weights: F loses some of x
    hr = picture(48, 64)
    result = rescale(rescaler, hr)
    scores = evaluate.measure(
        result, rescaler, load("bicubic", 4, device="cpu").downscale(hr), no_reference=False
    )
    direct = metrics.psnr_y(rescaler.decode(result.x), hr, crop=4)
    assert scores["psnr_y_direct"].value == direct
    assert direct != scores["psnr_y"].value == metrics.psnr_y(result.reconstruction, hr, crop=4)


def test_missing_data_and_weights_are_errors(
    folders: list[Path], tmp_path: Path, use_tiny_weights: Path
) -> None:
    out = tmp_path / "out.json"
    assert run([tmp_path / "nowhere"], out, "--scale", "2", "--methods", "bicubic") == 2
    broken = ("--weights", str(tmp_path / "none.safetensors"))
    assert run(folders, out, "--scale", "2", "--methods", "fgrn", *broken) == 2
    assert run(folders, out, "--scale", "2", "--methods", "fgrn", "irn", *broken) == 2
    assert run(folders, out, "--scale", "2", "--methods", "bicubic", *broken) == 2, "it has none"
    assert not out.exists()


def test_means_are_over_the_same_images_for_all_methods(folders: list[Path], tmp_path: Path) -> None:
    """An image of one colour is restored exactly by bicubic, which must not be the only one to leave it out."""
    Image.new("RGB", (48, 40), (9, 8, 7)).save(folders[0] / "flat.png")
    rescalers = {"bicubic": load("bicubic", 4, device="cpu"), "irn": rescaler_of("irn", 4)}
    found = evaluate.evaluate(folders[:1], rescalers, no_reference=False)["datasets"]["SetA"]
    assert found["bicubic"]["images"]["flat"]["psnr_y"] == "inf" != found["irn"]["images"]["flat"]["psnr_y"]
    for entry in found.values():
        others = [row["psnr_y"] for name, row in entry["images"].items() if name != "flat"]
        assert entry["mean"]["psnr_y"] == pytest.approx(sum(others) / len(others)) and len(others) == 2


def test_what_would_fail_in_the_end_fails_at_once(
    folders: list[Path],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        run(folders, tmp_path, "--scale", "2", "--methods", "bicubic")
    assert "is a folder" in capsys.readouterr().err
    assert run(folders, tmp_path / "out.json", "--scale", "2", "--methods", "fgrn", "--device", "foo") == 2
    assert "cannot start" in caplog.messages[-1] and "foo" in caplog.messages[-1]


def test_a_full_disk_at_the_end_is_said_in_a_line(
    folders: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("training.options.write_json", full)
    assert (
        run(folders, tmp_path / "out.json", "--scale", "2", "--methods", "bicubic", "--reference-only") == 2
    )
    assert "No space left" in caplog.messages[-1]


def test_seconds_per_megapixel_are_all_seconds_over_all_megapixels(
    folders: list[Path], photo: Photo, use_tiny_weights: Path
) -> None:
    Image.fromarray(photo(160, 120)).save(folders[0] / "large.png")
    rescalers = {"fgrn": load("fgrn", 4, device="cpu")}
    entry = evaluate.evaluate(folders[:1], rescalers, no_reference=False)["datasets"]["SetA"]["fgrn"]
    rows = entry["images"].values()
    seconds = [row["seconds_down"] + row["seconds_up"] for row in rows]
    megapixels = [row["megapixels"] for row in rows]
    assert len(set(megapixels)) == 2
    assert entry["mean"]["seconds_per_megapixel"] == pytest.approx(sum(seconds) / sum(megapixels))
    for row, second in zip(rows, seconds, strict=True):
        assert row["seconds_per_megapixel"] == pytest.approx(second / row["megapixels"])


def test_niqe_and_piqe_judge_the_lr_image(tmp_path: Path, photo: Photo, use_tiny_weights: Path) -> None:
    pytest.importorskip("pyiqa")
    (tmp_path / "Set").mkdir()
    for name, height in (("large", 400), ("small", 80)):
        Image.fromarray(photo(height, 400, seed=height)).save(tmp_path / "Set" / f"{name}.png")
    rescalers = {name: load(name, 2, device="cpu") for name in ("bicubic", "fgrn")}
    figures = evaluate.evaluate([tmp_path / "Set"], rescalers)["datasets"]["Set"]
    for name, rescaler in rescalers.items():
        images, mean = figures[name]["images"], figures[name]["mean"]
        large, small = (rescaler.downscale(tmp_path / "Set" / f"{kind}.png") for kind in ("large", "small"))
        scores = [metrics.piqe(large).value, metrics.piqe(small).value]
        assert [images["large"]["piqe"], images["small"]["piqe"]] == pytest.approx(scores)
        assert images["large"]["niqe"] == mean["niqe"] == pytest.approx(metrics.niqe(large).value)
        assert images["small"]["niqe"] is None
        assert mean["piqe"] == pytest.approx(np.mean([score for score in scores if score is not None]))
    assert figures["bicubic"]["mean"]["piqe"] != figures["fgrn"]["mean"]["piqe"]


def test_without_pyiqa_niqe_and_piqe_are_null_with_one_warning(
    folders: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyiqa.archs.niqe_arch", None)
    monkeypatch.setitem(sys.modules, "pyiqa.archs.piqe_arch", None)
    out = tmp_path / "out.json"
    with caplog.at_level(logging.WARNING):
        assert run(folders[:1], out, "--scale", "2", "--methods", "bicubic") == 0
    rows = json.loads(out.read_text())["datasets"]["SetA"]["bicubic"]["images"].values()
    assert [(row["niqe"], row["piqe"]) for row in rows] == [(None, None)] * 2
    [warning] = [record.getMessage() for record in caplog.records if record.name.startswith("training")]
    assert "PIQE of LR for 2 of 2 LR images (pyiqa cannot be used here" in warning
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        assert run(folders[:1], out, "--scale", "2", "--methods", "bicubic", "--reference-only") == 0
    assert not {"niqe", "piqe"} & set(json.loads(out.read_text())["datasets"]["SetA"]["bicubic"]["mean"])
    assert not [record for record in caplog.records if record.name.startswith("training")]


def test_broken_and_tiny_images_are_named_counted_and_skipped(
    folders: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = tmp_path / "whole.json"
    assert run(folders, whole, "--scale", "4", "--methods", "bicubic", "--reference-only") == 0
    (folders[0] / "broken.png").write_bytes((folders[0] / "picture0.png").read_bytes()[:60])
    Image.new("RGB", (40, 17)).crop((0, 0, 40, 9)).save(folders[0] / "tiny.png")
    out = tmp_path / "out.json"
    with caplog.at_level(logging.WARNING):
        assert run(folders, out, "--scale", "4", "--methods", "bicubic", "--reference-only") == 0
    content, expected = (without_times(json.loads(path.read_text())) for path in (out, whole))
    assert content["datasets"] == expected["datasets"]
    assert content["skipped"]["SetA"]["count"] == 2
    assert set(content["skipped"]["SetA"]["images"]) == {"broken", "tiny"}
    assert content["skipped"]["SetB"] == {"count": 0, "images": {}}
    for name in ("broken", "tiny"):
        assert caplog.text.count(f"SetA: {name} is skipped") == 1


def test_an_image_beyond_the_memory_is_skipped(
    folders: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a CPU torch says so by a plain RuntimeError; hours of figures must not be lost for it."""
    calls: list[object] = []

    def rescale_or_fail(*arguments: object) -> object:
        calls.append(arguments)
        if len(calls) == 2:  # the first warms up
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
        return rescale(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("training.evaluate.rescale", rescale_or_fail)
    out = tmp_path / "out.json"
    assert run(folders, out, "--scale", "4", "--methods", "bicubic", "--reference-only") == 0
    skipped = json.loads(out.read_text())["skipped"]["SetA"]
    assert skipped["count"] == 1 and "not enough memory" in next(iter(skipped["images"].values()))


def test_a_set_without_a_single_sound_image_is_a_failure(folders: list[Path], tmp_path: Path) -> None:
    (tmp_path / "Bad").mkdir()
    (tmp_path / "Bad" / "broken.png").write_bytes(b"no picture")
    out = tmp_path / "out.json"
    assert run([tmp_path / "Bad", folders[0]], out, "--scale", "4", "--methods", "bicubic") == 1
    content = json.loads(out.read_text())
    assert content["datasets"]["Bad"]["bicubic"] == {"mean": {}, "images": {}}
    assert content["datasets"]["SetA"]["bicubic"]["mean"]["psnr_y"] > 0


def test_limit_takes_the_first_images_of_each_folder(folders: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    assert run(folders, out, "--scale", "4", "--methods", "bicubic", "--limit", "1") == 0
    content = json.loads(out.read_text())
    assert content["limit"] == 1
    assert [list(sets["bicubic"]["images"]) for sets in content["datasets"].values()] == [["picture0"]] * 2
    with pytest.raises(SystemExit):
        run(folders, out, "--scale", "4", "--limit", "0")


def test_images_and_folders_of_the_same_name_stay_apart(folders: list[Path], tmp_path: Path) -> None:
    deeper = tmp_path / "deeper" / "SetA"
    deeper.mkdir(parents=True)
    picture = Image.open(folders[0] / "picture0.png")
    picture.save(folders[0] / "picture0.bmp")
    (folders[0] / "more").mkdir()
    picture.save(folders[0] / "more" / "picture0.png")
    names = evaluate.image_sets(folders[:1])["SetA"]
    assert set(names) == {"more/picture0", "picture0.bmp", "picture0.png", "picture1"}
    assert all(path.is_file() for path in names.values())
    picture.save(deeper / "picture0.png")
    with pytest.raises(ValueError, match="SetA"):
        evaluate.image_sets([folders[0], deeper])


def test_variants_of_one_method_are_told_apart(folders: list[Path], use_tiny_weights: Path) -> None:
    """A study passes networks under names of its own; order and company change no figure."""
    rescalers = {"z0": load("irn", 4, device="cpu"), "z": load("irn", 4, device="cpu", latent_seed=1)}
    figures = evaluate.evaluate(folders, rescalers, no_reference=False)["datasets"]
    assert [list(sets) for sets in figures.values()] == [["z0", "z"]] * 2
    assert figures["SetA"]["z0"]["mean"]["psnr_y"] != figures["SetA"]["z"]["mean"]["psnr_y"]
    turned = dict(reversed(rescalers.items()))
    again = evaluate.evaluate(folders[::-1], turned, no_reference=False)["datasets"]
    assert without_times(again) == without_times(figures)


def test_two_processes_equal_one(folders: list[Path], tmp_path: Path, use_tiny_weights: Path) -> None:
    """They share the images, one of them broken; only the first one speaks and writes."""
    (folders[1] / "broken.png").write_bytes(b"no picture")
    options = ["--scale", "4", "--methods", "bicubic", "irn", "fgrn", "--threads", "1"]
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    assert run(folders, one, *options) == 0
    launch = f"{sys.executable} -m torch.distributed.run --standalone --nproc-per-node 2"
    launch += " -m training.evaluate --device cpu"
    line = [*launch.split(), *options, "--json", str(two), "--data", *map(str, folders)]
    pipe = subprocess.PIPE
    with subprocess.Popen(line, cwd=ROOT, stdout=pipe, stderr=pipe, text=True) as launcher:
        try:
            said, logged = launcher.communicate(timeout=200)
        finally:
            launcher.terminate()  # unlike a kill, it ends the two as well
    assert launcher.returncode == 0, logged
    alone, shared = json.loads(one.read_text()), json.loads(two.read_text())
    assert shared["environment"]["machine"].startswith("2 x ")
    assert without_times(shared) == without_times(alone)
    assert list(shared["datasets"]["SetB"]["fgrn"]["images"]) == ["picture0", "picture1"]
    assert "3/3" in logged  # the first one's share of five images
    assert said.count("SetA       fgrn") == 1
    assert logged.count("broken is skipped") == 1
