"""The training program: deterministic, resumable, stoppable; stages train what they name."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState
from PIL import Image

from fgrn import checkpoint
from fgrn.models import FGRNConfig, IRNConfig
from training import recipes, step, train
from training import run as training_run
from training.recipes import ADAM_RATE, RECIPES, OptimizerName, Recipe, Stage
from training.run import Run, Seen
from training.schedule import LOSS_MEMORY, MOST_SKIPS_IN_A_ROW, SETTLED_STEPS, Budget, Position, learning_rate

ROOT = Path(__file__).resolve().parent.parent

TINY_FGRN = Recipe(
    FGRNConfig(
        2, channels=16, down_blocks=1, up_blocks=1, flow_cells=2, flow_growth=4
    ),  # 16: wide enough for Muon
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
    sampled_latent=True,
)
GOLDEN = ROOT / "tests" / "goldens" / "training_log.json"  # written by tests/make_goldens.py


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder of four small pictures."""
    return write_pictures(tmp_path / "pictures")


def write_pictures(folder: Path) -> Path:
    random = np.random.default_rng(0)
    folder.mkdir(parents=True)
    for i in range(4):
        small = Image.fromarray(random.integers(0, 256, (5, 6, 3), dtype=np.uint8))
        small.resize((48, 40), Image.Resampling.BICUBIC).save(folder / f"{i}.png")
    return folder


