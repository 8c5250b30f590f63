"""What a GPU's memory cannot hold is tried again in tiles, smaller each time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from reverie.ascent.gradient import image_gradient
from reverie.network import Activations, Network
from reverie.objective import Objective
from reverie.tile.tiles import Tiles

SMALLER_SIDES = (2048, 1024, 512, 256, 128)

Result = TypeVar("Result")


@dataclass(eq=False)
class Retreat:
    """A :data:`reverie.ascent.gradient.Look` that sees a picture whole until its device runs out of memory.

    From then on it takes exact tiles, the next smaller ones each time that happens again, and stays with those that
    sufficed: ``tiles``, None while none were needed. Where the smallest are too large still, torch's OutOfMemoryError
    is raised; :class:`UsageError` for an objective that cannot be dreamt in exact tiles.
    """

    tiles: Tiles | None = None

    def __call__(
        self,
        network: Network,
        objective: Objective,
        image: Tensor,
        generator: torch.Generator | None = None,
        weights: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Scores [T, B] and gradients [T, B, 3, H, W] of the terms at ``image`` [B, 3, H, W] in 0..1; with
        ``weights`` [T, B] that of their weighted sum alone, [1, B, 3, H, W]."""
        return self._fitting(
            image, lambda: (self.tiles or image_gradient)(network, objective, image, generator, weights)
        )

    def capture(self, network: Network, image: Tensor, layers: Iterable[str]) -> Activations:
        """What :meth:`reverie.network.Network.capture` gives, without a graph."""
        wanted = frozenset(layers)

        def captured() -> Activations:
            if self.tiles is not None:
                return self.tiles.capture(network, image, wanted)
            with torch.no_grad():
                return network.capture(image, wanted)

        return self._fitting(image, captured)

    def _fitting(self, image: Tensor, attempt: Callable[[], Result]) -> Result:
        while True:
            try:
                return attempt()
            except torch.OutOfMemoryError:
                before = max(image.shape[-2:]) if self.tiles is None else self.tiles.side
                side = next((side for side in SMALLER_SIDES if side < before), None)
                if side is None:
                    raise
            # After the handler: until then the error holds what the failed attempt had made.
            self.tiles = Tiles(side)
            torch.cuda.empty_cache()
