"""prepare(): Recipe + Network -> Plan, every name resolved and every number plain."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields, replace
from typing import Literal

import torch
from torch import Tensor

from reverie.ascent.gradient import Look, image_gradient
from reverie.ascent.rules import Rule, Within
from reverie.errors import UsageError
from reverie.loop.assemble import crops, pace, param, rule, smallest, views
from reverie.loop.octave import sizes
from reverie.network import Activations, Network
from reverie.network.fast import optimized, resolve_precision
from reverie.objective import Objective, distance
from reverie.objective.place import fitted_mask, inside
from reverie.objective.resolve import NO_ASSETS, Assets, guidance, placed, resolve
from reverie.pixels.ops import Size
from reverie.pixels.param import Param, Pixels
from reverie.pixels.transform import Transform, compose, pad
from reverie.recipe import Precision, Recipe, schedule
from reverie.recipe.grammar import PYTHON
from reverie.tile import Tiles
from reverie.tile.out_of_memory import Retreat

MAX_OCTAVE_PIXELS = 300_000_000  # of any octave


@dataclass(frozen=True, eq=False)
class Octave:
    """One octave: (height, width), steps, and the values that make its dream.

    ``transform`` is what the network sees of the picture, drawn anew at every step; ``still`` the same with
    nothing drawn. ``crops``, where there are any, are seen in its stead, one a step. ``param`` makes what the ascent
    changes; ``views`` looks are taken in each step; in the first ``redirect`` steps silent ReLUs let gradient through.
    ``mask`` [1, 1, h, w] in 0..1 says where the picture may change at all.
    It ends early when the score is above ``max_gain``.
    """

    size: Size
    steps: int
    objective: Objective
    transform: Transform
    still: Transform
    rule: Rule
    param: Callable[[Tensor], Param] = Pixels
    crops: tuple[Transform, ...] = ()
    views: int = 1
    redirect: int = 0
    mask: Tensor | None = None
    max_gain: float | None = None

    @property
    def compares(self) -> bool:
        """Whether the picture it begins with is asked for again in its course."""
        return self.mask is not None or self.objective.measures or self.objective.follows


@dataclass(frozen=True, eq=False)
class Values:
    """What Python handed in instead of fields of the Recipe; None where the Recipe decides.

    ``transform`` maps an image [B, 3, H, W] and a generator to what the network sees, ``rule`` takes the steps,
    ``param`` makes what is changed from an image [B, 3, H, W].
    """

    objective: Objective | None = None
    transform: Transform | None = None
    rule: Rule | None = None
    param: Callable[[Tensor], Param] | None = None

    def names(self) -> dict[str, str]:
        """What a Record says of each: ``python:NAME``, by field."""
        given = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: PYTHON + _name(value) for name, value in given.items() if value is not None}


def _name(value: object) -> str:
    return str(value) if isinstance(value, Objective) else getattr(value, "__name__", type(value).__name__)


NO_VALUES = Values()


@dataclass(frozen=True, eq=False)
class Plan:
    """Everything :func:`reverie.render` needs but the source; ``size`` is (height, width) of the picture.

    ``realism``, 0..1, says how far light, colors and large forms of the source hold in what is shown; ``variation``
    is the deviation of the seeded clouds that the first octave starts on.
    ``mask`` names the one of ``assets`` that says where the picture may change at all, "" for none.
    """

    network: Network
    size: Size
    octaves: tuple[Octave, ...]
    detail: Literal["reinject", "lost", "carry"]
    blend: float
    balance: bool
    seed: int
    device: torch.device
    precision: Precision
    color: Literal["dream", "source", "locked"] = "dream"
    opacity: float = 1.0
    realism: float = 0.0
    variation: float = 0.0
    mask: str = ""
    look: Look = image_gradient
    notes: tuple[str, ...] = field(default=())
    assets: Assets = NO_ASSETS
    values: Values = NO_VALUES

    def dreaming(self, objective: Objective) -> Plan:
        """The same plan for another objective, in every octave; its layers go by path, alias or number."""
        found = placed(self.network, objective)
        return replace(self, octaves=tuple(replace(octave, objective=found) for octave in self.octaves))

    def capture(self, image: Tensor, layers: Iterable[str]) -> Activations:
        """What the network sees, in one piece or by tiles, without a graph."""
        if isinstance(self.look, Tiles | Retreat):
            return self.look.capture(self.network, image, layers)
        with torch.no_grad():
            return self.network.capture(image, layers)

    @property
    def compares(self) -> bool:
        """Whether what is shown depends on the source, besides on the dream."""
        return self.color != "dream" or self.blend > 0

    @property
    def retreat(self) -> int:
        """Side in pixels of the tiles that a GPU without memory left made necessary so far, 0 for none."""
        return self.look.tiles.side if isinstance(self.look, Retreat) and self.look.tiles else 0

    @property
    def total(self) -> int:
        """Steps in all octaves together: the number of frames, where no octave ends early."""
        return sum(octave.steps for octave in self.octaves)


def prepare(
    network: Network,
    recipe: Recipe,
    size: Size,
    assets: Assets = NO_ASSETS,
    *,
    device: str = "cpu",
    precision: Literal["auto"] | Precision = "fp32",
    values: Values = NO_VALUES,
) -> Plan:
    """Resolve ``recipe`` for a picture of ``size`` (height, width); :class:`UsageError` when it cannot be.

    ``assets`` are the guides and masks that the recipe names; guides are looked at here, once. ``values`` stand in
    for what the recipe says of objective, transform, rule and param.
    """
    place = resolve_device(device)
    number_format = resolve_precision(precision, place, network)
    ready = optimized(network, place, number_format)
    octaves, notes = _octaves(ready, recipe, size, assets, place, values), []
    if recipe.octaves != "auto" and len(octaves) < recipe.octaves:
        notes.append(f"A picture of {size[1]}x{size[0]} holds {len(octaves)} octaves, not {recipe.octaves}.")
    idle = len(schedule.objectives(recipe.objective)) - len(octaves)
    if idle > 0:
        notes.append(f"Of {idle + len(octaves)} objectives the last {idle} have no octave.")
    return Plan(
        network=ready,
        size=size,
        octaves=octaves,
        detail=recipe.detail,
        blend=recipe.blend,
        balance=recipe.balance == "terms",
        seed=recipe.seed,
        device=place,
        precision=number_format,
        color=recipe.color,
        opacity=recipe.opacity,
        realism=recipe.realism,
        variation=recipe.variation if recipe.param == "pixels" else 0.0,
        mask=recipe.mask or "",
        notes=tuple(notes),
        assets=assets,
        values=values,
    )


def revised(plan: Plan, recipe: Recipe) -> Plan:
    """The plan under another recipe for the same network and size; nothing is loaded again."""
    return replace(
        plan,
        octaves=_octaves(plan.network, recipe, plan.size, plan.assets, plan.device, plan.values),
        detail=recipe.detail,
        blend=recipe.blend,
        balance=recipe.balance == "terms",
        seed=recipe.seed,
        color=recipe.color,
        opacity=recipe.opacity,
        realism=recipe.realism,
        variation=recipe.variation if recipe.param == "pixels" else 0.0,
        mask=recipe.mask or "",
    )


def _octaves(
    network: Network, recipe: Recipe, size: Size, assets: Assets, device: torch.device, values: Values
) -> tuple[Octave, ...]:
    if recipe.octaves != "auto" and recipe.above >= recipe.octaves:
        raise UsageError(
            f"[[above={recipe.above}]] must be below [[octaves={recipe.octaves}]], among which those above count; give "
            f"[[octaves={recipe.above + 1}]] or more."
        )
    steps = sizes(size, recipe.octaves, recipe.octave_scale, smallest(recipe, network), recipe.above)
    if recipe.above and steps[-1][0] * steps[-1][1] > MAX_OCTAVE_PIXELS:
        raise UsageError(
            f"[[above={recipe.above}]] at [[octave_scale={recipe.octave_scale:g}]] asks for an octave of "
            f"{steps[-1][1]}x{steps[-1][0]} pixels; lower one of them."
        )
    if size[0] * size[1] > MAX_OCTAVE_PIXELS:
        raise UsageError(
            f"A picture of {size[1]}x{size[0]} has more than {MAX_OCTAVE_PIXELS // 10**6} megapixels; "
            "give a smaller [[size]]."
        )
    wanted = _objectives(network, recipe, assets, values)
    return tuple(
        _octave(network, recipe, wanted[min(at, len(wanted) - 1)], assets, device, at, len(steps), each, values)
        for at, each in enumerate(steps)
    )


def _objectives(network: Network, recipe: Recipe, assets: Assets, values: Values) -> list[Objective]:
    """What the octaves dream, coarse first: guides and a text; the network's own text where there is neither."""
    terms = guidance(network, recipe, assets)
    held = (-recipe.likeness * distance()).terms if recipe.likeness else ()
    if values.objective is not None:
        given = inside(placed(network, values.objective), recipe.inset)
        return [Objective(terms + given.terms + held)]
    text = recipe.objective or ("" if terms else network.objective)
    if not text:
        return [Objective(terms + held)]
    how = (recipe.focus, assets, recipe.inset, recipe.certainty, recipe.groups)
    texts = [resolve(network, each, *how) for each in schedule.objectives(text)]
    return [Objective(terms + each.terms + held) for each in texts]


