"""What a run is at any moment: network, moving average, position. Checkpoints of it are written and read here."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fgrn import checkpoint
from fgrn.checkpoint import Provenance
from fgrn.files import write_atomic
from fgrn.models import Config, IRNConfig, build
from training.deepen import can_deepen, deepened
from training.recipes import Recipe
from training.schedule import Position

STATE = "state.pt"
"""In the folder of a run: everything that `--resume` needs."""

# Fields that are newer than some checkpoints, and what they were before they were there; of others nobody knows it.
ADDED = {
    "exactness": 0.0,
    "config.leak": 0.0,
    "graphics": 0.0,
    "luma_weight": 0.0,
    "chroma_weight": 0.0,
    "overshoot_weight": 0.0,
    "error": "l1",
}
_OTHERWISE = "start another run from its weights: --init, with another --out"


def has_state(run: Path) -> bool:
    """Whether the folder of a run holds what `--resume` needs."""
    return (run / STATE).exists()


def read_state(run: Path, device: torch.device) -> dict[str, Any]:
    """The content of a run's `state.pt`, with the tensors on `device`.

    Raises:
        ValueError: if it is damaged, or of an older version.
    """
    try:
        state: dict[str, Any] = torch.load(run / STATE, map_location=device, weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError) as error:
        raise ValueError(
            f"{run / STATE} is damaged or no state of a run ({type(error).__name__}). The weights beside it can be "
            "used all the same: start another run with --init, and another --out"
        ) from error
    if not {"identity", "averaged"} <= state.keys():
        raise ValueError(f"{run} was written by an older version: {_OTHERWISE}")
    return state


class RunState:
    """The state of a run and its folder. Samples and random numbers follow from the position and the recipe's seed."""

    def __init__(
        self, name: str, recipe: Recipe, out: Path, decides: Mapping[str, Any] | None = None
    ) -> None:
        """`decides` says what decides the losses beside the recipe: a run that goes on must not have it otherwise."""
        self.name, self.recipe, self.out, self.decides = name, recipe, out, dict(decides or {})
        torch.manual_seed(recipe.seed)
        self.net = build(recipe.config)
        self.averaged_net = copy.deepcopy(self.net)
        """An exponential moving average of the weights: what is validated and shipped."""
        self.position = Position()
        self.optimizer_state: dict[str, Any] | None = (
            None  # of the stage in progress, until its optimizer is made
        )
        self.origin = ""  # the weights it started from
        self.has_checkpoint = False  # of this run: a folder may hold that of an older one

    @property
    def _identity(self) -> dict[str, Any]:
        """What a run that goes on must have in common with its checkpoint: all but how long it lasts."""
        return {"name": self.name, **self.decides, **asdict(self.recipe)}

    @property
    def averaging_share(self) -> float:
        """Of the present weights in their average. Its memory grows with the run, up to the recipe's."""
        step = self.position.step
        return 1 - min(self.recipe.ema_decay, (1 + step) / (10 + step))

    @torch.no_grad()
    def update_average(self, share: float | Tensor) -> None:
        """Take a share of the present weights into their average."""
        averages: list[Tensor] = list(self.averaged_net.parameters())
        differences = list(torch._foreach_sub(list(self.net.parameters()), averages))
        torch._foreach_mul_(differences, share)
        torch._foreach_add_(averages, differences)

    def to(self, device: torch.device) -> None:
        """Move both networks to where the run takes place."""
        for net in (self.net, self.averaged_net):
            net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def start_from(self, weights: Path) -> None:
        """Begin with the weights of another run or of the repository (`--init`); its effort counts as this one's.

        FGRN, DU_none and DU_bic begin with each other's G_d and G_u; an F of another shape, or none, begins anew.
        Residual blocks that the recipe has beyond theirs do nothing at first.

        Raises:
            CheckpointError: if they are damaged, or those of another network.
        """
        source, card = checkpoint.load(weights)
        tensors = source.state_dict()
        if card.config != self.recipe.config:
            given, wanted = _without_flow(card.config), _without_flow(self.recipe.config)
            if not can_deepen(given, wanted):
                raise checkpoint.CheckpointError(
                    f"{weights.name} holds {_described(card.config, self.recipe.config)}; the recipe trains "
                    f"{_described(self.recipe.config, card.config)}"
                )
            flow, rest = _parted(tensors)
            if not _same_flow(card.config, self.recipe.config):
                flow, _ = _parted(self.net.state_dict())
            tensors = deepened(rest, given, wanted) | flow
        self.net.load_state_dict(tensors)
        self.averaged_net.load_state_dict(tensors)
        earlier = card.provenance
        self.position = Position(step=earlier.steps, samples=earlier.samples, minutes=earlier.minutes)
        self.origin = f"starts from {weights.name} ({card.digest})"

    def resume(self) -> None:
        """Go on from `state.pt` in the run's folder.

        Raises:
            ValueError: if it is damaged, or the state of another recipe, or of one that was changed otherwise.
        """
        state = read_state(self.out, torch.device("cpu"))
        now = _flat(self._identity)
        before = {key: value for key, value in ADDED.items() if key in now} | _flat(state["identity"])
        others = [
            f"{key} {before.get(key, 'none')}, not {now.get(key, 'none')}"
            for key in now | before
            if before.get(key) != now.get(key)
        ]
        if others:
            raise ValueError(
                f"{self.out} is a run with {'; '.join(others)}. Give --resume the options that it began with, or "
                f"{_OTHERWISE}"
            )
        self._load_tensors(state)
        self.position = Position(**state["position"])
        self.optimizer_state = state["optimizer_state"]
        self.origin = state["origin"]
        self.has_checkpoint = True

    def save(self, optimizer_state: dict[str, Any] | None, provenance: Provenance) -> None:
        """Write the averaged weights to ship, and the state to resume from; each atomically."""
        self.out.mkdir(parents=True, exist_ok=True)
        checkpoint.save(self.averaged_net, self.out / f"{self.name}.safetensors", provenance)
        state = {
            "identity": self._identity,
            "origin": self.origin,
            "position": asdict(self.position),
            "net": self.net.state_dict(),
            "averaged": self.averaged_net.state_dict(),
            "optimizer_state": optimizer_state,
        }
        buffer = io.BytesIO()
        torch.save(state, buffer)
        write_atomic(self.out / STATE, buffer.getvalue())

    def roll_back(self, optimizer: torch.optim.Optimizer, device: torch.device) -> bool:
        """Take the tensors of the last checkpoint, if there is one; clocks and counts go on. Whether there was."""
        self.position.roll_back()
        if not self.has_checkpoint:
            return False
        state = read_state(self.out, device)
        self._load_tensors(state)
        if state["optimizer_state"] is None:  # of a stage's end: its optimizer was another one
            optimizer.state.clear()
            for group in optimizer.param_groups:
                group.pop("step", None)  # Muon's count of its steps
        else:
            optimizer.load_state_dict(state["optimizer_state"])
        return True

    def _load_tensors(self, state: dict[str, Any]) -> None:
        self.net.load_state_dict(state["net"])
        self.averaged_net.load_state_dict(state["averaged"])


