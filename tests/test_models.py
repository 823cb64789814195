"""FGRN, IRN and bicubic: sizes, starts, inverses, log-determinant, parity with the published IRN, precision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from fgrn.models import (
    FGRN,
    IRN,
    Bicubic,
    Config,
    FGRNConfig,
    IRNConfig,
    RescalingNet,
    architecture_of,
    build,
    config_from_dict,
    config_to_dict,
)
from fgrn.models.fgrn import FlowGuidance
from fgrn.resize import bicubic_downscale, bicubic_upscale
from tests.reference_irn import PublishedIRN, as_ours, randomised
from training.recipes import RECIPES

SMALL = FGRNConfig(scale=2, channels=8, down_blocks=1, up_blocks=1, flow_cells=4, flow_growth=4)


def random_image(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def with_random_weights(net: nn.Module, size: float = 0.1, seed: int = 0) -> Any:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(size * torch.randn(parameter.shape, generator=generator))
    return net.eval()


def parameters(config: Config) -> int:
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in build(config).parameters() if parameter.requires_grad)


# Sizes


def test_irn_has_exactly_the_published_number_of_parameters() -> None:
    assert parameters(IRNConfig(2)) == 1_667_952
    assert parameters(IRNConfig(4)) == 4_355_136


@pytest.mark.parametrize(("scale", "limit"), [(2, 1_330_000), (4, 3_350_000)])
def test_fgrn_recipes_stay_within_the_papers_size(scale: int, limit: int) -> None:
    config = RECIPES[f"fgrn_x{scale}"].config
    assert isinstance(config, FGRNConfig) and config.scale == scale and config.guidance == "flow"
    assert config.flow_cells > 0
    assert 0.5 * limit < parameters(config) <= limit


def test_bicubic_has_no_parameters() -> None:
    net, image = Bicubic(4), random_image(1, 3, 16, 20)
    assert not list(net.parameters())
    assert torch.equal(net.encode(image), bicubic_downscale(image, 4))
    assert torch.equal(net.decode(image), bicubic_upscale(image, 4))
    assert torch.equal(net.to_lr(image), image) and torch.equal(net.from_lr(image), image)


IRN_HALVES = ("irn", 3)  # there is no IRN x3


@pytest.mark.parametrize(
    ("method", "scale"),
    sorted({(m, s) for m in ("fgrn", "irn", "bicubic") for s in (2, 3, 4)} - {IRN_HALVES}),
)
def test_shapes(method: str, scale: int) -> None:
    nets: dict[str, Callable[[], RescalingNet]] = {
        "fgrn": lambda: FGRN(FGRNConfig(scale, 8, 1, 1, 1, 4)),
        "irn": lambda: IRN(IRNConfig(scale, 1, 4)),
        "bicubic": lambda: Bicubic(scale),
    }
    net = nets[method]()
    x = net.encode(random_image(2, 3, 5 * scale, 7 * scale))
    assert x.shape == net.to_lr(x).shape == net.from_lr(x).shape == (2, 3, 5, 7)
    assert net.decode(x).shape == (2, 3, 5 * scale, 7 * scale)


# FGRN


@pytest.mark.parametrize("guidance", ["flow", "bicubic", "none"])
@pytest.mark.parametrize("scale", [2, 4])
def test_fgrn_starts_as_bicubic(scale: int, guidance: Any) -> None:
    net = FGRN(FGRNConfig(scale, 8, 2, 2, 3, 4, guidance=guidance))
    hr, lr = random_image(2, 3, 6 * scale, 5 * scale), random_image(2, 3, 6, 5)
    assert torch.equal(net.encode(hr), bicubic_downscale(hr, scale))
    assert torch.equal(net.decode(lr), bicubic_upscale(lr, scale))
    assert torch.equal(net.to_lr(lr), lr) and torch.equal(net.from_lr(lr), lr)


@settings(deadline=None, max_examples=6)
@given(height=st.integers(1, 12), width=st.integers(1, 12), cells=st.integers(1, 4), seed=st.integers(0, 99))
def test_flow_inverse_and_log_det_over_sizes(height: int, width: int, cells: int, seed: int) -> None:
    flow = with_random_weights(FlowGuidance(FGRNConfig(2, flow_cells=cells, flow_growth=4)), seed=seed)
    x = random_image(2, 3, height, width, seed=seed)
    lr, log_det = flow(x)
    assert lr.shape == x.shape and log_det.shape == (2,)
    assert (flow.inverse(lr) - x).abs().max() < 1e-4
    flow.double()
    lr, log_det = flow(x.double())
    assert not torch.equal(lr, x.double())
    assert (flow.inverse(lr) - x).abs().max() < 1e-9
    assert (flow(flow.inverse(x.double()))[0] - x).abs().max() < 1e-9
    # the batch is not mixed
    alone, alone_log_det = flow(x[1:].double())
    assert torch.allclose(alone, lr[1:], atol=1e-12) and torch.allclose(alone_log_det, log_det[1:])


@pytest.mark.parametrize("rotation", [0, 1])
def test_the_path_through_the_flow_leads_from_x_to_lr(rotation: int) -> None:
    config = FGRNConfig(2, flow_cells=4, flow_growth=4, flow_rotation=rotation)
    flow = with_random_weights(FlowGuidance(config)).double()
    x = random_image(2, 3, 6, 7, dtype=torch.float64)
    path = flow.path(x)
    assert len(path) == 5
    assert torch.equal(path[0], x) and torch.equal(path[-1], flow(x)[0])
    for k, cell in enumerate(flow.cells):  # every step can be undone by itself
        shift = k * rotation
        back = cell.inverse(path[k + 1].roll(-shift, 1)).roll(shift, 1)
        assert (back - path[k]).abs().max() < 1e-9 < (path[k + 1] - path[k]).abs().max()


def test_a_net_without_a_flow_has_x_alone_on_its_path() -> None:
    x = random_image(1, 3, 6, 6)
    for net in (Bicubic(2), FGRN(FGRNConfig(2, 8, 1, 1, 2, 4, guidance="none")), IRN(IRNConfig(2, 1, 4))):
        assert len(net.path(x)) == 1 and torch.equal(net.path(x)[0], x)


@pytest.mark.parametrize("cells", [1, 4])
def test_flow_log_det_equals_the_autograd_jacobian(cells: int) -> None:
    flow = with_random_weights(FlowGuidance(FGRNConfig(2, flow_cells=cells, flow_growth=3)), 0.2).double()
    x = random_image(2, 3, 3, 2, dtype=torch.float64)
    log_dets = flow(x)[1]
    for sample, log_det in zip(x, log_dets, strict=True):
        jacobian = torch.autograd.functional.jacobian(lambda image: flow(image[None])[0][0], sample)
        sign, expected = torch.linalg.slogdet(jacobian.reshape(18, 18))
        assert sign == 1 and log_det.abs() > 1e-3
        assert torch.isclose(log_det, expected, rtol=0, atol=1e-9)


def test_every_colour_is_scaled_and_shifted() -> None:
    """Three cells roll the colours once around: no colour is left out of the affine part."""
    flow = with_random_weights(FlowGuidance(FGRNConfig(2, flow_cells=3, flow_growth=4)), 0.2).double()
    x = random_image(1, 3, 6, 6, dtype=torch.float64)
    cells = list(flow.cells)
    for k, cell in enumerate(cells):
        flow.cells = nn.ModuleList([cell])
        moved = (flow(x.roll(-k, 1))[0].roll(k, 1) - x).abs().amax(dim=(0, 2, 3))
        assert (moved > 0).all()
    flow.cells = nn.ModuleList(cells)
    jacobian = torch.autograd.functional.jacobian(lambda image: flow(image)[0][0, :, 3, 3], x)[:, 0, :, 3, 3]
    assert (jacobian != 0).all()  # each colour of the LR image depends on all three of x


@pytest.mark.parametrize("guidance", ["none", "bicubic"])
def test_no_flow_means_identity(guidance: Any) -> None:
    net = with_random_weights(FGRN(FGRNConfig(2, 8, 1, 1, 4, 4, guidance=guidance)))
    assert not list(net.flow.parameters())
    x = random_image(2, 3, 5, 6)
    lr, log_det = net.flow(x)
    assert torch.equal(lr, x) and torch.equal(net.flow.inverse(x), x) and torch.equal(log_det, torch.zeros(2))
    assert torch.equal(net.to_lr(x), x) and torch.equal(net.from_lr(x), x)


def test_ablations_share_the_weights_of_encoder_and_decoder() -> None:
    """DU_none, DU_bic and DU_flow are the same network: the names and shapes of G_d and G_u agree."""
    flow, none = (FGRN(FGRNConfig(2, 8, 1, 1, 2, 4, guidance=guidance)) for guidance in ("flow", "none"))
    shapes = {key: value.shape for key, value in flow.state_dict().items() if not key.startswith("flow.")}
    assert shapes == {key: value.shape for key, value in none.state_dict().items()}


# The 8-bit boundary stays in float32


def test_boundary_is_float32_under_bf16_autocast() -> None:
    net = with_random_weights(FGRN(SMALL))
    seen: dict[str, set[torch.dtype]] = {}
    for name, module in net.named_modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(
                lambda _, __, output, name=name: seen.setdefault(name, set()).add(output.dtype)
            )
    hr = random_image(2, 3, 16, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        x = net.encode(hr)
        lr = net.to_lr(x)
        recovered = net.from_lr(lr)
        restored = net.decode(x)
        log_det = net.flow(x)[1]
    assert x.dtype == lr.dtype == recovered.dtype == restored.dtype == log_det.dtype == torch.float32
    boundary = {"downscaler.tail", "upscaler.head", "upscaler.tail"}
    for name, dtypes in seen.items():
        exact = name in boundary or name.startswith("flow.")
        assert dtypes == {torch.float32 if exact else torch.bfloat16}, name
    assert boundary <= set(seen) and any(name.startswith("flow.") for name in seen)
    assert (recovered - x).abs().max() < 1e-4
    assert torch.equal(lr, net.to_lr(x))  # F does not know of autocast at all


def test_x_keeps_its_resolution_under_bf16_autocast() -> None:
    """x must not be rounded to bf16 anywhere: its values are not multiples of the coarse bf16 step."""
    net = FGRN(SMALL)
    x = random_image(1, 3, 8, 8) * 0.5 + 0.5
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(net.decode(x), bicubic_upscale(x, 2))
        assert torch.equal(net.encode(net.decode(x)), bicubic_downscale(bicubic_upscale(x, 2), 2))


def test_irn_couples_in_float32_under_bf16_autocast() -> None:
    net = with_random_weights(IRN(IRNConfig(4, 1, 4)))
    inside: set[torch.dtype] = set()
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda _, __, output: inside.add(output.dtype))
    hr = random_image(1, 3, 16, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        lr, z = net(hr)
        restored = net.inverse(lr, z)
    assert inside == {torch.bfloat16}
    assert lr.dtype == z.dtype == restored.dtype == torch.float32
    assert 0 < (restored - hr).abs().max() < 0.02  # a dense block's result may be rounded to a neighbour
    lr, z = net(hr)
    assert (net.inverse(lr, z) - hr).abs().max() < 1e-4


# IRN


@settings(deadline=None, max_examples=8)
@given(
    scale=st.sampled_from([2, 4, 8]),
    height=st.integers(1, 5),
    width=st.integers(1, 5),
    seed=st.integers(0, 99),
)
def test_irn_inverse_over_sizes(scale: int, height: int, width: int, seed: int) -> None:
    net = with_random_weights(IRN(IRNConfig(scale, blocks=1, growth=2)), size=0.05, seed=seed).double()
    hr = random_image(1, 3, height * scale, width * scale, seed=seed, dtype=torch.float64)
    lr, z = net(hr)
    assert lr.shape == (1, 3, height, width) and z.shape == (1, net.latent_channels, height, width)
    assert (net.inverse(lr, z) - hr).abs().max() < 1e-9
    net.float()
    lr, z = net(hr.float())
    assert (net.inverse(lr, z) - hr).abs().max() < 1e-4


def test_irn_starts_as_block_means() -> None:
    hr = random_image(1, 3, 16, 16)
    lr = IRN(IRNConfig(4, 1, 4)).encode(hr)
    assert torch.allclose(lr, torch.nn.functional.avg_pool2d(hr, 4), atol=1e-6)


@pytest.mark.parametrize(("scale", "blocks", "growth"), [(2, 3, 8), (4, 2, 4), (8, 1, 2)])
def test_irn_equals_the_published_net(scale: int, blocks: int, growth: int) -> None:
    published = randomised(PublishedIRN(scale, blocks, growth), size=0.1).double()
    net = IRN(IRNConfig(scale, blocks, growth)).double()
    net.load_state_dict(as_ours(published.state_dict(), blocks))
    hr = random_image(2, 3, 3 * scale, 2 * scale, dtype=torch.float64)
    with torch.no_grad():
        expected = published.down(hr)
        lr, z = net(hr)
        assert (
            expected[:, :3] - torch.nn.functional.avg_pool2d(hr, scale)
        ).abs().max() > 0.01  # not the identity
        assert (torch.cat([lr, z], 1) - expected).abs().max() < 1e-10
        assert torch.equal(net.encode(hr), lr)
        some_z = torch.randn(z.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        assert (net.inverse(lr, some_z) - published.up(torch.cat([lr, some_z], 1))).abs().max() < 1e-9
        assert (net.decode(lr) - published.up(torch.cat([lr, 0 * z], 1))).abs().max() < 1e-9


def test_published_reference_has_the_published_number_of_parameters() -> None:
    for scale, expected in ((2, 1_667_952), (4, 4_355_136)):
        net = PublishedIRN(scale)
        assert sum(parameter.numel() for parameter in net.parameters() if parameter.requires_grad) == expected


def test_sampled_latent_is_reproducible_by_seed() -> None:
    net, lr = IRN(IRNConfig(2, 1, 4)), random_image(2, 3, 32, 32)
    first, same, other = (net.sample_latent(lr, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, same) and not torch.equal(first, other)
    assert first.shape == net.zero_latent(lr).shape == (2, 9, 32, 32)
    assert not net.zero_latent(lr).any()
    assert abs(first.mean().item()) < 0.05 and abs(first.std().item() - 1) < 0.05


# Gradients


@pytest.mark.parametrize("config", [SMALL, IRNConfig(2, 2, 4)], ids=["fgrn", "irn"])
def test_every_parameter_gets_a_gradient(config: Config) -> None:
    net = with_random_weights(build(config)).double()
    x = net.encode(random_image(1, 3, 16, 16, dtype=torch.float64))
    (net.to_lr(x).square().sum() + net.decode(x).square().sum()).backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None and (parameter.grad != 0).any(), name


# Configs


@pytest.mark.parametrize("config", [SMALL, FGRNConfig(4, leak=0.1, guidance="none"), IRNConfig(4, 3, 5)])
def test_config_round_trip(config: Config) -> None:
    name = architecture_of(config)
    assert config_from_dict(name, config_to_dict(config)) == config
    assert type(build(config)).__name__.lower() == name


@pytest.mark.parametrize(
    ("architecture", "change", "message"),
    [
        ("fgrn", {"extra": 1}, "unknown keys \\['extra'\\]"),
        ("fgrn", {"scale": None}, "missing keys \\['scale'\\]"),
        ("fgrn", {"channels": "64"}, "channels must be int, not '64'"),
        ("fgrn", {"channels": 64.0}, "channels must be int"),
        ("fgrn", {"channels": True}, "channels must be int, not True"),
        ("fgrn", {"guidance": "strong"}, "none of flow, bicubic, none"),
        ("fgrn", {"guidance": 1}, "guidance must be str"),
        ("fgrn", {"scale": 1}, "scale must be >= 2"),
        ("fgrn", {"flow_cells": -1}, "cannot be negative"),
        ("fgrn", {"channels": 0}, "channels and flow_growth >= 1"),
        ("fgrn", {"leak": 0}, "leak must be float, not 0"),
        ("fgrn", {"leak": 1.0}, "leak 1.0 is no slope"),
        ("fgrn", {"leak": float("nan")}, "leak nan is no slope"),
        ("irn", {"scale": 3}, "must be 2, 4 or 8, not 3"),
        ("irn", {"blocks": -1}, "blocks must be >= 0"),
        ("irn", {"channels": 64}, "unknown keys \\['channels'\\]"),
        ("IRN", {}, "unknown architecture 'IRN'"),
    ],
)
def test_config_from_dict_is_strict(architecture: str, change: dict[str, Any], message: str) -> None:
    values = config_to_dict(SMALL if architecture == "fgrn" else IRNConfig(2))
    values = {key: value for key, value in {**values, **change}.items() if value is not None}
    with pytest.raises(ValueError, match=message):
        config_from_dict(architecture, values)
