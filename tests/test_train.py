"""The training program: deterministic, resumable, stoppable; stages train what they name."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fgrn import checkpoint
from fgrn.models import FGRNConfig, IRNConfig
from training import recipes, train
from training.recipes import RECIPES, Recipe, Stage
from training.schedule import MOST_SKIPS_IN_A_ROW, Budget, Position, learning_rate
from training.train import Run

ROOT = Path(__file__).resolve().parent.parent

TINY_FGRN = Recipe(
    FGRNConfig(2, channels=8, down_blocks=1, up_blocks=1, flow_cells=2, flow_growth=4),
    (
        Stage("rescaling", share=0.5, learning_rate=1e-3, patch=16, batch_size=2, clip_norm=0.5),
        Stage("flow", share=0.5, learning_rate=1e-3, patch=16, batch_size=2, clip_norm=0.5),
    ),
    warm_up_steps=2,
)
TINY_IRN = Recipe(
    IRNConfig(2, blocks=1, growth=4),
    (Stage("irn", share=1.0, learning_rate=1e-3, patch=16, batch_size=2, clip_norm=0.5),),
    warm_up_steps=2,
)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder of four small pictures."""
    random = np.random.default_rng(0)
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i in range(4):
        small = Image.fromarray(random.integers(0, 256, (5, 6, 3), dtype=np.uint8))
        small.resize((48, 40), Image.Resampling.BICUBIC).save(folder / f"{i}.png")
    return folder


@pytest.fixture(autouse=True)
def tiny_recipes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RECIPES, "tiny_fgrn", TINY_FGRN)
    monkeypatch.setitem(RECIPES, "tiny_irn", TINY_IRN)
    monkeypatch.setattr(train, "REPORT_STEPS", 1)


def arguments(recipe: str, data: Path, out: Path, samples: int) -> list[str]:
    line = f"--recipe {recipe} --data {data} --out {out} --samples {samples} --hold-out 1 --checkpoint-minutes 60"
    return line.split()


def losses(run: Path) -> list[tuple[int, float, float]]:
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [(line["step"], line["loss"], line["rate"]) for line in lines if line["event"] == "step"]


