"""New starts for dead channels: what is made of the patches stays, and what was dead learns again."""

from __future__ import annotations

import torch

from fgrn.layers import ResidualBlock
from fgrn.models import FGRN, FGRNConfig
from fgrn.ops import quantise
from tests.conftest import Photo
from training.losses import RescalingObjective
from training.revive import revive


def with_dead_channels() -> FGRN:
    """A net that makes something of its input, with a block that is dead and one that is half so."""
    torch.manual_seed(1)
    net = FGRN(FGRNConfig(scale=2, channels=16, down_blocks=1, up_blocks=2, flow_cells=0))
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    biases = [block.conv1.bias for block in net.modules() if isinstance(block, ResidualBlock)]
    for bias, channels in zip(biases, (0, 16, 8), strict=True):
        assert bias is not None
        bias.data.fill_(0.2)
        bias.data[:channels] = -100
    return net


def restored(net: FGRN, hr: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return net.decode(quantise(net.encode(hr)))


def test_what_the_net_makes_stays_the_same_and_nothing_is_dead_any_more(photo: Photo) -> None:
    net = with_dead_channels()
    hr = torch.from_numpy(photo(64, 64)).permute(2, 0, 1)[None].float() / 255
    before, weights = restored(net, hr), {k: v.clone() for k, v in net.state_dict().items()}
    assert revive(net, hr) == (24, 48)
    torch.testing.assert_close(restored(net, hr), before, rtol=0, atol=1e-6)
    changed = {k for k, v in net.state_dict().items() if not torch.equal(v, weights[k])}
    blocks = ("upscaler.body.0", "upscaler.body.1")
    assert changed == {f"{b}.{k}" for b in blocks for k in ("conv1.weight", "conv1.bias", "conv2.weight")}
    half = net.upscaler.body[1]
    assert isinstance(half, ResidualBlock)
    assert torch.equal(half.conv1.weight[8:], weights["upscaler.body.1.conv1.weight"][8:]), "those that lived"
    assert revive(net, hr) == (0, 48)


def test_new_channels_are_as_lively_as_the_others(photo: Photo) -> None:
    net = with_dead_channels()
    hr = torch.from_numpy(photo(64, 64)).permute(2, 0, 1)[None].float() / 255
    revive(net, hr)
    seen: list[torch.Tensor] = []
    half = net.upscaler.body[1]
    assert isinstance(half, ResidualBlock)
    half.register_forward_pre_hook(lambda block, inputs: seen.append(block.conv1(inputs[0]).detach()))
    restored(net, hr)
    positive = (seen[0] > 0).float().mean(dim=(0, 2, 3))
    assert (positive[:8] > 0.2).all() and (positive[:8] < 0.8).all()
    spread = seen[0].std(dim=(0, 2, 3))
    torch.testing.assert_close(spread[:8], spread[8:].median().expand(8), rtol=1e-3, atol=0)


def test_they_learn(photo: Photo) -> None:
    net = with_dead_channels()
    hr = torch.from_numpy(photo(64, 64)).permute(2, 0, 1)[None].float() / 255
    dead = net.upscaler.body[0]
    assert isinstance(dead, ResidualBlock)
    objective = RescalingObjective(net)
    objective(hr)[0].backward()
    assert dead.conv2.weight.grad is not None and not dead.conv2.weight.grad.any()
    net.zero_grad()
    revive(net, hr)
    objective(hr)[0].backward()
    assert dead.conv2.weight.grad.abs().amax(dim=(0, 2, 3)).min() > 0
