"""Objectives that follow another picture, or a direction: dot products with given activations."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor

from reverie.errors import UsageError
from reverie.network import Activations
from reverie.objective.value import Objective, Sight, Term, over_places

Match = Literal["dot", "cosine"]

LARGEST_TABLE = 1 << 22  # numbers in the largest table of dot products that is ever held: 16 MB
FLOOR = 0.1  # least cosine that counts: what points elsewhere is still pulled a little (lucid)


def match(name: str, vectors: Tensor, by: Match = "dot", label: str = "") -> Objective:
    """Guided dreaming (DeepDream, Mordvintsev 2015): each place becomes more like the best match in a guide.

    ``vectors`` [M, C] are the activations of the guide at layer ``name``. Each place x takes, anew at every step, the
    vector y of the largest dot product and ascends <x, y>, y held fixed; the score is the mean over places.
    Raw dot products favor the strongest places of the guide; ``by="cosine"`` matches directions and pulls with
    y / |y|.
    """
    wanted = vectors if by == "dot" else unit_vectors(vectors)

    def places(activations: Activations) -> Tensor:
        a = activations[name]
        pulled: Tensor = a * best(a.detach(), wanted.to(a))
        return pulled.sum(1)

    return Objective((over_places(label or f"guide@{name}", places, [name]),))


def best(a: Tensor, vectors: Tensor) -> Tensor:
    """For each place of ``a`` [B, C, ...] the row of ``vectors`` [M, C] of the largest dot product.

    Shaped like ``a``. The table of all products is never held whole.
    """
    flat = a.flatten(2) if a.ndim > 2 else a[:, :, None]
    found = torch.empty_like(flat)
    step = max(1, LARGEST_TABLE // len(vectors))
    for picture, into in zip(flat, found, strict=True):
        for at in range(0, picture.shape[1], step):
            row = (vectors @ picture[:, at : at + step]).argmax(0)
            into[:, at : at + step] = vectors[row].T
    return found.view_as(a)


def unit_vectors(vectors: Tensor) -> Tensor:
    """``vectors`` [M, C] scaled to length 1; zeros stay zeros."""
    scaled: Tensor = vectors / torch.linalg.vector_norm(vectors, dim=1, keepdim=True).clamp_min(1e-12)
    return scaled


def direction(name: str, vector: Tensor, power: float = 0.0, label: str = "") -> Objective:
    """Mean over places of <a, v> * max(0.1, cos(a, v))^power: units along ``vector`` [C] (lucid).

    ``power`` 0 is the plain dot product; higher ones care less about strength and more about the angle. Raises
    :class:`UsageError` where the layer has another number of channels.
    """
    if vector.ndim != 1 or not bool(torch.isfinite(vector).all()):
        raise UsageError(f"A direction is one finite vector [channels], not of shape {tuple(vector.shape)}.")

    def places(activations: Activations) -> Tensor:
        a = activations[name]
        if a.shape[1] != len(vector):
            raise UsageError(f"The layer {name!r} has {a.shape[1]} channels, the direction {len(vector)}.")
        return _aligned(a, vector.to(a).view(1, -1, *(1,) * (a.ndim - 2)), power)

    return Objective((over_places(label or f"direction({name})", places, [name]),))


def caricature(name: str, power: float = 0.0) -> Objective:
    """What the source shows, exaggerated: <a, s> * max(0.1, cos(a, s))^power at each place, s the source's (lucid).

    The source is shown to the network at every step in the same view as the picture; until it is followed the
    picture stands for itself.
    """
    label = f"caricature({name})"

    def towards(source: Tensor | None) -> Term:
        def places(activations: Activations) -> Tensor:
            a = activations[name]
            return _aligned(a, a.detach() if source is None else source, power)

        # A tile would have to be told its part of the source.
        return over_places(label, places, [name], additive=False)

    def follow(sight: Sight) -> Term:
        return towards(sight.seen(sight.source, [name])[name])

    return Objective((replace(towards(None), follow=follow),))


def _aligned(a: Tensor, v: Tensor, power: float) -> Tensor:
    """Dot product over channels, times the floored cosine to that power."""
    dot: Tensor = (a * v).sum(1)
    if not power:
        return dot
    lengths = [torch.linalg.vector_norm(each, dim=1) + 1e-4 for each in (a, v)]
    cosine: Tensor = dot / lengths[0] / lengths[1]
    aligned: Tensor = dot * cosine.clamp_min(FLOOR) ** power
    return aligned
