"""The gradient of a picture so large that no copy of it may be made: seen through index vectors, kept in bfloat16."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from reverie.pixels.ops import EPSILON
from reverie.pixels.transform import Transform
from reverie.tile.index_view import View

BAND = 1 << 20  # pixels that are read at once where a picture is gone through row by row


def moves(transform: Transform) -> bool:
    """Whether ``transform`` only puts pixels elsewhere, rows and columns each for themselves: tried out on noise."""
    image = torch.rand(1, 3, 72, 96, generator=torch.Generator().manual_seed(0))
    try:
        seen = transform(image, torch.Generator().manual_seed(1))
        view = through(transform, image, torch.Generator().manual_seed(1))
    except (RuntimeError, IndexError):
        return False
    return view.size == tuple(seen.shape[-2:]) and torch.equal(
        view.crop((slice(0, view.size[0]), slice(0, view.size[1]))), seen
    )


def through(transform: Transform, image: Tensor, generator: torch.Generator) -> View:
    """``image`` as ``transform``, which only moves pixels, shows it; draws what that draws."""
    again = torch.Generator()
    again.set_state(generator.get_state())
    # It moves the numbers of the rows, and of the columns, as it would move the pixels; float64 counts far enough.
    height, width = image.shape[-2:]
    rows = torch.arange(height, dtype=torch.float64).view(1, 1, height, 1).expand(1, 3, height, 1)
    columns = torch.arange(width, dtype=torch.float64).view(1, 1, 1, width).expand(1, 3, 1, width)
    moved = transform(rows, generator)[0, 0, :, 0], transform(columns, again)[0, 0, 0, :]
    return View(image, moved[0].long(), moved[1].long())


def combine(gradients: Sequence[Tensor], weights: Tensor) -> Tensor:
    """Combine ``gradients`` band by band into the first of them, and return their scales.

    The numbers are those of :func:`reverie.ascent.gradient.combined` and :func:`reverie.ascent.gradient.scales`.
    """
    batch, channels, height, width = gradients[0].shape
    rows = max(1, BAND // width)
    # One after the other in the same memory: what each band took anew would still be held at the last one.
    device = gradients[0].device
    part, total = (torch.empty(batch, channels, min(rows, height), width, device=device) for _ in range(2))
    sums = torch.zeros(len(gradients), batch, device=device)
    for gradient, found in zip(gradients, sums, strict=True):
        for top in range(0, height, rows):
            band = gradient[..., top : top + rows, :]
            found += part[..., : band.shape[2], :].copy_(band).abs_().sum((1, 2, 3))
    scales = (sums / gradients[0][0].numel()).clamp_min(EPSILON)
    factors = (weights / scales).unsqueeze(-1).unsqueeze(-1).unsqueeze(-1)
    for top in range(0, height, rows):
        into = gradients[0][..., top : top + rows, :]
        here, added = total[..., : into.shape[2], :].zero_(), part[..., : into.shape[2], :]
        for gradient, factor in zip(gradients, factors, strict=True):
            here += added.copy_(gradient[..., top : top + rows, :]).mul_(factor)
        into.copy_(here)
    return scales
