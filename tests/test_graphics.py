"""What photographs lack: each kind is what its name says, in whole grey levels."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from fgrn.methods import load_card
from fgrn.pipeline import load, rescale
from training import on_graphics
from training.graphics import KINDS, LUMA, NUMBERS, drawn
from training.report import RESULTS

SIDE = 24
MANY = 200


def patches() -> Tensor:
    levels = np.random.default_rng(3).integers(0, 256, (MANY, 3, SIDE, SIDE))
    return torch.from_numpy(levels).float() / 255


def all_of(kind: str, seed: int = 0) -> Tensor:
    """Patches that are all drawn in one way."""
    number = list(KINDS).index(kind)
    numbers = torch.from_numpy(np.random.default_rng(seed).random((MANY, NUMBERS)))
    numbers[:, 0] = (number + 0.5) / len(KINDS)
    return drawn(patches(), numbers, 1.0)


@pytest.mark.parametrize("kind", list(KINDS))
def test_all_are_pictures_in_grey_levels_and_follow_their_numbers(kind: str) -> None:
    found = all_of(kind)
    assert found.shape == (MANY, 3, SIDE, SIDE) and found.dtype == torch.float32
    assert 0 <= found.min() and found.max() <= 1
    assert ((found * 255).round() / 255).equal(found)
    assert found.equal(all_of(kind)) and (kind == "grey" or not found.equal(all_of(kind, seed=1)))


def test_flat_ones_are_flat_and_half_of_their_channels_saturated() -> None:
    colours = all_of("flat")
    assert (colours == colours[:, :, :1, :1]).all()
    channels = colours[:, :, 0, 0]
    assert 0.4 < ((channels == 0) | (channels == 1)).float().mean() < 0.6


def test_stripes_are_of_two_colours() -> None:
    counts = [len(patch.flatten(1).T.unique(dim=0)) for patch in all_of("stripes")]
    assert set(counts) == {1, 2} and counts.count(2) > MANY // 2


def test_gradients_and_waves_are_smooth() -> None:
    gradients, waves = all_of("gradient"), all_of("waves")
    for found, steepest in ((gradients, 0.5 + 1 / 255), (waves, np.pi / 4 + 1 / 255)):
        steps = torch.cat([found.diff(dim=2).abs().flatten(), found.diff(dim=3).abs().flatten()])
        assert 0 < steps.max() <= steepest
    grey = (waves[:, 0] - waves[:, 1]).abs().flatten(1).amax(dim=1)
    assert (grey > 0.02).float().mean() > 0.9, "each channel has a wave of its own"


def test_grey_ones_keep_the_luma_and_vivid_ones_double_the_colours() -> None:
    def luma(images: Tensor) -> Tensor:
        return (images * torch.tensor(LUMA)[:, None, None]).sum(dim=1, keepdim=True)

    grey = all_of("grey")
    assert (grey[:, :1] == grey).all() and (grey[:, :1] - luma(patches())).abs().max() <= 0.5 / 255 + 1e-6

    def distance(images: Tensor) -> Tensor:
        return (images - luma(images)).abs().mean()

    assert distance(all_of("vivid")) > 1.3 * distance(patches())


def test_without_a_share_nothing_is_drawn() -> None:
    numbers = torch.zeros(MANY, NUMBERS)
    assert drawn(patches(), numbers, 0.0).equal(patches())


def test_figures_on_graphics(use_tiny_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_graphics, "measure", partial(on_graphics.measure, 2, 32))
    assert on_graphics.main(["--json", str(tmp_path / "out.json")]) == 0
    figures = json.loads((tmp_path / "out.json").read_text())
    rows = {(row["method"], row["scale"]): row["psnr"] for row in figures["rows"]}
    assert set(rows) == {(method, scale) for method in on_graphics.COMPARED for scale in (2, 4)}
    assert rows["bicubic", 4]["flat"] is None, "bicubic leaves a flat colour as it is"
    waves = on_graphics.pictures(KINDS["waves"], 2, 32)
    rescaler = load("fgrn", 4)
    errors = [rescale(rescaler, hr).reconstruction.astype(float) - hr for hr in waves]
    assert rows["fgrn", 4]["waves"] == pytest.approx(10 * np.log10(255**2 / np.mean(np.square(errors))))
    table = on_graphics.graphics_table(figures)
    assert "| exact |" in table and f"{rows['fgrn', 4]['waves']:.2f}" in table


def test_what_cannot_be_measured_on_graphics_is_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("FGRN_WEIGHTS", str(tmp_path))
    assert on_graphics.main([]) == 2 and "irn_x2" in caplog.text
    for options, words in (
        (["--threads", "-1"], "from 1 to 1024"),
        (["--json", "/"], "is a folder"),
    ):
        with pytest.raises(SystemExit):
            on_graphics.main(options)
        assert words in capsys.readouterr().err


def test_the_kept_figures_are_of_the_shipped_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FGRN_WEIGHTS", raising=False)
    kept = json.loads((RESULTS / "graphics.json").read_text(encoding="utf-8"))
    for row in kept["rows"]:
        card = load_card(row["method"], row["scale"])
        assert row["sha256"] == (card.sha256 if card else ""), (
            f"{row['method']} x{row['scale']}: measure again"
        )
