"""From an objective to a step: the only backward pass through a network, the only sign."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from reverie.network import Network
from reverie.objective import Objective
from reverie.ops import EPSILON, local_rms, mean_abs, rms, split, without_alternation
from reverie.param import Param
from reverie.transform import Transform

NEIGHBORHOOD = (
    8  # pixels each way within which the finest band's strength is evened out; twice that in the next
)


Look = Callable[[Network, Objective, Tensor], tuple[Tensor, Tensor]]
"""What :func:`image_gradient` is: the whole picture at once, or its tiles stitched."""


def image_gradient(network: Network, objective: Objective, image: Tensor) -> tuple[Tensor, Tensor]:
    """Scores [T, B] of the T terms and the gradient of each, [T, B, 3, H, W], unweighted.

    ``image`` is [B, 3, H, W] in 0..1. One gradient a term, because terms are balanced only after
    each is whole.
    """
    leaf = image.detach().requires_grad_(True)
    with torch.enable_grad():
        scores = objective.scores(network.capture(leaf, objective.layers))
        gradients = [
            torch.autograd.grad(score.sum(), leaf, retain_graph=at + 1 < len(scores))[0]
            for at, score in enumerate(scores)
        ]
    return torch.stack([score.detach() for score in scores]), torch.stack(gradients)


def combined(gradients: Tensor, weights: Sequence[float], balance: bool) -> Tensor:
    """One gradient [B, 3, H, W] out of those of the terms [T, B, 3, H, W].

    With ``balance`` each term is first scaled to mean |g| = 1, so that weights mean what they say.
    """
    total = torch.zeros_like(gradients[0])
    for gradient, weight in zip(gradients, weights, strict=True):
        scale = mean_abs(gradient).clamp_min(EPSILON) if balance else 1.0
        total += weight * gradient / scale
    return total


def gradient(
    network: Network,
    objective: Objective,
    param: Param,
    transform: Transform,
    generator: torch.Generator,
    balance: bool = True,
    look: Look = image_gradient,
) -> tuple[Tensor, Tensor]:
    """Weighted score [B] and the gradient, shaped like ``param.values``, of its image under ``transform``."""
    leaf = param.values.detach().requires_grad_(True)
    with torch.enable_grad():
        seen = transform(replace(param, values=leaf).image(), generator)  # type: ignore[type-var]
    scores, gradients = look(network, objective, seen)
    weights = [term.weight for term in objective.terms]
    (pulled,) = torch.autograd.grad(seen, leaf, combined(gradients, weights, balance))
    return torch.einsum("t,tb->b", scores.new_tensor(weights), scores), pulled


@dataclass(frozen=True)
class Shaping:
    """How a raw gradient becomes a direction worth walking.

    ``bands``: Laplacian bands made equally strong (Mordvintsev 2015's Laplacian pyramid gradient
    normalization), 0 for none; ``fine``: strength of the finest one; ``coarse``: strength of what
    lies below all bands; ``spread``: 0..1, how far
    strong places are evened out with weak ones, each band within its own neighborhood, so that
    calm parts of a picture dream too; ``gray``: share, 0..1, that is spread evenly over the color
    channels.
    """

    bands: int = 0
    fine: float = 1.0
    spread: float = 0.0
    gray: float = 0.0
    coarse: float = 1.0

    def __call__(self, g: Tensor) -> Tensor:
        """The direction [B, 3, H, W], with mean |direction| = 1 for each picture."""
        if self.bands:
            # What alternates from pixel to pixel is left out: a network with strides cannot tell it from
            # an even tone, and would weave it into a fine grid.
            parts = split(without_alternation(g), self.bands)
            bands = [self._even(band, NEIGHBORHOOD << at) for at, band in enumerate(parts)]
            if len(bands) > 1:
                bands[0] = bands[0] * self.fine
                bands[-1] = bands[-1] * self.coarse
            g = sum(bands[1:], bands[0])
        if self.gray:
            g = g + self.gray * (g.mean(1, keepdim=True) - g)
        return g / mean_abs(g).clamp_min(EPSILON)

    def _even(self, band: Tensor, reach: int) -> Tensor:
        whole = rms(band).clamp_min(EPSILON)
        if not self.spread:
            return band / whole
        # A floor of the whole's strength: where there is next to nothing, noise must not be raised.
        local = local_rms(band, reach).clamp_min(0.05 * whole)
        return band / (local**self.spread * whole ** (1 - self.spread))


def carried(direction: Tensor, before: Tensor | None, momentum: float) -> Tensor:
    """A direction [B, 3, H, W] with ``momentum``, 0..1, of the one before in it, mean |direction| = 1 again.

    What the steps agree on grows, what only one of them wants fades (heavy ball, Polyak 1964).
    """
    if before is None or not momentum:
        return direction
    mixed = direction.lerp(before, momentum)
    return mixed / mean_abs(mixed).clamp_min(EPSILON)


class Rule(Protocol):
    """How a gradient becomes a step: normalized ascent, or an optimizer."""

    def step(self, param: Param, gradient: Tensor, state: Any) -> tuple[Param, Any]:
        """``param`` one step uphill, and what the next step of the octave must know; None at first."""


@dataclass(frozen=True)
class Ascent:
    """Normalized ascent (DeepDream, Mordvintsev 2015): ``step_size`` is the mean change in image range."""

    step_size: float
    shaping: Shaping = Shaping()
    momentum: float = 0.0

    def step(self, param: Param, gradient: Tensor, state: Tensor | None) -> tuple[Param, Tensor]:
        direction = carried(self.shaping(gradient), state, self.momentum)
        return param.moved(self.step_size * direction), direction
