"""Transforms: configuration -> (image, generator) -> image, all differentiable and composable."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

import torch
from torch import Tensor

from reverie.ops import mirrored

Transform = Callable[[Tensor, torch.Generator], Tensor]


def compose(*transforms: Transform) -> Transform:
    """One transform that applies all in order."""
    return lambda image, generator: reduce(lambda x, each: each(x, generator), transforms, image)


def pad(amount: int, least: int = 1, multiple: int = 1) -> Transform:
    """Mirrored margin of ``amount`` pixels around, more where a side would stay below ``least``.

    Sides are rounded up to a ``multiple`` too. A network's own zero padding then darkens the
    margin, not the picture.
    """

    def apply(image: Tensor, _generator: torch.Generator) -> Tensor:
        before, after = [], []
        for side in image.shape[-2:]:
            whole = max(side + 2 * amount, least)
            whole += -whole % multiple
            before.append((whole - side) // 2)
            after.append(whole - side - before[-1])
        return mirrored(image, before[0], after[0], before[1], after[1])

    return apply


def jitter(amount: int) -> Transform:
    """Circular shift by up to ``amount`` pixels each way, drawn anew at every call (DeepDream 2015).

    Pulling a gradient back through it undoes the shift.
    """

    def apply(image: Tensor, generator: torch.Generator) -> Tensor:
        dy, dx = torch.randint(-amount, amount + 1, (2,), generator=generator).tolist()
        return image.roll((dy, dx), (-2, -1))

    return apply
