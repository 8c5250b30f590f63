"""Parameterizations: what the ascent really changes, and the image that it stands for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from reverie.ops import Size, resize


class Param(Protocol):
    """Something that is an image [B, 3, H, W] in 0..1, can be moved and brought to another size."""

    def image(self) -> Tensor: ...

    def moved(self, change: Tensor) -> Param: ...

    def resized(self, size: Size) -> Param: ...


@dataclass(frozen=True, eq=False)
class Pixels:
    """The image itself, kept within 0..1."""

    values: Tensor

    def image(self) -> Tensor:
        return self.values

    def moved(self, change: Tensor) -> Pixels:
        return Pixels((self.values + change).clamp_(0, 1))

    def resized(self, size: Size) -> Pixels:
        return Pixels(resize(self.values, size).clamp_(0, 1))
