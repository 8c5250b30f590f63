"""The gradient of a picture so large that no copy of it may be made: seen through index vectors, kept in bfloat16."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from reverie.network import Network
from reverie.objective import Objective
from reverie.ops import EPSILON
from reverie.tile.view import View
from reverie.transform import Transform

if TYPE_CHECKING:
    from reverie.tile import Tiles

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


def gathered(
    look: Tiles, network: Network, objective: Objective, view: View, generator: torch.Generator, balance: bool
) -> tuple[Tensor, Tensor]:
    """Scores [T, B] and the combined gradient [B, 3, H, W], in bfloat16, of the picture that ``view`` looks at."""
    weights = [term.weight * (term.share if balance else 1.0) for term in objective.terms]
    if not balance:
        whole = torch.zeros_like(view.image, dtype=torch.bfloat16)
        return look.add(network, objective, view, [whole], generator, weights), whole
    kept = [torch.zeros_like(view.image, dtype=torch.bfloat16) for _ in weights]
    scores = look.add(network, objective, view, kept, generator)
    combine(kept, weights)
    return scores, kept[0]


def combine(gradients: Sequence[Tensor], weights: Sequence[float]) -> None:
    """What :func:`reverie.ascent.combined` does with balance, band by band, into the first of ``gradients``."""
    height, width = gradients[0].shape[-2:]
    step = max(1, BAND // width)
    bands = [slice(at, at + step) for at in range(0, height, step)]
    scales: list[Tensor] = []
    for gradient in gradients:
        parts = [gradient[..., band, :].float().abs().sum((1, 2, 3), keepdim=True) for band in bands]
        mean = torch.stack(parts).sum(0) / gradient[0].numel()
        scales.append(mean.clamp_min(EPSILON))
    for band in bands:
        total = torch.zeros_like(gradients[0][..., band, :], dtype=torch.float32)
        for weight, gradient, scale in zip(weights, gradients, scales, strict=True):
            total += weight * gradient[..., band, :].float() / scale
        gradients[0][..., band, :] = total