@pytest.mark.parametrize("recipe", ["tiny_fgrn", "tiny_irn"])
def test_a_run_leaves_loadable_weights_and_a_log(recipe: str, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert train.main(arguments(recipe, data, out, samples=40)) == 0
    net, card = checkpoint.load(out / f"{recipe}.safetensors")
    assert card.config == RECIPES[recipe].config
    assert card.provenance.samples == 40
    assert card.provenance.steps == 20
    assert card.provenance.data == ("pictures",)
    assert card.provenance.metrics["validation"]["psnr_y"] > 10
    assert [step for step, _, _ in losses(out)] == list(range(1, 21))
    assert all(parameter.dtype == torch.float32 for parameter in net.parameters())


def test_the_same_seed_gives_the_same_run(data: Path, tmp_path: Path) -> None:
    for out in ("a", "b"):
        train.main(arguments("tiny_fgrn", data, tmp_path / out, samples=40))
    assert losses(tmp_path / "a") == losses(tmp_path / "b")
    weights = [(tmp_path / out / "tiny_fgrn.safetensors").read_bytes() for out in ("a", "b")]
    assert weights[0] == weights[1]


@pytest.mark.parametrize("stop_at", [3, 10, 14])
def test_resume_equals_an_uninterrupted_run(stop_at: int, data: Path, tmp_path: Path) -> None:
    """Stopped in the first stage, at its end, in the second: the same losses and weights bit for bit."""
    train.main(arguments("tiny_fgrn", data, tmp_path / "whole", samples=40))
    run = Run("tiny_fgrn", TINY_FGRN, [data], tmp_path / "halves", Budget(samples=40), hold_out=1)
    accept = run.position.accepts

    def accept_and_stop(loss: float, jump_ratio: float) -> bool:
        run.stop_requested = run.position.step + 1 >= stop_at
        return accept(loss, jump_ratio)

    run.position.accepts = accept_and_stop  # type: ignore[method-assign]
    run.train(checkpoint_minutes=60)
    assert run.position.step == stop_at
    assert train.main([*arguments("tiny_fgrn", data, tmp_path / "halves", samples=40), "--resume"]) == 0
    assert losses(tmp_path / "halves") == losses(tmp_path / "whole")
    weights = [(tmp_path / out / "tiny_fgrn.safetensors").read_bytes() for out in ("whole", "halves")]
    assert weights[0] == weights[1]


def test_stages_train_only_their_part(data: Path, tmp_path: Path) -> None:
    run = Run("tiny_fgrn", TINY_FGRN, [data], tmp_path / "run", Budget(samples=40), hold_out=0)
    start = {name: value.clone() for name, value in run.net.state_dict().items()}
    run.recipe = replace(TINY_FGRN, stages=TINY_FGRN.stages[1:])
    run.train(checkpoint_minutes=60)
    changed = {
        name.split(".")[0] for name, value in run.net.state_dict().items() if not value.equal(start[name])
    }
    assert changed == {"flow"}


def test_init_starts_from_weights(data: Path, tmp_path: Path) -> None:
    train.main(arguments("tiny_irn", data, tmp_path / "first", samples=20))
    weights = tmp_path / "first" / "tiny_irn.safetensors"
    run = Run("tiny_irn", TINY_IRN, [data], tmp_path / "second", Budget(samples=20), hold_out=0)
    run.start_from(weights)
    shipped, _ = checkpoint.load(weights)
    for name, value in shipped.state_dict().items():
        assert run.net.state_dict()[name].equal(value)
        assert run.average.module.state_dict()[name].equal(value)


def test_init_with_other_shape_is_refused(data: Path, tmp_path: Path) -> None:
    train.main(arguments("tiny_irn", data, tmp_path / "first", samples=4))
    weights = tmp_path / "first" / "tiny_irn.safetensors"
    line = [*arguments("tiny_fgrn", data, tmp_path / "second", samples=4), "--init", str(weights)]
    assert train.main(line) == 2


def test_sigterm_leaves_a_checkpoint_to_resume_from(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    program = (
        "import sys; from tests.test_train import TINY_FGRN; from training import train; "
        "train.RECIPES['tiny_fgrn'] = TINY_FGRN; train.REPORT_STEPS = 1; raise SystemExit(train.main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", program, *arguments("tiny_fgrn", data, out, samples=10_000_000)]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"})
    try:
        for _ in range(600):
            if (out / "log.jsonl").exists():
                break
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
    steps = losses(out)[-1][0]
    _, card = checkpoint.load(out / "tiny_fgrn.safetensors")
    assert card.provenance.steps == steps
    run = Run("tiny_fgrn", TINY_FGRN, [data], out, Budget(samples=10_000_000), hold_out=1)
    run.resume()
    assert run.position.step == steps


def test_bad_steps_are_skipped_and_counted() -> None:
    position = Position()
    assert position.accepts(1.0, jump_ratio=2.5)
    assert not position.accepts(float("nan"), jump_ratio=2.5)
    assert not position.accepts(3.0, jump_ratio=2.5)
    assert position.accepts(1.5, jump_ratio=2.5)
    assert position.skipped == 2
    accepted = [position.accepts(9.0, jump_ratio=2.5) for _ in range(MOST_SKIPS_IN_A_ROW + 1)]
    assert accepted == [False] * MOST_SKIPS_IN_A_ROW + [True]


def test_a_broken_run_goes_back_to_its_own_checkpoint_and_slows_down(data: Path, tmp_path: Path) -> None:
    run = Run("tiny_irn", TINY_IRN, [data], tmp_path / "run", Budget(samples=4), hold_out=0)
    optimizer = torch.optim.Adam(run.net.parameters())
    start = {name: value.clone() for name, value in run.net.state_dict().items()}

    def disturb() -> None:
        with torch.no_grad():
            for parameter in run.net.parameters():
                parameter.add_(1)

    run.save(optimizer.state_dict())
    disturb()
    run.position.best_loss_mean, run.position.loss_mean = 1.0, 1.4
    assert (run.position.broken, run.position.healthy) == (True, False)
    run._roll_back(optimizer)
    assert all(value.equal(start[name]) for name, value in run.net.state_dict().items())
    assert (run.position.rollbacks, run.position.rate_factor) == (1, 0.5)
    assert (run.position.broken, run.position.healthy) == (False, True)

    run = Run("tiny_irn", TINY_IRN, [data], tmp_path / "run", Budget(samples=4), hold_out=0)
    disturb()
    disturbed = {name: value.clone() for name, value in run.net.state_dict().items()}
    run._roll_back(torch.optim.Adam(run.net.parameters()))  # the checkpoint there is another run's
    assert all(value.equal(disturbed[name]) for name, value in run.net.state_dict().items())


def test_learning_rate_warms_up_and_anneals() -> None:
    stage = TINY_FGRN.stages[0]
    assert learning_rate(stage, 0.0, 0, warm_up_steps=10) == pytest.approx(1e-4)
    assert learning_rate(stage, 0.0, 9, warm_up_steps=10) == pytest.approx(1e-3)
    assert learning_rate(stage, 0.5, 99, warm_up_steps=10) == pytest.approx(1e-3 * (0.01 + 0.99 / 2))
    assert learning_rate(stage, 1.0, 99, warm_up_steps=10) == pytest.approx(1e-5)


@pytest.mark.parametrize("budget", [{}, {"minutes": 1.0, "samples": 1}])
def test_a_budget_is_minutes_or_samples(budget: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="either"):
        Budget(**budget)  # type: ignore[arg-type]


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert train.main(arguments("tiny_irn", tmp_path / "empty", tmp_path / "run", samples=4)) == 2


@pytest.mark.parametrize("name", [name for name in recipes.RECIPES if not name.startswith("tiny")])
def test_recipes_are_complete(name: str) -> None:
    recipe = recipes.RECIPES[name]
    assert sum(stage.share for stage in recipe.stages) == pytest.approx(1)
    assert all(stage.patch % recipe.config.scale == 0 for stage in recipe.stages)
