"""What a dream did to its source, in a few numbers."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from reverie.objective import Objective
from reverie.pixels.ops import EPSILON, fitted_size, resize

_LOOK = 48  # pixels of the long side at which forms are compared: what is seen from across the room
_SRGB_TO_XYZ = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)
_WHITE = (0.95047, 1.0, 1.08883)  # D65


@dataclass(frozen=True)
class Quality:
    """``gain``: rise of what is dreamt in the last octave, ``penalty`` that of what is taken away from it (None where
    nothing is); ``drift``: distance of the mean colors of source and dream in CIE Lab (1 is just visible, 100 black to
    white); ``structure``: correlation of their light at 48 px.
    """

    gain: float
    drift: float
    structure: float
    penalty: float | None = None

    def __str__(self) -> str:
        penalty = "" if self.penalty is None else f", penalties {self.penalty:+.3g}"
        return (
            f"objective {self.gain:+.3g}{penalty}, color drift {self.drift:.1f}, "
            f"structure kept {self.structure:.0%}"
        )


def gains(objective: Objective, first: Tensor, last: Tensor) -> tuple[float, float | None]:
    """``gain`` and ``penalty`` between the unweighted scores [T, B] of the terms of ``objective`` at two steps.

    A penalty is a term that reads nothing but the picture itself.
    """
    rises = [
        (term.weight * float(rise), term.layers <= {"image"})
        for term, rise in zip(objective.terms, (last - first).mean(1), strict=True)
    ]
    taken = [-rise for rise, penalty in rises if penalty]
    return sum(rise for rise, penalty in rises if not penalty), sum(taken) if taken else None


def quality(source: Tensor, dream: Tensor, gain: float, penalty: float | None = None) -> Quality:
    """Compare ``dream`` [1, 3, H, W] with its ``source`` [1, 3, h, w], both sRGB in 0..1."""
    size = fitted_size((dream.shape[-2], dream.shape[-1]), _LOOK)
    first, second = (resize(each.float(), size).clamp(0, 1) for each in (source, dream))
    drift = torch.linalg.vector_norm(lab(first).mean((-2, -1)) - lab(second).mean((-2, -1)))
    a, b = (lab(each)[0, 0].flatten() for each in (first, second))
    a, b = a - a.mean(), b - b.mean()
    structure = (a @ b) / (a.norm() * b.norm()).clamp_min(EPSILON)
    return Quality(gain, float(drift), float(structure), penalty)


def lab(image: Tensor) -> Tensor:
    """``image`` [B, 3, H, W], sRGB in 0..1, as CIE L*a*b* under D65."""
    linear = torch.where(image <= 0.04045, image / 12.92, ((image + 0.055) / 1.055) ** 2.4)
    xyz = torch.einsum("ij,bjhw->bihw", image.new_tensor(_SRGB_TO_XYZ), linear)
    xyz = xyz / image.new_tensor(_WHITE).view(1, 3, 1, 1)
    f = torch.where(xyz > (6 / 29) ** 3, xyz.clamp_min(1e-9) ** (1 / 3), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = f.unbind(1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], 1)
