"""New starts for channels that are never above 0, and so neither do nor learn anything.

In a ReLU network that is trained with large steps such channels become more and more. Source: G. Sokar et al., "The
dormant neuron phenomenon in deep reinforcement learning", ICML 2023 (ReDo).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from fgrn.layers import ResidualBlock
from fgrn.models import FGRN
from fgrn.ops import quantise


@torch.no_grad()
def revive(net: FGRN, hr: Tensor) -> tuple[int, int]:
    """Begin anew with the channels inside residual blocks that are never above 0 on HR patches (B, 3, H, W).

    What the network makes of these patches stays the same: a new channel leads nowhere until it has learnt to. How many
    were revived, of how many.
    """
    blocks = [block for block in net.modules() if isinstance(block, ResidualBlock)]
    counts: list[int] = []
    handles = [
        block.register_forward_pre_hook(lambda block, inputs: counts.append(_revive(block, inputs[0])))
        for block in blocks
    ]
    try:
        net.decode(quantise(net.encode(hr)))
    finally:
        for handle in handles:
            handle.remove()
    return sum(counts), sum(block.conv1.out_channels for block in blocks)


def _revive(block: ResidualBlock, features: Tensor) -> int:
    hidden = block.conv1(features)
    dead = hidden.amax(dim=(0, 2, 3)) <= 0
    count = int(dead.sum())
    if count:
        weight, bias = block.conv1.weight, block.conv1.bias
        assert bias is not None
        fresh = nn.init.kaiming_normal_(torch.empty_like(weight[dead]))
        response = functional.conv2d(features, fresh, padding=1)
        spread, mean = torch.std_mean(response, dim=(0, 2, 3))
        alive = hidden[:, ~dead].std(dim=(0, 2, 3)).median() if count < len(dead) else spread.median()
        gain = alive / spread
        weight[dead] = fresh * gain[:, None, None, None]
        bias[dead] = -mean * gain  # above 0 about half the time
        block.conv2.weight[:, dead] = 0
    return count
