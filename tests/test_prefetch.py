"""Prefetched batches: the same ones as without, whether or not it was foreseen which are asked for."""

from __future__ import annotations

from unittest.mock import Mock

import pytest
import torch

from training.data import Images
from training.patches import PatchSampler
from training.prefetch import Prefetched

DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")),
]


@pytest.mark.parametrize("name", DEVICES)
def test_batches_are_those_of_the_sampler_and_each_is_made_once(name: str) -> None:
    device = torch.device(name)
    random = torch.Generator().manual_seed(2)
    images = [torch.randint(256, (3, 24, 20), generator=random, dtype=torch.uint8) for _ in range(3)]
    sampler = PatchSampler(Images.from_tensors(images), patch=8, batch_size=4, seed=3, graphics=0.5)
    watched = Mock(wraps=sampler)
    batches = Prefetched(watched, device)
    for first in (0, 4, 8, 100, 104):  # 100: after the run went elsewhere
        assert batches.batch(first).equal(sampler.batch(first, device))
        batches.prepare(first + 4)
    assert [call.args[0] for call in watched.batch.call_args_list] == [0, 4, 8, 12, 100, 104, 108]
