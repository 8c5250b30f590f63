"""What the commands that dream pictures share: from what was typed to a Recipe, and from that to files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reverie.cli.options import (
    ResultOptions,
)
from reverie.cli.output import costs, numbered, say
from reverie.cli.progress import watching_weights
from reverie.cli.result import content, finish, name_of
from reverie.recipe import AUTO, Recipe, merged, valid_run
from reverie.recipe.grammar import Guide, parse_guide

if TYPE_CHECKING:
    from torch import Tensor

    from reverie.network import Layer


def chosen(
    values: dict[str, Any],
    run: dict[str, Any],
    preset: str | None,
    recipe: Path | None,
    quiet: bool = False,
) -> Recipe:
    """The recipe of what was typed, checked before torch is imported and before the first picture is read."""
    if "guide" in values:
        values["guide"] = [_whole(each) for each in values["guide"]]
    valid_run(run)
    wanted = with_network(merged(preset, recipe, values), run, quiet)
    from reverie.zoo import consent, entry

    entry(wanted.network)
    if recipe is not None and "network" not in values:
        consent(wanted.network, bool(run.get("trust")), f"The recipe {recipe}")
    wanted.files()
    return wanted


def with_network(recipe: Recipe, run: dict[str, Any], quiet: bool) -> Recipe:
    """``recipe`` with the network that ``auto`` is here; says so where a better one can be had.

    Where a file of weights is given, that file decides when it is read.
    """
    from reverie import zoo

    if recipe.network != AUTO or run.get("weights") is not None:
        return recipe
    name = zoo.automatic()
    if note := zoo.advice(name):
        say(note, quiet)
    return recipe.model_copy(update={"network": name})


def _whole(guide: str) -> str:
    """A guide that is itself the name of a file, marks and all, as one that can be read as text."""
    return Guide(guide).text() if os.path.exists(guide) else guide


def dreamt(
    source: str | None,
    recipe: Recipe,
    what: str,
    run: dict[str, Any],
    result: ResultOptions,
    preview: bool,
    written: set[Path],
    dry_run: bool = False,
) -> list[Path]:
    """One dream, or batch of dreams, into the files that ``result`` means, called after ``what`` by default."""
    from reverie import api

    with watching_weights(result.quiet or result.json):
        job = api.job(content(source), recipe=recipe, preview=preview, **run)
    default = name_of(source, job.record.recipe.network, what or job.plan.network.objective, result.suffix)
    target = result.target(default, written, recipe.count)
    if dry_run:
        costs(job, source, target, result.json)
        return [target]
    written.add(target)
    made = finish(job, source, numbered(target, recipe.count), result)
    written.update(made)
    return made


def recipe_label(recipe: Recipe) -> str:
    """What a file is named after: the objective and the names of the guides."""
    guides = [Path(parse_guide(each).file).stem for each in recipe.guide]
    return "-".join([*([recipe.objective] if recipe.objective else []), *guides])


LONG_SIDE = 480  # pixels that a picture is looked at with unless more are asked for


def layer_name(layer: Layer) -> str:
    from reverie import atlas

    return atlas.layer_label(layer)


def open_small(path: str, run: dict[str, Any], long_side: int) -> Tensor:
    """The picture, no larger than ``long_side``."""
    from reverie.files import load
    from reverie.pixels.ops import fitted_size, resize

    photo = load(content(path), valid_run(run).max_pixels)
    size = (photo.pixels.shape[-2], photo.pixels.shape[-1])
    return resize(photo.pixels, fitted_size(size, long_side) if max(size) > long_side else size).clamp(0, 1)
