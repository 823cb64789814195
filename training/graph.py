"""Work for a GPU, recorded once as a CUDA graph and replayed.

A training step launches some two thousand small kernels. Launched one by one from Python they take longer than the GPU
takes to compute them; replayed as a graph they follow each other without a gap.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import torch
from torch import Tensor

Result = TypeVar("Result")

WARM_UPS = 3  # calls before the recording: cuDNN chooses its kernels, an optimizer makes its state


class Graphed(Generic[Result]):
    """A function of tensors on a GPU; after a few calls, its recording: the same kernels on the same memory.

    The function must take the same way in every call and never wait for the GPU. Tensors that it reads besides its
    arguments must stay where they are; what it returns is overwritten by the next call.
    """

    def __init__(self, function: Callable[..., Result]) -> None:
        self._function = function
        self._calls = 0
        self._graph = torch.cuda.CUDAGraph()
        self._arguments: tuple[Tensor, ...]
        self._result: Result

    def __call__(self, *arguments: Tensor) -> Result:
        """The function's result; arguments must have the same shapes in all calls."""
        self._calls += 1
        if self._calls <= WARM_UPS:
            return self._warm_up(arguments)
        if self._calls == WARM_UPS + 1:
            self._arguments = tuple(argument.clone() for argument in arguments)
            with torch.cuda.graph(self._graph):
                self._result = self._function(*self._arguments)
        for kept, argument in zip(self._arguments, arguments, strict=True):
            kept.copy_(argument)
        self._graph.replay()
        return self._result

    def _warm_up(self, arguments: tuple[Tensor, ...]) -> Result:
        """On a stream of its own: what autograd remembers of the default one would end the recording."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            result = self._function(*arguments)
        torch.cuda.current_stream().wait_stream(stream)
        return result
