"""Stitched against whole."""

from __future__ import annotations

import torch
from torch import Tensor

from reverie.ascent.gradient import image_gradient
from reverie.network import Network
from reverie.objective import Objective
from reverie.tile import Tiles


def error(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


def agrees(network: Network, objective: Objective, image: Tensor, side: int, bound: float = 1e-9) -> int:
    """Stitched and whole are one; gives the number of tiles."""
    look = Tiles(side)
    scores, gradients = look(network, objective, image)
    expected, whole = image_gradient(network, objective, image)
    torch.testing.assert_close(scores, expected, rtol=bound, atol=0)
    for one, other in zip(gradients, whole, strict=True):
        assert error(one, other) < bound
    size = (image.shape[-2], image.shape[-1])
    return len(look.layout(network, objective.layers, size).tiles)
