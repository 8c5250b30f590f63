"""From a Recipe to what the network is shown of the picture, and in what form the picture is changed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from reverie.ascent.optimizer import Optimizer
from reverie.ascent.rules import Ascent, Rule
from reverie.ascent.shaping import Shaping
from reverie.ascent.smoothing import Smoothing
from reverie.errors import UsageError
from reverie.network import Network
from reverie.pixels.ops import Size, cloud
from reverie.pixels.param import Fourier, Param, Phase, Pixels
from reverie.pixels.spectrum import faint, natural
from reverie.pixels.transform import Transform, compose, crop, cut, grain, gray, jitter, pad, turn, wander
from reverie.recipe import Recipe, schedule
from reverie.recipe.validators import MOTIF_SIZES

NOISE_SIDE = 192  # pixels of the short side of what a dream from noise starts at
_MULTIPLE = 16  # pixels that sides are rounded up to, as padded for the network


def noise(recipe: Recipe, size: Size, mean: tuple[float, float, float], generator: torch.Generator) -> Tensor:
    """What a picture of ``size`` without a source starts at, [1, 3, h, w] in 0..1."""
    suited = {"pixels": "clouds", "maco": "natural"}.get(recipe.param, "faint")
    kind = suited if recipe.start == "auto" else recipe.start
    if kind == "faint":
        return faint(size, mean, generator)
    if kind == "natural":
        return natural(size, mean, generator)
    if kind == "uniform":
        return torch.rand(1, 3, *size, generator=generator)
    # A ribbon's clouds are drawn out rather than a grid of a million columns.
    height, width = (min(round(side * NOISE_SIDE / min(size)), 32 * NOISE_SIDE) for side in size)
    return cloud((height, width), generator)


def smallest(recipe: Recipe, network: Network) -> int:
    """Short side in pixels of the coarsest octave, at which the network's motifs have the size that is wanted."""
    if recipe.motif_size == "auto":
        return recipe.smallest
    share = MOTIF_SIZES.get(str(recipe.motif_size)) or float(recipe.motif_size)
    return max(network.smallest, 16, round(100 * network.motif / share))


def param(recipe: Recipe) -> Callable[[Tensor], Param]:
    """What makes a param of the picture that an octave starts at."""
    if recipe.param == "pixels":
        return partial(Pixels, headroom=headroom(recipe))
    if recipe.optimizer.lower() == "ascent":
        raise UsageError(
            f"[[param={recipe.param}]] has no pixels to normalize a step over; add [[optimizer=adam]], or take "
            "'reverie visualize', which does."
        )
    if recipe.param == "maco":
        return partial(Phase.of, held=recipe.contrast > 0)
    return lambda image: Fourier.of(image, recipe.decay, recipe.param == "fourier", recipe.contrast or None)


def pace(recipe: Recipe, at: int, octaves: int) -> tuple[int, float]:
    """Steps and step size of the octave of number ``at`` of so many."""
    steps, step_size = schedule.at_octave(recipe.steps, at), schedule.at_octave(recipe.step_size, at)
    if isinstance(recipe.step_size, float) and recipe.schedule != "adaptive":  # which has rates of its own
        step_size *= recipe.step_decay**at
    if recipe.schedule == "adaptive":
        steps, factor = schedule.adaptive(steps, octaves - at)
        step_size *= factor
    elif recipe.schedule == "tapered" and isinstance(recipe.steps, int) and isinstance(recipe.step_size, float):
        taken = schedule.tapered(steps, recipe.step_decay**at)
        step_size *= steps / taken
        steps = taken
    longer = max(1.0, recipe.strength) ** 0.5
    return max(1, round(steps * longer)), step_size * recipe.strength / longer


def headroom(recipe: Recipe) -> float:
    """The headroom of the recipe; the stronger the dream, the nearer to 1, so that strength does not burn contrast."""
    return 1 - (1 - recipe.headroom) / max(1.0, recipe.strength)


def rule(recipe: Recipe, at: int, steps: int, step_size: float) -> Rule:
    """How the octave of number ``at`` takes its steps."""
    name, options = schedule.optimizer(recipe.optimizer)
    ascent = Ascent(step_size, shaping(recipe, at), recipe.momentum, steps)
    if name.lower() != "ascent":
        # A spectrum has neither bands nor neighbors; its gradient is taken as it is.
        over = ascent if recipe.param == "pixels" else None
        return Optimizer(name, step_size, steps, recipe.cooldown, tuple(options.items()), over)
    if options:
        raise UsageError("The classic ascent takes no options; [[momentum]] and [[step_size]] are its own.")
    return ascent


def shaping(recipe: Recipe, at: int) -> Shaping:
    """What becomes of the gradient in the octave of number ``at``."""
    if recipe.smooth_weights and len(recipe.smooth_weights) != len(recipe.smooth_sigma):
        raise UsageError(
            f"[[smooth_weights]] must be as many as the sigmas, {len(recipe.smooth_sigma)}, "
            f"not {len(recipe.smooth_weights)}."
        )
    smoothing = None
    if recipe.smooth != "none":
        weights = recipe.smooth_weights if recipe.smooth == "gaussian" else ()
        kernel, border = recipe.smooth_kernel, recipe.smooth_border
        smoothing = Smoothing(recipe.smooth, recipe.smooth_sigma, weights, kernel, border)
    # Large forms belong to the first octave: later ones leave them alone, so a small picture tells
    # what a large one of the same source will be.
    coarse = recipe.coarse if at else 1.0
    return Shaping(
        bands=recipe.bands,
        fine=recipe.fine,
        spread=recipe.spread,
        gray=recipe.gray,
        fine_gray=recipe.fine_gray,
        coarse=coarse,
        pyramid=recipe.pyramid,
        smoothing=smoothing,
        normalize=recipe.normalize,
    )


def views(recipe: Recipe, network: Network, size: Size) -> tuple[Transform, Transform]:
    """What is seen of a picture of ``size``: drawn anew at every step, and with nothing drawn."""
    shift, least = min(recipe.jitter, max(size) // 2), network.smallest
    # Without a margin the network sees the picture and nothing else, as in the first deep dreams.
    still = pad(recipe.pad, least, _MULTIPLE if recipe.pad else 1)
    whole = turn(recipe.rotate, recipe.zoom, recipe.border == "mirror")
    if recipe.border == "gray":
        # lucid's order: margin, shift, scale, turn, shift; what is left must be large enough for the network.
        around = (gray(recipe.pad), cut(shift), whole, cut(recipe.resettle))
        drawn = compose(*around, grain(recipe.grain), pad(0, least, _MULTIPLE))
        return drawn, compose(gray(recipe.pad), pad(0, least, _MULTIPLE))
    first = (wander(recipe.pad, shift, least, _MULTIPLE),) if recipe.pad else (still, jitter(shift))
    if not (recipe.rotate or recipe.zoom or recipe.resettle or recipe.grain):
        return compose(*first), still
    return compose(*first, whole, cut(recipe.resettle), grain(recipe.grain), pad(0, least, _MULTIPLE)), still


def crops(recipe: Recipe, network: Network, steps: int) -> tuple[Transform, ...]:
    """One view a step where parts of the picture are seen, larger ones first; else none."""
    if recipe.crop == recipe.last_crop == 1:
        return ()
    side = max(recipe.crop_size, network.smallest)
    last = max(1, steps - 1)
    shares = [recipe.crop + (recipe.last_crop - recipe.crop) * step / last for step in range(steps)]
    return tuple(compose(crop(share, side), grain(recipe.grain)) for share in shares)
