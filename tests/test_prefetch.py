"""Prefetched batches: the same ones as without, whether or not it was foreseen which are asked for."""

from __future__ import annotations

import pytest
import torch

from training.data import Images, PatchSampler
from training.prefetch import Prefetched

DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")),
]


class Counted(PatchSampler):
    """A sampler that remembers what was asked of it."""

    asked: list[int] = []  # noqa: RUF012  (a frozen dataclass has no other place)

    def batch(self, first: int, device: torch.device) -> torch.Tensor:
        self.asked.append(first)
        return super().batch(first, device)


@pytest.mark.parametrize("name", DEVICES)
def test_batches_are_those_of_the_sampler_and_each_is_made_once(name: str) -> None:
    device = torch.device(name)
    random = torch.Generator().manual_seed(2)
    images = [torch.randint(256, (3, 24, 20), generator=random, dtype=torch.uint8) for _ in range(3)]
    sampler = Counted(Images.from_tensors(images), patch=8, batch_size=4, seed=3, graphics=0.5)
    sampler.asked.clear()
    batches = Prefetched(sampler, device)
    for first in (0, 4, 8, 100, 104):  # 100: after the run went elsewhere
        assert batches.batch(first).equal(PatchSampler.batch(sampler, first, device))
        batches.prepare(first + 4)
    assert sampler.asked == [0, 4, 8, 12, 100, 104, 108]
