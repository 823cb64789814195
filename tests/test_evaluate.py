"""The evaluation program and the tables written from its JSON."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fgrn import metrics
from fgrn.pipeline import load
from training import evaluate, report


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


def test_json_has_the_documented_shape(folders: list[Path], tmp_path: Path, use_tiny_weights: Path) -> None:
    out = tmp_path / "out.json"
    assert run(folders, out, "--scale", "4", "--methods", "bicubic", "irn", "fgrn") == 0
    content = json.loads(out.read_text())
    assert content["scale"] == 4
    assert set(content["weights"]) == {"irn", "fgrn"}
    assert set(content["datasets"]) == {"SetA", "SetB"}
    for dataset in content["datasets"].values():
        assert set(dataset) == {"bicubic", "irn", "fgrn"}
        for figures in dataset.values():
            assert set(figures["images"]) == {"picture0", "picture1"}
            values = [row["psnr_y"] for row in figures["images"].values()]
            assert figures["mean"]["psnr_y"] == pytest.approx(np.mean(values))
        assert {"psnr_y", "ssim_y", "lr_psnr_y", "x_exact", "psnr_y_direct"} <= set(dataset["fgrn"]["mean"])
        assert dataset["bicubic"]["mean"]["lr_psnr_y"] is None  # equal to itself: infinite
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
    assert row["megapixels"] == pytest.approx(44 * 48 / 1e6)


def test_missing_data_and_weights_are_errors(
    folders: list[Path], tmp_path: Path, use_tiny_weights: Path
) -> None:
    out = tmp_path / "out.json"
    assert run([tmp_path / "nowhere"], out, "--scale", "2", "--methods", "bicubic") == 2
    broken = ("--weights", str(tmp_path / "none.safetensors"))
    assert run(folders, out, "--scale", "2", "--methods", "fgrn", *broken) == 2
    assert run(folders, out, "--scale", "2", "--methods", "fgrn", "irn", *broken) == 2
    assert not out.exists()


def test_report_replaces_only_what_is_marked() -> None:
    text = (
        "before\n<!-- table a -->\nold\n<!-- /table -->\nbetween\n<!-- table b -->\n<!-- /table -->\nafter\n"
    )
    filled = report.fill(text, {"a": "| new |\n", "b": "| other |\n"})
    assert filled == (
        "before\n<!-- table a -->\n| new |\n<!-- /table -->\n"
        "between\n<!-- table b -->\n| other |\n<!-- /table -->\nafter\n"
    )
    assert report.fill(filled, {"a": "| new |\n", "b": "| other |\n"}) == filled
    with pytest.raises(KeyError):
        report.fill(text, {"a": ""})


def test_readme_tables_are_those_of_the_results() -> None:
    assert report.main(["--check"]) == 0, "run `python -m training.report` and commit the README"


def test_shipped_results_are_of_the_shipped_weights() -> None:
    """The JSON that the README shows names the digests of the weight files beside it."""
    for scale in (2, 4):
        results = json.loads((report.RESULTS / f"benchmark_x{scale}.json").read_text())
        for name, card in results["weights"].items():
            shipped = json.loads((report.ROOT / "assets" / "weights" / f"{name}_x{scale}.json").read_text())
            assert card["sha256"] == shipped["sha256"]
