"""IRN restated from its published description, as plainly as possible, to compare `fgrn.models.IRN` with.

Names of the parameters follow the published weight files: `operations.N.haar_weights`, and
`operations.N.{F,G,H}.conv{1..5}.{weight,bias}`. Nothing here uses code of the package. If the environment variable
IRN_REPO names a checkout of the published code, `published_code` gives its network.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional


def haar_filters(channels: int) -> Tensor:
    """(4 * channels, 1, 2, 2): for every channel the sum, and the differences along x, along y and along both."""
    total, difference = torch.tensor([1.0, 1.0]), torch.tensor([1.0, -1.0])
    pairs = [(total, total), (total, difference), (difference, total), (difference, difference)]
    filters = torch.stack([torch.outer(vertical, horizontal) for vertical, horizontal in pairs])
    return filters[:, None].repeat(channels, 1, 1, 1)


class HaarLevel(nn.Module):
    """Grouped convolution with stride 2, divided by 4; then all means first, then all differences of one kind."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.haar_weights = nn.Parameter(haar_filters(channels), requires_grad=False)

    def down(self, image: Tensor) -> Tensor:
        bands = functional.conv2d(image, self.haar_weights, stride=2, groups=self.channels) / 4
        result: Tensor = bands.unflatten(1, (self.channels, 4)).transpose(1, 2).flatten(1, 2)
        return result

    def up(self, bands: Tensor) -> Tensor:
        grouped = bands.unflatten(1, (4, self.channels)).transpose(1, 2).flatten(1, 2)
        return functional.conv_transpose2d(grouped, self.haar_weights, stride=2, groups=self.channels)


class Dense(nn.Module):
    """Five convolutions; each sees the input and all results before it."""

    def __init__(self, channels_in: int, channels_out: int, growth: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, growth, 3, padding=1)
        self.conv2 = nn.Conv2d(channels_in + growth, growth, 3, padding=1)
        self.conv3 = nn.Conv2d(channels_in + 2 * growth, growth, 3, padding=1)
        self.conv4 = nn.Conv2d(channels_in + 3 * growth, growth, 3, padding=1)
        self.conv5 = nn.Conv2d(channels_in + 4 * growth, channels_out, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        seen = [image]
        for conv in (self.conv1, self.conv2, self.conv3, self.conv4):
            seen.append(functional.leaky_relu(conv(torch.cat(seen, 1)), 0.2))
        result: Tensor = self.conv5(torch.cat(seen, 1))
        return result


class CouplingBlock(nn.Module):
    """y1 = x1 + F(x2); s = clamp (2 sigmoid(H(y1)) - 1); y2 = x2 exp(s) + G(y1)."""

    def __init__(self, channels: int, channels1: int, growth: int, clamp: float = 1.0) -> None:
        super().__init__()
        self.sizes = [channels1, channels - channels1]
        self.clamp = clamp
        self.F = Dense(channels - channels1, channels1, growth)
        self.G = Dense(channels1, channels - channels1, growth)
        self.H = Dense(channels1, channels - channels1, growth)

    def down(self, image: Tensor) -> Tensor:
        x1, x2 = image.split(self.sizes, 1)
        y1 = x1 + self.F(x2)
        s = self.clamp * (2 * torch.sigmoid(self.H(y1)) - 1)
        return torch.cat([y1, x2 * torch.exp(s) + self.G(y1)], 1)

    def up(self, image: Tensor) -> Tensor:
        y1, y2 = image.split(self.sizes, 1)
        s = self.clamp * (2 * torch.sigmoid(self.H(y1)) - 1)
        x2 = (y2 - self.G(y1)) / torch.exp(s)
        return torch.cat([y1 - self.F(x2), x2], 1)


class PublishedIRN(nn.Module):
    """Per factor of two: one Haar level, then `blocks` couplings that split off the first three channels."""

    def __init__(self, scale: int, blocks: int = 8, growth: int = 32) -> None:
        super().__init__()
        self.operations = nn.ModuleList()
        channels = 3
        while scale > 1:
            self.operations.append(HaarLevel(channels))
            channels, scale = channels * 4, scale // 2
            for _ in range(blocks):
                self.operations.append(CouplingBlock(channels, 3, growth))

    def down(self, hr: Tensor) -> Tensor:
        """HR -> LR (first three channels) and z (the others)."""
        for operation in self.operations:
            assert isinstance(operation, HaarLevel | CouplingBlock)
            hr = operation.down(hr)
        return hr

    def up(self, lr_and_z: Tensor) -> Tensor:
        """The inverse of `down`."""
        for operation in list(self.operations)[::-1]:
            assert isinstance(operation, HaarLevel | CouplingBlock)
            lr_and_z = operation.up(lr_and_z)
        return lr_and_z


def published_code(scale: int, blocks: int = 8) -> nn.Module | None:
    """The network of the published code, or None without a checkout of it: `net(hr)` and `net(lr_and_z, rev=True)`."""
    checkout = os.environ.get("IRN_REPO")
    if not checkout:
        return None
    folder = str(Path(checkout) / "codes")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    subnet = importlib.import_module("models.modules.Subnet_constructor").subnet
    make = importlib.import_module("models.modules.Inv_arch").InvRescaleNet
    levels = scale.bit_length() - 1
    net: nn.Module = make(3, 3, subnet("DBNet", "xavier"), [blocks] * levels, levels)
    return net.eval()


def randomised(net: PublishedIRN, seed: int = 0, size: float = 0.05) -> PublishedIRN:
    """The net with random weights, the Haar filters left alone."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in net.named_parameters():
        if "haar" not in name:
            parameter.data = size * torch.randn(parameter.shape, generator=generator)
    return net


def as_ours(published: dict[str, Tensor], blocks: int) -> dict[str, Tensor]:
    """Published weights under the names of `fgrn.models.IRN`: one level is one Haar transform and its couplings."""
    branches = {"F": "alpha", "G": "phi", "H": "beta"}
    ours = {}
    for key, tensor in published.items():
        if "haar" in key:
            continue
        _, position, branch, conv, kind = key.split(".")
        level, block = divmod(int(position), blocks + 1)
        ours[f"levels.{level}.{block - 1}.{branches[branch]}.convs.{int(conv[4:]) - 1}.{kind}"] = tensor
    return ours
