"""Places where no dream was carried on catch up with the rest: they take longer strides until theirs is as old."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from reverie.ascent.rules import Rule
from reverie.loop.plan import Plan
from reverie.pixels.ops import resize
from reverie.pixels.param import Param

MOST_STRIDES = 8.0  # usual strides that a frame may take, in the coarsest octave
LEAST_SHARE = 0.05  # of a dream that a frame counts for, where nothing decays


@dataclass(frozen=True, eq=False)
class Striding:
    """Any rule with its strides ``longer`` [1, 1, h, w] times as long, place by place; pixels stay within 0..1."""

    rule: Rule
    longer: Tensor

    def step(self, param: Param, gradient: Tensor, state: Any) -> tuple[Param, Any]:
        moved, state = self.rule.step(param, gradient, state)
        if moved.values.ndim != 4 or moved.values.shape[-2:] != self.longer.shape[-2:]:
            return moved, state  # no pixels
        values = param.values.lerp(moved.values, self.longer.to(moved.values)).clamp(0, 1)
        return replace(moved, values=values), state  # type: ignore[type-var]


def caught_up(plan: Plan, ripe: Tensor, decay: float) -> tuple[Plan, Tensor]:
    """The plan with longer strides where little was carried on, and how ripe the dream is afterwards.

    ``ripe`` [1, 1, H, W] says how much of a settled dream was carried into each place, 0..1. A settled dream is what
    is left when each frame adds as much as ``decay`` takes. Coarse octaves stride further than fine ones: forms come
    first, and one long stride at the end is grain.
    """
    share = max(1 - decay, LEAST_SHARE)
    longer = ((1 - ripe) / share).clamp(1, max(2.0, MOST_STRIDES / plan.octaves[0].steps))
    if longer.max() < 1.001:
        return plan, (ripe + share).clamp(0, 1)
    last = max(1, len(plan.octaves) - 1)
    octaves = [
        replace(
            each, rule=Striding(each.rule, resize(longer, each.size).clamp_min(1) ** (1 - 0.5 * at / last))
        )
        for at, each in enumerate(plan.octaves)
    ]
    return replace(plan, octaves=tuple(octaves)), (ripe + share * longer).clamp(0, 1)
