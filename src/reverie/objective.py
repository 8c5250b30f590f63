"""Objectives: values that say what a picture should have more of, and that add and scale.

An objective knows neither the network, nor the loop, nor the sign of the step; larger is better.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from reverie.network import Activations

Score = Callable[[Activations], Tensor]  # activations -> [B]


@dataclass(frozen=True)
class Term:
    """One thing to maximize: the layers it reads and its score of them, [B].

    ``additive`` says that the score of a picture is the (weighted) sum of its tiles' scores.
    ``measure``, where given, turns the term into one fitted to the picture an octave starts at;
    until then the term is usable, only unfitted.
    """

    layers: frozenset[str]
    score: Score
    weight: float = 1.0
    additive: bool = True
    name: str = ""
    measure: Callable[[Activations], Term] | None = None


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

    def measured(self, activations: Activations) -> Objective:
        """The objective with every measuring term fitted to these activations."""
        return Objective(
            tuple(
                replace(term.measure(activations), weight=term.weight, measure=term.measure)
                if term.measure
                else term
                for term in self.terms
            )
        )

    def __add__(self, other: Objective) -> Objective:
        return Objective(self.terms + other.terms)

    def __sub__(self, other: Objective) -> Objective:
        return self + -1.0 * other

    def __mul__(self, factor: float) -> Objective:
        return Objective(tuple(replace(term, weight=term.weight * factor) for term in self.terms))

    __rmul__ = __mul__

    def __neg__(self) -> Objective:
        return self * -1.0


def _places(activation: Tensor) -> tuple[int, ...]:
    """The axes of an activation that are not the batch."""
    return tuple(range(1, activation.ndim))


def layer(name: str, focus: float = 0.0) -> Objective:
    """Energy of a layer, 0.5 * mean(a^2): more of whatever it sees (DeepDream, Mordvintsev 2015).

    With ``focus`` above 0 its channels are weighted by their mean activation to that power,
    measured on the picture each octave starts at, so that what is there already wins.
    """

    def plain(activations: Activations) -> Tensor:
        a = activations[name]
        return 0.5 * a.square().mean(_places(a))

    def measure(activations: Activations) -> Term:
        a = activations[name].detach()
        mean = a.clamp_min(0).flatten(2).mean(2) if a.ndim == 4 else a.clamp_min(0)
        weight = (mean / mean.mean(1, keepdim=True).clamp_min(1e-12)).pow(focus)
        # A layer that is nowhere positive has no favorites.
        weight = torch.where(mean.sum(1, keepdim=True) > 0, weight, torch.ones_like(weight))
        weight = (weight / weight.mean(1, keepdim=True).clamp_min(1e-12)).view(
            *weight.shape, *(1,) * (a.ndim - 2)
        )

        def focused(activations: Activations) -> Tensor:
            a = activations[name]
            return 0.5 * (weight * a.square()).mean(_places(a))

        return Term(frozenset([name]), focused, name=name)

    return Objective((Term(frozenset([name]), plain, name=name, measure=measure if focus > 0 else None),))


def channel(name: str, index: int) -> Objective:
    """Mean activation of one channel of a layer (Olah et al. 2017)."""

    def score(activations: Activations) -> Tensor:
        a = activations[name][:, index]
        return a.mean(_places(a)) if a.ndim > 1 else a

    return Objective((Term(frozenset([name]), score, name=f"{name}:{index}"),))


def logit(name: str, index: int, label: str = "") -> Objective:
    """One class score, before any softmax; averaged over places where the network gives a map."""
    (term,) = channel(name, index).terms
    return Objective((replace(term, name=label or f"class:{index}"),))


def log_probability(
    name: str, indices: Sequence[int], label: str = "", temperature: float = 2.0
) -> Objective:
    """Log-probability of any of some classes at every place, averaged: each place asked by itself.

    Where a class already shows, the push fades and other places get their turn, so it comes to
    cover the picture, which a plain logit does not; of several classes each place takes the one
    it is nearest to. ``temperature`` above 1 softens the contest.
    """

    def score(activations: Activations) -> Tensor:
        a = (activations[name] / temperature).log_softmax(1)[:, list(indices)].logsumexp(1)
        return a.mean(_places(a)) if a.ndim > 1 else a

    return Objective((Term(frozenset([name]), score, name=label or f"class:{indices}"),))
