"""Blurs of the gradient: box, Gaussian, and Gaussians that grow while an octave is dreamt."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from reverie.ops import Border, bordered

Blur = Literal["box", "gaussian", "growing", "cascade"]
CASCADE = (0.5, 1.0, 2.0)  # the sigmas of a cascade, in multiples of one that grows
GROWTH = {"growing": 4.0, "cascade": 2.0}  # by how much sigma grows within an octave


@dataclass(frozen=True)
class Smoothing:
    """A blur of the gradient, mirrored or otherwise continued at the ``border``.

    ``box``: the mean over ``kernel`` pixels (3 when 0); ``gaussian``: ``sigmas`` in pixels, blended by
    ``weights`` (alike when empty); ``growing``: sigma + 4 i/n at step i of n (an early DeepDream-PyTorch);
    ``cascade``: the mean of three Gaussians at 0.5, 1 and 2 times sigma + 2 i/n (gordicaleksa's
    pytorch-deepdream). ``kernel`` is odd; 0 is as wide as each Gaussian needs, 4 sigma each way.
    """

    blur: Blur
    sigmas: tuple[float, ...] = (0.5,)
    weights: tuple[float, ...] = ()
    kernel: int = 0
    border: Border = "reflect"

    def __call__(self, x: Tensor, progress: float) -> Tensor:
        """``x`` [B, C, H, W] blurred; ``progress``, 0..1, is the share of the octave's steps taken with this one."""
        weights = self.weights or (1.0,) * len(self.widths(progress))
        total = torch.zeros_like(x)
        for weight, width in zip(weights, self.widths(progress), strict=True):
            total += weight / sum(weights) * self._blurred(x, width)
        return total

    def widths(self, progress: float) -> tuple[float, ...]:
        """The sigma, in pixels, of every Gaussian that is blended; one number without meaning for a box."""
        grown = self.sigmas[0] + GROWTH.get(self.blur, 0.0) * progress
        if self.blur == "cascade":
            return tuple(factor * grown for factor in CASCADE)
        return (grown,) if self.blur in ("growing", "box") else self.sigmas

    @property
    def reach(self) -> int:
        """Pixels each way that a pixel depends on, at most."""
        return max(self._radius(width) for width in self.widths(1.0))

    def _radius(self, width: float) -> int:
        if self.kernel or self.blur == "box":
            return (self.kernel or 3) // 2
        return max(1, math.ceil(4 * width))

    def _blurred(self, x: Tensor, width: float) -> Tensor:
        radius = self._radius(width)
        at = torch.arange(-radius, radius + 1, device=x.device, dtype=x.dtype)
        taps = torch.ones_like(at) if self.blur == "box" else torch.exp(-0.5 * (at / width) ** 2)
        taps /= taps.sum()
        b, c, h, w = x.shape
        wide = bordered(x, radius, radius, radius, radius, self.border).flatten(0, 1)[:, None]
        return F.conv2d(F.conv2d(wide, taps.view(1, 1, -1, 1)), taps.view(1, 1, 1, -1)).view(b, c, h, w)
