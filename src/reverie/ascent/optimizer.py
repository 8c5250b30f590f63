"""Steps by an optimizer of torch, as a rule of the one loop."""

from __future__ import annotations

from dataclasses import dataclass
from inspect import signature
from typing import Any

import torch
from torch import Tensor

from reverie.ascent.rules import Ascent, Taken
from reverie.errors import UnknownName, UsageError
from reverie.pixels.param import Param

# Those that can go uphill, but for the ones that want sparse gradients or matrices.
OPTIMIZERS: dict[str, type[torch.optim.Optimizer]] = {
    name.lower(): each
    for name, each in sorted(vars(torch.optim).items())
    if isinstance(each, type)
    and {"lr", "maximize"} <= set(signature(each).parameters)
    and name not in ("SparseAdam", "Muon")
}


@dataclass(frozen=True)
class Optimizer:
    """A torch optimizer (``name`` in any case) going uphill with ``step_size`` as its rate.

    During the last ``cooldown``, a share of the ``steps``, the rate sinks evenly towards 0: what the
    transforms shake up then settles. The gradient is taken as it is, or is the direction of ``ascent``.
    Raises :class:`UnknownName` for a name and :class:`UsageError` for ``options`` that torch does not know.
    """

    name: str
    step_size: float
    steps: int
    cooldown: float = 0.0
    options: tuple[tuple[str, Any], ...] = ()
    ascent: Ascent | None = None

    def __post_init__(self) -> None:
        if self.name.lower() not in OPTIMIZERS:
            raise UnknownName("optimizer", self.name, ("ascent", *OPTIMIZERS), "the documentation of torch.optim")
        kind = OPTIMIZERS[self.name.lower()].__name__
        if {"lr", "maximize", "params"} & dict(self.options).keys():
            raise UsageError(f"{kind} goes uphill, its rate is [[step_size]]; leave lr, maximize and params out.")
        tried = torch.zeros(1, 3, 2, 2)
        try:
            leaf, optimizer = self._begun(tried)
            leaf.grad = torch.ones_like(tried)
            optimizer.step()
        except (TypeError, ValueError, RuntimeError, AssertionError) as error:
            reason = str(error).strip().split("\n")[0].rpartition("__init__() ")[2].rstrip(".") or "it fails"
            raise UsageError(f"torch's {kind} does not take {dict(self.options)}: {reason}.") from None

    def step(self, param: Param, gradient: Tensor, state: Any) -> tuple[Param, Any]:
        leaf, optimizer, taken = state or (*self._begun(param.values), Taken(0, None))
        # A param may have brought its values back to where they mean an image.
        leaf.data.copy_(param.values)
        optimizer.param_groups[0]["lr"] = self.rate(taken.steps)
        taken = self.ascent.directed(gradient, taken) if self.ascent else Taken(taken.steps + 1, gradient)
        leaf.grad = taken.direction
        optimizer.step()
        # Where nothing pulls, an optimizer without its epsilon divides nothing by nothing.
        change = (leaf.detach() - param.values).nan_to_num_(0.0)
        return param.moved(change), (leaf, optimizer, taken)

    def rate(self, done: int) -> float:
        """The rate after so many steps."""
        last = self.steps * self.cooldown
        return self.step_size * min(1.0, (self.steps - done) / last if last else 1.0)

    def _begun(self, values: Tensor) -> tuple[Tensor, torch.optim.Optimizer]:
        leaf = values.detach().clone().requires_grad_(True)
        kind: Any = OPTIMIZERS[self.name.lower()]
        return leaf, kind([leaf], lr=self.step_size, maximize=True, **dict(self.options))
