"""Refining x: against least squares where the decoder is linear, never for the worse, the same bits each time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from fgrn import refine as refining
from fgrn import tiles
from fgrn.images import encode_png, read_image
from fgrn.lr_files import source_of
from fgrn.methods import METHODS, REFINING_STEPS, RESTORING
from fgrn.models import FGRN, Bicubic, FGRNConfig, RescalingNet
from fgrn.pipeline import Rescaler, load, rescale
from fgrn.pixels import Pixels
from fgrn.refine import refine
from fgrn.resize import bicubic_upscale
from lab.compare.runs import compare
from lab.compare.snapshot import State
from lab.files import Store
from lab.models import Models
from lab.restore import steps as restore
from tests.conftest import ROOT
from tests.test_cli import run
from tests.test_pipeline import CPU, perturbed, picture, rescaler_of


@pytest.fixture(autouse=True, params=[False, True], ids=["float32", "bf16"])
def precision(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that what is tested is the same on every machine."""
    monkeypatch.setattr(refining, "computes_in_bf16", lambda device: request.param)


def fgrn(scale: int = 2) -> RescalingNet:
    torch.manual_seed(7)
    return perturbed(FGRN(FGRNConfig(scale, 8, 1, 2, 2, 4)), 0.04)


def squared_error(net: RescalingNet, hr: Pixels, x: Pixels) -> float:
    """Of what an x restores after all roundings, but the last one, to the picture."""
    rescaler = Rescaler("fgrn", net.scale, net, "", CPU)
    restored = rescaler.decode(rescaler.from_lr(rescaler.to_lr(x)))
    return float(np.square(restored.astype(float) - hr).sum())


def test_a_linear_decoder_leads_to_least_squares() -> None:
    """Bicubic enlargement has an x that is best; without rounding it is found by solving equations."""
    hr, side = picture(24, 24, seed=4) // 2 + 64, 12  # so that no value of x is cut
    columns = bicubic_upscale(torch.eye(side * side).reshape(-1, 1, side, side), 2).flatten(1).T
    channels = torch.from_numpy(hr / 255).float().reshape(-1, 3)
    best = torch.linalg.lstsq(columns, channels).solution
    assert 0 < best.min() and best.max() < 1

    def restored_error(x: torch.Tensor) -> float:
        return float((columns @ x - channels).square().sum())

    off = np.random.default_rng(0).integers(-12, 13, (side, side, 3))
    start = (Rescaler("bicubic", 2, Bicubic(2), "", CPU).encode(hr) + off).astype(np.uint8)
    refined = refine(Bicubic(2), hr, start, steps=100, device=CPU)
    before, after, rounded = (
        restored_error(torch.from_numpy(x / 255).float().reshape(-1, 3))
        for x in (start, refined, (best * 255).round().reshape(side, side, 3).numpy())
    )
    assert before > 3 * rounded, "there is something to gain"
    assert restored_error(best) <= after <= 1.2 * rounded


@pytest.mark.parametrize("scale", [2, 4])
def test_what_is_restored_comes_nearer(scale: int) -> None:
    net, hr = fgrn(scale), picture(48, 64)
    x = Rescaler("fgrn", scale, net, "", CPU).encode(hr)
    refined = refine(net, hr, x, steps=8, device=CPU)
    further = refine(net, hr, x, steps=32, device=CPU)
    assert refined.dtype == np.uint8 and refined.shape == x.shape
    assert np.abs(refined.astype(int) - x).max() <= 8, "at most a level or so a step"
    errors = [squared_error(net, hr, image) for image in (x, refined, further)]
    assert errors[1] < 0.97 * errors[0] and errors[2] < 0.97 * errors[1]


def test_x_that_restores_exactly_stays() -> None:
    net, hr = fgrn(), picture(32, 32)
    x = Rescaler("fgrn", 2, net, "", CPU).encode(hr)
    rescaler = Rescaler("fgrn", 2, net, "", CPU)
    hr_of_x = rescaler.decode(rescaler.from_lr(rescaler.to_lr(x)))
    assert np.array_equal(refine(net, hr_of_x, x, steps=8, device=CPU), x)


