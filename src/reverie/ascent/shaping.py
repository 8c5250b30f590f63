"""How a raw gradient becomes a direction worth walking: smoothed, in bands, in gray, made one strength.

Written as walks (:mod:`reverie.ascent.blockwise`), so that a picture too large for copies can be shaped block by block.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Literal

import torch
from torch import Tensor

from reverie.ascent.blockwise import Block, PartialSum, Walk, blocks, walked
from reverie.ascent.smoothing import Smoothing
from reverie.pixels.ops import EPSILON, Size, bands, collapsed, levels_in, local_rms, pyramid, without_alternation

NEIGHBORHOOD = (
    8  # pixels each way within which the finest band's strength is evened out; twice that in the next
)


def _sum(x: Tensor) -> Tensor:
    return x.sum(dim=tuple(range(1, x.ndim)), keepdim=True)


Norm = Literal["mean", "std", "standard", "l2", "max", "sign", "none"]


def equalized(x: Tensor, block: Block, strength: Tensor | float = 1.0) -> Walk:
    """``x`` scaled so that mean |x| = ``strength`` for each picture; all zeros stay zeros."""
    total = yield PartialSum(_sum(x.abs()))
    return x / ((total / block.count(x)).clamp_min(EPSILON) / strength)


def grayed(g: Tensor, share: float) -> Tensor:
    """``g`` [B, 3, H, W] with a ``share``, 0..1, of it spread evenly over the color channels."""
    return (g.mean(1, keepdim=True) - g).mul_(share).add_(g)


def blended(direction: Tensor, before: Tensor, share: float, block: Block, norm: Norm) -> Walk:
    """``direction`` with a ``share``, 0..1, of the one ``before``, as strong as it was."""
    strength: Tensor | float = 1.0
    if norm != "mean":
        strength = (yield PartialSum(_sum(direction.abs()))) / block.count(direction)
    return (yield from equalized(direction.lerp(before, share), block, strength))


def normalized(g: Tensor, block: Block, norm: Norm) -> Walk:
    """``g`` divided by its mean |g| (DeepDream 2015), standard deviation (TensorFlow's tutorial) or L2 norm over
    the whole picture (Keras' earlier example), by its largest |g|, or made its sign; ``standard`` takes its mean
    away too (pytorch-deepdream); ``none`` leaves it.
    """
    if norm == "none":
        return g
    if norm == "sign":
        return g.sign()
    if norm == "mean":
        return (yield from equalized(g, block))
    if norm == "max":
        largest = yield PartialSum(g.abs().amax(dim=tuple(range(1, g.ndim)), keepdim=True), torch.maximum)
        return g / largest.clamp_min(EPSILON)
    count = block.count(g)
    energy = yield PartialSum(_sum(g.square()))
    if norm == "l2":
        return g / energy.sqrt().clamp_min(EPSILON)
    mean = (yield PartialSum(_sum(g))) / count
    # Of a gradient that is the same everywhere rounding is all that deviates; it must not be raised.
    deviation = (yield PartialSum(_sum((g - mean).square()))) / count
    scale = deviation.sqrt().maximum(1e-3 * (energy / count).sqrt()).clamp_min(EPSILON)
    return (g - mean if norm == "standard" else g) / scale


@dataclass(frozen=True)
class Shaping:
    """How a raw gradient becomes a direction worth walking: smoothed, split into bands, made gray, normalized.

    ``bands``: Laplacian bands made equally strong (Mordvintsev 2015's Laplacian pyramid gradient
    normalization), 0 for none; ``pyramid``: whether they keep every pixel, or are TensorFlow's, each at half
    the size of the one before; ``fine``: strength of the finest one; ``coarse``: strength of what
    lies below all bands; ``spread``: 0..1, how far
    strong places are evened out with weak ones, each band within its own neighborhood, so that
    calm parts of a picture dream too; ``gray``: share, 0..1, that is spread evenly over the color
    channels; ``fine_gray``: that share in the finest band alone, falling evenly to 0 in what lies below all bands,
    since people see colors coarsely and take fine ones for fringes; ``normalize``: see :func:`normalized`.
    """

    bands: int = 0
    fine: float = 1.0
    spread: float = 0.0
    gray: float = 0.0
    fine_gray: float = 0.0
    coarse: float = 1.0
    pyramid: Literal["undecimated", "decimated"] = "undecimated"
    smoothing: Smoothing | None = None
    normalize: Norm = "mean"

    def __call__(self, g: Tensor, progress: float = 1.0) -> Tensor:
        """The direction [B, 3, H, W]; ``progress``, 0..1, is the share of the octave's steps taken with this one."""
        return walked(self.walk(g, Block.all(g), progress))

    @property
    def reach(self) -> int:
        """Pixels each way that a pixel of the direction depends on, apart from sums."""
        return self.filters + (NEIGHBORHOOD << self.bands if self.bands and self.spread else 0)

    @property
    def filters(self) -> int:
        """Pixels each way that a pixel of any band depends on, whose strengths are the first sum."""
        reach = self.smoothing.reach if self.smoothing else 0
        if not self.bands:
            return reach
        # There and back through the filters.
        return reach + (4 << self.bands if self.pyramid == "decimated" else 2 << self.bands)

    @property
    def wraps(self) -> bool:
        """Whether the first rows depend on the last ones."""
        return self.smoothing is not None and self.smoothing.border == "circular"

    def blocks(self, size: Size, side: int) -> tuple[list[Block], list[Block]]:
        """A picture of ``size`` in blocks of about ``side`` pixels each way, over which :meth:`walk` can go; and those
        with the margins that its first sum needs."""
        multiple = 1 << self.bands if self.pyramid == "decimated" else 1
        over, measured = (blocks(size, side, each, multiple, self.wraps) for each in (self.reach, self.filters))
        return over, measured

    def walk(self, g: Tensor, block: Block, progress: float = 1.0) -> Walk:
        """The direction [B, 3, h, w] of a block, without its margin, of which ``g`` is the gradient, with it."""
        formed = yield from self.formed(g, block, progress)
        return (yield from normalized(formed, block, self.normalize))

    def formed(self, g: Tensor, block: Block, progress: float = 1.0) -> Walk:
        """The same before it is normalized."""
        if self.smoothing:
            g = self.smoothing(g, progress)
        inside = block.inside()
        g = block.cut(g, inside)
        if self.bands:
            parts = self._parts(g, inside)
            del g  # a block may be all that the memory has left
            g = yield from self._merged(parts)
        else:
            g = inside.inner(g)
        return grayed(g, self.gray) if self.gray else g

    def _parts(self, g: Tensor, block: Block) -> list[tuple[Block, Tensor]]:
        """The bands, finest first, and what lies below them, each with no more of the margin than is of use."""
        if self.pyramid == "decimated":
            found = pyramid(g, self.bands, block.size)
            return [(block.halved(at), part) for at, part in enumerate(found)]
        parts = []
        # What alternates from pixel to pixel is left out: a network with strides cannot tell it from
        # an even tone, and would weave it into a fine grid.
        for at, band in enumerate(bands(without_alternation(g), levels_in(block.size, self.bands))):
            near = block.trimmed(NEIGHBORHOOD << at if self.spread else 0)
            parts.append((near, band if near == block else block.cut(band, near).clone()))
        return parts

    def _merged(self, parts: list[tuple[Block, Tensor]]) -> Walk:
        """The sum of all ``parts``, each made one strength and evened out; the list is used up."""
        energies = yield PartialSum(torch.stack([_sum(block.inner(part).square()) for block, part in parts]))
        whole, evened = parts[0][0], self._evened(parts, energies)
        if self.pyramid == "decimated":
            return whole.inner(collapsed([band for _, band in evened], whole.size))
        return reduce(Tensor.add_, (block.inner(band) for block, band in evened))

    def _evened(self, parts: list[tuple[Block, Tensor]], energies: Tensor) -> Iterator[tuple[Block, Tensor]]:
        last = len(parts) - 1
        for at, energy in enumerate(energies):
            block, part = parts.pop(0)
            reach = NEIGHBORHOOD if self.pyramid == "decimated" else NEIGHBORHOOD << at
            whole = (energy / block.count(part)).sqrt().clamp_min(EPSILON)
            band = self._even(part, whole, reach, block.size)
            if last and at in (0, last):
                band.mul_(self.coarse if at else self.fine)
            share = self.fine_gray * (1 - at / last) if last else 0.0
            yield block, grayed(band, share) if share else band

    def _even(self, band: Tensor, whole: Tensor, reach: int, size: Size) -> Tensor:
        if not self.spread:
            return band / whole
        # A floor of the whole's strength: where there is next to nothing, noise must not be raised.
        local = local_rms(band, reach, size).clamp_min(0.05 * whole)
        return band / (local**self.spread * whole ** (1 - self.spread))
