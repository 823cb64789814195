"""The methods that can be compared, and where their weights are."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from fgrn import checkpoint
from fgrn.checkpoint import Card, CheckpointError
from fgrn.files import ASSETS
from fgrn.hub import locate
from fgrn.models import Bicubic, Config, FGRNConfig, IRNConfig, RescalingNet

REFINING_STEPS = 20  # twice as many bring little: tests/benchmarks/refining.py
WEIGHTS = ASSETS / "weights"
SCALES = (2, 4)


class OtherMethodError(CheckpointError):
    """Weights are those of another method, or of another scale, than the one they are wanted for."""


@dataclass(frozen=True)
class Method:
    """A row of the comparison."""

    name: str
    label: str
    summary: str
    trained: bool = True
    slow: bool = False  # on a CPU it takes many times as long as the others: they go first
    refines: str = ""  # the method whose x it refines, with the weights of that one

    @property
    def restored_by(self) -> str:
        """The method that its LR files name, and its weights: itself, but for those that refine another's x."""
        return self.refines or self.name

    @property
    def has_flow(self) -> bool:
        """Whether its LR picture is made of x by a flow; for all others x is the LR picture."""
        return self.restored_by == "fgrn"

    def matches(self, config: Config) -> bool:
        """Whether weights of `config` are weights of this method."""
        if isinstance(config, IRNConfig):
            return self.restored_by == "irn"
        return self.restored_by == _METHOD_OF_GUIDANCE[config.guidance]


_METHOD_OF_GUIDANCE = {"flow": "fgrn", "bicubic": "du_bic", "none": "du_none"}

METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("bicubic", "Bicubic", "fixed antialiased bicubic down, bicubic up", trained=False),
        Method("irn", "IRN", "one invertible network, down and up (z = 0)", slow=True),
        Method("fgrn", "FGRN", "free encoder and decoder, LR image by invertible flow guidance"),
        Method(
            "fgrn_refined",
            "FGRN refined",
            f"FGRN, its x fitted to the picture in {REFINING_STEPS} gradient steps; restored as any FGRN",
            slow=True,
            refines="fgrn",
        ),
        Method(
            "du_none", "DU_none", "FGRN's encoder and decoder without any guidance: x itself is the LR image"
        ),
        Method("du_bic", "DU_bic", "FGRN's encoder and decoder, x held to the bicubic image by a loss"),
    )
}


RESTORING = tuple(name for name, method in METHODS.items() if not method.refines)
"""The methods that LR files name: those with weights, or none, of their own."""


def restored_by(method: str) -> str:
    """The method that the LR files of a method name; a method that is not known names itself."""
    return METHODS[method].restored_by if method in METHODS else method


def label(method: str) -> str:
    """What a method is called; of one that is not known, what a file calls it."""
    return METHODS[method].label if method in METHODS else repr(method)


def weights_folder() -> Path:
    """The folder of the weights: `WEIGHTS`, unless the environment variable FGRN_WEIGHTS names another one."""
    return Path(os.environ.get("FGRN_WEIGHTS") or WEIGHTS)


def weights_path(method: str, scale: int, folder: Path | None = None) -> Path:
    """Where the weights of a method lie: METHOD_xSCALE.safetensors in `folder`, by default `weights_folder()`."""
    name = f"{METHODS[method].restored_by}_x{scale}.safetensors"
    return (weights_folder() if folder is None else folder) / name


def load_net(method: str, scale: int, weights: str | Path | None = None) -> tuple[RescalingNet, Card | None]:
    """The network of a method on the CPU, with the card of its weights (None for bicubic).

    `weights` is a file or a Hub reference (see `hub.locate`), by default the repository's own file.

    Raises:
        ValueError: for an unknown method or scale, and for `weights` of a method that has none.
        CheckpointError: if weights are missing, damaged, or those of another method or scale.
    """
    if method not in METHODS:
        raise ValueError(f"unknown method {method!r}; choose one of {', '.join(METHODS)}")
    if type(scale) is not int or scale not in SCALES:  # 4.0 is equal to 4, but no LR file may say it
        raise ValueError(f"scale {scale!r} is not supported; choose one of {', '.join(map(str, SCALES))}")
    if not METHODS[method].trained:
        if weights is not None:
            raise ValueError(
                f"{METHODS[method].label} has no weights, so that {weights} cannot be used with it"
            )
        return Bicubic(scale).eval(), None
    path = weights_path(method, scale)
    if weights is not None:
        path = locate(weights, path.name)
    elif reason := _only_elsewhere(method, scale):
        raise CheckpointError(reason)
    net, card = checkpoint.load(path)
    if not METHODS[method].matches(card.config) or card.config.scale != scale:
        raise OtherMethodError(
            f"{path.name} holds {_describe(card.config)}, not {METHODS[method].label} x{scale}: "
            "choose the method and scale it was trained for"
        )
    return net, card


def load_card(method: str, scale: int, weights: Path | None = None) -> Card | None:
    """The card of a method's weights, None for bicubic, which has none.

    Raises:
        CheckpointError: if it is missing or damaged.
    """
    if not METHODS[method].trained:
        return None
    return checkpoint.read_card((weights or weights_path(method, scale)).with_suffix(".json"))


def cards(scale: int) -> dict[str, Card | None]:
    """The card of every method that can be used at a scale, as far as cards tell; None for bicubic."""
    return {method: load_card(method, scale) for method in METHODS if not unavailable(method, scale)}


def _only_elsewhere(method: str, scale: int) -> str:
    """That a method has weights, but for other scales alone; "" if not."""
    here, others = weights_path(method, scale), [s for s in SCALES if weights_path(method, s).exists()]
    if not others or here.exists() or here.with_suffix(".json").exists():
        return ""
    known = " and ".join(f"x{other}" for other in others)
    return f"{METHODS[method].label} has weights for {known} only: choose {known}"


def _owner(method: str) -> str:
    return METHODS[METHODS[method].restored_by].label


def _describe(config: Config) -> str:
    name = _METHOD_OF_GUIDANCE[config.guidance] if isinstance(config, FGRNConfig) else "irn"
    return f"{METHODS[name].label} x{config.scale}"


def unavailable(method: str, scale: int) -> str:
    """Why a method cannot be used: "" if it can. Reads the card only, not the weights."""
    if not METHODS[method].trained:
        return ""
    if reason := _only_elsewhere(method, scale):
        return reason
    path = weights_path(method, scale)
    try:
        config = checkpoint.read_card(path.with_suffix(".json")).config
    except CheckpointError as error:
        return str(error)
    if not METHODS[method].matches(config) or config.scale != scale:
        return (
            f"{path.name} holds {_describe(config)}: fetch or train the weights of {_owner(method)} x{scale}"
        )
    return "" if path.exists() else f"{path.name} is missing: fetch or train the weights"