def _parted(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The tensors of F, and the others."""
    flow = {name: value for name, value in tensors.items() if name.startswith("flow.")}
    return flow, {name: value for name, value in tensors.items() if name not in flow}


def _same_flow(config: Config, other: Config) -> bool:
    """Whether the tensors of F have the same shapes, or there are none."""
    fields = ("guidance", "flow_cells", "flow_growth", "flow_rotation")
    return all(getattr(config, field) == getattr(other, field) for field in fields)


def _without_flow(config: Config) -> Config:
    """What two configs of FGRN have in common if their G_d and G_u have the same shape."""
    if isinstance(config, IRNConfig):
        return config
    return replace(config, guidance="none", flow_cells=0, flow_growth=1, flow_rotation=0)


def _described(config: Config, other: Config) -> str:
    """A network in words: of two of one kind and scale, what this one has otherwise."""
    name = f"{'IRN' if isinstance(config, IRNConfig) else 'FGRN'} x{config.scale}"
    if type(config) is not type(other) or config.scale != other.scale:
        return name
    theirs = asdict(other)
    differ = [f"{key} {value}" for key, value in asdict(config).items() if theirs[key] != value]
    return f"{name} with {', '.join(differ)}"


def _flat(values: Any, path: str = "") -> dict[str, Any]:
    """Nested dicts and lists as one dict, with keys such as "stages.0.patch"."""
    if isinstance(values, list | tuple):
        values = dict(enumerate(values))
    if not isinstance(values, dict):
        return {path: values}
    parts = (_flat(value, f"{path}.{key}" if path else f"{key}") for key, value in values.items())
    return {key: value for part in parts for key, value in part.items()}
