"""The classes of a network at every place, where it only tells those of a whole picture."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EQUAL_LOGITS = 0.02
"""By how much, relative to the logits, the mean of the map may differ from them; bfloat16 alone takes 0.01."""


@dataclass(frozen=True, eq=False)
class ClassMap:
    """A linear classifier behind a global average pool, taken in front of it.

    Both are linear, so the logits of a picture are the mean of those at each place of ``layer``. ``weight`` [K, C] and
    ``bias`` [K] are the classifier's.
    """

    layer: str
    weight: Tensor
    bias: Tensor
    _ready: dict[tuple[torch.device, torch.dtype], tuple[Tensor, Tensor]] = field(default_factory=dict, repr=False)

    def logits(self, activation: Tensor) -> Tensor:
        """The class logits [B, K, h, w] at each place of ``activation`` [B, C, h, w], that of ``layer``."""
        like = activation.device, activation.dtype
        if like not in self._ready:
            self._ready[like] = self.weight.to(*like)[..., None, None], self.bias.to(*like)
        return F.conv2d(activation, *self._ready[like])

    def of(self, *classes: int) -> ClassMap:
        """The map of those classes alone, in that order."""
        return ClassMap(self.layer, self.weight[list(classes)], self.bias[list(classes)])


class Classifying(Protocol):
    """What of a :class:`reverie.network.Network` is needed here, which imports this file."""

    @property
    def module(self) -> nn.Module: ...
    @property
    def logits(self) -> str: ...
    @property
    def smallest(self) -> int: ...
    @property
    def layers(self) -> tuple[Any, ...]: ...
    def capture(self, image: Tensor, layers: Iterable[str]) -> dict[str, Tensor]: ...


def class_map(network: Classifying) -> ClassMap | None:
    """The class map of ``network``; None where it has none.

    It is not read off the modules but tried out on noise: the mean of the map must be the logits.
    """
    module = network.module.get_submodule(network.logits) if network.logits else None
    if not isinstance(module, nn.Linear):
        return None
    layers = [each for each in network.layers if each.stride and each.channels == module.in_features]
    if not layers:
        return None
    side = 2 * network.smallest * -(-64 // network.smallest)
    generator = torch.Generator().manual_seed(0)
    weight = module.weight.detach()
    image = torch.rand(1, 3, side, side, generator=generator).to(weight)
    bias = weight.new_zeros(len(weight)) if module.bias is None else module.bias.detach()
    with torch.no_grad():
        seen = network.capture(image, [network.logits, *(each.name for each in layers)])
        logits = seen[network.logits]
        for each in reversed(layers):
            found = ClassMap(each.name, weight, bias)
            activation = seen[each.name]
            if activation.ndim != 4 or activation.shape[2:].numel() == 1:
                continue
            error = (found.logits(activation).mean((2, 3)) - logits).norm() / logits.norm().clamp_min(1e-12)
            if error < EQUAL_LOGITS:
                return found
    return None
