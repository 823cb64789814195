"""Results of several evaluations in one file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fgrn.methods import restored_by

Json = dict[str, Any]

PARTS = {"environment", "scale", "limit", "weights", "datasets", "skipped"}
"""What a file of results consists of."""


def read(path: Path | None, scale: int, limit: int | None) -> Json | None:
    """The results that an evaluation is to be merged into, if there are any yet.

    Raises:
        ValueError: if they cannot be merged: better known before hours of measuring.
    """
    if path is None or not path.exists():
        return None
    try:
        kept: Json = json.loads(path.read_bytes())
        if not PARTS <= kept.keys():
            raise KeyError
        merge(kept, kept)
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"{path} holds no results of training.evaluate: choose another file") from error
    merge(kept, {**kept, "scale": scale, "limit": limit})
    return kept


def outdated(kept: Json, new: Json) -> list[str]:
    """The sets and methods, "Set5, fgrn", whose figures `merge` leaves out."""
    methods = _outdated_methods(kept, new)
    return [
        f"{dataset}, {name}"
        for dataset, measured in kept["datasets"].items()
        for name in measured
        if name in methods and name not in new["datasets"].get(dataset, {})
    ]


def _outdated_methods(kept: Json, new: Json) -> set[str]:
    return {
        name
        for name, card in kept["weights"].items()
        for other, measured in new["weights"].items()
        if restored_by(name) == restored_by(other) and card["sha256"] != measured["sha256"]
    }


def merge(kept: Json, new: Json) -> Json:
    """What `training.evaluate` has just measured, together with what its file already held.

    Figures of a set and method that were not measured again stay, unless the method, or one with the same networks, has
    other weights now.

    Raises:
        ValueError: if the two are not of one scale and of as many images.
    """
    for key in ("scale", "limit"):
        if kept[key] != new[key]:
            raise ValueError(
                f"the file has {key} {kept[key]}, this evaluation {new[key]}: choose another file"
            )
    gone = _outdated_methods(kept, new)
    # Each keeps the environment that it was measured in: what is outside of the entries is that of the last evaluation.
    datasets = {
        dataset: {
            name: {"environment": kept["environment"], **entry}
            for name, entry in methods.items()
            if name not in gone
        }
        for dataset, methods in kept["datasets"].items()
    }
    for dataset, methods in new["datasets"].items():
        datasets[dataset] = datasets.get(dataset, {}) | methods
    return {
        **new,
        "weights": {name: card for name, card in kept["weights"].items() if name not in gone}
        | new["weights"],
        "datasets": {dataset: methods for dataset, methods in datasets.items() if methods},
        "skipped": kept["skipped"] | new["skipped"],
    }
