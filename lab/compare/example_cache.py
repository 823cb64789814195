"""Finished runs of the examples on disk, so that a restarted server shows them at once.

A run is kept in one folder: its PNGs, and `run.json` written last. It is used again only for the same key, which is a
digest of everything that a run depends on: the picture, the weights, the program, the versions under it, and what it
runs on, which decides its seconds.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch

from fgrn.files import write_atomic
from fgrn.record import Input, versions
from fgrn.scores import Score
from lab.compare.snapshot import Files, Outcome, Run, State
from lab.files import Store

ROOT = Path(__file__).resolve().parents[2]
INDEX = "run.json"


def default_folder() -> Path | None:
    """FGRN_CACHE, or fgrn-lab in the user's folder for caches; None for one who has none, as in some containers."""
    if chosen := os.environ.get("FGRN_CACHE"):
        return Path(chosen)
    if caches := os.environ.get("XDG_CACHE_HOME"):
        return Path(caches) / "fgrn-lab"
    try:
        return Path.home() / ".cache" / "fgrn-lab"
    except RuntimeError:
        return None


def make_key(picture: Path, scale: int, digests: Mapping[str, str]) -> str:
    """Hex digest of what decides a run: `digests` are those of the weights, by method."""
    request = json.dumps([scale, dict(digests), versions(), _hardware(), _program()])
    return hashlib.sha256(request.encode() + picture.read_bytes()).hexdigest()


def _hardware() -> list[object]:
    """In short, since the page waits for it: nothing here starts a GPU."""
    return [platform.machine(), os.cpu_count(), torch.cuda.device_count()]


@cache
def _program() -> str:
    """Digest of the code that computes and measures a run."""
    files = [*sorted((ROOT / "fgrn").rglob("*.py")), *sorted((ROOT / "lab").rglob("*.py"))]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def save(folder: Path, key: str, run: Run) -> None:
    """Keep a finished run in `folder`, in place of what is there.

    Raises:
        OSError: if it cannot be written.
    """
    shutil.rmtree(folder, ignore_errors=True)
    store = Store(folder)
    outcomes = tuple(
        replace(
            outcome, files=Files(**{kind: _copy(path, store) for kind, path in asdict(outcome.files).items()})
        )
        for outcome in run.outcomes
        if outcome.files
    )
    hr, record, pictures = (_copy(path, store) for path in (run.hr, run.record, run.pictures))
    kept = asdict(replace(run, hr=hr, outcomes=outcomes, record=record, pictures=pictures))
    text = json.dumps({"key": key, "run": kept}, default=lambda state: state.value)
    write_atomic(folder / INDEX, text.encode())


def load(folder: Path, key: str, store: Store) -> Run | None:
    """The run that `save` kept under this key, its PNGs copied into `store`; None if there is no whole one."""
    try:
        kept = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        return _run(kept["run"], store) if kept["key"] == key else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _copy(path: str, store: Store) -> str:
    return store.save(Path(path).read_bytes(), Path(path).name) if path else ""


def _run(kept: dict[str, Any], store: Store) -> Run:
    def outcome(fields: dict[str, Any]) -> Outcome:
        return Outcome(
            **fields
            | {
                "state": State(fields["state"]),
                "files": Files(**{kind: _copy(path, store) for kind, path in fields["files"].items()}),
                "scores": {name: Score(**score) for name, score in fields["scores"].items()},
            }
        )

    return Run(
        **kept
        | {
            "size": tuple(kept["size"]),
            "hr": _copy(kept["hr"], store),
            "notices": tuple(kept["notices"]),
            "outcomes": tuple(map(outcome, kept["outcomes"])),
            "source": Input(**kept["source"]),
            "record": _copy(kept["record"], store),
            "pictures": _copy(kept["pictures"], store),
        }
    )
