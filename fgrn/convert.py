"""Convert the published weights of IRN: `python -m fgrn.convert IRN_x4.pth FOLDER` writes FOLDER/irn_x4.safetensors.

The published net numbers its operations: per factor of two one Haar transform, then the couplings. Its F, G and H
are our alpha (added to the low frequencies), phi (added to the others) and beta (exponent):

    operations.N.haar_weights                      fixed, checked and dropped
    operations.N.{F,G,H}.conv{1..5}.{weight,bias}  levels.L.B.{alpha,phi,beta}.convs.{0..4}.{weight,bias}
"""

from __future__ import annotations

import argparse
import io
import re
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fgrn import checkpoint
from fgrn.checkpoint import CheckpointError, Provenance
from fgrn.methods import SCALES, weights_path
from fgrn.models import IRN, IRNConfig

# Keys under which trainers nest the weights.
_WRAPPERS = ("state_dict", "params", "params_ema", "model", "net")
_KEY = re.compile(r"operations\.(\d+)\.(?:(haar_weights)|([FGH])\.conv([1-5])\.(weight|bias))")
_BRANCH = {"F": "alpha", "G": "phi", "H": "beta"}


def convert(source: Path, folder: Path) -> Path:
    """Write the weights of a published IRN file (`*.pth`) as float16 safetensors with a card; returns their path.

    Raises:
        CheckpointError: if the file cannot be read, holds anything but tensors, or is no published IRN x2 or x4.
    """
    net = net_from_published(_read(source), source.name)
    path = weights_path("irn", net.scale, folder)
    provenance = Provenance("converted", notes=f"converted from {source.name}, rounded to float16")
    checkpoint.save(net, path, provenance)
    return path


def net_from_published(tensors: dict[str, Tensor], name: str) -> IRN:
    """The IRN of a published state dict, in float32; `name` is for the messages.

    Raises:
        CheckpointError: for missing, unknown or misshapen tensors, and Haar weights that are not Haar's.
    """
    parts: dict[int, dict[tuple[str, int, str], Tensor]] = {}
    haar_positions = []
    for key, tensor in tensors.items():
        match = _KEY.fullmatch(key)
        if not match:
            raise CheckpointError(f"{name}: {key!r} is no tensor of the published IRN (its x2 or x4 network)")
        position, haar, branch, conv, kind = match.groups()
        if haar:
            _check_haar(tensor, f"{name}: {key}")
            haar_positions.append(int(position))
        else:
            parts.setdefault(int(position), {})[branch, int(conv) - 1, kind] = tensor
    config = _config_of(sorted(haar_positions), parts, name)
    ours = {}
    for position, branches in parts.items():
        level, block = divmod(position, config.blocks + 1)
        for (branch, conv_index, kind), tensor in branches.items():
            ours[f"levels.{level}.{block - 1}.{_BRANCH[branch]}.convs.{conv_index}.{kind}"] = tensor
    net = IRN(config)
    checkpoint.load_tensors(net, ours, name)
    return net.eval()


def _read(source: Path) -> dict[str, Tensor]:
    """The state dict in a `.pth` file, without wrappers and `module.` prefixes. No code of the file is run."""
    try:
        data = source.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{source.name} cannot be read ({error.strerror or error})") from None
    try:
        content: Any = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises errors of many types, depending on where the file is broken
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise CheckpointError(
            f"{source.name} is damaged, or more than a plain file of weights ({reason[0][:120]}): "
            "use the published IRN_x2.pth or IRN_x4.pth"
        ) from None
    while isinstance(content, dict) and (wrapper := next((key for key in _WRAPPERS if key in content), None)):
        content = content[wrapper]
    if not isinstance(content, dict) or not content:
        raise CheckpointError(
            f"{source.name} holds no named tensors: use the published IRN_x2.pth or IRN_x4.pth"
        )
    tensors = {}
    for key, value in content.items():
        if not isinstance(value, Tensor):
            raise CheckpointError(
                f"{source.name}: {key!r} is no tensor: use the published IRN_x2.pth or IRN_x4.pth"
            )
        tensors[str(key).removeprefix("module.")] = value
    return tensors


def _config_of(haar: list[int], parts: dict[int, dict[tuple[str, int, str], Tensor]], name: str) -> IRNConfig:
    """Scale from the number of Haar transforms, blocks from the distance between them, growth from a first bias."""
    scale, operations = 2 ** len(haar), len(haar) + len(parts)
    if scale not in SCALES:
        raise CheckpointError(f"{name} has {len(haar)} Haar transforms: IRN x2 has one and IRN x4 two")
    blocks = operations // len(haar) - 1
    expected = [level * (blocks + 1) for level in range(len(haar))]
    if haar != expected or sorted([*haar, *parts]) != list(range(len(haar) * (blocks + 1))):
        raise CheckpointError(f"{name}: operations are missing, or not as many couplings in every level")
    first_bias = parts.get(1, {}).get(("F", 0, "bias"))
    if first_bias is None or first_bias.ndim != 1 or not first_bias.numel():
        raise CheckpointError(f"{name}: operations.1.F.conv1.bias is missing or of a wrong shape")
    return IRNConfig(scale, blocks, first_bias.numel())


def _check_haar(weights: Tensor, what: str) -> None:
    """The four sign patterns of `fgrn.ops.haar`, repeated for every channel: (4 * channels, 1, 2, 2)."""
    signs = torch.tensor([[1.0, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]).view(4, 1, 2, 2)
    channels = weights.shape[0] // 4 if weights.ndim == 4 else 0
    if not torch.equal(weights.float(), signs.repeat(channels, 1, 1, 1)):
        raise CheckpointError(f"{what} are not the weights of the Haar transform: this is another network")


def main(arguments: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m fgrn.convert", description="Convert published IRN weights."
    )
    parser.add_argument("source", type=Path, help="IRN_x2.pth or IRN_x4.pth, as published")
    parser.add_argument("folder", type=Path, help="where to write irn_xSCALE.safetensors and its card")
    options = parser.parse_args(arguments)
    try:
        path = convert(options.source, options.folder)
    except CheckpointError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: {options.folder} cannot be written ({error.strerror or error})", file=sys.stderr)
        return 1
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
