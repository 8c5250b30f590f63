"""What the output of any module means as an activation [B, C, h, w] or [B, C].

Tokens [B, N, C] are folded back into the grid they were cut from, without class and register tokens;
channels that come last are brought to the front; tuples and dictionaries give their first tensor.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from reverie.pixels.ops import Size

MOST_TOKENS = 16  # class, distillation and register tokens together


@dataclass(frozen=True)
class TokenLayout:
    """How the output of one layer is read: the axis of its channels (0: it has none), its number of axes.

    Of tokens the first ``prefix`` have no place; the others lie on a grid of one each ``cell`` pixels of
    what the module takes (0: on no grid). ``sequence``: the axis of tokens stands before that of pictures.
    """

    axes: int
    channels: int
    prefix: int = 0
    cell: float = 0.0
    sequence: bool = False


def first(output: object) -> Tensor | None:
    """The first tensor of numbers in an output, however nested; None where there is none."""
    if isinstance(output, Tensor):
        return output if output.is_floating_point() and output.ndim and output.numel() else None
    parts: Iterable[object] = ()
    if isinstance(output, Mapping):
        parts = output.values()
    elif isinstance(output, tuple | list):
        parts = output
    return next((found for each in parts if (found := first(each)) is not None), None)


def layout(
    module: nn.Module,
    small: torch.Size,
    large: torch.Size | None,
    size: Size,
    maps: Sequence[Size],
    last: bool = False,
) -> TokenLayout:
    """How an output is read that has the shape ``small`` for one picture of ``size``.

    ``large`` is its shape for a picture of twice that size, if the module takes that. ``maps`` are the
    grids [h, w] of the layers before it; ``last`` says that channels come last where nothing else tells.
    """
    axes, large = len(small), large if large is not None and len(large) == len(small) else None
    if axes == 1:
        return TokenLayout(1, 0)
    last = last or isinstance(module, nn.Linear | nn.LayerNorm | nn.Embedding)
    channels = _channels(small, large, last)
    several = small[0] > 1 or (
        large is not None and large[0] > 1
    )  # windows of attention, or tokens, in the place of pictures
    sequence = several and axes == 3 and small[1] == 1 and channels == 2
    if axes > 3 or (axes == 3 and several and not sequence) or (axes == 2 and not several) or channels == 0:
        return TokenLayout(axes, channels)
    counted = 0 if several else 3 - channels
    prefix, rows = _grid(small[counted], None if large is None else large[counted], size, maps)
    return TokenLayout(axes, channels, prefix, size[0] / rows if rows else 0.0, sequence)


def _channels(small: torch.Size, large: torch.Size | None, last: bool) -> int:
    """The axis of channels: one that does not grow with the picture."""
    axes = range(1, len(small))
    same = [axis for axis in axes if large is None or small[axis] == large[axis]]
    if not same:
        return 0
    if len(same) < len(axes):
        return same[-1] if last or same[0] != 1 else 1
    if len(small) == 3 or last:
        return len(small) - 1
    square = len(small) == 4 and small[1] == small[2] != small[3]
    return 3 if square else 1


def _grid(small: int, large: int | None, size: Size, maps: Sequence[Size]) -> Size:
    """How many of the tokens have no place, and how many rows the others make; 0 rows: no grid fits."""

    def squares(count: int) -> dict[int, int]:
        roots = range(1, math.isqrt(count) + 1)
        return {count - rows * rows: rows for rows in roots if count - rows * rows <= MOST_TOKENS}

    known = {small - h * w: h for h, w in maps if 0 <= small - h * w <= MOST_TOKENS}
    found = squares(small) if size[0] == size[1] else known
    if large is not None and large != small:
        found = {prefix: rows for prefix, rows in found.items() if prefix in squares(large)}
    both = {prefix: rows for prefix, rows in known.items() if found.get(prefix) == rows} or found
    return min(both.items(), default=(0, 0))


def folded(output: object, how: TokenLayout, count: int, size: Size) -> Tensor | None:
    """The activation [count, C, h, w] or [count, C] in ``output``, of ``count`` pictures of ``size`` each.

    None where it is not what ``how`` was found for.
    """
    x = first(output)
    if x is None or x.ndim != how.axes:
        return None
    if how.sequence:
        x = x.transpose(0, 1)
    if x.shape[0] % count:
        return None
    several = x.shape[0] // count
    x = x.movedim(how.channels, 1) if how.channels else x.unsqueeze(1)
    if x.ndim > 4:
        x = x.flatten(3)
    if several > 1:
        x = torch.unflatten(x, 0, (count, several)).movedim(1, 2)
        x = x.flatten(2, 3) if x.ndim > 3 else x
    if x.ndim != 3:
        return x
    places = x[:, :, how.prefix :] if how.cell else x
    return torch.unflatten(places, 2, _rows(places.shape[2], how.cell, size))


def _rows(count: int, cell: float, size: Size) -> Size:
    """Height and width of the grid of ``count`` tokens; a column of them where none fits."""
    if cell:
        heights, widths = ((math.floor(side / cell), math.ceil(side / cell)) for side in size)
        for height in heights:
            for width in widths:
                if height * width == count:
                    return height, width
    return count, 1
