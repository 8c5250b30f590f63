"""Where in the picture an objective counts: masks, and insets that leave the borders out."""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from reverie.errors import UsageError
from reverie.network import Activations
from reverie.objective.value import Objective, Sight, Term, mean_over_places


def inside(objective: Objective, cells: int) -> Objective:
    """The objective without the outer ``cells`` of each map, where padding makes a network see borders.

    TheMagicShop's DeepDream cuts 2. The middle of a small map stays. Raises :class:`UsageError` for a term that has no
    score for each place and compares what it sees.
    """
    return Objective(tuple(_inside(term, cells) for term in objective.terms)) if cells else objective


def _inside(term: Term, cells: int) -> Term:
    places, measure, follow = term.places, term.measure, term.follow
    if term.layers <= {"image"}:
        return term
    if places is None and (measure or follow):
        raise UsageError(f"{term.name} has no score for each place of the picture, so it takes no inset.")

    def held(activations: Activations) -> Tensor:
        assert places is not None
        scores = places(activations)
        if scores.ndim != 3:
            return scores
        # Zeros rather than a smaller map, so that a mask still lies where it lay.
        kept = torch.zeros_like(scores[:1])
        _cut(kept, cells).fill_(1.0)
        return scores * (kept / kept.mean())

    def of_the_inner(activations: Activations) -> Tensor:
        return term.score({name: _cut(a, cells) for name, a in activations.items()})

    return replace(
        term,
        places=held if places else None,
        score=(lambda activations: mean_over_places(held(activations))) if places else of_the_inner,
        additive=False,
        measure=measure and (lambda sight: _inside(measure(sight), cells)),
        follow=follow and (lambda sight: _inside(follow(sight), cells)),
    )


def _cut(x: Tensor, cells: int) -> Tensor:
    for axis in range(x.ndim - 2, x.ndim) if x.ndim > 2 else ():
        off = min(cells, (x.shape[axis] - 1) // 2)
        x = x.narrow(axis, off, x.shape[axis] - 2 * off)
    return x


def masked(objective: Objective, mask: Tensor, name: str = "mask") -> Objective:
    """``objective`` counted only where ``mask`` [1, 1, h, w] in 0..1 is bright, on the grid of its layer.

    The mask may have any size; it is stretched over the picture and follows every shift. Raises
    :class:`UsageError` for a term that has no score at each place.
    """
    return Objective(tuple(_masked(term, mask, name) for term in objective.terms))


def _masked(term: Term, mask: Tensor, name: str) -> Term:
    if term.places is None:
        raise UsageError(
            f"{term.name} has no score for each place of the picture, so it takes no mask ({name})."
        )
    inner = replace(term, follow=None)

    def bound(term: Term, view: Tensor) -> Term:
        places = term.places
        assert places is not None

        def score(activations: Activations) -> Tensor:
            scores = places(activations)
            if scores.ndim != 3:
                raise UsageError(f"{term.name} has no places, so it takes no mask ({name}).")
            return (scores * fitted_mask(view, (scores.shape[-2], scores.shape[-1]))[:, 0]).mean((1, 2))

        # A tile would have to be told its part of the mask.
        return replace(term, score=score, additive=False)

    def follow(sight: Sight) -> Term:
        now = term.follow(sight) if term.follow else inner
        height, width = sight.start.shape[-2:]
        return bound(now, sight.view(fitted_mask(mask.to(sight.start), (height, width))))

    def measure(sight: Sight) -> Term:
        assert term.measure is not None
        return _masked(replace(term.measure(sight), name=term.name, follow=term.follow), mask, name)

    return replace(
        bound(inner, mask),
        follow=follow,
        measure=measure if term.measure else None,
        share=max(float(mask.mean()), 1e-3) * term.share,
    )


def fitted_mask(mask: Tensor, size: tuple[int, int]) -> Tensor:
    """A mask [1, 1, h, w] stretched to ``size`` (height, width), without overshoot."""
    if tuple(mask.shape[-2:]) == size:
        return mask
    return F.interpolate(mask, size, mode="bilinear", antialias=True, align_corners=False)
