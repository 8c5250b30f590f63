"""Steps by an optimizer of torch, as a rule of the one loop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from reverie.param import Param

OPTIMIZERS = {"adam": torch.optim.Adam, "nadam": torch.optim.NAdam, "sgd": torch.optim.SGD}


@dataclass(frozen=True)
class Optimizer:
    """A torch optimizer going uphill with ``step_size`` as its rate.

    During the last ``cooldown``, a share of the ``steps``, the rate sinks evenly towards 0: what the
    transforms shake up then settles.
    """

    name: str
    step_size: float
    steps: int
    cooldown: float = 0.0

    def step(self, param: Param, gradient: Tensor, state: Any) -> tuple[Param, Any]:
        optimizer, done = state or (self._begun(param.values), 0)
        group = optimizer.param_groups[0]
        (leaf,) = group["params"]
        # A param may have brought its values back to where they mean an image.
        leaf.data.copy_(param.values)
        leaf.grad = gradient
        group["lr"] = self.rate(done)
        optimizer.step()
        return param.moved(leaf.detach() - param.values), (optimizer, done + 1)

    def rate(self, done: int) -> float:
        """The rate after so many steps."""
        last = self.steps * self.cooldown
        return self.step_size * min(1.0, (self.steps - done) / last if last else 1.0)

    def _begun(self, values: Tensor) -> torch.optim.Optimizer:
        leaf = values.detach().clone().requires_grad_(True)
        made: torch.optim.Optimizer = OPTIMIZERS[self.name]([leaf], lr=self.step_size, maximize=True)
        return made
