"""Clocks, and the convolution that bounds what a network can reach."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

CLOCKS: dict[str, Callable[[], float]] = {"wall": time.perf_counter, "cpu": time.process_time}
CHANNELS = 64


@dataclass(frozen=True)
class Timer:
    """A clock that first waits for the device."""

    device: torch.device
    clock: Callable[[], float]

    def now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return self.clock()

    def seconds(self, work: Callable[[], object], count: int = 1) -> float:
        """Time of one of `count` calls in a row."""
        start = self.now()
        for _ in range(count):
            work()
        return (self.now() - start) / count

    def repeats(self, work: Callable[[], object], least: float) -> int:
        """How many calls last `least` seconds; two calls before warm up."""
        self.seconds(work, 2)
        return max(1, round(least / self.seconds(work)))


class Ceiling:
    """The convolution that bounds a stage: forward, and the gradients of features, weights and bias."""

    def __init__(
        self,
        batch: int,
        side: int,
        dtype: torch.dtype,
        device: torch.device,
        memory_format: torch.memory_format = torch.channels_last,
    ) -> None:
        shape = (batch, CHANNELS, side, side)
        layer = nn.Conv2d(CHANNELS, CHANNELS, kernel_size=3, padding=1)
        self.layer = layer.to(device, dtype, memory_format=memory_format)  # type: ignore[call-overload]
        features, gradient = (torch.randn(shape, device=device, dtype=dtype) for _ in range(2))
        self.features = features.contiguous(memory_format=memory_format).requires_grad_()
        self.gradient = gradient.contiguous(memory_format=memory_format)
        self.forward_gflop = 2 * 9 * CHANNELS**2 * batch * side**2 / 1e9
        self.gflop = 3 * self.forward_gflop

    def __call__(self) -> None:
        inputs = [self.features, *self.layer.parameters()]
        torch.autograd.grad(self.layer(self.features), inputs, self.gradient)

    def forward(self) -> None:
        with torch.inference_mode():
            self.layer(self.features)
