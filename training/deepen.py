"""Deeper networks from trained ones: residual blocks that do nothing yet, spread evenly among those that are there.

A block whose last convolution is zero is the identity, so what the deeper network computes is what the other did, and
training goes on from there. Source: T. Chen et al., "Net2Net", ICLR 2016, section 2.3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor

from fgrn.models import Config, IRNConfig, build

_BLOCK = re.compile(r"(downscaler|upscaler)\.body\.(\d+)\.(.+)")


def can_deepen(config: Config, other: Config) -> bool:
    """Whether both are of FGRN, `other` with as many residual blocks in G_d and in G_u or more, and alike otherwise."""
    if isinstance(config, IRNConfig) or isinstance(other, IRNConfig):
        return False
    if config.down_blocks > other.down_blocks or config.up_blocks > other.up_blocks:
        return False
    return replace(config, down_blocks=other.down_blocks, up_blocks=other.up_blocks) == other


def deepened(tensors: Mapping[str, Tensor], config: Config, other: Config) -> dict[str, Tensor]:
    """The tensors of an FGRN of `config` as those of one of `other`, which computes the same. Not in the paper.

    Raises:
        ValueError: if `other` is not the same but for more blocks.
    """
    if isinstance(config, IRNConfig) or isinstance(other, IRNConfig) or not can_deepen(config, other):
        raise ValueError(f"{config} cannot become {other} by blocks that are added")
    places = {
        "downscaler": _spread(config.down_blocks, other.down_blocks),
        "upscaler": _spread(config.up_blocks, other.up_blocks),
    }
    moved = {_moved(name, places): tensor for name, tensor in tensors.items()}
    fresh = build(other).state_dict()
    added = {name: value for name, value in fresh.items() if name not in moved}
    return moved | {name: value.zero_() if ".conv2." in name else value for name, value in added.items()}


def _spread(count: int, among: int) -> list[int]:
    """Where each of `count` blocks comes to be among `among`; with `count` 3 and `among` 6: 0, 2, 4."""
    return [index * among // count for index in range(count)]


def _moved(name: str, places: Mapping[str, list[int]]) -> str:
    match = _BLOCK.fullmatch(name)
    if not match:
        return name
    part, index, rest = match.groups()
    return f"{part}.body.{places[part][int(index)]}.{rest}"
