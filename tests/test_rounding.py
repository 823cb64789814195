"""The cost of float16: measured between a run's own weights and the file it wrote, nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from fgrn import checkpoint
from tests.test_train import TINY_FGRN, arguments, write_pictures
from training import rounding, train
from training.recipes import RECIPES


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(RECIPES, "tiny_fgrn", TINY_FGRN)
    data = write_pictures(tmp_path / "pictures")
    assert train.main(arguments("tiny_fgrn", data, tmp_path / "run", samples=40)) == 0
    return tmp_path / "run"


def test_other_files_in_the_folder_are_no_hindrance(run: Path) -> None:
    (run / "pixels-0123.json").write_text("[]")
    (run / "tiny_fgrn_last.json").write_text("{}")
    assert rounding.both_weights(run)[0].state_dict().keys()


def test_exact_weights_are_what_was_rounded(run: Path) -> None:
    exact, shipped, _ = rounding.both_weights(run)
    pairs = zip(exact.state_dict().values(), shipped.state_dict().values(), strict=True)
    differ = [not torch.equal(a, b) for a, b in pairs if torch.equal(a.half().float(), b)]
    assert len(differ) == len(exact.state_dict()) and any(differ)


def test_the_cost_is_the_difference_on_the_held_out_images(run: Path) -> None:
    out = run.parent / "rounding.json"
    line = [str(run), "--data", str(run.parent / "pictures"), "--hold-out", "1", "--json", str(out)]
    assert rounding.main(line) == 0
    (row,) = json.loads(out.read_text())["rows"]
    assert row["recipe"] == "tiny_fgrn"
    assert row["cost"] == row["psnr_y_float32"] - row["psnr_y_float16"] and abs(row["cost"]) < 0.05
    card = checkpoint.read_card(run / "tiny_fgrn.json")
    assert row["weights"] == card.digest
    assert row["psnr_y_float32"] == card.provenance.metrics["validation"]["psnr_y_direct"]


def test_what_is_no_run_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    data = write_pictures(tmp_path / "pictures")
    assert rounding.main([str(tmp_path), "--data", str(data), "--hold-out", "1"]) == 2
    assert "no folder of a training run" in caplog.text
    with pytest.raises(SystemExit):
        rounding.main([str(tmp_path), "--data", str(data), "--json", str(tmp_path)])
    assert "cannot be written: it is a folder" in capsys.readouterr().err
