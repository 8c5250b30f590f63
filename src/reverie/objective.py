"""Objectives: values that say what a picture should have more of, and that add and scale.

An objective knows neither the network, nor the loop, nor the sign of the step; larger is better. Its score is a
pure function of the captured activations. What a term needs to know beside them (the source, where a mask lies in
this step's view) it is told before: by :meth:`Objective.measured` and :meth:`Objective.following`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from reverie.errors import UsageError
from reverie.network import Activations
from reverie.ops import mean_of_squares

Score = Callable[[Activations], Tensor]  # to [B], or [B, h, w] where a score is told place by place


@dataclass(frozen=True, eq=False)
class Sight:
    """How the network is shown the picture at one moment, so that other pictures can be shown to it alike.

    ``start`` [B, 3, h, w] is what the octave starts at, ``source`` the pristine source at its size. ``view`` maps
    any [B, C, h, w] of that size as the picture itself is mapped: padded, and shifted by this step's draw.
    """

    start: Tensor
    source: Tensor
    view: Callable[[Tensor], Tensor]
    capture: Callable[[Tensor, Iterable[str]], Activations]

    def seen(self, image: Tensor, layers: Iterable[str]) -> Activations:
        """The activations of another ``image`` [B, 3, h, w] in this view; no gradient."""
        with torch.no_grad():
            found = self.capture(self.view(image), layers)
        return {name: activation.detach() for name, activation in found.items()}


Fit = Callable[[Sight], "Term"]


@dataclass(frozen=True)
class Term:
    """One thing to maximize: the layers it reads and its score of them, [B].

    ``additive`` says that the score of a picture is the mean of its tiles' scores, weighted by area.
    ``places``, where given, tells the score of each place, [B, h, w] or [B]; ``score`` is then its mean.
    ``measure``, where given, turns the term into one fitted to the picture an octave starts at, and ``follow``
    into one fitted to the view of a step; until then the term is usable, only unfitted. ``share`` is the share
    of the picture that the term is about: balanced with others it is as strong there as they are everywhere.
    """

    layers: frozenset[str]
    score: Score
    weight: float = 1.0
    additive: bool = True
    name: str = ""
    measure: Fit | None = None
    follow: Fit | None = None
    places: Score | None = None
    share: float = 1.0


@dataclass(frozen=True)
class Objective:
    """A weighted sum of terms. ``a + b``, ``a - b``, ``2 * a`` and ``-a`` are objectives too."""

    terms: tuple[Term, ...]

    @property
    def layers(self) -> frozenset[str]:
        """The names of all layers that must be captured."""
        return frozenset().union(*(term.layers for term in self.terms))

    @property
    def additive(self) -> bool:
        """Whether every term adds over tiles."""
        return all(term.additive for term in self.terms)

    def scores(self, activations: Activations) -> list[Tensor]:
        """The unweighted score of each term, each [B]."""
        return [term.score(activations) for term in self.terms]

    def score(self, activations: Activations) -> Tensor:
        """The weighted sum, [B]."""
        total: Tensor = sum(  # type: ignore[assignment]
            term.weight * value for term, value in zip(self.terms, self.scores(activations), strict=True)
        )
        return total

    @property
    def measures(self) -> bool:
        """Whether :meth:`measured` would change anything."""
        return any(term.measure for term in self.terms)

    @property
    def follows(self) -> bool:
        """Whether :meth:`following` would change anything."""
        return any(term.follow for term in self.terms)

    def measured(self, sight: Sight) -> Objective:
        """The objective with every measuring term fitted to the octave that begins."""
        return self._fitted(sight, lambda term: term.measure)

    def following(self, sight: Sight) -> Objective:
        """The objective with every following term fitted to the view of this step."""
        return self._fitted(sight, lambda term: term.follow)

    def _fitted(self, sight: Sight, fit_of: Callable[[Term], Fit | None]) -> Objective:
        found = []
        for term in self.terms:
            fit = fit_of(term)
            found.append(term if fit is None else _like(fit(sight), term))
        return Objective(tuple(found))

    def __add__(self, other: Objective) -> Objective:
        return Objective(self.terms + other.terms)

    def __sub__(self, other: Objective) -> Objective:
        return self + -1.0 * other

    def __mul__(self, factor: float) -> Objective:
        return Objective(tuple(replace(term, weight=term.weight * factor) for term in self.terms))

    __rmul__ = __mul__

    def __neg__(self) -> Objective:
        return self * -1.0


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
        score=(lambda activations: _mean(held(activations))) if places else of_the_inner,
        additive=False,
        measure=measure and (lambda sight: _inside(measure(sight), cells)),
        follow=follow and (lambda sight: _inside(follow(sight), cells)),
    )


def _cut(x: Tensor, cells: int) -> Tensor:
    for axis in range(x.ndim - 2, x.ndim) if x.ndim > 2 else ():
        off = min(cells, (x.shape[axis] - 1) // 2)
        x = x.narrow(axis, off, x.shape[axis] - 2 * off)
    return x


def _like(fitted: Term, term: Term) -> Term:
    """``fitted`` in the stead of ``term``, which can be fitted again."""
    own = {"weight": term.weight, "name": term.name, "share": term.share, "measure": term.measure}
    # What was measured may follow the view otherwise than what was not.
    return replace(fitted, follow=fitted.follow or term.follow, **own)  # type: ignore[arg-type]


def over_places(name: str, places: Score, layers: Iterable[str], *, additive: bool = True) -> Term:
    """A term whose score is the mean of ``places`` [B, h, w], or [B] where a layer has no places."""
    return Term(
        frozenset(layers), lambda seen: _mean(places(seen)), additive=additive, name=name, places=places
    )


def _mean(places: Tensor) -> Tensor:
    return places.flatten(1).mean(1) if places.ndim > 1 else places


def whole(objective: Objective) -> Objective:
    """The same, told not to be additive: its layers see the whole picture, or nothing is known of what they see."""
    return Objective(tuple(replace(term, additive=False) for term in objective.terms))


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


def logit(name: str, *indices: int, label: str = "", temperature: float = 2.0) -> Objective:
    """A class score, before any softmax; averaged over places where the network gives a map.

    Of several classes each place takes the one it is nearest to: their soft maximum, which is sharper the lower
    ``temperature`` is.
    """

    def places(activations: Activations) -> Tensor:
        scores = activations[name][:, list(indices)]
        return scores[:, 0] if len(indices) == 1 else temperature * (scores / temperature).logsumexp(1)

    return Objective((over_places(label or f"class:{'|'.join(map(str, indices))}", places, [name]),))


def log_probability(name: str, *indices: int, label: str = "", temperature: float = 2.0) -> Objective:
    """Log-probability of any of some classes at every place, averaged: each place asked by itself.

    Where a class already shows, the push fades and other places get their turn, so it comes to
    cover the picture, which a plain logit does not. ``temperature`` above 1 softens the contest.
    """

    def places(activations: Activations) -> Tensor:
        return (activations[name] / temperature).log_softmax(1)[:, list(indices)].logsumexp(1)

    return Objective((over_places(label or f"class:{'|'.join(map(str, indices))}", places, [name]),))
