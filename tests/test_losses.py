"""Objectives: who is trained by what, and the values of hand-computed cases."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fgrn.models import FGRN, IRN, FGRNConfig, IRNConfig
from fgrn.ops import quantise
from fgrn.resize import bicubic_downscale, bicubic_upscale
from training.arguments import parse_arguments, recipe_of
from training.losses import (
    FlowObjective,
    IRNObjective,
    JointObjective,
    Objective,
    RescalingObjective,
    RoundTripObjective,
    bicubic_guidance,
    missed,
    overshoot,
    size_of,
    specks,
    watched,
)
from training.recipes import RECIPES
from training.schedule import learning_rate

Net = TypeVar("Net", bound=nn.Module)
CONFIG = FGRNConfig(scale=2, channels=8, down_blocks=1, up_blocks=1, flow_cells=3, flow_growth=4)


def picture(seed: int = 0) -> Tensor:
    """(2, 3, 16, 20) in [0, 1], smooth enough that x is not saturated."""
    coarse = torch.rand(2, 3, 8, 10, generator=torch.Generator().manual_seed(seed)) * 0.8 + 0.1
    return bicubic_upscale(coarse, 2).clamp(0, 1)


def with_random_weights(net: Net, size: float = 0.05, seed: int = 0) -> Net:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(size * torch.randn(parameter.shape, generator=generator))
    return net


def reached(module: nn.Module) -> bool:
    """Whether any parameter received a gradient that is not zero."""
    return any(parameter.grad is not None and bool(parameter.grad.any()) for parameter in module.parameters())


def test_guidance_is_the_bicubic_image_within_the_8_bit_range() -> None:
    hr = torch.zeros(1, 3, 16, 16)
    hr[..., 8:] = 1
    assert bicubic_downscale(hr, 2).amin() < 0 and bicubic_downscale(hr, 2).amax() > 1  # it overshoots
    assert torch.equal(bicubic_guidance(hr, 2), bicubic_downscale(hr, 2).clamp(0, 1))


def test_flow_guidance_does_not_reach_encoder_and_decoder() -> None:
    """Section 3.4: L_guide trains F alone."""
    net = with_random_weights(FGRN(CONFIG))
    loss, _ = FlowObjective(net, gamma=1e-3)(picture())
    loss.backward()
    assert reached(net.flow)
    assert all(parameter.grad is None for parameter in net.downscaler.parameters())
    assert all(parameter.grad is None for parameter in net.upscaler.parameters())


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_reconstruction_does_not_train_the_flow(weight: float) -> None:
    net = with_random_weights(FGRN(CONFIG))
    loss, _ = RescalingObjective(net, weight)(picture())
    loss.backward()
    assert reached(net.downscaler) and reached(net.upscaler)
    assert all(parameter.grad is None for parameter in net.flow.parameters())


def test_stages_give_the_gradients_of_the_joint_objective() -> None:
    """The paper trains jointly. No parameter is in both losses, so L_rec + L_guide has the gradients of the two."""
    joint, apart = with_random_weights(FGRN(CONFIG)), with_random_weights(FGRN(CONFIG))
    hr = picture()
    together, figures = JointObjective(joint, 1e-3)(hr)
    together.backward()
    losses = [RescalingObjective(apart)(hr), FlowObjective(apart, 1e-3)(hr)]
    for loss, _ in losses:
        loss.backward()
    assert torch.isclose(together, losses[0][0] + losses[1][0])
    assert figures == {"hr_l1": losses[0][0], **losses[0][1], **losses[1][1]}
    assert watched(together, figures) == losses[0][0], "a step is judged without L_guide"
    for (name, one), other in zip(joint.named_parameters(), apart.parameters(), strict=True):
        assert one.grad is not None and other.grad is not None, name
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-4, atol=1e-7)


def test_trained_modules_are_those_that_get_gradients() -> None:
    cases: list[tuple[FGRN | IRN, Objective]] = []
    first, second = with_random_weights(FGRN(CONFIG)), with_random_weights(FGRN(CONFIG))
    cases += [(first, RescalingObjective(first)), (second, FlowObjective(second, 1e-3))]
    third, fourth = with_random_weights(FGRN(CONFIG)), with_random_weights(FGRN(CONFIG))
    cases += [(third, JointObjective(third, 1e-3)), (fourth, RoundTripObjective(fourth, 1e-3))]
    for coarse in (False, True):
        irn = with_random_weights(IRN(IRNConfig(4, blocks=2, growth=4)))
        cases.append((irn, IRNObjective(irn, coarse=coarse)))
    for net, objective in cases:
        loss, figures = objective(picture())
        loss.backward()
        trained = {id(parameter) for parameter in objective.trained.parameters()}
        assert trained
        for name, parameter in net.named_parameters():
            with_gradient = parameter.grad is not None and bool(parameter.grad.any())
            assert with_gradient == (id(parameter) in trained), (type(objective).__name__, name)
        assert not any(value.requires_grad for value in figures.values())


def test_reconstruction_loss_at_the_bicubic_start() -> None:
    hr, net = picture(), FGRN(CONFIG)
    expected = (bicubic_upscale(quantise(bicubic_downscale(hr, 2)), 2) - hr).abs().mean()
    loss, figures = RescalingObjective(net)(hr)
    assert torch.isclose(loss, expected)
    assert torch.isclose(
        figures["hr_mse"], (bicubic_upscale(quantise(net.encode(hr)), 2) - hr).square().mean()
    )
    # x is y_bic at the start: the added term of DU_bic is only what clamping takes away
    x = bicubic_downscale(hr, 2)
    weighted, _ = RescalingObjective(net, bicubic_weight=3.0)(hr)
    assert torch.isclose(weighted, expected + 3 * (x - x.clamp(0, 1)).abs().mean())


def test_specks_of_colour_count_by_their_squares_and_brightness_does_not() -> None:
    hr, net = picture(), FGRN(CONFIG)
    with torch.no_grad():
        net.downscaler.tail.weight.normal_(std=0.1)
        distance = (net.encode(hr) - bicubic_downscale(hr, 2).clamp(0, 1)).numpy()
        without, weighted = (RescalingObjective(net, chroma_weight=weight)(hr)[0] for weight in (0.0, 50.0))
    luma = np.einsum("c,bchw->bhw", [0.299, 0.587, 0.114], distance)
    square = np.mean([(distance[:, channel] - luma) ** 2 for channel in range(3)])
    assert square > 1e-4
    assert float(weighted - without) == pytest.approx(50 * square, rel=1e-3)
    grey = torch.rand(2, 1, 8, 8).expand(2, 3, 8, 8)
    assert float(specks(grey)) < 1e-12


def test_luma_is_an_error_of_its_own() -> None:
    hr, net = picture(), FGRN(CONFIG)
    error = bicubic_upscale(quantise(bicubic_downscale(hr, 2)), 2) - hr
    luma = 0.299 * error[:, 0] + 0.587 * error[:, 1] + 0.114 * error[:, 2]  # ITU-R BT.601
    loss, _ = RescalingObjective(net, luma_weight=2.0)(hr)
    assert torch.isclose(loss, error.abs().mean() + 2 * luma.abs().mean())


def test_error_can_be_the_root_mean_square_of_each_patch() -> None:
    hr, net = picture(), FGRN(CONFIG)
    error = bicubic_upscale(quantise(bicubic_downscale(hr, 2)), 2) - hr
    luma = 0.299 * error[:, 0] + 0.587 * error[:, 1] + 0.114 * error[:, 2]
    roots = [(part.square().mean() + 1e-7).sqrt() for part in (*error, *luma)]
    loss, _ = RescalingObjective(net, luma_weight=2.0, error="rms")(hr)
    assert torch.isclose(loss, (roots[0] + roots[1]) / 2 + 2 * (roots[2] + roots[3]) / 2)


def test_irn_too_can_have_a_luma_of_its_own() -> None:
    hr, net = picture(), IRN(IRNConfig(2, blocks=2, growth=4))
    error = net.inverse(quantise(net(hr)[0]), torch.zeros(*net(hr)[1].shape)) - hr
    luma = 0.299 * error[:, 0] + 0.587 * error[:, 1] + 0.114 * error[:, 2]
    without, weighted = (IRNObjective(net, luma_weight=weight)(hr)[0] for weight in (0.0, 2.0))
    assert torch.isclose(weighted - without, 2 * (luma.square() + 1e-6).sqrt().mean(), rtol=1e-4)
    recipe = replace(RECIPES["irn_x2"], luma_weight=2.0)
    objective = recipe.objective(net, recipe.stages[0])
    assert isinstance(objective, IRNObjective) and objective.luma_weight == 2.0


def test_root_of_no_error_has_a_gradient() -> None:
    error = torch.zeros(1, 3, 4, 4, requires_grad=True)
    size_of(error, "rms").backward()
    assert error.grad is not None and not error.grad.any()


def test_decoder_sees_8_bit_x() -> None:
    net, seen = with_random_weights(FGRN(CONFIG)), []
    net.upscaler.head.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0].detach()))
    RescalingObjective(net)(picture())
    assert torch.equal(seen[0], quantise(seen[0])) and not torch.equal(seen[0], net.encode(picture()))


def test_figures_count_values_of_x_outside_the_range() -> None:
    net = FGRN(CONFIG)
    assert net.downscaler.tail.bias is not None
    net.downscaler.tail.bias.data.copy_(torch.tensor([2.0, 0.0, -2.0]))  # red too high, blue too low
    _, figures = RescalingObjective(net)(torch.full((1, 3, 8, 8), 0.5))
    assert figures["x_outside"].item() == pytest.approx(2 / 3)


def test_flow_loss_by_hand() -> None:
    """One cell with constant branches on a grey picture: LR and log-det are known numbers."""
    grey, gamma = 51 / 255, 0.01
    net = FGRN(FGRNConfig(2, 8, 1, 1, flow_cells=1, flow_growth=2))
    (cell,) = net.flow.cells
    alpha, beta, phi = 0.1, 0.6, 0.2
    for name, value in (("alpha", alpha), ("beta", beta), ("phi", phi)):
        last = cell.get_submodule(f"{name}.convs.4")
        assert isinstance(last, nn.Conv2d) and last.bias is not None
        last.bias.data.fill_(value)
    exponent = math.tanh(beta / 2)
    first, second = grey + alpha, grey * math.exp(exponent) + phi
    distance = (abs(first - grey) + 2 * abs(second - grey)) / 3
    log_det_per_value = 2 / 3 * exponent  # two of three colours are scaled
    loss, figures = FlowObjective(net, gamma)(torch.full((2, 3, 12, 8), grey))
    assert loss.item() == pytest.approx(distance - gamma * log_det_per_value, abs=1e-6)
    assert figures["lr_mse"].item() == pytest.approx(
        ((first - grey) ** 2 + 2 * (second - grey) ** 2) / 3, abs=1e-6
    )
    assert "x_exact" not in figures
    _, figures = FlowObjective(net, gamma, exactness=1.0)(torch.full((2, 3, 12, 8), grey))
    assert figures["x_exact"].item() == 1.0  # the scale is > 1: no grey level of x is merged


def test_a_step_of_the_flow_is_judged_by_its_distance_to_bicubic() -> None:
    net = with_random_weights(FGRN(CONFIG))
    loss, figures = FlowObjective(net, gamma=100.0)(picture())
    plain, _ = FlowObjective(net, gamma=0.0)(picture())
    assert watched(loss, figures) == plain.detach() >= 0 and loss != plain
    assert watched(loss, {}) is loss


def test_flow_objective_rewards_volume() -> None:
    """The log-determinant enters with a minus: at equal distance an expanding F is preferred."""
    net = with_random_weights(FGRN(CONFIG), 0.05)
    hr = picture()
    without, with_volume = FlowObjective(net, 0.0)(hr)[0], FlowObjective(net, 1.0)(hr)[0]
    log_det = net.flow(quantise(net.encode(hr)))[1].mean() / (3 * 8 * 10)
    assert torch.isclose(without - with_volume, log_det, atol=1e-6)


def test_missed_counts_what_rounding_does_not_mend() -> None:
    x = torch.tensor([10.0, 20.0, 30.0, 40.0]) / 255
    recovered = torch.tensor([10.5, 19.6, 32.0, 39.0]) / 255
    assert missed(recovered, x).item() == pytest.approx((0 + 0 + 1.5 + 0.5) / 4 / 255, abs=1e-8)


def test_exactness_is_learnt_through_the_inverse() -> None:
    """Equal to L_guide plus the weight times what is missed, and its gradient reaches F both ways."""
    net, hr = with_random_weights(FGRN(CONFIG)), picture()
    x = quantise(net.encode(hr)).detach()
    expected = missed(net.from_lr(quantise(net.to_lr(x))), x)
    assert expected > 0
    plain, weighted = FlowObjective(net, 1e-3)(hr)[0], FlowObjective(net, 1e-3, exactness=2.0)(hr)[0]
    assert torch.isclose(weighted - plain, 2 * expected)
    parameters = list(net.flow.parameters())
    gradients = [torch.autograd.grad(loss, parameters) for loss in (weighted, plain, 2 * expected)]
    for with_it, without, of_it in zip(*gradients, strict=True):
        torch.testing.assert_close(with_it, without + of_it)


def test_training_for_exactness_brings_more_of_x_back() -> None:
    """From an F that merges grey levels, a few steps with it alone."""
    net, hr = with_random_weights(FGRN(CONFIG)), picture()
    optimizer = torch.optim.Adam(net.flow.parameters(), 1e-3)
    shares = []
    for _ in range(60):
        loss, figures = FlowObjective(net, 0.0, exactness=100.0)(hr)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        shares.append(figures["x_exact"].item())
    assert shares[-1] > shares[0] + 0.1


def test_overshoot_is_what_clamping_takes() -> None:
    lr = torch.tensor([-0.5, 0.0, 0.25, 1.0, 1.125])
    assert overshoot(lr).item() == pytest.approx((0.5 + 0.125) / 5)


def test_training_against_overshoot_brings_lr_into_the_range() -> None:
    """Added to L_guide with its weight; from an F that leaves the range, a few steps with little else."""
    net, hr = with_random_weights(FGRN(CONFIG)), picture()
    with torch.no_grad():
        hr = (4 * (hr - 0.5)).clamp(0, 1)  # large parts at the ends of the range
        x = quantise(net.encode(hr))
        plain, weighted = FlowObjective(net, 0.0)(hr)[0], FlowObjective(net, 0.0, overshoot_weight=3.0)(hr)[0]
        before = overshoot(net.to_lr(x))
    assert before > 0.01
    assert torch.isclose(weighted - plain, 3 * before)
    optimizer = torch.optim.Adam(net.flow.parameters(), 1e-3)
    for _ in range(60):
        loss, _ = FlowObjective(net, 0.0, overshoot_weight=100.0)(hr)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert overshoot(net.to_lr(x)) < 0.2 * before


def test_round_trip_goes_through_the_8_bit_lr() -> None:
    """The way of fgrn.pipeline, and L_guide on top; G_d learns nothing from L_guide here either."""
    net, hr, gamma = with_random_weights(FGRN(CONFIG)), picture(), 1e-3
    x = quantise(net.encode(hr))
    recovered = quantise(net.from_lr(quantise(net.to_lr(x))))
    assert not recovered.equal(x)
    reconstruction = (net.decode(recovered) - hr).abs().mean()
    guide, _ = FlowObjective(net, gamma)(hr)
    loss, figures = RoundTripObjective(net, gamma)(hr)
    assert torch.isclose(loss, reconstruction + guide)
    assert set(figures) == {"hr_l1", "hr_mse", "lr_l1", "lr_mse"}
    expected = torch.autograd.grad(reconstruction, list(net.downscaler.parameters()))
    actual = torch.autograd.grad(loss, list(net.downscaler.parameters()))
    for one, other in zip(actual, expected, strict=True):
        torch.testing.assert_close(one, other)


def test_sampled_latent_is_drawn_and_follows_the_seed() -> None:
    net = with_random_weights(IRN(IRNConfig(2, blocks=1, growth=4)))
    losses = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        losses.append(IRNObjective(net, sampled=True)(picture())[0].item())
    assert losses[0] == losses[1] != losses[2]
    # at the start the couplings are the identity, and z is the differences: unit noise there costs far more
    start = IRN(IRNConfig(2, blocks=1, growth=4))
    assert IRNObjective(start, sampled=True)(picture())[0] > IRNObjective(start)(picture())[0] + 0.3


def test_irn_loss_at_the_start_by_hand() -> None:
    """Couplings are the identity at the start: LR is the block mean, z the Haar differences."""
    hr = picture()
    loss, figures = IRNObjective(IRN(IRNConfig(2, blocks=2, growth=4)))(hr)
    blocks = hr.unfold(2, 2, 2).unfold(3, 2, 2).flatten(4)  # (B, 3, H, W, 4)
    mean = blocks.mean(dim=-1)
    # Parseval: the squares of the block are 4 (mean^2 + differences^2)
    z_squared = (blocks.square().sum() / 4 - mean.square().sum()) / hr.numel()
    restored = quantise(mean).repeat_interleave(2, 2).repeat_interleave(2, 3)
    charbonnier = ((restored - hr).square() + 1e-6).sqrt().mean()
    fidelity = (mean - bicubic_guidance(hr, 2)).square().mean()
    assert torch.isclose(loss, charbonnier + fidelity + z_squared, rtol=1e-5)
    assert torch.isclose(figures["hr_mse"], (restored - hr).square().mean(), rtol=1e-5)


def test_coarse_irn_is_the_whole_one_at_the_start() -> None:
    net = IRN(IRNConfig(4, blocks=2, growth=4))
    hr = picture()
    assert torch.allclose(IRNObjective(net, coarse=True)(hr)[0], IRNObjective(net)(hr)[0], atol=1e-6)
    objective = IRNObjective(net, coarse=True)
    last = list(net.levels[-1].parameters())
    assert [id(p) for p in objective.trained.parameters()] == [id(p) for p in last]  # shared, not copied


def test_saturated_x_comes_back() -> None:
    """Training note 9: x outside the range must still be pulled in."""
    net = FGRN(CONFIG)
    assert net.downscaler.tail.bias is not None
    net.downscaler.tail.bias.data.fill_(3.0)
    loss, figures = RescalingObjective(net)(picture())
    loss.backward()
    assert figures["x_outside"] == 1
    gradient = net.downscaler.tail.bias.grad
    assert gradient is not None and (gradient > 0).all()  # descent lowers the bias


@pytest.mark.parametrize("name", list(RECIPES))
def test_recipes_do_what_their_names_say(name: str) -> None:
    recipe = RECIPES[name]
    assert recipe.config.scale == int(name[-1])
    assert isinstance(recipe.config, IRNConfig) == name.startswith("irn")
    assert recipe.sampled_latent == ("sampled" in name)
    if isinstance(recipe.config, FGRNConfig):
        assert recipe.gamma == 1e-3  # the paper's
        assert recipe.config.guidance == {"none": "none", "bic": "bicubic"}.get(name.split("_")[1], "flow")
    assert (recipe.bicubic_weight > 0) == (name.startswith("du_bic"))


def test_schedules() -> None:
    staged = RECIPES["fgrn_x4"]
    assert staged.scheduled("staged") is staged
    (joint,) = staged.scheduled("joint").stages
    assert (joint.objective, joint.share, joint.decay) == ("joint", 1.0, "cosine")
    assert (joint.patch, joint.batch_size) == (staged.stages[0].patch, staged.stages[0].batch_size)
    (paper,) = staged.scheduled("paper").stages  # section 4.1
    assert (paper.objective, paper.batch_size, paper.patch) == ("joint", 36, 192)
    assert [learning_rate(paper, 0.5, step, 0) for step in (0, 199_999, 200_000, 400_000)] == [
        3e-4,
        3e-4,
        1.5e-4,
        0.75e-4,
    ]
    objectives = {name: RECIPES[name].scheduled("paper").stages[0].objective for name in RECIPES}
    assert objectives["irn_x4"] == "irn" and objectives["du_none_x4"] == "rescaling"


def test_one_stage_alone() -> None:
    first, second, last = RECIPES["fgrn_x4"].stages
    assert RECIPES["fgrn_x4"].only("flow").stages == (replace(last, share=1.0),)
    begin, end = RECIPES["fgrn_x4"].only("rescaling").stages
    assert begin.share + end.share == pytest.approx(1)
    assert begin.share / end.share == pytest.approx(first.share / second.share)
    with pytest.raises(ValueError, match="no stage 'flow'; its stages are rescaling$"):
        RECIPES["du_none_x4"].only("flow")


def test_annealed_from_the_start() -> None:
    """One stage of each kind, over the whole of their budget, whose learning rate falls at once."""
    first, second, last = RECIPES["fgrn_x4"].stages
    rescaling, flow = RECIPES["fgrn_x4"].annealed().stages
    assert rescaling == replace(second, share=first.share + second.share, decay="cosine")
    assert flow == replace(last, decay="cosine")
    rates = [learning_rate(rescaling, progress, 1000, 100) for progress in (0, 0.1, 0.5, 1)]
    assert rates[0] == second.learning_rate
    assert rates == sorted(set(rates), reverse=True)
    coarse, fine = RECIPES["irn_x4"].annealed().stages
    assert (coarse.objective, fine.objective) == ("irn-coarse", "irn")


def test_annealed_on_the_command_line(tmp_path: Path) -> None:
    """One rate is enough where there were two stages, and the card will say so."""
    folders = ["--data", f"{tmp_path}", "--out", f"{tmp_path}"]
    changes = ["--only", "rescaling", "--anneal", "--learning-rate", "1e-4"]
    recipe, notes = recipe_of(parse_arguments(["--recipe", "fgrn_x4", *folders, *changes]))
    (stage,) = recipe.stages
    assert (stage.objective, stage.decay, stage.learning_rate) == ("rescaling", "cosine", 1e-4)
    assert stage.share == pytest.approx(1)
    assert notes == "only rescaling, learning_rate 0.0001, anneal True"


def test_a_chroma_weight_on_the_command_line_is_that_of_the_objective(tmp_path: Path) -> None:
    line = ["--recipe", "fgrn_x4", "--data", str(tmp_path), "--out", str(tmp_path), "--chroma-weight", "2"]
    recipe, notes = recipe_of(parse_arguments([*line, "--only", "rescaling"]))
    objective = recipe.objective(FGRN(CONFIG), recipe.stages[0])
    assert isinstance(objective, RescalingObjective) and objective.chroma_weight == recipe.chroma_weight == 2
    assert (objective.bicubic_weight, objective.luma_weight, objective.error) == (0, 0, "l1")
    assert notes == "only rescaling, chroma_weight 2.0"


def test_numbers_of_blocks_on_the_command_line(tmp_path: Path) -> None:
    line = ["--data", str(tmp_path), "--out", str(tmp_path), "--blocks", "20", "35"]
    recipe, notes = recipe_of(parse_arguments(["--recipe", "fgrn_x4", *line]))
    config = RECIPES["fgrn_x4"].config
    assert isinstance(config, FGRNConfig)
    assert recipe == replace(RECIPES["fgrn_x4"], config=replace(config, down_blocks=20, up_blocks=35))
    assert notes == "blocks 20 35"
    with pytest.raises(ValueError, match="IRN has none"):
        recipe_of(parse_arguments(["--recipe", "irn_x4", *line]))


def test_another_error_on_the_command_line(tmp_path: Path) -> None:
    line = ["--recipe", "fgrn_x4", "--data", str(tmp_path), "--out", str(tmp_path), "--error", "rms"]
    recipe, notes = recipe_of(parse_arguments([*line, "--only", "rescaling"]))
    objective = recipe.objective(FGRN(CONFIG), recipe.stages[0])
    assert isinstance(objective, RescalingObjective) and objective.error == recipe.error == "rms"
    assert notes == "only rescaling, error rms"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"patch": [30]}, "multiples of the scale"),
        ({"patch": [32, 64]}, "one value, or 3"),
        ({"stages": ()}, "add up to 1"),
        (
            {"bicubic_weight": 0.1, "stages": RECIPES["fgrn_x4"].only("flow").stages},
            "a bicubic weight of 0.1 has no effect: no stage is for G_d alone",
        ),
        (
            {"chroma_weight": 3.0, "stages": RECIPES["fgrn_x4"].only("flow").stages},
            "a chroma weight of 3.0 has no effect",
        ),
        (
            {"luma_weight": 0.5, "stages": RECIPES["fgrn_x4"].only("flow").stages},
            "a luma weight of 0.5 has no effect",
        ),
        (
            {"error": "rms", "stages": RECIPES["fgrn_x4"].only("flow").stages},
            "rms as the error has no effect",
        ),
    ],
)
def test_impossible_recipes_are_refused(change: dict[str, Any], message: str) -> None:
    recipe = RECIPES["fgrn_x4"]
    with pytest.raises(ValueError, match=message):
        recipe.with_stages(**change) if "patch" in change else replace(recipe, **change)
