"""From an objective to a step: the only backward pass through a network, the only sign."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from reverie.errors import UsageError
from reverie.network import Network
from reverie.objective import Objective, Sight
from reverie.pixels.ops import EPSILON, mean_abs
from reverie.pixels.param import Param
from reverie.pixels.transform import Transform


class Look(Protocol):
    """What :func:`image_gradient` is: the whole picture at once, or its tiles stitched."""

    def __call__(
        self,
        network: Network,
        objective: Objective,
        image: Tensor,
        generator: torch.Generator | None = None,
        weights: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Scores [T, B] and gradients [T, B, 3, H, W] of the terms; of their weighted sum alone, [1, B, 3, H, W],
        where ``weights`` [T, B] are given."""


@runtime_checkable
class Keeping(Protocol):
    """A look at pictures too large to be copied: it combines the terms itself and keeps their gradient small."""

    keeps: bool

    def kept(
        self,
        network: Network,
        objective: Objective,
        image: Tensor,
        transform: Transform,
        generator: torch.Generator,
        weights: Tensor,
        balance: bool,
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Scores [T, B], the combined gradient [B, 3, H, W], in bfloat16, and with ``balance`` what :func:`scales`
        finds, [T, B], by which the terms were divided before their ``weights`` [T, B]."""


def image_gradient(
    network: Network,
    objective: Objective,
    image: Tensor,
    generator: torch.Generator | None = None,
    weights: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Scores [T, B] of the T terms and the gradient of each, [T, B, 3, H, W], unweighted.

    ``image`` is [B, 3, H, W] in 0..1. One gradient a term, because terms are balanced only after
    each is whole; with ``weights`` [T, B] the one of their weighted sum, [1, B, 3, H, W], in a single pass back.
    ``generator`` is there for looks that draw something; this one does not.
    """
    leaf = image.detach().requires_grad_(True)
    with torch.enable_grad():
        scores = objective.scores(network.capture(leaf, objective.layers))
        wishes = [score.sum() for score in scores]
        if weights is not None:
            wishes = [(weights * torch.stack(scores)).sum()]
        gradients = []
        for at, wish in enumerate(wishes):
            (found,) = torch.autograd.grad(wish, leaf, retain_graph=at + 1 < len(wishes), allow_unused=True)
            if found is None:
                raise unanswered(network, objective)
            gradients.append(found)
    return torch.stack([score.detach() for score in scores]), torch.stack(gradients)


def unanswered(network: Network, objective: Objective) -> UsageError:
    """What to raise where the picture takes no part in what an objective measures."""
    layers = ", ".join(sorted(objective.layers)) or "its objective"
    return UsageError(
        f"The network {network.name} passes no gradient back to the picture from {layers} (a part before it is "
        "quantized, or does not read the picture); choose another layer."
    )


def scales(gradients: Sequence[Tensor] | Tensor) -> Tensor:
    """How strong the gradients of the terms [T, B, 3, H, W] are: the mean |g| of each, [T, B], never 0."""
    return torch.stack([mean_abs(gradient).clamp_min(EPSILON)[:, 0, 0, 0] for gradient in gradients])


def combined(gradients: Tensor, weights: Tensor) -> Tensor:
    """One gradient [B, 3, H, W]: the sum of those of the terms [T, B, 3, H, W], times their ``weights`` [T, B]."""
    total = torch.zeros_like(gradients[0])
    for gradient, weight in zip(gradients, weights, strict=True):
        total += weight.view(-1, 1, 1, 1) * gradient
    return total


@dataclass(frozen=True, eq=False)
class Slope:
    """Where it goes up: weighted ``score`` [B], unweighted scores ``terms`` [T, B], the ``gradient``, shaped like what
    the ascent changes, and where it was asked for ``strength`` [B, 1, H, W], the mean of |g| over the channels of each
    pixel of the image. ``scales`` [T, B] are those by which the terms were balanced, where steps to come may use
    them too. Slopes of several looks add, and divide by their number."""

    score: Tensor
    terms: Tensor
    gradient: Tensor
    strength: Tensor | None = None
    scales: Tensor | None = None

    def __add__(self, other: Slope) -> Slope:
        # What one of the looks did not tell, or may not last, the sum does not know either.
        more = {each.name: getattr(other, each.name) for each in fields(other)}
        return self._each(lambda name, own: None if more[name] is None else own + more[name])

    def __truediv__(self, count: int) -> Slope:
        return self._each(lambda name, own: own / count)

    def _each(self, change: Callable[[str, Tensor], Tensor | None]) -> Slope:
        own = {each.name: getattr(self, each.name) for each in fields(self)}
        changed: dict[str, Any] = {name: change(name, each) for name, each in own.items() if each is not None}
        return replace(self, **changed)


def slope(
    network: Network,
    objective: Objective,
    param: Param,
    transform: Transform,
    generator: torch.Generator,
    balance: bool = True,
    look: Look = image_gradient,
    sight: Sight | None = None,
    strength: bool = False,
    held: Tensor | None = None,
) -> Slope:
    """Weighted score [B] and the gradient, shaped like ``param.values``, of its image under ``transform``.

    With ``balance`` each term is first scaled to mean |g| = 1, so that weights mean what they say. That takes a pass
    back for each term; with the scales ``held`` [T, B] from a step before, there is a single one for all.
    Terms that follow the view are fitted to this step's, for which they need the octave's ``sight``.
    With ``strength`` the slope tells how much each pixel was sought.
    """
    batch, terms = param.values.shape[0], objective.terms
    weights = [term.weight for term in terms]
    shares = [term.weight * (term.share if balance else 1.0) for term in terms]
    wanted = param.values.new_tensor(shares).unsqueeze(1).expand(-1, batch)
    measure = balance and held is None
    if held is not None:
        wanted = wanted / held
    if isinstance(look, Keeping) and look.keeps:
        scores, kept, found = look.kept(
            network, objective, param.image(), transform, generator, wanted, measure
        )
        felt = _strength(kept) if strength else None
        score = torch.einsum("t,tb->b", scores.new_tensor(weights), scores)
        return Slope(score, scores, kept, felt, held if found is None else lasting(objective, found))
    leaf = param.values.detach().requires_grad_(True)
    following = objective.follows and sight is not None
    drawn = generator.get_state() if following else None
    with torch.enable_grad():
        image = replace(param, values=leaf).image()  # type: ignore[type-var]
        seen = transform(image, generator)
    if drawn is not None and sight is not None:
        objective = objective.following(replace(sight, view=lambda image: transform(image, _again(drawn))))
    if measure or len(terms) == 1:
        scores, gradients = look(network, objective, seen, generator)
        if measure:
            found = scales(gradients)
            wanted, held = wanted / found, lasting(objective, found)
        whole = combined(gradients, wanted)
    else:
        scores, (whole,) = look(network, objective, seen, generator, wanted)
    # Not as grad_outputs, which makes torch import its symbolic algebra: a second at the first step.
    with torch.enable_grad():
        wish = (seen * whole).sum()
    pulled, *of_image = torch.autograd.grad(wish, (leaf, image) if strength else (leaf,))
    felt = _strength(of_image[0]) if strength else None
    return Slope(torch.einsum("t,tb->b", scores.new_tensor(weights), scores), scores, pulled, felt, held)


def lasting(objective: Objective, found: Tensor) -> Tensor | None:
    """The scales ``found`` [T, B] if steps to come may be balanced by them, else None.

    Not those of a term that is silent yet, nor of one about the picture itself: at the start a distance to the source
    has no slope at all. A single term gains nothing: its own pass tells its scale.
    """
    of_network = all(term.layers - {"image"} for term in objective.terms)
    return found if len(found) > 1 and of_network and bool((found > EPSILON).all()) else None


def _strength(gradient: Tensor) -> Tensor:
    return gradient.abs().mean(1, keepdim=True).float()


def _again(state: Tensor) -> torch.Generator:
    """A generator that draws what one in that state drew."""
    generator = torch.Generator()
    generator.set_state(state)
    return generator








