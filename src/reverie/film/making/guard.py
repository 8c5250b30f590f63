"""The guard of a feedback loop: light, contrast, color and detail stay what they were at the start."""

from __future__ import annotations

import torch
from torch import Tensor

from reverie.pixels.ops import EPSILON, split

LEVELS = 4  # frequency bands held one by one, besides what lies below them
STRONGEST = 1.5  # factor by which a band is changed in one frame at most


def measured(image: Tensor) -> Tensor:
    """Mean of each channel, then the strength of each band of luma and of chroma, [3 + 2 * (LEVELS + 1)].

    ``image`` is [1, 3, H, W], any range. Strengths are root mean squares.
    """
    means, *parts = _parts(image)
    strengths = [part.square().mean().sqrt() for part in parts]
    return torch.cat([means.flatten(), torch.stack(strengths)])


def hold(image: Tensor, target: Tensor, share: float = 0.5) -> Tensor:
    """``image`` [1, 3, H, W] moved by ``share`` of the way to the means and strengths of ``target``."""
    means, *parts = _parts(image)
    wanted = target[:3].view(1, 3, 1, 1).to(image)
    made = means.lerp(wanted, share)
    for part, strength in zip(parts, target[3:].tolist(), strict=True):
        now = part.square().mean().sqrt().item()
        gain = (strength / max(now, EPSILON)) ** share
        made = made + part * min(max(gain, 1 / STRONGEST), STRONGEST)
    return made


def _parts(image: Tensor) -> list[Tensor]:
    """Channel means [1, 3, 1, 1], then the bands of luma [1, 1, H, W] and of chroma [1, 3, H, W]; they add up."""
    means = image.mean((-2, -1), keepdim=True)
    rest = image - means
    luma = rest.mean(1, keepdim=True)
    bands = [*_bands(luma), *_bands(rest - luma)]
    return [means, *bands]


def _bands(part: Tensor) -> list[Tensor]:
    found = split(part, LEVELS)
    # A small picture holds fewer bands; empty ones keep the measure's length.
    return [*found[:-1], *[torch.zeros_like(part)] * (LEVELS + 1 - len(found)), found[-1]]
