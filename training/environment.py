"""What a training or a measurement ran on, for cards and results."""

from __future__ import annotations

import platform
from datetime import UTC, datetime

import torch


def device_name(device: torch.device, processes: int) -> str:
    """What a card says of the hardware: the GPU's name, or the number of CPU threads; for several processes of each."""
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
    else:
        threads = torch.get_num_threads()
        name = f"{platform.machine()} CPU, {threads} thread{'s' if threads > 1 else ''}"
    return name if processes == 1 else f"{processes} x {name}"


def environment(device: torch.device, processes: int) -> dict[str, str]:
    """What the figures were measured on."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": device_name(device, processes),
    }
