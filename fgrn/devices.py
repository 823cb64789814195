"""Where networks run."""

from __future__ import annotations

import threading

import torch

# Accelerate shares its state among threads before that is complete: the second one would find no device yet.
_ACCELERATE = threading.Lock()


def default_device() -> torch.device:
    """The device that Accelerate chooses."""
    from accelerate import PartialState  # takes a second to import

    with _ACCELERATE:
        device: torch.device = PartialState().device
    return device


def usable_device(device: str | torch.device | None) -> torch.device:
    """A device, tried out; of None the one that Accelerate chooses.

    Raises:
        ValueError: if torch does not know it or cannot use it here.
    """
    if device is None:
        return default_device()
    try:
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError, NotImplementedError, ImportError, TypeError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ValueError(f"device {device} cannot be used ({reason}): choose another, such as cpu") from error
    return torch.device(device)
