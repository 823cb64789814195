"""The list of packages: complete, nothing of the tests' own, and honest about what nobody could tell."""

from __future__ import annotations

import json
import subprocess
from importlib.metadata import distribution
from types import SimpleNamespace
from typing import Any

import pytest

from tests.benchmarks.dependencies import audit, licence, needed


def test_what_requirements_bring_is_listed_and_nothing_else() -> None:
    found = needed()
    assert {"torch", "gradio", "pillow", "pyiqa"} <= set(found), "direct"
    assert {"starlette", "fsspec", "pydantic-core"} <= set(found), "brought by others"
    assert not {"mypy", "hypothesis", "playwright"} & set(found), "of the tests"
    assert all(package.version for package in found.values())
    assert licence(found["pyiqa"]).startswith("PolyForm-Noncommercial")
    assert licence(distribution("numpy")).startswith("BSD-3-Clause")


def answering(monkeypatch: pytest.MonkeyPatch, answer: Any) -> None:
    def run(*_: Any, **__: Any) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return SimpleNamespace(stdout=answer if isinstance(answer, str) else json.dumps(answer))

    monkeypatch.setattr("tests.benchmarks.dependencies.subprocess.run", run)


def test_audit_tells_known_unknown_and_foreign_packages_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    vulnerable = {"name": "Pillow", "version": "1.0", "vulns": [{"id": "CVE-1"}]}
    answers = [
        vulnerable,
        {"name": "numpy", "version": "2.4", "vulns": []},
        {"name": "torch", "skip_reason": "not found: torch (2.11)"},
        {"name": "pip", "version": "1", "vulns": [{"id": "CVE-2"}]},
    ]
    answering(monkeypatch, {"dependencies": answers})
    assert audit({"pillow", "numpy", "torch"}) == ([vulnerable], 2, "not found")


def test_audit_that_knows_no_package_did_not_reach_its_data(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, {"dependencies": [{"name": "torch", "skip_reason": "not found: torch (2.11)"}]})
    assert audit({"torch"}) == ([], 0, "pip-audit could not reach its data")


@pytest.mark.parametrize("answer", ["", "{}", subprocess.TimeoutExpired("pip_audit", 1)])
def test_audit_without_an_answer_is_no_clean_bill(monkeypatch: pytest.MonkeyPatch, answer: Any) -> None:
    answering(monkeypatch, answer)
    found, told, reason = audit({"pillow"})
    assert found == [] and told == 0 and "cannot be reached" in reason
