"""How a picture is cut into tiles: what each of them owns, and what it must see around that."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise, product

import torch
from torch import Tensor

from reverie.errors import UsageError
from reverie.network import Network
from reverie.network.receptive import ReceptiveField
from reverie.network.working import working_device, working_type
from reverie.pixels.ops import Size

IMAGE = "image"


@dataclass(frozen=True)
class Cut:
    """One tile along one axis: it owns the pixels ``first`` to ``last`` and looks at ``begin`` to ``end``."""

    first: int
    last: int
    begin: int
    end: int

    @property
    def whole(self) -> slice:
        """Where the crop lies in the picture."""
        return slice(self.begin, self.end)


@dataclass(frozen=True)
class Grid:
    """The units of one layer in the whole picture: their spans and their number along height and width."""

    spans: tuple[ReceptiveField, ReceptiveField]
    count: Size
    channels: int

    def owned(self, axis: int, cut: Cut, side: int) -> tuple[int, int]:
        """The units of the whole picture that belong to a tile, ``first`` to below ``last``."""
        jump, count = self.spans[axis].jump, self.count[axis]
        return min(cut.first // jump, count), count if cut.last == side else min(cut.last // jump, count)


@dataclass(frozen=True)
class Tile:
    """A rectangle of the picture, and its share of every layer."""

    rows: Cut
    columns: Cut
    size: Size
    grids: Mapping[str, Grid]

    @property
    def place(self) -> tuple[slice, slice]:
        """Rows and columns of the crop in the picture."""
        return self.rows.whole, self.columns.whole

    @property
    def area(self) -> int:
        """Pixels of the crop."""
        return (self.rows.end - self.rows.begin) * (self.columns.end - self.columns.begin)

    def owned(self, layer: str) -> tuple[slice, slice]:
        """Rows and columns of its units among those of the whole picture."""
        return self._slices(layer, (0, 0))

    def within(self, layer: str) -> tuple[slice, slice]:
        """Rows and columns of its units among those of the crop."""
        return self._slices(layer, (self.rows.begin, self.columns.begin))

    def share(self, layer: str) -> float:
        """The part, 0..1, of the layer's units that it owns."""
        rows, columns = self.owned(layer)
        count = self.grids[layer].count
        return float((rows.stop - rows.start) * (columns.stop - columns.start) / (count[0] * count[1]))

    def _slices(self, layer: str, begun: Size) -> tuple[slice, slice]:
        grid, found = self.grids[layer], []
        for axis, cut in enumerate((self.rows, self.columns)):
            first, last = grid.owned(axis, cut, self.size[axis])
            # The crop begins at a multiple of every stride.
            before = begun[axis] // grid.spans[axis].jump
            found.append(slice(first - before, last - before))
        return found[0], found[1]


def units(network: Network, layers: Iterable[str], size: Size) -> dict[str, Grid | None]:
    """The units of each layer in a picture of ``size``; None for one that has no places, or sees all of it."""
    small, sight = network.sight(size)
    found: dict[str, Grid | None] = {}
    for layer in layers:
        if layer == IMAGE:
            found[layer] = Grid((ReceptiveField(0, 0, 1), ReceptiveField(0, 0, 1)), size, 3)
            continue
        seen = sight.get(layer)
        if seen is None or seen.spans is None:
            found[layer] = None
            continue
        # Sides differ from the traced ones by a multiple of the stride.
        more = [
            (side - traced) // span.jump for side, traced, span in zip(size, small, seen.spans, strict=True)
        ]
        found[layer] = Grid(seen.spans, (seen.shape[2] + more[0], seen.shape[3] + more[1]), seen.shape[1])
    return found


def tiles(grids: Mapping[str, Grid], size: Size, side: int, least: int) -> list[Tile]:
    """The tiles of a picture of ``size``, each owning about ``side`` pixels each way, row by row.

    Their units see in the crop what they see in the whole picture: it begins at a multiple of all strides,
    ends that far from the picture's end, and where it reaches the picture's border it ends there. No
    crop is smaller than ``least`` where the picture is not.
    """
    pixel = ReceptiveField(0, 0, 1)
    axes = [
        _cuts([pixel, *(grid.spans[axis] for grid in grids.values())], size[axis], side, least)
        for axis in (0, 1)
    ]
    return [Tile(rows, columns, size, grids) for rows, columns in product(*axes)]


def _cuts(spans: list[ReceptiveField], length: int, side: int, least: int) -> list[Cut]:
    stride = math.lcm(*(span.jump for span in spans))
    before = max(-span.first for span in spans)
    behind = max(span.last - span.jump + 1 for span in spans)
    number = max(1, math.ceil(length / max(side, stride)))
    edges = sorted(
        {min(stride * round(at * length / (number * stride)), length) for at in range(number)} | {length}
    )
    found = []
    for first, last in pairwise(edges):
        begin = max(first - before, 0) // stride * stride
        end = min(max(last + behind, begin + least), length)
        end = length - (length - end) // stride * stride
        begin = max(min(begin, end - least), 0) // stride * stride
        found.append(Cut(first, last, begin, end))
    return found


def grids_hold(network: Network, grids: Mapping[str, Grid]) -> bool:
    """Whether the units of a tile really are those of the whole picture: tried out on noise."""
    stride = math.lcm(*(span.jump for grid in grids.values() for span in grid.spans))
    reach = max(span.last - span.first for grid in grids.values() for span in grid.spans)
    # So large that crops are parts of it: of a picture that fits into each crop nothing would be learnt.
    side = stride * math.ceil((2 * network.smallest + 2 * reach + 4 * stride) / stride)
    close = 0.05 if working_type(network.module).itemsize < 4 else 1e-3
    device = working_device(network.module)
    image = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0)).to(device)
    layers = [name for name in grids if name != IMAGE]
    found = units(network, layers, (side, side))
    small = {name: grid for name, grid in found.items() if grid is not None}
    try:
        with torch.no_grad():
            whole = network.capture(image, layers)
            cut = tiles(small, (side, side), max(2 * stride, network.smallest // 2), network.smallest)
            for tile in (cut[0], cut[len(cut) // 2], cut[-1]):
                seen = network.capture(crop_activation(image, tile.place), layers)
                for name in layers:
                    own, expected = (
                        crop_activation(seen[name], tile.within(name)),
                        crop_activation(whole[name], tile.owned(name)),
                    )
                    if own.shape != expected.shape or (own - expected).norm() > close * expected.norm():
                        return False
    except (RuntimeError, ValueError, UsageError):
        return False
    return True


def scattered(size: Size, side: int, least: int, phase: Size) -> list[tuple[slice, slice]]:
    """Tiles without margins that cover every pixel once; the first ones are cut off at ``phase``.

    What would be narrower than ``least`` goes to its neighbor.
    """
    axes = []
    for length, shift in zip(size, phase, strict=True):
        edges = [0]
        for edge in range(shift, length, side):
            if edge - edges[-1] >= least and length - edge >= least:
                edges.append(edge)
        axes.append([slice(first, last) for first, last in zip(edges, [*edges[1:], length], strict=True)])
    return list(product(*axes))


def crop_activation(activation: Tensor, part: tuple[slice, slice]) -> Tensor:
    """That part of [B, C, h, w]."""
    return activation[..., part[0], part[1]]
