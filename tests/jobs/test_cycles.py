"""A dream that is over gives its memory back at once, without the garbage collector."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import nn

import reverie
from reverie import atlas, zoo

SMALL: dict[str, Any] = {"network": "motif", "size": 64, "steps": 1, "octaves": 2, "threads": 1, "precision": "fp32"}


class Foreign(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 64, 3, 2, 1)
        self.deep = nn.Conv2d(64, 64, 3, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.deep(self.conv(x).relu()).relu()  # type: ignore[no-any-return]


def inspected() -> None:
    atlas.inspect(zoo.load("motif"), torch.rand(1, 3, 64, 64))


WAYS: dict[str, Callable[[], object]] = {
    "plain": lambda: reverie.dream(None, **SMALL),
    "class": lambda: reverie.dream(None, **{**SMALL, "objective": "owl"}),
    "redirected": lambda: reverie.dream(None, **SMALL, redirect=1),
    "tiles": lambda: reverie.dream(None, **{**SMALL, "size": 128}, tile=64),
    "bf16": lambda: reverie.dream(None, **{**SMALL, "precision": "bf16"}),
    "adopted": lambda: reverie.dream(None, **{**SMALL, "network": reverie.adopt(Foreign())}),
    "inspect": inspected,
}


@pytest.fixture
def uncollected() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.set_debug(0)
    gc.garbage.clear()
    gc.enable()
    gc.collect()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.usefixtures("uncollected")
def test_no_tensor_waits_for_the_garbage_collector(way: str) -> None:
    WAYS[way]()  # what is made once stays
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)
    WAYS[way]()
    gc.collect()
    held = [each for each in gc.garbage if isinstance(each, torch.Tensor)]
    count = sum(each.numel() * each.element_size() for each in held)
    assert count < 100_000, f"{count} bytes in {len(held)} tensors"
