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


def computes_in_bf16(device: torch.device) -> bool:
    """Whether bf16 saves time on a device. A gradient need not be exact: what it leads to is measured in float32."""
    if device.type == "cpu":
        capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()  # not in every torch
        return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
