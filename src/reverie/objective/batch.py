"""Objectives over a batch: pictures that differ from one another, or lead from one thing to another."""

from __future__ import annotations

import torch
from torch import Tensor

from reverie.network import Activations
from reverie.objective.value import Objective, Term


def diversity(name: str) -> Objective:
    """Minus the mean cosine between a picture's Gram matrix at a layer and those of the others in its batch.

    Larger is more diverse; a picture that is alone scores 0. Olah et al. 2017, who subtract the similarity.
    """

    def score(activations: Activations) -> Tensor:
        a = activations[name]
        flat = a.flatten(2) if a.ndim > 2 else a[:, :, None]
        gram = (flat @ flat.mT).flatten(1)
        gram = gram / torch.linalg.vector_norm(gram, dim=1, keepdim=True).clamp_min(1e-10)
        alike: Tensor = gram @ gram.T
        return (alike.diagonal() - alike.sum(1)) / max(1, len(a) - 1)

    return Objective((Term(frozenset([name]), score, additive=False, name=f"diversity({name})"),))


def interpolation(first: Objective, second: Objective) -> Objective:
    """A batch that leads from ``first`` to ``second`` (lucid).

    Picture i of B scores (1 - w) * first + w * second with w = i / (B - 1).
    """

    def score(activations: Activations) -> Tensor:
        a, b = first.score(activations), second.score(activations)
        w = torch.linspace(0, 1, len(a), dtype=a.dtype, device=a.device) if len(a) > 1 else a.new_zeros(1)
        return a.lerp(b, w)

    name = " to ".join("+".join(term.name for term in each.terms) for each in (first, second))
    layers = first.layers | second.layers
    additive = first.additive and second.additive
    return Objective(
        (
            Term(
                layers,
                score,
                additive=additive,
                name=name,
                measure=(lambda sight: interpolation(first.measured(sight), second.measured(sight)).terms[0])
                if first.measures or second.measures
                else None,
                follow=(lambda sight: interpolation(first.following(sight), second.following(sight)).terms[0])
                if first.follows or second.follows
                else None,
            ),
        )
    )
