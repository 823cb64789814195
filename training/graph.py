"""The forward and backward pass of a step, recorded once as a CUDA graph and replayed.

A pass launches some two thousand small kernels. Launched one by one from Python they take longer than the GPU takes to
compute them; replayed as a graph they follow each other without a gap.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from training.losses import Figures

WARM_UPS = 3  # passes before the recording: cuDNN chooses its kernels, autograd its buffers


class Pass(NamedTuple):
    """What a pass leaves besides the gradients."""

    loss: Tensor
    figures: Figures
    gradient_norm: Tensor  # before clipping


class GraphedPass:
    """`function` of a batch on a GPU, as a graph: same arithmetic, same gradients.

    `function` must take the same way for every batch, wait for nothing, and begin by setting the gradients to None:
    they and the results live in the graph's memory, and the next call overwrites them.
    """

    def __init__(self, function: Callable[[Tensor], Pass]) -> None:
        self._function = function
        self._graph: torch.cuda.CUDAGraph | None = None
        self._batch: Tensor
        self._result: Pass

    def __call__(self, batch: Tensor) -> Pass:
        """The pass of a batch (B, 3, H, W) of always the same shape."""
        if self._graph is None:
            self._record(batch)
        assert self._graph is not None
        self._batch.copy_(batch)
        self._graph.replay()
        return self._result

    def _record(self, batch: Tensor) -> None:
        self._batch = batch.clone()
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARM_UPS):
                self._function(self._batch)
        torch.cuda.current_stream().wait_stream(side)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._result = self._function(self._batch)