@pytest.fixture(autouse=True)
def on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Also where there is a GPU: what is compared is computed in float32. Accelerate has one state for a process."""
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture(autouse=True)
def tiny_recipes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RECIPES, "tiny_fgrn", TINY_FGRN)
    monkeypatch.setitem(RECIPES, "tiny_irn", TINY_IRN)
    monkeypatch.setattr(training_run, "REPORT_STEPS", 1)


def arguments(recipe: str, data: Path, out: Path, samples: int) -> list[str]:
    line = f"--recipe {recipe} --data {data} --out {out} --samples {samples} --hold-out 1 --checkpoint-minutes 60"
    return line.split()


def stop_after(run: Run, steps: int) -> None:
    """Ask for a stop as a signal would, so that step number `steps` is the last one."""
    accept = run.state.position.accepts

    def accept_and_stop(loss: float, gradient_norm: float, jump_ratio: float) -> bool:
        run.stop_requested = run.state.position.step + 2 >= steps  # all processes agree a step later
        return accept(loss, gradient_norm, jump_ratio)

    run.state.position.accepts = accept_and_stop  # type: ignore[method-assign]


def losses(run: Path) -> list[tuple[int, float, float]]:
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [(line["step"], line["loss"], line["rate"]) for line in lines if line["event"] == "step"]


def test_a_slow_run_reports_by_the_clock_and_says_where_it_ends(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr(training_run, "REPORT_STEPS", 10**9)
    assert train.main(arguments("tiny_fgrn", data, tmp_path / "quick", samples=20)) == 0
    assert losses(tmp_path / "quick") == []
    assert f"dB: {tmp_path / 'quick' / 'tiny_fgrn.safetensors'}" in caplog.text and "10 steps" in caplog.text
    monkeypatch.setattr(training_run, "REPORT_SECONDS", 0.0)
    assert train.main(arguments("tiny_fgrn", data, tmp_path / "slow", samples=20)) == 0
    assert len(losses(tmp_path / "slow")) == 10


def test_weights_of_another_network_are_described(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert train.main(arguments("tiny_irn", data, tmp_path / "irn", samples=4)) == 0
    weights = tmp_path / "irn" / "tiny_irn.safetensors"
    line = [*arguments("tiny_fgrn", data, tmp_path / "fgrn", samples=4), "--init", str(weights)]
    assert train.main(line) == 2
    scale = TINY_FGRN.config.scale
    assert f"holds IRN x{TINY_IRN.config.scale}; the recipe trains FGRN x{scale}" in caplog.text


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


@pytest.mark.parametrize(("precision", "loosest"), [("float32", 0.0), ("bf16", 0.05)])
def test_precision_is_that_of_the_insides(
    precision: str,
    loosest: float,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """In bf16 the run is another one, near that in float32; weights stay float32."""
    monkeypatch.setattr("training.run.computes_in_bf16", lambda device: False)
    train.main(arguments("tiny_fgrn", data, tmp_path / "plain", samples=40))
    line = arguments("tiny_fgrn", data, tmp_path / precision, samples=40)
    AcceleratorState._reset_state(reset_partial_state=True)  # it is one for a process
    assert train.main([*line, "--precision", precision]) == 0
    assert ("has no bf16 instructions" in caplog.text) == (precision == "bf16")
    plain, other = (np.array(losses(tmp_path / name)) for name in ("plain", precision))
    difference = np.abs(other[:, 1] / plain[:, 1] - 1).max()
    assert difference <= loosest and (difference > 0) == (precision == "bf16")
    AcceleratorState._reset_state(reset_partial_state=True)
    state = torch.load(tmp_path / precision / "state.pt", weights_only=True)
    assert {value.dtype for value in state["net"].values()} == {torch.float32}


def test_the_same_seed_gives_the_same_run(data: Path, tmp_path: Path) -> None:
    for out in ("a", "b"):
        train.main(arguments("tiny_fgrn", data, tmp_path / out, samples=40))
    assert losses(tmp_path / "a") == losses(tmp_path / "b")
    weights = [(tmp_path / out / "tiny_fgrn.safetensors").read_bytes() for out in ("a", "b")]
    assert weights[0] == weights[1]


@pytest.mark.parametrize(
    ("recipe", "stop_at"), [("tiny_fgrn", 3), ("tiny_fgrn", 10), ("tiny_fgrn", 14), ("tiny_irn", 7)]
)
def test_resume_equals_an_uninterrupted_run(recipe: str, stop_at: int, data: Path, tmp_path: Path) -> None:
    """Stopped in the first stage, at its end, in the second: the same losses and weights bit for bit.

    The IRN draws its z at random.
    """
    train.main(arguments(recipe, data, tmp_path / "whole", samples=40))
    run = Run(recipe, RECIPES[recipe], [data], tmp_path / "halves", Budget(samples=40), hold_out=1)
    stop_after(run, stop_at)
    run.train(checkpoint_minutes=60)
    assert run.state.position.step == stop_at
    assert train.main([*arguments(recipe, data, tmp_path / "halves", samples=40), "--resume"]) == 0
    assert losses(tmp_path / "halves") == losses(tmp_path / "whole")
    weights = [(tmp_path / out / f"{recipe}.safetensors").read_bytes() for out in ("whole", "halves")]
    assert weights[0] == weights[1]


@pytest.mark.parametrize("recipe", ["tiny_fgrn", "tiny_irn"])
def test_the_first_twenty_steps(recipe: str, data: Path, tmp_path: Path) -> None:
    """Against the log that was kept; kernels of other machines round differently, hence the tolerance."""
    train.main(arguments(recipe, data, tmp_path, samples=40))
    kept = json.loads(GOLDEN.read_text())[recipe]
    assert [loss for _, loss, _ in losses(tmp_path)] == pytest.approx(kept["loss"], rel=2e-3)
    assert [rate for _, _, rate in losses(tmp_path)] == pytest.approx(kept["rate"], rel=1e-9)


def test_two_processes_equal_one_with_the_double_batch(data: Path, tmp_path: Path) -> None:
    """Two processes of two patches a step see, and learn, what one sees with four: up to rounding."""
    program = tmp_path / "program.py"
    program.write_text(
        "import sys; from tests.test_train import TINY_FGRN; from training import arguments, run, train\n"
        "arguments.RECIPES['tiny_fgrn'] = TINY_FGRN; run.REPORT_STEPS = 1\n"
        "raise SystemExit(train.main(sys.argv[1:]))\n"
    )
    command = f"{sys.executable} -m torch.distributed.run --standalone --nproc-per-node 2"
    line = arguments("tiny_fgrn", data, tmp_path / "two", samples=40)
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "ACCELERATE_USE_CPU": "true",
        "OMP_NUM_THREADS": "1",
    }
    subprocess.run(
        [*command.split(), str(program), *line], cwd=ROOT, env=environment, check=True, timeout=120
    )
    train.main([*arguments("tiny_fgrn", data, tmp_path / "one", samples=40), "--batch-size", "4"])
    two_losses, one_losses = np.array(losses(tmp_path / "two")), np.array(losses(tmp_path / "one"))
    assert two_losses == pytest.approx(one_losses, rel=1e-4)
    one, card = checkpoint.load(tmp_path / "one" / "tiny_fgrn.safetensors")
    two, other = checkpoint.load(tmp_path / "two" / "tiny_fgrn.safetensors")
    assert card.provenance.samples == other.provenance.samples == 40
    assert other.provenance.device.startswith("2 x ")
    for value, pair in zip(one.state_dict().values(), two.state_dict().values(), strict=True):
        torch.testing.assert_close(value, pair, rtol=1e-2, atol=1e-4)


def test_stages_train_only_their_part(data: Path, tmp_path: Path) -> None:
    run = Run("tiny_fgrn", TINY_FGRN, [data], tmp_path / "run", Budget(samples=40), hold_out=0)
    start = {name: value.clone() for name, value in run.state.net.state_dict().items()}
    run.recipe = replace(TINY_FGRN, stages=(replace(TINY_FGRN.stages[1], share=1.0),))
    run.train(checkpoint_minutes=60)
    changed = {
        name.split(".")[0]
        for name, value in run.state.net.state_dict().items()
        if not value.equal(start[name])
    }
    assert changed == {"flow"}


def test_the_average_follows_with_a_growing_memory(data: Path, tmp_path: Path) -> None:
    state = Run("tiny_fgrn", TINY_FGRN, [data], tmp_path / "run", Budget(samples=40), hold_out=0).state
    name, weight = next(iter(state.net.named_parameters()))
    (average,) = (value for other, value in state.averaged_net.named_parameters() if other == name)
    expected = weight.detach().double()
    for count in range(30):
        weight.data.add_(torch.randn_like(weight))
        memory = min(TINY_FGRN.ema_decay, (1 + count) / (10 + count))
        expected = memory * expected + (1 - memory) * weight.detach().double()
        state.update_average(state.averaging_share)
        state.position.advance(1, 0.0)
    torch.testing.assert_close(average.double(), expected, rtol=1e-5, atol=1e-5)
    state.position.step = 10**7
    assert state.averaging_share == pytest.approx(1 - TINY_FGRN.ema_decay)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="CUDA graphs need a GPU")
@pytest.mark.parametrize("recipe", ["tiny_fgrn", "tiny_irn"])
def test_recorded_steps_are_the_steps(
    recipe: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a GPU a step is replayed from the fourth on; each loss is that of the same step without a recording."""
    monkeypatch.delenv("ACCELERATE_USE_CPU")
    train.main(arguments(recipe, data, tmp_path / "recorded", samples=40))
    monkeypatch.setattr(step, "Graphed", lambda function: function)
    train.main(arguments(recipe, data, tmp_path / "plain", samples=40))
    recorded, plain = ([loss for _, loss, _ in losses(tmp_path / run)] for run in ("recorded", "plain"))
    assert recorded == pytest.approx(plain, rel=1e-3)


