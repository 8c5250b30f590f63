"""What a picture excites: layers, channels, places, and classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from reverie.atlas.baseline import Rest, at_rest, fitting, flat, references
from reverie.atlas.layer_selection import worthwhile
from reverie.errors import UsageError
from reverie.network import Layer, Network
from reverie.pixels.ops import Size, resize

PADDING = 16  # mirrored pixels around, so that a network's own zero padding does not glow at the borders


@dataclass(frozen=True)
class Unit:
    """A channel: its ``mean`` activation in the picture and on ``noise``, and the difference in units of how much
    it varies there (``excess``)."""

    channel: int
    mean: float
    noise: float
    excess: float


@dataclass(frozen=True, eq=False)
class Excitement:
    """What the picture does to one layer.

    ``mean`` is the layer's mean activation, ``strength`` its root mean square against that on noise. ``units``
    are the channels that it excites most, best first. ``heat`` [h, w] is the root mean square at each place, each
    channel against its own on noise, ``maps`` [len(units), h, w] how far each of ``units`` rises above its rest
    there, both on the layer's grid, 0 or more; None where the layer has no places.
    """

    layer: Layer
    mean: float
    strength: float
    units: tuple[Unit, ...]
    heat: Tensor | None
    maps: Tensor | None


@dataclass(frozen=True)
class Guess:
    """A class that the network takes the picture for."""

    index: int
    label: str
    probability: float


@dataclass(frozen=True, eq=False)
class Inspection:
    """All that :func:`inspect` found: ``layers`` in forward order, ``guesses`` best first, ``size`` of the picture."""

    layers: tuple[Excitement, ...]
    guesses: tuple[Guess, ...]
    size: Size
    padded: Size

    def spread(self, places: Tensor) -> Tensor:
        """A map [h, w] of :class:`Excitement` on the picture's pixels, [H, W] in 0..1: nothing to the strongest
        (but for the strongest 0.2 %, which would leave all else in the dark)."""
        top, left = ((whole - own) // 2 for whole, own in zip(self.padded, self.size, strict=True))
        fine = resize(places[None, None], self.padded)[0, 0]
        fine = fine[top : top + self.size[0], left : left + self.size[1]].clamp_min(0)
        strongest = fine.flatten().kthvalue(max(1, round(0.998 * fine.numel()))).values
        return (fine / (strongest if strongest > 0 else fine.max()).clamp_min(1e-12)).clamp(0, 1).cpu()


def inspect(
    network: Network, picture: Tensor, layers: Sequence[str] | None = None, top: int = 5, guesses: int = 10
) -> Inspection:
    """Which layers and channels ``picture`` [1, 3, H, W] in 0..1 excites, and where.

    Measured against noise of the same size, so that channels that are always on do not come first.
    ``layers`` by default are those worth a look (:func:`reverie.atlas.worthwhile`). One forward pass for each
    noise, one for the picture's layers and one for its classes, no gradients.

    >>> inspect(reverie.load("motif"), picture).guesses[0].label  # doctest: +SKIP
    'owl'
    """
    if top < 1:
        raise UsageError(f"The number of channels must be 1 or more, not {top}.")
    if picture.ndim != 4 or picture.shape[:2] != (1, 3):
        raise UsageError(f"A picture of shape {tuple(picture.shape)} cannot be inspected; give [1, 3, H, W].")
    if layers is None:
        chosen = worthwhile(network, dreamable=False)
    else:
        chosen = tuple(network.require_layer(name) for name in layers)
    image = fitting(network, picture, PADDING)
    size, padded = (picture.shape[-2], picture.shape[-1]), (image.shape[-2], image.shape[-1])
    names = list(dict.fromkeys(each.name for each in chosen))
    rest = at_rest(network, names, references(network, padded))
    verdict = _verdict(network)
    with torch.no_grad():
        seen = network.capture(image, names)
        scores = network.capture(fitting(network, picture), [verdict])[verdict] if verdict else None
    found = tuple(
        _excitement(each, seen[each.name], rest[each.name], top) for each in chosen if each.name in names
    )
    guessed = () if scores is None else _guesses(network, scores, guesses)
    return Inspection(found, guessed, size, padded)


def _excitement(layer: Layer, activation: Tensor, rest: Rest, top: int) -> Excitement:
    a = flat(activation)[0].float()
    mean = a.mean(1)
    excess = (mean - rest.mean) / rest.unit
    best = excess.argsort(descending=True, stable=True)[:top]
    units = tuple(Unit(at, mean[at].item(), rest.mean[at].item(), excess[at].item()) for at in best.tolist())
    energy = (a / rest.strength[:, None]).square().mean(0)
    strength = (a.square().mean() / rest.square.mean().clamp_min(1e-12)).sqrt().item()
    heat = maps = None
    if activation.ndim == 4 and a.shape[1] > 1:
        grid = activation.shape[-2:]
        heat = energy.sqrt().view(grid)
        maps = ((a[best] - rest.mean[best, None]) / rest.unit[best, None]).clamp_min(0).view(-1, *grid)
    return Excitement(layer, a.mean().item(), strength, units, heat, maps)


def _verdict(network: Network) -> str:
    """The layer whose answer is the network's: the last one with as many channels as classes."""
    if not network.labels or not network.logits:
        return ""
    names = [each.name for each in network.layers]
    after = network.layers[names.index(network.logits) :] if network.logits in names else ()
    fits = [
        each.name for each in after if each.channels == len(network.labels) and "softmax" not in each.kind
    ]
    return fits[-1] if fits else network.logits


def guessed(network: Network, picture: Tensor, count: int = 5) -> tuple[Guess, ...]:
    """What the network takes ``picture`` [1, 3, H, W] in 0..1 for, best first; nothing where it has no classes."""
    verdict = _verdict(network)
    if not verdict:
        return ()
    with torch.no_grad():
        scores = network.capture(fitting(network, picture), [verdict])[verdict]
    return _guesses(network, scores, count)


def _guesses(network: Network, scores: Tensor, count: int) -> tuple[Guess, ...]:
    places = flat(scores)[0].float()
    if network.by_place:
        # Each place decides for itself, and the picture is what is in it.
        likely = places.softmax(0).mean(1)
    else:
        whole = places.mean(1)
        done = bool((whole >= 0).all()) and abs(whole.sum().item() - 1) < 1e-3  # it ends in a softmax
        likely = whole if done else whole.softmax(0)
    best = likely.topk(min(count, len(network.labels)))
    return tuple(
        Guess(index, network.labels[index], probability)
        for index, probability in zip(best.indices.tolist(), best.values.tolist(), strict=True)
    )