def test_what_the_lr_file_costs_is_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    net, hr = fgrn(), picture(64, 64)
    x = Rescaler("fgrn", 2, net, "", CPU).encode(hr)
    through = squared_error(net, hr, refine(net, hr, x, steps=16, device=CPU))
    monkeypatch.setattr(refining._Block, "_recovered", lambda self, image: image)
    assert through < squared_error(net, hr, refine(net, hr, x, steps=16, device=CPU))


def test_a_step_for_the_worse_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refining, "RATE", 1.0)
    net, hr = fgrn(), picture(32, 32)
    x = Rescaler("fgrn", 2, net, "", CPU).encode(hr)
    assert np.array_equal(refine(net, hr, x, steps=2, device=CPU), x)


def test_blocks_gain_as_much_as_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    net, hr = fgrn(), picture(150, 170)
    x = Rescaler("fgrn", 2, net, "", CPU).encode(hr)
    whole = squared_error(net, hr, refine(net, hr, x, steps=8, device=CPU))
    monkeypatch.setattr(refining, "BLOCK", 40)
    in_blocks = squared_error(net, hr, refine(net, hr, x, steps=8, device=CPU))
    assert squared_error(net, hr, x) > in_blocks
    assert in_blocks == pytest.approx(whole, rel=1e-3)


