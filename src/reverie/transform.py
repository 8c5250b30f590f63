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
    return wander(amount, 0, least, multiple)


def jitter(amount: int) -> Transform:
    """Circular shift by up to ``amount`` pixels each way, drawn anew at every call (DeepDream 2015).

    Pulling a gradient back through it undoes the shift.
    """

    def apply(image: Tensor, generator: torch.Generator) -> Tensor:
        return image.roll(_drawn(amount, generator), (-2, -1))

    return apply


def wander(margin: int, amount: int, least: int = 1, multiple: int = 1) -> Transform:
    """Jitter inside a mirrored surrounding: ``margin`` stays at least, whatever shift is drawn.

    Unlike a circular shift it brings no seam into the picture, where opposite edges would meet.
    """

    def apply(image: Tensor, generator: torch.Generator) -> Tensor:
        shift, sides = _drawn(amount, generator), []
        for side, moved in zip(image.shape[-2:], shift, strict=True):
            whole = max(side + 2 * (margin + amount), least)
            whole += -whole % multiple
            before = (whole - side) // 2 + moved
            sides += [before, whole - side - before]
        return mirrored(image, *sides)

    return apply


def _drawn(amount: int, generator: torch.Generator) -> tuple[int, int]:
    if not amount:
        return 0, 0
    dy, dx = torch.randint(-amount, amount + 1, (2,), generator=generator).tolist()
    return dy, dx
