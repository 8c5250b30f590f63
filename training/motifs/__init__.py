"""The motif table: a new motif is one function and one line here.

A motif is a function ``(rng, size) -> layer``. An *object* stands alone on a transparent ground,
centered, filling most of the frame; a *surface* covers the whole frame and is seen whole or cut
to a shape.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from numpy.random import Generator

from training.canvas import Layer


@dataclass(frozen=True)
class Motif:
    """How one class is drawn and placed."""

    draw: Callable[[Generator, int], Layer]
    kind: Literal["object", "surface"] = "object"
    upright: bool = False  # keeps its feet down: only slightly turned


MOTIFS: dict[str, Motif] = {}
