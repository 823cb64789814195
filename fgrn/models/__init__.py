"""Networks by architecture name, built from plain dictionaries with every key checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from fgrn.models.base import RescalingNet
from fgrn.models.bicubic import Bicubic
from fgrn.models.fgrn import FGRN, FGRNConfig
from fgrn.models.irn import IRN, IRNConfig

__all__ = [
    "FGRN",
    "IRN",
    "Bicubic",
    "Config",
    "FGRNConfig",
    "IRNConfig",
    "RescalingNet",
    "architecture_of",
    "build",
]

Config = FGRNConfig | IRNConfig

_CONFIGS: dict[str, type[FGRNConfig] | type[IRNConfig]] = {"fgrn": FGRNConfig, "irn": IRNConfig}

_TYPES: dict[str, type] = {"int": int, "float": float, "Guidance": str}  # of what configs hold


def build(config: Config) -> FGRN | IRN:
    """The network of a config, freshly initialised."""
    return FGRN(config) if isinstance(config, FGRNConfig) else IRN(config)


def architecture_of(config: Config) -> str:
    """The name under which a config is stored: "fgrn" or "irn"."""
    return next(name for name, kind in _CONFIGS.items() if isinstance(config, kind))


def config_to_dict(config: Config) -> dict[str, Any]:
    """Plain values of a config, for JSON."""
    return asdict(config)


def config_from_dict(architecture: str, values: Mapping[str, Any]) -> Config:
    """The inverse of `config_to_dict`.

    Raises:
        ValueError: for an unknown architecture, and for a missing, unknown or ill-typed key.
    """
    if architecture not in _CONFIGS:
        raise ValueError(f"unknown architecture {architecture!r}; known are {', '.join(_CONFIGS)}")
    kind = _CONFIGS[architecture]
    types = {field.name: _TYPES[str(field.type)] for field in fields(kind)}
    if set(values) != set(types):
        missing, unknown = sorted(set(types) - set(values)), sorted(set(values) - set(types))
        raise ValueError(f"config of {architecture}: missing keys {missing}, unknown keys {unknown}")
    for name, value in values.items():
        if type(value) is not types[name]:
            raise ValueError(
                f"config of {architecture}: {name} must be {types[name].__name__}, not {value!r}"
            )
    return kind(**values)
