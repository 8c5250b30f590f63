"""How a raw gradient becomes a direction worth walking: smoothed, in bands, in gray, made one strength.

Everything here can be done a few rows at a time. What a row depends on ends a finite ``reach`` of rows away,
except for strengths of the whole picture; those are sums (or maxima), which strips measure in parts. So a
shaping is a *walk* over the rows of a strip: a generator that hands out its part of each sum, is sent the whole
one, and returns the shaped rows. A whole picture is the case of one strip.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from reverie.ops import EPSILON, Size, held, local_rms, split, without_alternation

NEIGHBORHOOD = (
    8  # pixels each way within which the finest band's strength is evened out; twice that in the next
)


@dataclass(frozen=True)
class Part:
    """What a strip knows of something measured over the whole picture, and how two such parts become one."""

    value: Tensor
    merge: Callable[[Tensor, Tensor], Tensor] = torch.add


Walk = Generator[Part, Tensor, Tensor]


@dataclass(frozen=True)
class Rows:
    """Rows ``first`` to before ``last`` of a picture of ``size``, with a margin of rows ``above`` and ``below``."""

    size: Size
    first: int
    last: int
    above: int = 0
    below: int = 0

    @classmethod
    def all(cls, picture: Tensor) -> Rows:
        """Those of the whole ``picture`` [..., H, W]."""
        return cls((picture.shape[-2], picture.shape[-1]), 0, picture.shape[-2])

    def of(self, picture: Tensor) -> Tensor:
        """These rows of ``picture`` [..., H, W], margin included."""
        return picture[..., self.first - self.above : self.last + self.below, :]

    def inner(self, x: Tensor) -> Tensor:
        """``x`` [..., rows, W] without the margin."""
        return x.narrow(-2, self.above, self.last - self.first) if self.above or self.below else x

    def count(self, x: Tensor) -> int:
        """Values that each picture of ``x`` would have with all rows of the picture."""
        return x[0].numel() // x.shape[-2] * self.size[0]


def strips(size: Size, height: int, reach: int) -> list[Rows]:
    """A picture of ``size`` in strips of ``height`` rows, each with a margin of ``reach`` where there are rows."""
    return [
        Rows(size, at, last, min(reach, at), min(reach, size[0] - last))
        for at in range(0, size[0], height)
        for last in (min(at + height, size[0]),)
    ]


def walked(walk: Walk) -> Tensor:
    """The result of a walk over a whole picture, whose part of every sum is the sum."""
    try:
        part = next(walk)
        while True:
            part = walk.send(part.value)
    except StopIteration as done:
        result: Tensor = done.value
        return result


def stripwise(walk: Callable[[Rows], Walk], over: list[Rows]) -> Iterator[tuple[Rows, Tensor]]:
    """Each strip and its rows (margin cut off) of what :func:`walked` would make of the whole picture.

    Only sums are kept between strips: ``walk`` is begun anew for each strip once a sum and once for
    the result, so what it reads must not change before all have been yielded.
    """
    known: list[Tensor] = []
    while True:
        whole: Part | None = None
        for rows in over:
            steps = walk(rows)
            try:
                part = next(steps)
                for value in known:
                    part = steps.send(value)
            except StopIteration as done:
                yield rows, rows.inner(done.value)
                continue
            whole = part if whole is None else Part(whole.merge(whole.value, part.value), whole.merge)
        if whole is None:
            return
        known.append(whole.value)


def _sum(x: Tensor) -> Tensor:
    return x.sum(dim=tuple(range(1, x.ndim)), keepdim=True)


def equalized(x: Tensor, rows: Rows) -> Walk:
    """``x`` scaled so that mean |x| = 1 for each picture; all zeros stay zeros."""
    total = yield Part(_sum(rows.inner(x).abs()))
    return x / (total / rows.count(x)).clamp_min(EPSILON)


@dataclass(frozen=True)
class Shaping:
    """How a raw gradient becomes a direction worth walking.

    ``bands``: Laplacian bands made equally strong (Mordvintsev 2015's Laplacian pyramid gradient
    normalization), 0 for none; ``fine``: strength of the finest one; ``coarse``: strength of what
    lies below all bands; ``spread``: 0..1, how far
    strong places are evened out with weak ones, each band within its own neighborhood, so that
    calm parts of a picture dream too; ``gray``: share, 0..1, that is spread evenly over the color
    channels.
    """

    bands: int = 0
    fine: float = 1.0
    spread: float = 0.0
    gray: float = 0.0
    coarse: float = 1.0

    def __call__(self, g: Tensor) -> Tensor:
        """The direction [B, 3, H, W], with mean |direction| = 1 for each picture."""
        return walked(self.walk(g, Rows.all(g)))

    @property
    def reach(self) -> int:
        """Rows each way that a row of the direction depends on, apart from sums."""
        if not self.bands:
            return 0
        # The filter against alternation, those of the bands, and the widest neighborhood.
        return 1 + 2 * ((1 << self.bands) - 1) + (NEIGHBORHOOD << self.bands if self.spread else 0)

    def walk(self, g: Tensor, rows: Rows) -> Walk:
        """The direction [B, 3, h, W] of the gradient ``g`` [B, 3, h, W], which is that of ``rows``, margin and all."""
        if self.bands:
            g = yield from self._banded(g, rows)
        if self.gray:
            g = g + self.gray * (g.mean(1, keepdim=True) - g)
        return (yield from equalized(g, rows))

    def _banded(self, g: Tensor, rows: Rows) -> Walk:
        # What alternates from pixel to pixel is left out: a network with strides cannot tell it from
        # an even tone, and would weave it into a fine grid.
        parts = split(without_alternation(g), held(rows.size, self.bands))
        energies = yield Part(torch.stack([_sum(rows.inner(part).square()) for part in parts]))
        bands = [
            self._even(
                part, (energy / rows.count(g)).sqrt().clamp_min(EPSILON), NEIGHBORHOOD << at, rows.size
            )
            for at, (part, energy) in enumerate(zip(parts, energies, strict=True))
        ]
        if len(bands) > 1:
            bands[0] = bands[0] * self.fine
            bands[-1] = bands[-1] * self.coarse
        return sum(bands[1:], bands[0])

    def _even(self, band: Tensor, whole: Tensor, reach: int, size: Size) -> Tensor:
        if not self.spread:
            return band / whole
        # A floor of the whole's strength: where there is next to nothing, noise must not be raised.
        local = local_rms(band, reach, size).clamp_min(0.05 * whole)
        return band / (local**self.spread * whole ** (1 - self.spread))
