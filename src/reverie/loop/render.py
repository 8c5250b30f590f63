"""render(): the one loop. Every technique is a value in the Plan; time flows outward as frames."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from reverie.ascent.gradient import Slope, slope
from reverie.errors import InputError
from reverie.loop.octave import handed, start
from reverie.loop.plan import Octave, Plan
from reverie.objective import Sight
from reverie.objective.place import fitted_mask
from reverie.pixels.anchor import Anchor
from reverie.pixels.ops import EPSILON, patches, recolored, resize
from reverie.pixels.param import Param, Pixels

HELD = 4
"""Steps for which the terms of an objective are balanced by what was measured at the first of them."""


LIVE = 8_000_000
"""Pixels of an octave up to which every frame, not only the last one, is held to its source, and up to which the first
octave begins on the seed's clouds: both need copies, and a larger picture may be as large as the memory."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One step of a dream, as seen from outside.

    ``image`` [B, 3, h, w] in 0..1 is live, at the size of its octave: copy it to keep it. ``score``
    [B] is the objective before the step, a tensor so that nobody waits for a device unasked.
    ``octave`` and ``step`` count from 0 within ``octaves`` and ``steps``; ``index`` counts all
    frames, of which there are ``total``; it leaps over those of an octave that ends early, whose last frame
    shows what its score was. The last frame of an octave that is not the last has in ``handed`` what the next
    one is given: enough to go on from there.
    ``terms`` [T, B] are the unweighted scores of the terms of the octave's objective; ``gradient``, where it was asked
    for, is the raw one, shaped like what the ascent changes. ``opacity`` [B, 1, H, W] in 0..1 comes with the last frame
    where the picture is to be transparent in part.
    """

    image: Tensor
    score: Tensor
    terms: Tensor
    octave: int
    octaves: int
    step: int
    steps: int
    index: int
    total: int
    handed: Tensor | None = None
    gradient: Tensor | None = None
    opacity: Tensor | None = None

    @property
    def last(self) -> bool:
        """Whether this is the finished picture."""
        return self.index + 1 == self.total


def render(
    plan: Plan,
    source: Tensor,
    detail: Tensor | None = None,
    *,
    octave: int = 0,
    passed: Tensor | None = None,
    gradients: bool = False,
) -> Iterator[Frame]:
    """Dream ``source`` [B, 3, H, W] in 0..1 and yield every step; the last frame is the picture.

    ``source`` may have any size of that shape, and hold integers as a file does (uint8 or uint16 over their whole
    range): every octave is made from it directly, so that a preview and its final picture see the very same coarse
    octaves, and the whole source as floats is never kept. One in float64 is dreamt in float64, which serves to measure:
    rounding to float32 alone makes another dream. ``detail`` [B, 3, h, w], any range and size, is
    added to the source in every octave: the dream of an earlier frame of a film. To go on with a dream that was
    cut off, begin at the ``octave`` after its last finished one, with what its last frame ``handed`` on as ``passed``.
    With ``gradients`` the frames carry them. Closing the iterator cancels.
    DeepDream: Mordvintsev, Olah & Tyka 2015.
    """
    short = source.is_floating_point() and source.dtype.itemsize < 4
    source = source.to(plan.device, torch.float32 if short else source.dtype)
    passed = None if passed is None else passed.to(plan.device)
    index = sum(each.steps for each in plan.octaves[:octave])
    for at, now in enumerate(plan.octaves[octave:], octave):
        base = _within(resize(source, now.size), source)
        anchor = Anchor.of(base, plan.realism) if plan.realism else None
        # In every octave, so that what an earlier frame dreamt finely survives the coarse ones.
        ground = base if detail is None else (base + resize(detail, now.size)).clamp_(0, 1)
        # At the end a picture may be as large as the memory: what is not needed any more is not kept.
        needed = at + 1 < len(plan.octaves) or plan.compares or now.compares
        begun = start(plan.detail, ground, passed, passed if at else None, spare=not needed)
        if now.mask is not None:
            begun = torch.where(now.mask > 0, begun, base)
        small = begun.shape[-2] * begun.shape[-1] <= LIVE
        seeded = _seeded(plan, begun, now.mask) if at == 0 and plan.variation and detail is None and small else None
        plain = None if seeded is None else begun
        end, passed, felt = index + now.steps, None, None
        steps = _octave(plan, now, at, now.param(begun if seeded is None else seeded.clone()), base)
        if not needed:
            base = ground = begun = source
        for param, found, step, ended in steps:
            dreamt = param.image()
            if now.mask is not None and not isinstance(param, Pixels):  # pixels are held back by their rule
                dreamt = torch.where(now.mask > 0, base.lerp(dreamt, now.mask), base)
            if plain is not None and seeded is not None:
                dreamt = (plain + (dreamt - seeded)).clamp_(0, 1)  # where nothing was dreamt, to the bit
            index = end - 1 if ended else index
            done = index + 1 == plan.total
            passed = handed(plan.detail, ground, begun, dreamt) if ended and not done else None
            shown = _shown(plan, now, dreamt, base, source, anchor, done)
            # A sum tells of any value that is none, without a copy of the picture.
            if ended and not bool(shown.sum().isfinite()):
                raise InputError(
                    f"{plan.network.name} gave values that are no numbers; look at its weights and the objective, or "
                    "take [[precision=fp32]]."
                )
            which = (at, len(plan.octaves), step, now.steps, index, plan.total)
            gradient = found.gradient if gradients else None
            if found.strength is not None:
                felt = found.strength if felt is None else felt + found.strength
            opacity = opaque(felt, plan) if done and felt is not None else None
            yield Frame(shown, found.score, found.terms, *which, passed, gradient, opacity)
            del found, gradient
            index += 1
        # What the next octave needs of this one is in passed; the rest must not stand beside it.
        del steps, param, dreamt, shown, base, ground, begun, seeded, plain, anchor


def _within(made: Tensor, source: Tensor) -> Tensor:
    """``made`` out of ``source`` in 0..1, which may be it; always laid out alike, as sums follow that."""
    return made.clamp(0, 1).contiguous() if made is source else made.clamp_(0, 1)


def _seeded(plan: Plan, begun: Tensor, mask: Tensor | None) -> Tensor:
    """``begun`` [B, 3, h, w] on the faint patches by which the seed decides what grows where."""
    generator = torch.Generator().manual_seed((plan.seed * 1_000_003 + 999_983) % 2**63)
    size = (begun.shape[-2], begun.shape[-1])
    found = plan.variation * patches(begun.shape[0], size, generator).to(begun)
    if mask is not None:
        found = found * (mask > 0)
    return (begun + found).clamp_(0, 1)


def _shown(
    plan: Plan,
    octave: Octave,
    dreamt: Tensor,
    base: Tensor,
    source: Tensor,
    anchor: Anchor | None,
    done: bool,
) -> Tensor:
    """What a frame shows: the dream held to the source's light and colors, the last one brought to size.

    Where a mask is black it is the source, whatever else is done. In octaves of more than ``LIVE`` pixels only the
    last frame is held, since the others would need a copy of a picture that may be as large as the memory.
    """
    if anchor is not None and (done or dreamt.shape[-2] * dreamt.shape[-1] <= LIVE):
        dreamt = anchor.hold(dreamt if done else dreamt.clone(), octave.mask)
    mask = octave.mask
    if done and tuple(dreamt.shape[-2:]) != plan.size:
        dreamt, base = (resize(each, plan.size).clamp(0, 1) for each in (dreamt, source))
        if mask is not None:
            mask = fitted_mask(plan.assets.mask(plan.mask), plan.size).to(dreamt)
            dreamt = torch.where(mask > 0, dreamt, base)
    if plan.color != "dream":
        colored = recolored(dreamt, base, plan.color)
        dreamt = colored if mask is None else dreamt.lerp(colored, mask)
    return dreamt.lerp(base, plan.blend) if done and plan.blend else dreamt


def opaque(felt: Tensor, plan: Plan) -> Tensor:
    """How opaque each pixel is, [B, 1, H, W] in 0..1, out of how strongly the last octave sought it, ``felt``.

    The share ``plan.opacity`` of all pixels is so wholly, the others as far as theirs goes (MACO, Fel et al. 2023).
    """
    enough = felt.flatten(1).kthvalue(max(1, round((1 - plan.opacity) * felt[0].numel())), 1).values
    alpha = (felt / enough.clamp_min(EPSILON).view(-1, 1, 1, 1)).clamp(0, 1)
    return resize(alpha, plan.size).clamp(0, 1)


def _octave(
    plan: Plan, octave: Octave, at: int, param: Param, base: Tensor
) -> Iterator[tuple[Param, Slope, int, bool]]:
    # Seeded by octave, so that pictures of different sizes draw alike in the octaves they share.
    generator = torch.Generator().manual_seed((plan.seed * 1_000_003 + at) % 2**63)
    sight: Sight | None = None
    objective = octave.objective
    if objective.measures or objective.follows:
        sight = Sight(param.image(), base, lambda image: octave.still(image, generator), plan.capture)
        objective = objective.measured(sight)
    del base
    state: Any = None
    scales: Tensor | None = None
    awake = plan.network.redirected() if octave.redirect else plan.network  # once: tiles are kept by network
    for step in range(octave.steps):
        network = awake if step < octave.redirect else plan.network
        view = octave.crops[step] if octave.crops else octave.transform
        # A pass back for each term at every step would be a third of a dream's time, for scales that hardly change.
        held = None if step % HELD == 0 or step == octave.redirect else scales
        how = (plan.balance, plan.look, sight, plan.opacity < 1, held)
        looks = (
            slope(network, objective, param, view, generator, *how)
            for _ in range(octave.views)
        )
        mean = next(looks)
        for another in looks:
            mean = mean + another
        if octave.views > 1:
            mean = mean / octave.views
        scales = mean.scales
        if octave.max_gain is not None and mean.score.min() > octave.max_gain:
            yield param, mean, step, True
            return
        param, state = octave.rule.step(param, mean.gradient, state)
        yield param, mean, step, step + 1 == octave.steps
