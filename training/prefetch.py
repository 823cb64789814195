"""Batches that are made while the device computes the one before."""

from __future__ import annotations

import torch
from torch import Tensor

from training.patches import PatchSampler


class Prefetched:
    """The batches of a sampler on a device. On a GPU they are made on a stream of its own, beside the step.

    A step ends with a wait for its loss. Whatever is launched before that wait costs no time; drawn patches alone are
    a hundred small kernels, and copies for which the CPU waits.
    """

    def __init__(self, sampler: PatchSampler, device: torch.device) -> None:
        self._sampler, self._device = sampler, device
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        self._made: tuple[int, Tensor] | None = None

    def batch(self, first: int) -> Tensor:
        """Samples first, first + 1, ...: see `PatchSampler.batch`."""
        if self._made is None or self._made[0] != first:
            self.prepare(first)
        assert self._made is not None
        _, batch = self._made
        self._made = None
        if self._stream is not None:
            current = torch.cuda.current_stream(self._device)
            current.wait_stream(self._stream)
            batch.record_stream(current)  # its memory is not free before the step has read it
        return batch

    def prepare(self, first: int) -> None:
        """Begin with a batch that is asked for next."""
        with torch.cuda.stream(self._stream):  # does nothing without a stream
            self._made = first, self._sampler.batch(first, self._device)
