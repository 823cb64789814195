"""Results of several evaluations in one file: what is new replaces, what was not measured again stays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from training.results import merge, outdated, read


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


def entry(value: int, date: str | None = None) -> dict[str, Any]:
    """Figures of a method on a set; of an older evaluation, if there is a date."""
    return {"mean": value} | ({"environment": {"date": date}} if date else {})


OLD = results(
    {"Set5": {"bicubic": entry(1), "irn": entry(2), "fgrn": entry(3, "c")}, "Set14": {"irn": entry(4)}},
    {"irn": "a", "fgrn": "b"},
)
NEW = {"environment": {"date": "e"}}


def test_figures_that_are_dropped_are_named() -> None:
    assert outdated(OLD, results({"BSD100": {"fgrn": entry(5)}}, {"fgrn": "b"})) == []
    new = results({"Set5": {"irn": entry(5)}}, {"irn": "z"})
    assert outdated(OLD, new) == ["Set14, irn"], "that of Set5 is replaced"
    assert "irn" not in merge(OLD, new)["datasets"].get("Set14", {})


def test_another_set_joins_the_others() -> None:
    merged = merge(OLD, results({"BSD100": {"fgrn": entry(5)}}, {"fgrn": "b"}, **NEW))
    assert merged["datasets"] == {
        "Set5": {"bicubic": entry(1, "d"), "irn": entry(2, "d"), "fgrn": entry(3, "c")},
        "Set14": {"irn": entry(4, "d")},
        "BSD100": {"fgrn": entry(5)},
    }
    assert merged["weights"] == OLD["weights"] and set(merged["skipped"]) == {"Set5", "Set14", "BSD100"}
    assert merged["environment"] == {"date": "e"}


def test_new_figures_replace_old_ones() -> None:
    merged = merge(OLD, results({"Set5": {"irn": entry(6)}}, {"irn": "a"}, **NEW))
    expected = {"bicubic": entry(1, "d"), "irn": entry(6), "fgrn": entry(3, "c")}
    assert merged["datasets"] == {"Set5": expected, "Set14": {"irn": entry(4, "d")}}


def test_figures_of_other_weights_go() -> None:
    merged = merge(OLD, results({"Set5": {"irn": entry(6)}}, {"irn": "new"}, **NEW))
    expected = {"bicubic": entry(1, "d"), "irn": entry(6), "fgrn": entry(3, "c")}
    assert merged["datasets"] == {"Set5": expected}
    assert merged["weights"]["irn"] == {"sha256": "new"}


def test_figures_of_another_method_with_the_networks_that_are_new_go_too() -> None:
    old = results({"Set5": {"fgrn": entry(1), "fgrn_refined": entry(2)}}, {"fgrn": "a", "fgrn_refined": "a"})
    merged = merge(old, results({"Set5": {"fgrn": entry(3)}}, {"fgrn": "new"}, **NEW))
    assert merged["datasets"] == {"Set5": {"fgrn": entry(3)}}
    assert merged["weights"] == {"fgrn": {"sha256": "new"}}
    same = merge(old, results({"Set5": {"fgrn": entry(3)}}, {"fgrn": "a"}, **NEW))
    assert same["datasets"]["Set5"]["fgrn_refined"] == entry(2, "d") and set(same["weights"]) == set(
        old["weights"]
    )


@pytest.mark.parametrize(
    "content",
    [
        *("", "[]", "{}", "{", '{"scale": 4, "limit": null}'),
        json.dumps(OLD | {"weights": []}),
        json.dumps(OLD | {"datasets": None}),
        json.dumps(OLD | {"datasets": {"Set5": []}}),
        json.dumps(OLD | {"datasets": {"Set5": {"fgrn": []}}}),
        json.dumps(OLD | {"weights": {"fgrn": {}}}),
    ],
)
def test_a_file_of_something_else_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    assert read(path, 4, None) is None
    path.write_text(content)
    with pytest.raises(ValueError, match="holds no results of training.evaluate"):
        read(path, 4, None)
    path.write_text(json.dumps(OLD))
    assert read(path, 4, None) == OLD


@pytest.mark.parametrize("change", [{"scale": 2}, {"limit": 3}])
def test_what_cannot_be_compared_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="choose another file"):
        merge(OLD, results({}, {}, **change))
