"""Step rules: how a picture follows its gradient, the only place with a sign."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from reverie.ascent.blockwise import Block, Walk, blocks, blockwise, hand_back, walked
from reverie.ascent.shaping import Shaping, blended, normalized
from reverie.pixels.param import Param, Pixels

BLOCK = 1024  # pixels each way of the blocks in which a very large picture takes its step


class Rule(Protocol):
    """How a gradient becomes a step: normalized ascent, or an optimizer."""

    def step(self, param: Param, gradient: Tensor, state: Any) -> tuple[Param, Any]:
        """``param`` one step uphill, and what the next step of the octave must know; None at first."""


@dataclass(frozen=True, eq=False)
class Taken:
    """How many steps of the octave have been taken, and the direction of the last one, like the gradient."""

    steps: int
    direction: Tensor | None


@dataclass(frozen=True)
class Ascent:
    """Normalized ascent (DeepDream, Mordvintsev 2015): ``step_size`` is the mean change in image range.

    ``steps`` is how many the octave has, for what changes while they are taken.
    """

    step_size: float
    shaping: Shaping = field(default_factory=Shaping)
    momentum: float = 0.0
    steps: int = 1

    def step(self, param: Param, gradient: Tensor, state: Taken | None) -> tuple[Param, Taken]:
        if gradient.dtype == torch.bfloat16:
            return self._in_place(param, gradient, state)
        taken = self.directed(gradient, state)
        assert taken.direction is not None
        return param.moved(self.step_size * taken.direction), taken

    def _in_place(self, param: Param, gradient: Tensor, state: Taken | None) -> tuple[Param, Taken]:
        """The same, block by block, for a picture too large for copies: its direction is kept like its gradient."""
        assert isinstance(param, Pixels)
        size, done = (gradient.shape[-2], gradient.shape[-1]), state.steps if state else 0
        before = state.direction if state else None
        # With momentum the direction takes the place of the one before: each block reads its own part of it alone.
        direction = torch.empty_like(gradient) if before is None and self.momentum else before

        hand_back()  # what the look has left
        progress, waiting = (done + 1) / self.steps, list[tuple[Block, Tensor]]()
        over, measured = self.shaping.blocks(size, BLOCK)
        formed = blockwise(
            lambda block: self.shaping.formed(block.of(gradient).float(), block, progress), over, measured
        )
        for at, (block, part) in enumerate(formed, 1):
            # What is formed takes the place of the gradient as soon as no block to come reads that.
            waiting.append((block, part.to(gradient.dtype)))
            free = over[at].rows.first - over[at].rows.before if at < len(over) else size[0]
            while waiting and waiting[0][0].rows.last <= free:
                ready, made = waiting.pop(0)
                gradient[..., *ready.place] = made

        def walk(block: Block) -> Walk:
            last = None if before is None else block.of(before).float()
            return self._paced(block.of(gradient).float(), last, block)

        for block, part in blockwise(walk, blocks(size, BLOCK)):
            param.move(block.place, self.step_size * part)
            if direction is not None:
                direction[..., *block.place] = part
        hand_back()
        return param, Taken(done + 1, direction)

    def directed(self, gradient: Tensor, state: Taken | None) -> Taken:
        """The direction of the next step."""
        done = state.steps if state else 0
        walk = self.walk(gradient, state.direction if state else None, Block.all(gradient), done)
        return Taken(done + 1, walked(walk))

    def walk(self, gradient: Tensor, before: Tensor | None, block: Block, done: int = 0) -> Walk:
        """The direction [B, 3, h, w] of a step in a ``block``, from its ``gradient``, margin included.

        ``momentum`` is the share, 0..1, of the direction ``before`` (of the block alone): what the steps
        agree on grows, what only one of them wants fades (heavy ball, Polyak 1964). ``done`` steps were taken.
        """
        formed = yield from self.shaping.formed(gradient, block, (done + 1) / self.steps)
        return (yield from self._paced(formed, before, block))

    def _paced(self, formed: Tensor, before: Tensor | None, block: Block) -> Walk:
        norm = self.shaping.normalize
        direction = yield from normalized(formed, block, norm)
        if before is None or not self.momentum:
            return direction
        return (yield from blended(direction, before, self.momentum, block, norm))


@dataclass(frozen=True, eq=False)
class Within:
    """Any rule held within a mask [1, 1, h, w] in 0..1: of each change of the image the mask's share is made.

    It works after all normalizing, so what is dreamt does not depend on the mask, only where and how strongly.
    """

    rule: Rule
    mask: Tensor

    def step(self, param: Param, gradient: Tensor, state: Any) -> tuple[Param, Any]:
        moved, state = self.rule.step(param, gradient, state)
        if moved.values.ndim != 4 or moved.values.shape[-2:] != self.mask.shape[-2:]:
            return moved, state  # no pixels; the loop masks the image itself
        values = torch.where(self.mask > 0, param.values.lerp(moved.values, self.mask), param.values)
        return replace(moved, values=values), state  # type: ignore[type-var]
