"""Objectives about layers, channels and single neurons."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from reverie.errors import UsageError
from reverie.network import Activations
from reverie.objective.value import Objective, Sight, Term, over_places
from reverie.pixels.ops import mean_of_squares


def layer(name: str, focus: float = 0.0) -> Objective:
    """Energy of a layer, 0.5 * mean(a^2): more of whatever it sees (DeepDream, Mordvintsev 2015).

    With ``focus`` above 0 its channels are weighted by their mean activation to that power,
    measured on the picture each octave starts at, so that what is there already wins.
    """

    def weighted(weight: Tensor | None) -> Term:
        def places(activations: Activations) -> Tensor:
            a = activations[name]
            return 0.5 * (mean_of_squares(a) if weight is None else (weight * a.square()).mean(1))

        return over_places(name, places, [name])

    def measure(sight: Sight) -> Term:
        a = sight.seen(sight.start, [name])[name]
        mean = a.clamp_min(0).flatten(2).mean(2) if a.ndim == 4 else a.clamp_min(0)
        weight = (mean / mean.mean(1, keepdim=True).clamp_min(1e-12)).pow(focus)
        # A layer that is nowhere positive has no favorites.
        weight = torch.where(mean.sum(1, keepdim=True) > 0, weight, torch.ones_like(weight))
        weight = weight / weight.mean(1, keepdim=True).clamp_min(1e-12)
        return weighted(weight.view(*weight.shape, *(1,) * (a.ndim - 2)))

    return Objective((replace(weighted(None), measure=measure if focus > 0 else None),))


def mean(name: str) -> Objective:
    """Mean activation of a layer: every unit pushed alike, not more of what is seen (TensorFlow's tutorial)."""
    return Objective((over_places(f"mean({name})", lambda seen: seen[name].mean(1), [name]),))


def mean_square(name: str) -> Objective:
    """Mean square of a layer, mean(a^2) (lucid's deepdream objective)."""
    return Objective((over_places(f"meansquare({name})", lambda seen: mean_of_squares(seen[name]), [name]),))


def sum_square(name: str) -> Objective:
    """Sum of squares of a layer: unbalanced, large layers weigh more (DeepDream 2015, up to a factor of 2)."""
    label = f"sumsquare({name})"

    def places(activations: Activations) -> Tensor:
        a = activations[name]
        return a.square().sum(1) * a[0, 0].numel()

    return Objective((over_places(label, places, [name], additive=False),))


def norm(name: str) -> Objective:
    """L2 norm of a whole layer: its gradient has length 1 there, whatever the layer (PyTorch ports)."""

    def score(activations: Activations) -> Tensor:
        length: Tensor = torch.linalg.vector_norm(activations[name].flatten(1), dim=1)
        return length

    return Objective((Term(frozenset([name]), score, additive=False, name=f"norm({name})"),))


def favorites(name: str, count: int, weakest: bool = False) -> Objective:
    """Energy of the ``count`` channels that the source excites most, or least without being silent.

    They are chosen on the pristine source at the size of each octave (automatic channels, neural-dream 2020);
    until then they are all channels. Channels that do not answer at all have no gradient to follow.
    """
    label = f"{'bottom' if weakest else 'top'}({name}, {count})"

    def measure(sight: Sight) -> Term:
        a = sight.seen(sight.source, [name])[name]
        energy = a.square().flatten(2).mean((0, 2)) if a.ndim == 4 else a.square().mean(0)
        if weakest:
            energy = torch.where(energy > 0, -energy, -torch.inf)
        chosen = energy.topk(min(count, len(energy))).indices
        return over_places(label, lambda seen: 0.5 * mean_of_squares(seen[name][:, chosen]), [name])

    (term,) = layer(name).terms
    return Objective((replace(term, name=label, measure=measure),))


def top(name: str, count: int) -> Objective:
    """Energy of the ``count`` channels that the source excites most: :func:`favorites`."""
    return favorites(name, count)


def bottom(name: str, count: int) -> Objective:
    """Energy of the ``count`` channels that the source excites least without being silent: :func:`favorites`."""
    return favorites(name, count, weakest=True)


def channel(name: str, index: int) -> Objective:
    """Mean activation of one channel of a layer (Olah et al. 2017)."""
    return Objective((over_places(f"{name}:{index}", lambda seen: seen[name][:, index], [name]),))


def neuron(name: str, index: int, place: tuple[float, float] = (0.5, 0.5)) -> Objective:
    """Activation of the one unit of a channel that lies at ``place``, (y, x) as fractions of the picture (lucid).

    The place is that of the picture: it follows every shift.
    """
    y, x = place
    label = f"{name}:{index}@{y:g},{x:g}"

    def at(y: float, x: float) -> Term:
        def score(activations: Activations) -> Tensor:
            a = activations[name]
            if a.ndim != 4:
                raise UsageError(f"{name} has no places; name its channel alone: {name}:{index}.")
            h, w = a.shape[-2:]
            return a[:, index, min(int(y * h), h - 1), min(int(x * w), w - 1)]

        return Term(frozenset([name]), score, additive=False, name=label)

    def follow(sight: Sight) -> Term:
        h, w = sight.start.shape[-2:]
        rows, columns = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
        pixel = min(int(y * h), h - 1), min(int(x * w), w - 1)
        where = torch.stack([rows - pixel[0], columns - pixel[1]])[None].to(sight.start)
        # Where that pixel went: the place in the view that shows it, or shows what is nearest to it.
        near = sight.view(where).square().sum(1)[0]
        # A mirrored margin shows it twice; the copy lies further from the middle.
        rows, columns = (torch.linspace(-1, 1, side, device=near.device).square() for side in near.shape)
        near = near + 1e-3 * (rows[:, None] + columns)
        row, column = divmod(int(near.argmin()), near.shape[-1])
        return at((row + 0.5) / near.shape[-2], (column + 0.5) / near.shape[-1])

    return Objective((replace(at(y, x), follow=follow),))
