"""Weights on disk: float16 safetensors beside a JSON card with config and provenance. Loading is strict.

`NAME.safetensors` holds the tensors, `NAME.json` everything else. A weight set is used only if the file is intact
(SHA-256), every tensor is there with the right shape, and nothing is left over.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

from fgrn.files import json_bytes, write_together
from fgrn.models import FGRN, IRN, Config, architecture_of, build, config_from_dict, config_to_dict

CARD_FORMAT = 1
DIGEST_LENGTH = 16  # hexadecimal digits of the SHA-256 that identify weights in an LR PNG: 64 bits
LARGEST_CONFIG_VALUE = 1024  # widths and depths beyond it are a damaged card, not a network to allocate


_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


class CheckpointError(ValueError):
    """Weights that cannot be used; the message says which, why, and what to do."""


@dataclass(frozen=True)
class Provenance:
    """Where weights come from. Everything is written by the training and evaluation scripts."""

    recipe: str
    data: tuple[str, ...] = ()  # names of the training folders
    steps: int = 0
    samples: int = 0  # HR patches seen
    minutes: float = 0.0  # wall time of the training
    device: str = ""
    metrics: dict[str, Any] = field(default_factory=dict)
    notes: str = ""


@dataclass(frozen=True)
class Card:
    """The JSON beside a weight file."""

    config: Config
    provenance: Provenance
    sha256: str

    @property
    def digest(self) -> str:
        """Short identity of the weights, written into every LR PNG."""
        return self.sha256[:DIGEST_LENGTH]

    @property
    def parameters(self) -> int:
        """Number of trained values."""
        with torch.device("meta"):
            return sum(parameter.numel() for parameter in build(self.config).parameters())


def save(net: FGRN | IRN, path: Path, provenance: Provenance) -> Card:
    """Write `net` as float16 to `path` (`*.safetensors`) and its card to `path` with `.json`, together.

    Raises:
        CheckpointError: if a weight is not finite in float16.
    """
    tensors = {name: tensor.detach().cpu().half().contiguous() for name, tensor in net.state_dict().items()}
    broken = [name for name, tensor in tensors.items() if not tensor.isfinite().all()]
    if broken:
        raise CheckpointError(f"{path.name}: {broken[0]} is not finite in float16, nothing was written")
    data = safetensors.torch.save(tensors)
    card = Card(net.config, provenance, hashlib.sha256(data).hexdigest())
    path.parent.mkdir(parents=True, exist_ok=True)
    write_together({path: data, path.with_suffix(".json"): _card_json(card)})
    return card


def _card_json(card: Card) -> bytes:
    content = {
        "format": CARD_FORMAT,
        "architecture": architecture_of(card.config),
        "config": config_to_dict(card.config),
        "sha256": card.sha256,
        "provenance": asdict(card.provenance),
    }
    return json_bytes(content)


def read_card(path: Path) -> Card:
    """Read the JSON card of a weight file.

    Raises:
        CheckpointError: if it is missing, not JSON, or has missing, unknown or ill-typed keys.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(
            f"{path.name} is missing: there are no such weights here, or they came without their card"
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path.name} cannot be read as JSON ({error})") from None
    expected = {"format", "architecture", "config", "sha256", "provenance"}
    if not isinstance(content, dict) or set(content) != expected:
        raise CheckpointError(f"{path.name} must have exactly the keys {sorted(expected)}")
    if type(content["format"]) is not int or content["format"] != CARD_FORMAT:
        raise CheckpointError(
            f"{path.name} has format {content['format']!r}, this version reads {CARD_FORMAT}"
        )
    if not isinstance(content["sha256"], str) or not isinstance(content["config"], dict):
        raise CheckpointError(f"{path.name}: sha256 must be a string and config an object")
    try:
        config = config_from_dict(str(content["architecture"]), content["config"])
        for key, value in content["config"].items():
            if type(value) is int and value > LARGEST_CONFIG_VALUE:
                raise ValueError(
                    f"{key} = {value} is beyond {LARGEST_CONFIG_VALUE}, no network of this program"
                )
        provenance = _provenance_from_dict(content["provenance"])
    except ValueError as error:
        raise CheckpointError(f"{path.name}: {error}") from None
    return Card(config, provenance, content["sha256"])


