"""How a foreign module sees a picture: size, color, and what comes back from its layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from reverie.pixels.ops import Size, resize
from reverie.zoo.adopt.tokens import TokenLayout, folded


@dataclass(frozen=True, eq=False)
class ImageAdapter:
    """The adapter of a :class:`reverie.network.Network`; see :class:`reverie.network.Adapter`.

    What the module takes is ``color`` [C, 3] times RGB in 0..1, plus ``bias`` [C], or what
    ``preprocess`` makes of the picture; where that passes no gradient, the gradient goes through
    ``color``. A module that takes one size alone looks through windows of it (``window``), laid over
    the picture without a gap; another may ask for sides that are multiples of ``multiple``.
    """

    color: Tensor
    bias: Tensor
    preprocess: Callable[[Tensor], Any] | None = None
    opaque: bool = False
    window: Size | None = None
    multiple: int = 1
    layouts: Mapping[str, TokenLayout] = field(default_factory=dict)

    def enter(self, image: Tensor) -> Tensor:
        """What the module takes for ``image`` [B, 3, H, W] in 0..1; windows are further pictures."""
        (rows, columns), (height, width) = self._looked(image)
        x = self.colored(resize(image, (rows * height, columns * width)))
        if rows * columns > 1:
            x = torch.unflatten(torch.unflatten(x, 3, (columns, width)), 2, (rows, height))
            x = x.permute(0, 2, 4, 1, 3, 5).flatten(0, 2)
        return x.contiguous(memory_format=torch.channels_last)

    def colored(self, image: Tensor) -> Tensor:
        """``image`` as the module's channels [B, C, H, W]."""
        color, bias = self.color.to(image)[:, :, None, None], self.bias.to(image)
        if self.preprocess is None:
            return F.conv2d(image, color, bias)
        if not self.opaque:
            x: Tensor = self.preprocess(image)
            return x
        seen = as_tensor(self.preprocess(image.detach().cpu())).to(image)
        return seen + F.conv2d(image - image.detach(), color)

    def leave(self, name: str, output: object, image: Tensor) -> Tensor | None:
        """The activation of a layer for the whole picture, windows side by side."""
        if name not in self.layouts:
            return None
        (rows, columns), size = self._looked(image)
        count = image.shape[0] * rows * columns
        found = folded(output, self.layouts[name], count, size)
        if found is None or rows * columns == 1:
            return found
        if found.ndim == 2:
            found = found[:, :, None, None]
        found = torch.unflatten(found, 0, (-1, rows, columns)).permute(0, 3, 1, 4, 2, 5)
        return found.flatten(4, 5).flatten(2, 3)

    def _looked(self, image: Tensor) -> tuple[Size, Size]:
        """How many windows lie over the picture, down and across, and the size of each."""
        height, width = image.shape[-2:]
        if self.window is None:
            return (1, 1), (_nearest(height, self.multiple), _nearest(width, self.multiple))
        rows, columns = (
            max(1, round(side / own)) for side, own in zip((height, width), self.window, strict=True)
        )
        return (rows, columns), self.window


def as_tensor(value: Any) -> Tensor:
    """A tensor, or a copy of a numpy array, which may run backwards (BGR)."""
    return value if isinstance(value, Tensor) else torch.as_tensor(np.ascontiguousarray(value))


def _nearest(side: int, multiple: int) -> int:
    return max(1, round(side / multiple)) * multiple
