"""Blurs of the gradient: box, Gaussian, and Gaussians that grow while an octave is dreamt."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from reverie.pixels.ops import Border, bordered

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
        widths = self.widths(progress)
        weights = self.weights or (1.0,) * len(widths)
        reach, (height, width) = max(map(self._radius, widths)), x.shape[-2:]
        wide = bordered(x, reach, reach, reach, reach, self.border)
        # All blurs at once, as one product: what wraps around at the ends is cut off.
        sides = [quick(side) for side in wide.shape[-2:]]
        rows, columns = (torch.stack([self._response(each, side).to(x) for each in widths]) for side in sides)
        shares = x.new_tensor(weights) / sum(weights)
        response = torch.einsum("i,ih,iw->hw", shares, rows, columns[:, : sides[1] // 2 + 1])
        found: Tensor = torch.fft.irfft2(torch.fft.rfft2(wide, sides) * response, sides)
        return found[..., reach : reach + height, reach : reach + width]

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

    def _response(self, width: float, side: int) -> Tensor:
        """How strongly each frequency of ``side`` pixels passes one way: real, since the blur is symmetric."""
        radius = self._radius(width)
        at = torch.arange(-radius, radius + 1, dtype=torch.float64)
        taps = torch.ones_like(at) if self.blur == "box" else torch.exp(-0.5 * (at / width) ** 2)
        kernel = torch.zeros(side, dtype=torch.float64).index_put((at.long() % side,), taps / taps.sum())
        response: Tensor = torch.fft.fft(kernel).real
        return response


def quick(length: int) -> int:
    """The least length from ``length`` on that has no prime factor above 5: such Fourier transforms are fast."""
    while True:
        rest = length
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return length
        length += 1
