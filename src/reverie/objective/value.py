"""Objectives: values that say what a picture should have more of, and that add and scale.

An objective knows neither the network, nor the loop, nor the sign of the step; larger is better. Its score is a
pure function of the captured activations. What a term needs to know beside them (the source, where a mask lies in
this step's view) it is told before: by :meth:`Objective.measured` and :meth:`Objective.following`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from reverie.errors import UsageError
from reverie.network import Activations

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

    def __str__(self) -> str:
        """The terms with their weights: ``stage3 + 0.5*owl``."""
        said = ""
        for term in self.terms:
            sign = " - " if term.weight < 0 else " + "
            factor = "" if abs(term.weight) == 1 else f"{abs(term.weight):g}*"
            said += f"{sign}{factor}{term.name or 'unnamed'}"
        return said.removeprefix(" + ").replace(" - ", "-", 1) if said.startswith(" - ") else said.removeprefix(" + ")

    def __repr__(self) -> str:
        return f"<Objective {self}>"

    @property
    def layers(self) -> frozenset[str]:
        """The names of all layers that must be captured."""
        return frozenset().union(*(term.layers for term in self.terms))

    @property
    def additive(self) -> bool:
        """Whether every term adds over tiles."""
        return all(term.additive for term in self.terms)

    def scores(self, activations: Activations) -> list[Tensor]:
        """The unweighted score of each term, each [B]; :class:`UsageError` for a term that gives another shape."""
        found = [term.score(activations) for term in self.terms]
        batch = next((len(each) for each in activations.values()), 1)
        for term, score in zip(self.terms, found, strict=True):
            if score.shape != (batch,):
                raise UsageError(
                    f"The term {term.name or 'without a name'} gives a score of the shape {list(score.shape)}; it must "
                    f"give one number for each picture, the shape [{batch}]: average over all axes but the first."
                )
        return found

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








def _like(fitted: Term, term: Term) -> Term:
    """``fitted`` in the stead of ``term``, which can be fitted again."""
    own = {"weight": term.weight, "name": term.name, "share": term.share, "measure": term.measure}
    # What was measured may follow the view otherwise than what was not.
    return replace(fitted, follow=fitted.follow or term.follow, **own)  # type: ignore[arg-type]


def over_places(name: str, places: Score, layers: Iterable[str], *, additive: bool = True) -> Term:
    """A term whose score is the mean of ``places`` [B, h, w], or [B] where a layer has no places."""
    return Term(
        frozenset(layers), lambda seen: mean_over_places(places(seen)), additive=additive, name=name, places=places
    )


def mean_over_places(places: Tensor) -> Tensor:
    return places.flatten(1).mean(1) if places.ndim > 1 else places


def whole(objective: Objective) -> Objective:
    """The same, told not to be additive: its layers see the whole picture, or nothing is known of what they see."""
    return Objective(tuple(replace(term, additive=False) for term in objective.terms))


