def _provenance_from_dict(values: Any) -> Provenance:
    """The inverse of `asdict(provenance)`; ValueError for a missing, unknown or ill-typed key."""
    known = {entry.name for entry in fields(Provenance)}
    if not isinstance(values, dict) or not set(values) <= known or "recipe" not in values:
        raise ValueError(f"provenance needs a recipe and only the keys {sorted(known)}")
    data = values.get("data", [])
    if not isinstance(data, list) or not all(isinstance(name, str) for name in data):
        raise ValueError("provenance: data must be a list of folder names")
    provenance = Provenance(**{**values, "data": tuple(data)})
    for key, default in asdict(Provenance("")).items():
        value = getattr(provenance, key)
        # JSON writes 12.0 minutes as 12.0, but a hand-written card may say 12
        if type(value) is not type(default) and not (type(default) is float and type(value) is int):
            raise ValueError(f"provenance: {key} must be {type(default).__name__}, not {value!r}")
    return provenance


def load(path: Path) -> tuple[FGRN | IRN, Card]:
    """Load a weight file (`*.safetensors` with its card) into a float32 network in evaluation mode, on the CPU.

    Raises:
        CheckpointError: if anything is missing, left over, of a wrong shape or damaged. Never random weights.
    """
    card = read_card(path.with_suffix(".json"))
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CheckpointError(
            f"{path.name} cannot be read ({error.strerror}): fetch or train the weights"
        ) from None
    if hashlib.sha256(data).hexdigest() != card.sha256:
        raise CheckpointError(
            f"{path.name} is damaged or not the file of its card (SHA-256 differs): fetch it again"
        )
    try:
        tensors = safetensors.torch.load(data)
    except (safetensors.SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise CheckpointError(f"{path.name} is no valid safetensors file ({error})") from None
    # Thousands of blocks take many seconds to build: not before the file can hold them.
    depth = max(value for key, value in asdict(card.config).items() if key.endswith(("blocks", "cells")))
    if depth > len(tensors):
        raise CheckpointError(
            f"{path.name}: missing tensors, the file holds {len(tensors)} and its card asks for {depth} blocks"
        )
    with torch.device("meta"):  # shapes alone: no time for random weights, no memory before the shapes agree
        net = build(card.config)
    load_tensors(net, tensors, path.name)
    return net.eval(), card


def load_tensors(net: torch.nn.Module, tensors: dict[str, torch.Tensor], name: str) -> None:
    """Copy `tensors` into `net`, strictly; `name` is for the messages.

    Raises:
        CheckpointError: for missing or unknown tensors, wrong shapes, values that are not finite.
    """
    wanted = net.state_dict()
    missing, unknown = sorted(set(wanted) - set(tensors)), sorted(set(tensors) - set(wanted))
    if missing or unknown:
        raise CheckpointError(f"{name}: missing tensors {missing[:3]}, unknown tensors {unknown[:3]}")
    for key, tensor in tensors.items():
        if tensor.shape != wanted[key].shape:
            raise CheckpointError(
                f"{name}: {key} is {tuple(tensor.shape)}, needed is {tuple(wanted[key].shape)}"
            )
        if tensor.dtype not in _FLOATS or not tensor.float().isfinite().all():
            raise CheckpointError(f"{name}: {key} ({tensor.dtype}) holds values that are not finite numbers")
    if any(tensor.is_meta for tensor in wanted.values()):
        net.to_empty(device="cpu")
    net.load_state_dict({key: tensor.float() for key, tensor in tensors.items()}, strict=True)