def _octave(
    network: Network,
    recipe: Recipe,
    objective: Objective,
    assets: Assets,
    device: torch.device,
    at: int,
    octaves: int,
    size: Size,
    values: Values,
) -> Octave:
    if values.transform is None:
        seen, still = views(recipe, network, size)
    else:
        still = pad(0, network.smallest)
        seen = compose(values.transform, still)
    steps, step_size = pace(recipe, at, octaves)
    each = values.rule or rule(recipe, at, steps, step_size)
    mask = fitted_mask(assets.mask(recipe.mask), size).to(device) if recipe.mask else None
    return Octave(
        size=size,
        steps=steps,
        objective=objective,
        transform=seen,
        still=still,
        rule=each if mask is None else Within(each, mask),
        param=values.param or param(recipe),
        crops=() if values.transform else crops(recipe, network, steps),
        views=recipe.views,
        redirect=0 if at else recipe.redirect,
        mask=mask,
        max_gain=recipe.max_gain,
    )


def resolve_device(name: str) -> torch.device:
    """``auto`` takes a GPU where there is one; :class:`UsageError` for a device that is absent."""
    mps = torch.backends.mps.is_available()
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if mps else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UsageError(f"There is no device {name!r}; use [[device=cpu]].") from None
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UsageError(f"There is no device {name!r} here; use [[device=cpu]].")
    if device.type == "mps" and not mps:
        raise UsageError("There is no device 'mps' here; use [[device=cpu]].")
    return device
