"""Penalties: properties of the picture itself, read from ``"image"``, to be subtracted from an objective.

Each but the distance is a sum over the picture with the constants of lucid (Olah et al. 2017):
``channel(...) - 0.05 * l1()``.
"""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from reverie.network import Activations
from reverie.objective.value import Objective, Score, Sight, Term

GRAY = 0.5  # the tone that l1 and l2 pull a picture to


def l1(constant: float = GRAY) -> Objective:
    """Sum of |I - constant|: distance to gray, felt alike near and far."""
    return _penalty("l1", lambda seen: (seen["image"] - constant).abs().flatten(1).sum(1))


def l2(constant: float = GRAY, epsilon: float = 1e-6) -> Objective:
    """sqrt(epsilon + sum of (I - constant)^2): distance to gray, as a length."""
    return _penalty(
        "l2", lambda seen: (epsilon + (seen["image"] - constant).square().flatten(1).sum(1)).sqrt()
    )


def tv() -> Objective:
    """Total variation (Mahendran & Vedaldi 2015): sum of absolute differences of neighboring pixels."""

    def score(activations: Activations) -> Tensor:
        image = activations["image"]
        return sum(  # type: ignore[return-value]
            image.diff(dim=axis).abs().flatten(1).sum(1) for axis in (-2, -1)
        )

    return _penalty("tv", score)


def blur() -> Objective:
    """0.5 * sum of (I - blurred I)^2, the blurred one held fixed: subtracting it mixes a little blur in at every step.

    The blur is 3x3, its center 1 and its rim 0.5, over what of it lies inside the picture.
    """

    def score(activations: Activations) -> Tensor:
        image = activations["image"]
        with torch.no_grad():
            kernel = image.new_full((1, 1, 3, 3), 0.5)
            kernel[..., 1, 1] = 1.0
            flat = image.flatten(0, 1)[:, None]
            blurred = F.conv2d(flat, kernel, padding=1)
            blurred = blurred / F.conv2d(torch.ones_like(flat[:1]), kernel, padding=1)
        return 0.5 * (image - blurred.view_as(image)).square().flatten(1).sum(1)

    return _penalty("blur", score)


def energy(constant: float = GRAY) -> Objective:
    """Sum of (I - constant)^2: what the first class images were held down by (Simonyan et al. 2013)."""
    return _penalty("energy", lambda seen: (seen["image"] - constant).square().flatten(1).sum(1))


def distance() -> Objective:
    """Mean of (I - S)^2 with the source S in the same view: how far the picture has gone (Hamblin et al. 2024).

    Until it is followed the source is not known, and the picture is as far from it as from itself.
    """

    def away(source: Tensor | None) -> Term:
        def score(activations: Activations) -> Tensor:
            image = activations["image"]
            return (image - (image.detach() if source is None else source)).square().flatten(1).mean(1)

        # A tile would have to be told its part of the source.
        return Term(frozenset(["image"]), score, additive=False, name="distance")

    def follow(sight: Sight) -> Term:
        with torch.no_grad():
            return away(sight.view(sight.source))

    return Objective((replace(away(None), follow=follow),))
"""Each penalty by the word that means it in the text of an objective."""


def _penalty(name: str, score: Score) -> Objective:
    return Objective((Term(frozenset(["image"]), score, additive=False, name=name),))
