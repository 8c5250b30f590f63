"""Take: one finished frame of a film, and what the next one needs of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Take:
    """``image`` [1, 3, H, W] in 0..1 on the CPU, shown from ``time`` (seconds from the film's start) on.

    ``state`` is all that the next frame needs, float32 tensors by name: what is random is drawn from seed and
    frame number, so a film goes on from a take as if it had never stopped.
    """

    image: Tensor
    time: Fraction
    state: Mapping[str, Tensor] = field(default_factory=dict)
