"""Results of several evaluations in one file: what is new replaces, what was not measured again stays."""

from __future__ import annotations

from typing import Any

import pytest

from training.results import merge


def results(datasets: dict[str, Any], weights: dict[str, str], **changes: Any) -> dict[str, Any]:
    cards = {name: {"sha256": digest} for name, digest in weights.items()}
    content = {
        "environment": {"date": "d"},
        "scale": 4,
        "limit": None,
        "weights": cards,
        "datasets": datasets,
    }
    return {**content, "skipped": {name: {} for name in datasets}, **changes}


OLD = results({"Set5": {"bicubic": 1, "irn": 2, "fgrn": 3}, "Set14": {"irn": 4}}, {"irn": "a", "fgrn": "b"})


def test_another_set_joins_the_others() -> None:
    merged = merge(OLD, results({"BSD100": {"fgrn": 5}}, {"fgrn": "b"}))
    assert merged["datasets"] == OLD["datasets"] | {"BSD100": {"fgrn": 5}}
    assert merged["weights"] == OLD["weights"] and set(merged["skipped"]) == {"Set5", "Set14", "BSD100"}


def test_new_figures_replace_old_ones() -> None:
    merged = merge(OLD, results({"Set5": {"irn": 6}}, {"irn": "a"}))
    assert merged["datasets"] == {"Set5": {"bicubic": 1, "irn": 6, "fgrn": 3}, "Set14": {"irn": 4}}


def test_figures_of_other_weights_go() -> None:
    merged = merge(OLD, results({"Set5": {"irn": 6}}, {"irn": "new"}))
    assert merged["datasets"] == {"Set5": {"bicubic": 1, "irn": 6, "fgrn": 3}}
    assert merged["weights"]["irn"] == {"sha256": "new"}


@pytest.mark.parametrize("change", [{"scale": 2}, {"limit": 3}])
def test_what_cannot_be_compared_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="choose another file"):
        merge(OLD, results({}, {}, **change))
