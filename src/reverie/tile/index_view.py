"""A picture as it is seen through index vectors: mirrored, shifted, padded, without ever being copied whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from reverie.pixels.ops import Size

Place = tuple[slice, slice]  # rows and columns


class PixelRun(NamedTuple):
    """Neighbors that are neighbors in the picture too: where they are seen, where they lie, whether backwards."""

    seen: slice
    lies: slice
    mirrored: bool


@dataclass(frozen=True, eq=False)
class View:
    """Row y and column x of what is seen are row ``rows[y]`` and column ``columns[x]`` of ``image`` [B, 3, H, W]."""

    image: Tensor
    rows: Tensor
    columns: Tensor

    @classmethod
    def of(cls, image: Tensor) -> View:
        """The picture as it is."""
        return cls(image, torch.arange(image.shape[-2]), torch.arange(image.shape[-1]))

    @property
    def size(self) -> Size:
        """(height, width) of what is seen."""
        return len(self.rows), len(self.columns)

    def crop(self, place: Place) -> Tensor:
        """A part of what is seen, as a new tensor [B, 3, h, w]."""
        image = self.image.detach()
        made = image.new_empty(*image.shape[:-2], *(each.stop - each.start for each in place))
        for rows in _runs(self.rows[place[0]]):
            for columns in _runs(self.columns[place[1]]):
                made[..., rows.seen, columns.seen] = _turned(
                    image[..., rows.lies, columns.lies], rows, columns
                )
        return made

    def add(self, total: Tensor, place: Place, gradient: Tensor) -> None:
        """Add a gradient of :meth:`crop` to ``total`` [B, 3, H, W], that of the picture."""
        for rows in _runs(self.rows[place[0]]):
            for columns in _runs(self.columns[place[1]]):
                part = gradient[..., rows.seen, columns.seen]
                total[..., rows.lies, columns.lies] += _turned(part, rows, columns)


def _runs(index: Tensor) -> list[PixelRun]:
    """``index`` cut where it jumps or turns."""
    at = index.tolist()
    found, begun = [], 0
    while begun < len(at):
        end = begun + 1
        step = at[end] - at[begun] if end < len(at) else 1
        if step in (1, -1):
            while end < len(at) and at[end] - at[end - 1] == step:
                end += 1
        low, high = sorted((at[begun], at[end - 1]))
        found.append(PixelRun(slice(begun, end), slice(low, high + 1), at[begun] > at[end - 1]))
        begun = end
    return found


def _turned(part: Tensor, rows: PixelRun, columns: PixelRun) -> Tensor:
    axes = [axis for axis, run in ((-2, rows), (-1, columns)) if run.mirrored]
    return part.flip(axes) if axes else part
