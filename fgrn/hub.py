"""Weights from a file or from the Hugging Face Hub."""

from __future__ import annotations

import re
from pathlib import Path

from fgrn.checkpoint import CheckpointError
from fgrn.methods import weights_path

_REFERENCE = re.compile(r"[\w.-]+/[\w.-]+@[\w.-]+")


def locate(weights: str | Path, method: str, scale: int) -> Path:
    """A local path for `weights`: a `*.safetensors` file, or `org/name@revision` on the Hub.

    From the Hub, METHOD_xSCALE.safetensors and its card are fetched into the Hub's cache. The revision is required:
    a branch that moves would silently change what a LR PNG restores to.

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
    name = weights_path(method, scale, Path()).name
    try:
        hf_hub_download(repository, name.replace(".safetensors", ".json"), revision=revision)
        return Path(hf_hub_download(repository, name, revision=revision))
    except Exception as error:  # of the HTTP client too, which differs between versions of the Hub's library
        raise CheckpointError(
            f"{name} of {text} cannot be fetched ({type(error).__name__}): check the name, the revision and the network"
        ) from error
