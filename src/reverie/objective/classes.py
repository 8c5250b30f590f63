"""Objectives about the classes that a network was trained to tell apart."""

from __future__ import annotations

from torch import Tensor

from reverie.network import Activations
from reverie.network.class_map import ClassMap
from reverie.objective.value import Objective, over_places


def logit(
    name: str, *indices: int, label: str = "", temperature: float = 2.0, classes: ClassMap | None = None
) -> Objective:
    """A class score, before any softmax; averaged over places where the network gives a map.

    Of several classes each place takes the one it is nearest to: their soft maximum, which is sharper the lower
    ``temperature`` is. Where the layer ``name`` tells the classes of the whole picture, ``classes`` tells those of
    each place.
    """
    chosen = None if classes is None else classes.of(*indices)

    def places(activations: Activations) -> Tensor:
        scores = activations[name][:, list(indices)] if chosen is None else chosen.logits(activations[layer])
        return scores[:, 0] if len(indices) == 1 else temperature * (scores / temperature).logsumexp(1)

    layer = name if classes is None else classes.layer
    return Objective((over_places(label or f"class:{'|'.join(map(str, indices))}", places, [layer]),))


def log_probability(
    name: str, *indices: int, label: str = "", temperature: float = 2.0, classes: ClassMap | None = None
) -> Objective:
    """Log-probability of any of some classes at every place, averaged: each place asked by itself.

    Where a class already shows, the push fades and other places get their turn, so it comes to
    cover the picture, which a plain logit does not. ``temperature`` above 1 softens the contest. ``classes`` is as
    in :func:`logit`.
    """

    def places(activations: Activations) -> Tensor:
        scores = activations[name] if classes is None else classes.logits(activations[classes.layer])
        return (scores / temperature).log_softmax(1)[:, list(indices)].logsumexp(1)

    layer = name if classes is None else classes.layer
    return Objective((over_places(label or f"class:{'|'.join(map(str, indices))}", places, [layer]),))
