"""Parameterizations: what the ascent really changes, and the image that it stands for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


class Param(Protocol):
    """Something that stands for an image [B, 3, H, W] in 0..1, and can be moved.

    A frozen dataclass, so that :func:`dataclasses.replace` makes the same one around other ``values``.
    """

    @property
    def values(self) -> Tensor:
        """What the ascent changes: pixels, or a spectrum; of any shape [B, ...]."""

    def image(self) -> Tensor:
        """The image, differentiable in ``values``."""

    def moved(self, change: Tensor) -> Param:
        """``values + change``, brought back to where they mean an image."""


@dataclass(frozen=True, eq=False)
class Pixels:
    """The image itself, kept within 0..1."""

    values: Tensor

    def image(self) -> Tensor:
        return self.values

    def moved(self, change: Tensor) -> Pixels:
        return Pixels((self.values + change).clamp_(0, 1))
