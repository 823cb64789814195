"""Weights from a file or from the Hugging Face Hub."""

from __future__ import annotations

import re
from pathlib import Path

from fgrn.checkpoint import CheckpointError

_REFERENCE = re.compile(r"[\w.-]+/[\w.-]+@[\w./-]+")


def locate(weights: str | Path, name: str) -> Path:
    """A local path for `weights`: a `*.safetensors` file, or `org/name@revision` on the Hub.

    From the Hub, the file `name` (METHOD_xSCALE.safetensors) and its card are fetched into the Hub's cache. A revision
    is required, best a commit: with a branch that moves, an LR PNG made today may be refused tomorrow.

    Raises:
        CheckpointError: if the reference has neither form, or the files cannot be fetched.
    """
    text = str(weights)
    if text.endswith(".safetensors"):
        return Path(weights)
    if not _REFERENCE.fullmatch(text):
        raise CheckpointError(
            f"{text!r} names no weights: give a *.safetensors file, or org/name@revision of a Hub repository"
        )
    from huggingface_hub import hf_hub_download

    repository, revision = text.split("@")
    try:
        hf_hub_download(repository, name.replace(".safetensors", ".json"), revision=revision)
        return Path(hf_hub_download(repository, name, revision=revision))
    except Exception as error:  # of the HTTP client too, which differs between versions of the Hub's library
        raise CheckpointError(
            f"{name} of {text} cannot be fetched ({type(error).__name__}): check the name, the revision and the network"
        ) from error
