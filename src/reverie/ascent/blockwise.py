"""A picture gone through block by block, where whole copies of it would be too many.

What a pixel of the result depends on ends a finite ``reach`` of pixels away, except for strengths of the whole
picture. Those are sums (or maxima), which blocks measure in parts. So the work is a *walk* over a block: a generator
that hands out its part of each sum, is sent the whole one, and returns what it made of the block. A picture in memory
is the case of one block.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

from reverie.pixels.ops import Size


@dataclass(frozen=True)
class PartialSum:
    """What a block knows of something measured over the whole picture, and how two such parts become one."""

    value: Tensor
    merge: Callable[[Tensor, Tensor], Tensor] = torch.add


Walk = Generator[PartialSum, Tensor, Tensor]


@dataclass(frozen=True)
class Stretch:
    """Rows, or columns, ``first`` to before ``last`` of ``length``, with a margin of some ``before`` and ``after``."""

    length: int
    first: int
    last: int
    before: int = 0
    after: int = 0

    def inside(self) -> Stretch:
        """The same without what lies beyond the picture."""
        return self.trimmed(self.first, self.length - self.last)

    def trimmed(self, before: int, after: int) -> Stretch:
        """The same with a margin no wider than that."""
        return Stretch(
            self.length, self.first, self.last, min(self.before, before), min(self.after, after)
        )

    def halved(self, times: int) -> Stretch:
        """The same where every second one was kept, so many times."""
        return Stretch(
            *(-(-each >> times) for each in (self.length, self.first, self.last, self.before, self.after))
        )


@dataclass(frozen=True)
class Block:
    """Some rows and columns of a picture, with a margin around them."""

    rows: Stretch
    columns: Stretch

    @classmethod
    def all(cls, picture: Tensor) -> Block:
        """The whole ``picture`` [..., H, W]."""
        height, width = picture.shape[-2:]
        return cls(Stretch(height, 0, height), Stretch(width, 0, width))

    @property
    def size(self) -> Size:
        """(height, width) of the whole picture."""
        return self.rows.length, self.columns.length

    @property
    def area(self) -> int:
        """Pixels, the margin included."""
        rows, columns = (each.before + each.last - each.first + each.after for each in (self.rows, self.columns))
        return rows * columns

    @property
    def place(self) -> tuple[slice, slice]:
        """Its rows and columns in the picture, without the margin."""
        return slice(self.rows.first, self.rows.last), slice(self.columns.first, self.columns.last)

    def of(self, picture: Tensor) -> Tensor:
        """This block of ``picture`` [..., H, W], margin included; beyond the picture it is wrapped around."""
        for axis, each in ((-2, self.rows), (-1, self.columns)):
            first, last = each.first - each.before, each.last + each.after
            if first >= 0 and last <= each.length:
                picture = picture.narrow(axis, first, last - first)
            else:
                index = torch.arange(first, last, device=picture.device) % each.length
                picture = picture.index_select(axis, index)
        return picture

    def cut(self, x: Tensor, kept: Block) -> Tensor:
        """Of ``x`` [..., h, w], which is this block, what belongs to the same one with a narrower margin."""
        for axis, wide, narrow in ((-2, self.rows, kept.rows), (-1, self.columns, kept.columns)):
            size = narrow.before + narrow.last - narrow.first + narrow.after
            x = x.narrow(axis, wide.before - narrow.before, size)
        return x

    def inner(self, x: Tensor) -> Tensor:
        """``x`` [..., h, w], which is this block, without the margin."""
        return self.cut(x, self.trimmed(0))

    def inside(self) -> Block:
        """The same without what lies beyond the picture."""
        return Block(self.rows.inside(), self.columns.inside())

    def trimmed(self, reach: int) -> Block:
        """The same with a margin no wider than ``reach``."""
        return Block(self.rows.trimmed(reach, reach), self.columns.trimmed(reach, reach))

    def halved(self, times: int) -> Block:
        """The same in a picture of which every second row and column was kept, so many times."""
        return Block(self.rows.halved(times), self.columns.halved(times))

    def count(self, x: Tensor) -> int:
        """Values that each picture of ``x`` [B, C, h, w] would have with all rows and columns of the picture."""
        return x.shape[1] * self.rows.length * self.columns.length


def blocks(size: Size, side: int, reach: int = 0, multiple: int = 1, wrapped: bool = False) -> list[Block]:
    """A picture of ``size`` in blocks of at most about ``side`` pixels each way, row by row, each with a margin of
    ``reach`` pixels or a little more.

    Blocks and margins are multiples of ``multiple`` pixels. Where the picture ends so does the margin,
    unless the picture is ``wrapped`` around.
    """
    axes = [_stretches(length, side, -(-reach // multiple) * multiple, multiple, wrapped) for length in size]
    return [Block(rows, columns) for rows, columns in product(*axes)]


def _stretches(length: int, side: int, reach: int, multiple: int, wrapped: bool) -> list[Stretch]:
    number = -(-length // side)
    if number == 1:
        return [Stretch(length, 0, length)]
    step = -(-length // (number * multiple)) * multiple
    made = [Stretch(length, at, min(at + step, length), reach, reach) for at in range(0, length, step)]
    if len(made) == 1:
        return [Stretch(length, 0, length)]
    return made if wrapped else [each.inside() for each in made]


def walked(walk: Walk) -> Tensor:
    """The result of a walk over a whole picture, whose part of every sum is the sum."""
    try:
        part = next(walk)
        while True:
            part = walk.send(part.value)
    except StopIteration as done:
        result: Tensor = done.value
        return result


def blockwise(
    walk: Callable[[Block], Walk], over: list[Block], measured: list[Block] | None = None
) -> Iterator[tuple[Block, Tensor]]:
    """Each block and what :func:`walked` would make of the whole picture there.

    Only sums are kept between blocks: ``walk`` is begun anew for each block once a sum and once for
    the result, so what it reads must not change before all have been yielded. For the first sum blocks with the
    narrower margins of ``measured`` may suffice.
    """
    known: list[Tensor] = []
    while True:
        whole: PartialSum | None = None
        for wide, narrow in zip(over, measured or over, strict=True):
            # Whether there is a sum at all only the first block can tell, which therefore has its whole margin.
            steps = walk(wide if whole is None or known else narrow)
            try:
                part = next(steps)
                for value in known:
                    part = steps.send(value)
            except StopIteration as done:
                yield wide, done.value
                continue
            whole = part if whole is None else PartialSum(whole.merge(whole.value, part.value), whole.merge)
        if whole is None:
            return
        known.append(whole.value)


def hand_back() -> None:
    """Have glibc give back to the system what was freed.

    Tensors of ever new sizes leave gaps between them; over hundreds of tiles these pile up to more than the picture.
    """
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError, OSError):  # musl has no such call
            ctypes.CDLL(None).malloc_trim(0)