@pytest.mark.parametrize("recipe", ["tiny_fgrn", "tiny_irn"])
def test_compiled_blocks_learn_the_same(
    recipe: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Traced, but not translated to C++: whoever trains on a CPU may have no compiler."""
    train.main(arguments(recipe, data, tmp_path / "plain", samples=20))
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    with torch._dynamo.config.patch(recompile_limit=8):  # what a run sets ends with this block
        torch._dynamo.utils.counters.clear()
        train.main([*arguments(recipe, data, tmp_path / "compiled", samples=20), "--compile"])
    assert torch._dynamo.utils.counters["frames"]["ok"] > 0
    torch._dynamo.reset()
    compiled, plain = ([loss for _, loss, _ in losses(tmp_path / run)] for run in ("compiled", "plain"))
    assert compiled == pytest.approx(plain, rel=1e-5)


def test_init_starts_from_weights_and_counts_their_effort(data: Path, tmp_path: Path) -> None:
    train.main(arguments("tiny_irn", data, tmp_path / "first", samples=20))
    weights = tmp_path / "first" / "tiny_irn.safetensors"
    run = Run("tiny_irn", TINY_IRN, [data], tmp_path / "second", Budget(samples=20), hold_out=0)
    run.state.start_from(weights)
    shipped, card = checkpoint.load(weights)
    for name, value in shipped.state_dict().items():
        assert run.state.net.state_dict()[name].equal(value)
        assert run.state.averaged_net.state_dict()[name].equal(value)
    run.train(checkpoint_minutes=60)
    _, continued = checkpoint.load(tmp_path / "second" / "tiny_irn.safetensors")
    assert (continued.provenance.samples, continued.provenance.steps) == (40, 20)
    assert card.digest in continued.provenance.notes


def test_fgrn_and_its_ablations_begin_with_each_other(data: Path, tmp_path: Path) -> None:
    """G_d and G_u are taken, F only where it has the same shape; without a budget that is all."""
    config = TINY_FGRN.config
    assert isinstance(config, FGRNConfig)
    RECIPES["tiny_none"] = recipes.without_flow(TINY_FGRN, "none", 0.0)
    RECIPES["tiny_longer"] = replace(TINY_FGRN, config=replace(config, flow_cells=3))
    RECIPES["tiny_wider"] = replace(TINY_FGRN, config=replace(config, channels=17))
    try:
        train.main(arguments("tiny_fgrn", data, tmp_path / "fgrn", samples=40))
        source, _ = checkpoint.load(tmp_path / "fgrn" / "tiny_fgrn.safetensors")
        nets = {}
        for name, start in (
            ("tiny_none", "tiny_fgrn"),
            ("tiny_longer", "tiny_none"),
            ("tiny_fgrn", "tiny_fgrn"),
        ):
            weights = tmp_path / start.removeprefix("tiny_") / f"{start}.safetensors"
            out = tmp_path / ("again" if name == start else name.removeprefix("tiny_"))
            assert train.main([*arguments(name, data, out, samples=0), "--init", str(weights)]) == 0
            nets[name], card = checkpoint.load(out / f"{name}.safetensors")
            assert (card.provenance.samples, card.config) == (40, RECIPES[name].config)
            for key, value in source.state_dict().items():
                assert key.startswith("flow.") or nets[name].state_dict()[key].equal(value)
        assert not any(key.startswith("flow.") for key in nets["tiny_none"].state_dict())
        assert (
            not nets["tiny_longer"].state_dict()["flow.cells.0.phi.convs.4.weight"].any()
        )  # as at every start
        assert nets["tiny_fgrn"].state_dict()["flow.cells.0.phi.convs.4.weight"].any()
        weights = tmp_path / "none" / "tiny_none.safetensors"
        line = arguments("tiny_wider", data, tmp_path / "wider", samples=4)
        assert train.main([*line, "--init", str(weights)]) == 2
    finally:
        for name in ("tiny_none", "tiny_longer", "tiny_wider"):
            del RECIPES[name]


def test_init_of_a_deeper_recipe_keeps_f(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = TINY_FGRN.config
    assert isinstance(config, FGRNConfig)
    deeper = replace(TINY_FGRN, config=replace(config, down_blocks=2, up_blocks=3))
    monkeypatch.setitem(RECIPES, "tiny_deeper", deeper)
    train.main(arguments("tiny_fgrn", data, tmp_path / "first", samples=40))
    weights = tmp_path / "first" / "tiny_fgrn.safetensors"
    line = arguments("tiny_deeper", data, tmp_path / "deeper", samples=0)
    assert train.main([*line, "--init", str(weights)]) == 0
    source, _ = checkpoint.load(weights)
    net, card = checkpoint.load(tmp_path / "deeper" / "tiny_deeper.safetensors")
    assert card.config == deeper.config
    assert source.state_dict()["flow.cells.0.phi.convs.4.weight"].any()
    image = torch.rand(1, 3, 12, 10)
    with torch.no_grad():
        x = source.encode(image)
        assert torch.equal(net.encode(image), x)
        assert torch.equal(net.to_lr(x), source.to_lr(x))
        assert torch.equal(net.decode(x), source.decode(x))


def test_init_with_other_shape_is_refused(data: Path, tmp_path: Path) -> None:
    train.main(arguments("tiny_irn", data, tmp_path / "first", samples=4))
    weights = tmp_path / "first" / "tiny_irn.safetensors"
    line = [*arguments("tiny_fgrn", data, tmp_path / "second", samples=4), "--init", str(weights)]
    assert train.main(line) == 2


@pytest.mark.parametrize("options", [("--gamma", "0.5"), ("--exactness", "8")])
def test_what_would_have_no_effect_is_refused(
    options: tuple[str, ...], data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert train.main([*arguments("tiny_irn", data, tmp_path, samples=4), *options]) == 2
    rescaling = ("--only", "rescaling")
    assert train.main([*arguments("tiny_fgrn", data, tmp_path, samples=4), *rescaling, *options]) == 2
    assert caplog.text.count(f"{options[0]} has no effect: no stage trains F") == 2
    assert not (tmp_path / "state.pt").exists()


def test_an_overshoot_weight_belongs_to_a_stage_for_f_alone(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    weight = ("--overshoot-weight", "2")
    for options in (("--only", "rescaling"), ("--schedule", "joint")):
        assert train.main([*arguments("tiny_fgrn", data, tmp_path, samples=4), *options, *weight]) == 2
    assert caplog.text.count("overshoot weight of 2.0 has no effect") == 2
    assert train.main([*arguments("tiny_fgrn", data, tmp_path, samples=4), *weight]) == 0
    assert (
        "overshoot_weight 2.0" in json.loads((tmp_path / "tiny_fgrn.json").read_text())["provenance"]["notes"]
    )


def test_graphics_are_a_share(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = arguments("tiny_fgrn", data, tmp_path, samples=4)
    with pytest.raises(SystemExit):
        train.main([*line, "--graphics", "1.5"])
    assert "'1.5' is not a number from 0 to 1" in capsys.readouterr().err
    assert train.main([*line, "--graphics", "0.5"]) == 0
    assert "graphics 0.5" in checkpoint.read_card(tmp_path / "tiny_fgrn.json").provenance.notes


def test_a_brake_is_for_what_was_trained_when_it_was_pulled() -> None:
    position = Position()
    position.roll_back()
    position.enter_next_stage(same_objective=True)
    assert (position.stage, position.rate_factor) == (1, 0.5)
    position.enter_next_stage(same_objective=False)
    assert (position.stage, position.rate_factor, position.rollbacks) == (2, 1.0, 1)


def test_a_run_is_not_begun_over_another(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    line = arguments("tiny_irn", data, tmp_path / "run", samples=4)
    assert train.main(line) == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    assert train.main(line) == 2
    assert "holds a run already" in caplog.text and "--resume" in caplog.text
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before


@pytest.mark.parametrize("options", [(), ("--resume",)])
def test_weights_that_lie_in_its_folder_are_not_lost(
    options: tuple[str, ...], data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    line = arguments("tiny_irn", data, tmp_path / "run", samples=4)
    assert train.main(line) == 0
    weights = tmp_path / "run" / "tiny_irn.safetensors"
    before = weights.read_bytes()
    (tmp_path / "run" / "state.pt").unlink()
    assert train.main([*line, "--init", str(weights), *options]) == 2
    assert "holds weights of tiny_irn that no run here has made" in caplog.text
    assert weights.read_bytes() == before


def test_a_finished_run_says_that_it_is(data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    line = arguments("tiny_irn", data, tmp_path / "run", samples=4)
    assert train.main(line) == 0
    assert "is finished" not in caplog.text
    before = (tmp_path / "run" / "tiny_irn.safetensors").read_bytes()
    assert train.main([*line, "--resume", "--samples", "40"]) == 0
    assert "is finished, there is nothing to go on with" in caplog.text and "--init" in caplog.text
    assert (tmp_path / "run" / "tiny_irn.safetensors").read_bytes() == before


@pytest.mark.parametrize(
    ("recipe", "options", "words"),
    [
        ("tiny_fgrn", ("--optimizer", "adam"), "optimizer muon, not adam"),
        ("tiny_fgrn", ("--patch", "40"), "stages.0.patch 16, not 40"),
        ("tiny_fgrn", ("--gamma", "0.01"), "gamma 0.001, not 0.01"),
        ("tiny_fgrn", ("--seed", "5"), "seed 2021, not 5"),
        ("tiny_fgrn", ("--hold-out", "2"), "hold_out 1, not 2"),
        ("tiny_fgrn", ("--shrink", "2"), "shrink.0 none, not 2"),
        ("tiny_fgrn", ("--graphics", "0.2"), "graphics 0.0, not 0.2"),
        ("tiny_fgrn", ("--only", "flow"), "stages.0.objective rescaling, not flow"),
        ("tiny_irn", (), "name tiny_fgrn, not tiny_irn"),
    ],
)
def test_resuming_what_is_another_run_is_refused(
    recipe: str,
    options: tuple[str, ...],
    words: str,
    data: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    train.main(arguments("tiny_fgrn", data, tmp_path, samples=4))
    assert train.main([*arguments(recipe, data, tmp_path, samples=8), "--resume", *options]) == 2
    assert words in caplog.text and "--init" in caplog.text


@pytest.mark.parametrize(("key", "before", "now"), [("precision", "bf16", "float32"), ("processes", 2, 1)])
def test_a_run_goes_on_as_it_was_computed(
    key: str, before: object, now: object, data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    line = arguments("tiny_fgrn", data, tmp_path, samples=4)
    train.main(line)
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    assert state["identity"][key] == now
    torch.save(state | {"identity": {**state["identity"], key: before}}, tmp_path / "state.pt")
    assert train.main([*line, "--resume"]) == 2
    assert f"{key} {before}, not {now}" in caplog.text


def test_what_cannot_be_gone_on_with_is_known_before_pictures_are_decoded(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    line = arguments("tiny_fgrn", data, tmp_path / "run", samples=4)
    train.main(line)
    monkeypatch.setattr(training_run, "read_images", lambda *_, **__: pytest.fail("decoded too early"))
    assert train.main([*line, "--resume", "--seed", "9"]) == 2
    (tmp_path / "run" / "state.pt").write_bytes((tmp_path / "run" / "state.pt").read_bytes()[:1000])
    assert train.main([*line, "--resume"]) == 2
    assert "state.pt is damaged" in caplog.text and "--init" in caplog.text
    other = arguments("tiny_fgrn", data, tmp_path / "other", samples=4)
    assert train.main([*other, "--init", str(tmp_path / "none.safetensors")]) == 2
    assert "none.json is missing" in caplog.text


def test_a_checkpoint_from_before_a_field_was_there_is_resumed(data: Path, tmp_path: Path) -> None:
    line = arguments("tiny_fgrn", data, tmp_path, samples=4)
    train.main(line)
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    del state["identity"]["exactness"], state["identity"]["graphics"], state["identity"]["config"]["leak"]
    torch.save(state, tmp_path / "state.pt")
    assert train.main([*line, "--resume", "--exactness", "1"]) == 2
    assert train.main([*line, "--resume"]) == 0


def test_adam_learns_slower_rates_and_the_paper_used_it() -> None:
    recipe = RECIPES["fgrn_x4"]
    adam = recipe.with_adam()
    assert (recipe.optimizer, adam.optimizer) == ("muon", "adam") and adam.with_adam() is adam
    assert [a.learning_rate for a in adam.stages] == pytest.approx(
        [ADAM_RATE * s.learning_rate for s in recipe.stages]
    )
    paper = recipe.scheduled("paper")
    assert paper.optimizer == "adam" and paper.with_adam().stages[0].learning_rate == 3e-4


def test_sigterm_leaves_a_checkpoint_to_resume_from(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    program = (
        "import sys; from tests.test_train import TINY_FGRN; from training import arguments, run, train; "
        "arguments.RECIPES['tiny_fgrn'] = TINY_FGRN; run.REPORT_STEPS = 1; raise SystemExit(train.main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", program, *arguments("tiny_fgrn", data, out, samples=10_000_000)]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"})
    try:
        for _ in range(600):
            if (out / "log.jsonl").exists():
                break
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 130
    finally:
        process.kill()
    steps = losses(out)[-1][0]
    _, card = checkpoint.load(out / "tiny_fgrn.safetensors")
    assert card.provenance.steps == steps
    run = Run("tiny_fgrn", TINY_FGRN, [data], out, Budget(samples=10_000_000), hold_out=1)
    run.state.resume()
    assert run.state.position.step == steps


def test_bad_steps_are_skipped_and_counted() -> None:
    position = Position()
    assert position.accepts(0.1, 1.0, jump_ratio=2.5)
    assert position.accepts(1.0, 1.0, jump_ratio=2.5)  # at the start nothing is known of what is normal
    position.loss_mean, position.stage_step = 1.0, LOSS_MEMORY
    assert not position.accepts(float("nan"), 1.0, jump_ratio=2.5)
    assert not position.accepts(1.0, float("inf"), jump_ratio=2.5)
    assert not position.accepts(3.0, 1.0, jump_ratio=2.5)
    assert position.accepts(1.5, 1.0, jump_ratio=2.5)
    assert position.skipped == 3
    accepted = [position.accepts(9.0, 1.0, jump_ratio=2.5) for _ in range(MOST_SKIPS_IN_A_ROW + 1)]
    assert accepted == [False] * MOST_SKIPS_IN_A_ROW + [True]


def test_a_run_whose_weights_are_lost_goes_back(data: Path, tmp_path: Path) -> None:
    """Steps that are not finite are skipped; if no other comes, the weights themselves are not finite."""
    run = Run("tiny_fgrn", TINY_FGRN, [data], tmp_path / "run", Budget(samples=200), hold_out=0)
    steps: list[int] = []
    agree = run._agree

    def agree_and_lose(loss: torch.Tensor, norm: torch.Tensor, seconds: float) -> Seen:
        steps.append(len(steps))
        if len(steps) == 4:
            run.save(None)
        if len(steps) == 8:
            next(run.state.net.parameters()).data.fill_(math.nan)
        return agree(loss, norm, seconds)

    run._agree = agree_and_lose  # type: ignore[method-assign]
    run.train(checkpoint_minutes=60)
    assert run.state.position.rollbacks == 1
    assert MOST_SKIPS_IN_A_ROW <= run.state.position.skipped <= MOST_SKIPS_IN_A_ROW + 2
    assert all(tensor.isfinite().all() for tensor in run.state.net.state_dict().values())


def test_a_rise_at_the_start_is_no_break() -> None:
    """--init begins with annealed weights, and a rate at which the loss cannot stay as low."""
    position = Position()
    for position.stage_step in range(SETTLED_STEPS + 300):
        assert position.accepts(1.0 if position.stage_step < 80 else 1.5, 1.0, jump_ratio=2.5)
        assert position.healthy and not position.broken
    for _ in range(200):
        position.accepts(3.0, 1.0, jump_ratio=2.5)
    assert position.broken


def test_a_step_that_is_not_finite_leaves_the_weights_alone(data: Path, tmp_path: Path) -> None:
    run = Run("tiny_fgrn", TINY_FGRN, [data], tmp_path / "run", Budget(samples=16), hold_out=0)
    agree = run._agree
    weights: list[torch.Tensor] = []

    def agree_and_poison(loss: torch.Tensor, norm: torch.Tensor, seconds: float) -> Seen:
        weights.append(run.state.net.state_dict()["downscaler.tail.weight"].clone())
        seen = agree(loss, norm, seconds)
        return seen._replace(gradient_norm=float("nan")) if len(weights) == 2 else seen

    run._agree = agree_and_poison  # type: ignore[method-assign]
    run.train(checkpoint_minutes=60)
    assert run.state.position.skipped == 1
    assert not weights[0].equal(weights[1])
    assert weights[1].equal(weights[2])
    assert not weights[2].equal(weights[3])


def test_a_broken_run_goes_back_to_its_own_checkpoint_and_slows_down(data: Path, tmp_path: Path) -> None:
    run = Run("tiny_irn", TINY_IRN, [data], tmp_path / "run", Budget(samples=4), hold_out=0)
    state, device = run.state, torch.device("cpu")
    optimizer = torch.optim.Adam(state.net.parameters())
    start = {name: value.clone() for name, value in state.net.state_dict().items()}

    def disturb(net: torch.nn.Module) -> None:
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.add_(1)

    run.save(optimizer.state_dict())
    disturb(state.net)
    state.position.best_loss_mean, state.position.loss_mean = 1.0, 1.4
    assert (state.position.broken, state.position.healthy) == (True, False)
    assert state.roll_back(optimizer, device)
    assert all(value.equal(start[name]) for name, value in state.net.state_dict().items())
    assert (state.position.rollbacks, state.position.rate_factor) == (1, 0.5)
    assert (state.position.broken, state.position.healthy) == (False, True)

    state = Run("tiny_irn", TINY_IRN, [data], tmp_path / "run", Budget(samples=4), hold_out=0).state
    disturb(state.net)
    disturbed = {name: value.clone() for name, value in state.net.state_dict().items()}
    # the checkpoint there is another run's
    assert not state.roll_back(torch.optim.Adam(state.net.parameters()), device)
    assert all(value.equal(disturbed[name]) for name, value in state.net.state_dict().items())


@pytest.mark.parametrize("name", ["muon", "adam"])
def test_back_at_the_end_of_a_stage_the_optimizer_knows_nothing(
    name: OptimizerName, data: Path, tmp_path: Path
) -> None:
    state = Run("tiny_fgrn", TINY_FGRN, [data], tmp_path / "run", Budget(samples=4), hold_out=0).state
    parameters = list(state.net.parameters())

    def take_a_step(optimizer: torch.optim.Optimizer) -> None:
        torch.manual_seed(3)
        for parameter in parameters:
            parameter.grad = torch.randn_like(parameter)
        optimizer.step()

    state.save(None, checkpoint.Provenance("tiny_fgrn"))  # as at the end of a stage
    state.has_checkpoint = True
    used = step.new_optimizer(name, parameters, 1e-2)
    for _ in range(3):
        take_a_step(used)
    state.roll_back(used, torch.device("cpu"))
    start = [parameter.detach().clone() for parameter in parameters]
    take_a_step(used)
    after = [parameter.detach().clone() for parameter in parameters]
    with torch.no_grad():
        for parameter, value in zip(parameters, start, strict=True):
            parameter.copy_(value)
    take_a_step(step.new_optimizer(name, parameters, 1e-2))
    assert all(a.equal(b) for a, b in zip(after, parameters, strict=True))
    assert any(not a.equal(b) for a, b in zip(after, start, strict=True))


@pytest.mark.parametrize("recorded", [False, True])
def test_whether_adam_is_recorded_is_up_to_the_run_that_goes_on(recorded: bool) -> None:
    """A run that began on a CPU goes on on a GPU, where steps are recorded, and the other way round."""
    parameters = [torch.nn.Parameter(torch.ones(3))]
    before = step.new_optimizer("adam", parameters, 1e-2, capturable=not recorded)
    after = step.new_optimizer("adam", parameters, 1e-2, capturable=recorded)
    after.load_state_dict(before.state_dict())
    assert [group["capturable"] for group in after.param_groups] == [recorded]


def test_learning_rate_warms_up_and_anneals() -> None:
    stage = TINY_FGRN.stages[0]
    assert learning_rate(stage, 0.0, 0, warm_up_steps=10) == pytest.approx(1e-4)
    assert learning_rate(stage, 0.0, 9, warm_up_steps=10) == pytest.approx(1e-3)
    assert learning_rate(stage, 0.5, 99, warm_up_steps=10) == pytest.approx(1e-3 * (0.01 + 0.99 / 2))
    assert learning_rate(stage, 1.0, 99, warm_up_steps=10) == pytest.approx(1e-5)
    level = replace(stage, decay="none")
    assert [learning_rate(level, 0.9, step, warm_up_steps=10) for step in (4, 99)] == pytest.approx(
        [5e-4, 1e-3]
    )


@pytest.mark.parametrize("budget", [{}, {"minutes": 1.0, "samples": 1}])
def test_a_budget_is_minutes_or_samples(budget: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="and not both"):
        Budget(**budget)  # type: ignore[arg-type]


def test_a_folder_that_cannot_be_written_is_named_before_the_training(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    assert train.main(arguments("tiny_irn", data, tmp_path / "file" / "run", samples=4)) == 2
    assert "cannot start" in caplog.text and "cannot be written: Not a directory" in caplog.text
    line = arguments("tiny_irn", data, tmp_path / "run", samples=4)
    assert train.main([*line, "--cache", str(tmp_path / "file" / "x"), "--memory-limit", "0"]) == 2
    assert "cannot start" in caplog.messages[-1] and "Not a directory" in caplog.messages[-1]


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert train.main(arguments("tiny_irn", tmp_path / "empty", tmp_path / "run", samples=4)) == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--batch-size 0", "from 1 on"),
        ("--learning-rate 1e-3 -0.1", "above 0"),
        ("--minutes nan", "above 0"),
        ("--samples -5", "whole number from 0 on"),
        ("--hold-out -1", "from 0 on"),
        ("--threads 1.5", "whole number from 1 to 1024"),
        ("--gamma inf", "from 0 on"),
        ("--seed -1", "from 0 to 2147483647"),
        (f"--seed {10**400}", "from 0 to 2147483647"),
        ("--shrink 2 1", "from 2 on"),
    ],
)
def test_numbers_that_cannot_be_meant_are_refused(
    options: str, words: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        train.main([*arguments("tiny_fgrn", data, tmp_path, samples=4), *options.split()])
    assert words in capsys.readouterr().err


def test_a_bicubic_weight_draws_x_to_bicubic(data: Path, tmp_path: Path) -> None:
    line = [*arguments("tiny_fgrn", data, tmp_path / "run", samples=40), "--only", "rescaling"]
    distances = {}
    for weight in ("0", "10"):
        out = tmp_path / weight
        assert train.main([*line, "--out", str(out), "--bicubic-weight", weight]) == 0
        distances[weight] = checkpoint.read_card(out / "tiny_fgrn.json").provenance.metrics["validation"][
            "lr_psnr_y"
        ]
    assert distances["10"] > distances["0"] + 1


@pytest.mark.parametrize("name", [name for name in recipes.RECIPES if not name.startswith("tiny")])
def test_every_recipe_steps_and_saves(
    name: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At full size, a step a stage."""
    recipe = RECIPES[name].with_stages(patch=[32], batch_size=[1])
    stages = tuple(replace(stage, share=1 / len(recipe.stages)) for stage in recipe.stages)
    monkeypatch.setitem(RECIPES, "short", replace(recipe, stages=stages))
    assert train.main(arguments("short", data, tmp_path, samples=len(stages))) == 0
    net, card = checkpoint.load(tmp_path / "short.safetensors")
    assert (card.config, card.provenance.steps) == (RECIPES[name].config, len(stages))
    assert any(bool(parameter.any()) for parameter in net.parameters())


def test_what_the_command_line_changes_is_on_the_card(data: Path, tmp_path: Path) -> None:
    line = arguments("tiny_fgrn", data, tmp_path, samples=12)
    line += ["--schedule", "joint", "--batch-size", "3", "--seed", "5"]
    line += ["--gamma", "0.01", "--optimizer", "adam"]
    assert train.main(line) == 0
    card = checkpoint.read_card(tmp_path / "tiny_fgrn.json")
    assert card.provenance.notes == "optimizer adam, schedule joint, batch_size 3, gamma 0.01, seed 5"
    assert card.provenance.steps == 4
    log = [json.loads(text) for text in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert {entry["objective"] for entry in log if entry["event"] == "step"} == {"joint"}


def test_a_tracker_that_is_not_there_is_named(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Logging goes to tensorboard's files if it is installed; if not, the message says so and nothing starts."""
    line = [*arguments("tiny_fgrn", data, tmp_path, samples=4), "--track", "tensorboard"]
    if importlib.util.find_spec("tensorboard"):
        assert train.main(line) == 0
        assert list(tmp_path.rglob("events.out.tfevents.*"))
    else:
        assert train.main(line) == 2
        assert "tensorboard" in caplog.text


def test_importing_needs_neither_gradio_nor_pyiqa() -> None:
    modules = ", ".join(f"training.{path.stem}" for path in (ROOT / "training").glob("*.py"))
    program = f"import {modules}, sys; raise SystemExit('gradio' in sys.modules or 'pyiqa' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT).returncode == 0
