"""The networks that a command line asks for."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import torch

from fgrn.batch import UsageError
from fgrn.checkpoint import CheckpointError
from fgrn.inputs import RescaleError
from fgrn.methods import METHODS, OtherMethodError
from fgrn.pipeline import Rescaler, load


@dataclass
class Rescalers:
    """Rescalers for the options of a command line, each loaded once.

    `weights` are those of one method. With `others_own` the others have their own; without, they are refused.
    """

    weights: str | None
    device: torch.device
    seed: int | None = None  # for IRN
    others_own: bool = False
    _weights_used: bool = False
    _loaded: dict[tuple[str, int], Rescaler] = field(default_factory=dict)

    def get(self, method: str, scale: int) -> Rescaler:
        """The rescaler of a method.

        Raises:
            CheckpointError: if its weights cannot be used.
            RescaleError: for a scale that is not supported (an LR file may say anything).
        """
        key = (method, scale)
        if key not in self._loaded:
            try:
                self._loaded[key] = self._load(method, scale)
            except CheckpointError:
                raise
            except ValueError as error:
                raise RescaleError(str(error)) from error
        return self._loaded[key]

    def _load(self, method: str, scale: int) -> Rescaler:
        own = partial(
            load, method, scale, device=self.device, latent_seed=self.seed if method == "irn" else None
        )
        if self.weights is None or not METHODS[method].trained:
            return own()
        try:
            rescaler = own(weights=self.weights)
        except CheckpointError as error:
            if self.others_own and isinstance(error, OtherMethodError):
                return own()
            raise CheckpointError(f"--weights {self.weights}: {error}") from error
        self._weights_used = True
        return rescaler

    def check_used(self, what: str, help_text: str) -> None:
        """Refuse --weights that are those of none of the rescalers so far, which are `what`.

        Raises:
            UsageError: if there are such weights.
        """
        if self.weights is not None and not self._weights_used:
            raise UsageError(
                f"{self.weights}: these are weights of another method or scale than {what}. {help_text}"
            )
