"""Deeper networks from trained ones: they compute the same, and what is added learns."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from fgrn.layers import ResidualBlock
from fgrn.models import FGRN, Config, FGRNConfig, IRNConfig
from tests.test_losses import with_random_weights
from training.deepen import can_deepen, deepened
from training.losses import RescalingObjective

CONFIG = FGRNConfig(2, channels=4, down_blocks=2, up_blocks=3, flow_cells=1, flow_growth=2, leak=0.1)


def blocks(part: nn.Module) -> list[ResidualBlock]:
    return [module for module in part.modules() if isinstance(module, ResidualBlock)]


@pytest.mark.parametrize(("down", "up"), [(2, 3), (3, 3), (2, 7), (5, 4)])
def test_a_deeper_network_computes_the_same(down: int, up: int) -> None:
    net = with_random_weights(FGRN(CONFIG), size=0.3).double()
    other = replace(CONFIG, down_blocks=down, up_blocks=up)
    deeper = FGRN(other).double()
    deeper.load_state_dict(deepened(net.state_dict(), CONFIG, other))
    hr = torch.rand(2, 3, 12, 10, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    x = net.encode(hr)
    assert torch.equal(deeper.encode(hr), x)
    assert torch.equal(deeper.to_lr(x), net.to_lr(x))
    assert torch.equal(deeper.decode(x), net.decode(x))


def test_added_blocks_are_spread_and_learn() -> None:
    other = replace(CONFIG, down_blocks=4, up_blocks=9)
    net = with_random_weights(FGRN(CONFIG), size=0.2)
    deeper = FGRN(other)
    deeper.load_state_dict(deepened(net.state_dict(), CONFIG, other))
    added = [k for k, block in enumerate(blocks(deeper.upscaler)) if not block.conv2.weight.any()]
    assert added == [1, 2, 4, 5, 7, 8]
    loss, _ = RescalingObjective(deeper)(torch.rand(1, 3, 16, 16))
    loss.backward()
    for part in (deeper.downscaler, deeper.upscaler):
        for block in blocks(part):
            assert block.conv2.weight.grad is not None and block.conv2.weight.grad.any()


@pytest.mark.parametrize(
    "other",
    [replace(CONFIG, up_blocks=2), replace(CONFIG, down_blocks=3, channels=5), IRNConfig(2)],
    ids=["fewer blocks", "wider", "IRN"],
)
def test_other_shapes_are_refused(other: Config) -> None:
    assert not can_deepen(CONFIG, other)
    with pytest.raises(ValueError, match="cannot become"):
        deepened(FGRN(CONFIG).state_dict(), CONFIG, other)
