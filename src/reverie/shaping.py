"""How a raw gradient becomes a direction worth walking: smoothed, in bands, in gray, made one strength.

Everything here can be done a few rows at a time. What a row depends on ends a finite ``reach`` of rows away,
except for strengths of the whole picture; those are sums (or maxima), which strips measure in parts. So a
shaping is a *walk* over the rows of a strip: a generator that hands out its part of each sum, is sent the whole
one, and returns the shaped rows. A whole picture is the case of one strip.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from reverie.ops import EPSILON, Size, collapsed, held, local_rms, pyramid, split, without_alternation
from reverie.smoothing import Smoothing

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
        """These rows of ``picture`` [..., H, W], margin included; beyond the picture it is wrapped around."""
        first, last = self.first - self.above, self.last + self.below
        if first >= 0 and last <= self.size[0]:
            return picture[..., first:last, :]
        return picture.index_select(-2, torch.arange(first, last, device=picture.device) % self.size[0])

    def inner(self, x: Tensor) -> Tensor:
        """``x`` [..., rows, W] without the margin."""
        return x.narrow(-2, self.above, self.last - self.first) if self.above or self.below else x

    def inside(self) -> Rows:
        """The same without what lies beyond the picture."""
        return Rows(
            self.size,
            self.first,
            self.last,
            min(self.above, self.first),
            min(self.below, self.size[0] - self.last),
        )

    def halved(self, times: int) -> Rows:
        """The same in a picture of which every second row and column was kept, so many times."""
        height, width, first, last, above, below = (
            -(-each >> times) if times else each
            for each in (*self.size, self.first, self.last, self.above, self.below)
        )
        return Rows((height, width), first, last, above, below)

    def count(self, x: Tensor) -> int:
        """Values that each picture of ``x`` would have with all rows of the picture."""
        return x[0].numel() // x.shape[-2] * self.size[0]


def strips(size: Size, height: int, reach: int, multiple: int = 1, wrapped: bool = False) -> list[Rows]:
    """A picture of ``size`` in strips of about ``height`` rows, each with a margin of ``reach`` rows or a little more.

    Strips and margins are multiples of ``multiple`` rows. Where the picture ends so does the margin,
    unless the picture is ``wrapped`` around.
    """
    height, reach = (-(-each // multiple) * multiple for each in (height, reach))
    made = [
        Rows(size, at, min(at + height, size[0]), reach, reach if at + height < size[0] or wrapped else 0)
        for at in range(0, size[0], height)
    ]
    if len(made) == 1:
        return [Rows(size, 0, size[0])]
    return made if wrapped else [rows.inside() for rows in made]


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
                yield rows, rows.inside().inner(done.value)
                continue
            whole = part if whole is None else Part(whole.merge(whole.value, part.value), whole.merge)
        if whole is None:
            return
        known.append(whole.value)


def _sum(x: Tensor) -> Tensor:
    return x.sum(dim=tuple(range(1, x.ndim)), keepdim=True)


Norm = Literal["mean", "std", "standard", "l2", "max", "sign", "none"]


def equalized(x: Tensor, rows: Rows, strength: Tensor | float = 1.0) -> Walk:
    """``x`` scaled so that mean |x| = ``strength`` for each picture; all zeros stay zeros."""
    total = yield Part(_sum(rows.inner(x).abs()))
    return x / ((total / rows.count(x)).clamp_min(EPSILON) / strength)


def blended(direction: Tensor, before: Tensor, share: float, rows: Rows, norm: Norm) -> Walk:
    """``direction`` with a ``share``, 0..1, of the one ``before``, as strong as it was."""
    strength: Tensor | float = 1.0
    if norm != "mean":
        strength = (yield Part(_sum(rows.inner(direction).abs()))) / rows.count(direction)
    return (yield from equalized(direction.lerp(before, share), rows, strength))


def normalized(g: Tensor, rows: Rows, norm: Norm) -> Walk:
    """``g`` divided by its mean |g| (DeepDream 2015), standard deviation (TensorFlow's tutorial) or L2 norm over
    the whole picture (Keras' earlier example), by its largest |g|, or made its sign; ``standard`` takes its mean
    away too (pytorch-deepdream); ``none`` leaves it.
    """
    if norm == "none":
        return g
    if norm == "sign":
        return g.sign()
    if norm == "mean":
        return (yield from equalized(g, rows))
    if norm == "max":
        largest = yield Part(
            rows.inner(g).abs().amax(dim=tuple(range(1, g.ndim)), keepdim=True), torch.maximum
        )
        return g / largest.clamp_min(EPSILON)
    inner, count = rows.inner(g), rows.count(g)
    energy = yield Part(_sum(inner.square()))
    if norm == "l2":
        return g / energy.sqrt().clamp_min(EPSILON)
    mean = (yield Part(_sum(inner))) / count
    # Of a gradient that is the same everywhere rounding is all that deviates; it must not be raised.
    deviation = (yield Part(_sum((inner - mean).square()))) / count
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
    channels; ``normalize``: see :func:`normalized`.
    """

    bands: int = 0
    fine: float = 1.0
    spread: float = 0.0
    gray: float = 0.0
    coarse: float = 1.0
    pyramid: Literal["undecimated", "decimated"] = "undecimated"
    smoothing: Smoothing | None = None
    normalize: Norm = "mean"

    def __call__(self, g: Tensor, progress: float = 1.0) -> Tensor:
        """The direction [B, 3, H, W]; ``progress``, 0..1, is the share of the octave's steps taken with this one."""
        return walked(self.walk(g, Rows.all(g), progress))

    @property
    def reach(self) -> int:
        """Rows each way that a row of the direction depends on, apart from sums."""
        reach = self.smoothing.reach if self.smoothing else 0
        if not self.bands:
            return reach
        # There and back through the filters, and the widest neighborhood.
        filters = 4 << self.bands if self.pyramid == "decimated" else 2 << self.bands
        return reach + filters + (NEIGHBORHOOD << self.bands if self.spread else 0)

    @property
    def wraps(self) -> bool:
        """Whether the first rows depend on the last ones."""
        return self.smoothing is not None and self.smoothing.border == "circular"

    def strips(self, size: Size, height: int) -> list[Rows]:
        """A picture of ``size`` in strips of about ``height`` rows, over which :meth:`walk` can go."""
        multiple = 1 << self.bands if self.pyramid == "decimated" else 1
        return strips(size, height, self.reach, multiple, self.wraps)

    def walk(self, g: Tensor, rows: Rows, progress: float = 1.0) -> Walk:
        """The direction [B, 3, h, W] of the gradient ``g`` [B, 3, h, W], which is that of ``rows``, margin and all.

        What of the margin lies beyond the picture is not in the result.
        """
        formed = yield from self.formed(g, rows, progress)
        return (yield from normalized(formed, rows.inside(), self.normalize))

    def formed(self, g: Tensor, rows: Rows, progress: float = 1.0) -> Walk:
        """The same before it is normalized."""
        if self.smoothing:
            g = self.smoothing(g, progress)
        inside = rows.inside()
        g = g[..., rows.above - inside.above : g.shape[-2] - (rows.below - inside.below), :]
        if self.bands:
            g = yield from self._banded(g, inside)
        if self.gray:
            g = g + self.gray * (g.mean(1, keepdim=True) - g)
        return g

    def _banded(self, g: Tensor, rows: Rows) -> Walk:
        decimated = self.pyramid == "decimated"
        if decimated:
            parts = pyramid(g, self.bands, rows.size)
        else:
            # What alternates from pixel to pixel is left out: a network with strides cannot tell it from
            # an even tone, and would weave it into a fine grid.
            parts = split(without_alternation(g), held(rows.size, self.bands))
        within = [rows.halved(at if decimated else 0) for at in range(len(parts))]
        each = zip(within, parts, strict=True)
        energies = yield Part(torch.stack([_sum(rows.inner(part).square()) for rows, part in each]))
        bands = [
            self._even(
                part,
                (energy / rows.count(part)).sqrt().clamp_min(EPSILON),
                NEIGHBORHOOD if decimated else NEIGHBORHOOD << at,
                rows.size,
            )
            for at, (rows, part, energy) in enumerate(zip(within, parts, energies, strict=True))
        ]
        if len(bands) > 1:
            bands[0] = bands[0] * self.fine
            bands[-1] = bands[-1] * self.coarse
        return collapsed(bands, rows.size) if decimated else sum(bands[1:], bands[0])

    def _even(self, band: Tensor, whole: Tensor, reach: int, size: Size) -> Tensor:
        if not self.spread:
            return band / whole
        # A floor of the whole's strength: where there is next to nothing, noise must not be raised.
        local = local_rms(band, reach, size).clamp_min(0.05 * whole)
        return band / (local**self.spread * whole ** (1 - self.spread))