def test_a_block_lies_between_neighbours_that_are_refined_already_or_not_yet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of 2 x 2 blocks: whatever is refined becomes 200 of 100."""
    refined: list[tuple[slice, slice]] = []

    class Block:
        def __init__(
            self,
            net: RescalingNet,
            hr: torch.Tensor,
            x: torch.Tensor,
            rows: tiles.Window,
            columns: tiles.Window,
        ) -> None:
            seen = np.full((80, 80), 100)
            for core in refined:
                seen[core] = 200
            source = (255 * x[0, 0]).round().numpy()
            assert np.array_equal(source, seen[rows.of_source(1), columns.of_source(1)])
            assert hr.shape[2:] == (2 * x.shape[2], 2 * x.shape[3])
            self.core = rows.of_core(1), columns.of_core(1)

        def refined(self, steps: int) -> Pixels:
            refined.append(self.core)
            return np.full((40, 40, 3), 200, np.uint8)

    monkeypatch.setattr(refining, "_Block", Block)
    monkeypatch.setattr(refining, "BLOCK", 40)
    x, hr = np.full((80, 80, 3), 100, np.uint8), np.full((160, 160, 3), 40, np.uint8)
    assert (refine(Bicubic(2), hr, x, steps=1, device=CPU) == 200).all() and len(refined) == 4
    assert (x == 100).all()


def test_the_error_counts_half_of_what_is_around_a_block() -> None:
    assert refining._grown(tiles.Window((40, 80), (16, 104)), 1) == slice(40 - 12 - 16, 80 + 12 - 16)
    assert refining._grown(tiles.Window((0, 40), (0, 60)), 4) == slice(0, 4 * (40 + 10))
    assert refining._grown(tiles.Window((40, 80), (20, 80)), 2) == slice(2 * (40 - 10 - 20), 2 * (80 - 20))


def test_smaller_blocks_where_memory_is_not_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    sides: list[int] = []
    real = tiles.windows

    def windows(length: int, side: int, reach: int) -> Iterator[object]:
        sides.append(side)
        if side > 64:
            raise torch.OutOfMemoryError
        return iter(real(length, side, reach))

    monkeypatch.setattr(refining, "windows", windows)
    net, hr = fgrn(), picture(40, 40)
    x = Rescaler("fgrn", 2, net, "", CPU).encode(hr)
    assert refine(net, hr, x, steps=2, device=CPU).shape == x.shape
    assert list(dict.fromkeys(sides)) == [256, 128, 64]


def test_threads_and_modes_change_no_bit() -> None:
    net, hr = fgrn(), picture(90, 110)
    x = Rescaler("fgrn", 2, net, "", CPU).encode(hr)
    threads = torch.get_num_threads()
    try:
        found = []
        for count in (1, 2, 2):
            torch.set_num_threads(count)
            found.append(refine(net, hr, x, steps=6, device=CPU))
    finally:
        torch.set_num_threads(threads)
    with torch.inference_mode():
        found.append(refine(net, hr, x, steps=6, device=CPU))
    with torch.no_grad():
        found.append(refine(net, hr, x, steps=6, device=CPU))
    assert all(np.array_equal(found[0], other) for other in found[1:])
    assert all(parameter.grad is None for parameter in net.parameters())


# As a method


def test_weights_that_are_loaded_in_inference_mode_can_be_refined_for() -> None:
    hr = picture(32, 40)
    with torch.inference_mode():
        rescaler = load("fgrn_refined", 2, device=CPU)
        lr = rescaler.downscale(hr)
    assert np.array_equal(lr, load("fgrn_refined", 2, device=CPU).downscale(hr))


def test_refined_is_another_x_of_the_same_method() -> None:
    plain, refined = rescaler_of("fgrn", 4), rescaler_of("fgrn", 4)
    refined = Rescaler("fgrn_refined", 4, refined.net, refined.digest, CPU, refining_steps=8)
    hr = picture(61, 46)
    one, other = rescale(plain, hr), rescale(refined, hr)
    assert not np.array_equal(one.x, other.x)
    file = read_image(other.lr_png)
    assert source_of(file).method == "fgrn", "whoever restores it needs to know nothing of this"
    assert np.array_equal(plain.upscale(file, (61, 46)), other.reconstruction)
    loss = [np.square(result.reconstruction.astype(float) - hr).mean() for result in (one, other)]
    assert loss[1] < loss[0]


def test_methods_that_are_refined_share_their_weights(use_tiny_weights: Path) -> None:
    for name, method in METHODS.items():
        rescaler = load(name, 4, device="cpu")
        assert rescaler.refining_steps == (REFINING_STEPS if method.refines else 0)
        if method.refines:
            assert method.refines in RESTORING
            assert rescaler.digest == load(method.refines, 4, device="cpu").digest
    for document in ("README.md", "lab/about.md"):
        assert f"{REFINING_STEPS} gradient steps" in (ROOT / document).read_text(encoding="utf-8")


def test_on_the_page(use_tiny_weights: Path, tmp_path: Path) -> None:
    models, store = Models(), Store(tmp_path / "served")
    assert "fgrn_refined" in models.available(4) and "fgrn_refined" not in models.usual(4), (
        "only if asked for"
    )
    source = tmp_path / "tiny.png"
    source.write_bytes(encode_png(picture(40, 44)))
    *_, last = compare(models, store, str(source), 4, ["fgrn", "fgrn_refined"])
    assert [outcome.state for outcome in last.outcomes] == [State.DONE, State.DONE]
    files = last.outcomes[1].files
    assert files is not None
    restored = restore.run(models, store, files.lr, restore.FROM_FILE, restore.FROM_FILE, False)
    assert Path(restored.path).name == "tiny_fgrn_x4_restored.png"
    assert np.array_equal(read_image(restored.path).pixels, read_image(files.reconstruction).pixels)
    long = tmp_path / f"{'holiday_' * 5}fgrn_refined_x4_lr.png"
    long.write_bytes(Path(files.lr).read_bytes())
    restored_too = restore.run(models, store, str(long), restore.FROM_FILE, restore.FROM_FILE, False)
    assert Path(restored_too.path).name == f"{'holiday_' * 4}holiday_fgrn_x4_restored.png"
    named = restore.run(models, store, files.lr, "fgrn_refined", 4, False)
    assert Path(named.path).read_bytes() == Path(restored.path).read_bytes()


def test_on_the_command_line(use_tiny_weights: Path, tmp_path: Path) -> None:
    source = tmp_path / "picture.png"
    source.write_bytes(encode_png(picture(50, 39)))
    small, back = tmp_path / "small.png", tmp_path / "back.png"
    assert run("downscale", source, "-o", small, "--method", "fgrn_refined") == 0
    assert run("upscale", small, "-o", back) == 0
    expected = rescale(load("fgrn_refined", 4, device="cpu"), source)
    assert np.array_equal(read_image(small).pixels, expected.lr)
    assert np.array_equal(read_image(back).pixels, expected.reconstruction)
    again = tmp_path / "again.png"
    assert run("upscale", small, "-o", again, "--method", "fgrn_refined") == 0
    assert again.read_bytes() == back.read_bytes()
