"""``reverie find``: which channels feed a class; ``reverie inspect``: what a picture excites."""

from __future__ import annotations

import json as jsons
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from reverie.cli.options import (
    NOTHING_SET,
    Json,
    Name,
    Overwrite,
    Quiet,
    RunOptions,
    given,
)
from reverie.cli.output import PIPE, put, say, spoken, table
from reverie.cli.pictures import LONG_SIDE, layer_name, open_small
from reverie.cli.sheet import SheetOptions, loaded, sheet_name
from reverie.errors import UsageError
from reverie.recipe import AUTO, valid_run

if TYPE_CHECKING:
    from torch import Tensor

    from reverie.atlas import Excitement, Inspection
    from reverie.network import Layer, Network

MAPS = 8  # channels shown where a single layer is inspected











def inspect(
    picture: Annotated[str, Parameter(help="The picture to show to the network, or - for standard input.")],
    /,
    *,
    network: Name = AUTO,
    layers: Annotated[
        str | None,
        Parameter(
            help="The layers to look at, separated by commas; by default those worth a look. With a single one "
            "--sheet shows its most excited channels too."
        ),
    ] = None,
    top: Annotated[
        int | None, Parameter(help="Channels to name in each layer, 5; with one layer, 8.")
    ] = None,
    size: Annotated[
        int, Parameter(help="Long side in pixels that the picture is made smaller to.")
    ] = LONG_SIDE,
    sheet: Annotated[
        Path | None,
        Parameter(name="--sheet", help="Write heat maps here: where in the picture each layer is excited."),
    ] = None,
    columns: Annotated[int, Parameter(help="Pictures in a row, 0 for what suits their number.")] = 0,
    json: Json = False,
    run_options: Annotated[RunOptions, Parameter(name="*")] = NOTHING_SET,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> int:
    """Show which layers and channels a picture excites, where, and what the network takes it for.

    'x noise' is how strong a layer is against what noise does to it. Behind each
    channel stands how far it rises above its mean on noise, in units of how much it
    varies there, so that channels that are always on do not come first.
    """
    run = given(run_options)
    valid_run(run)
    if top is not None and not 1 <= top <= 1024:
        raise UsageError(f"--top must be a whole number from 1 to 1024, not {top}.")
    if not 16 <= size <= 4096:
        raise UsageError(f"--size must be a long side from 16 to 4096, not {size}.")
    SheetOptions(columns=columns).check()
    from reverie import atlas, files

    stem = "stdin" if picture == PIPE else Path(picture).stem
    target = None if sheet is None else sheet_name(sheet, stem, "heat", overwrite)
    if target is not None:
        files.check_writable(target, overwrite)
    pixels = open_small(picture, run, size)
    found = loaded(network, run, quiet or json)
    names = None if layers is None else [each.strip() for each in layers.split(",") if each.strip()]
    if names == []:
        raise UsageError("--layers names no layer; write it like --layers stage2,stage3.")
    single = names is not None and len(names) == 1
    seen = atlas.inspect(found, pixels, names, top or (MAPS if single else 5))
    if json:
        put(jsons.dumps(_as_data(found, picture, seen)))
    else:
        _tell(found, seen)
    if target is not None:
        cells = _heat_cells(found, seen, pixels, single)
        whole = atlas.sheet(cells, columns, f"{found.name} · {spoken(picture)}")
        files.save(target, whole, overwrite=overwrite)
        say(f"wrote {target}", quiet)
    return 0


def _as_data(network: Network, picture: str, seen: Inspection) -> dict[str, Any]:
    return {
        "picture": picture,
        "network": network.name,
        "width": seen.size[1],
        "height": seen.size[0],
        "classes": [
            {"class": each.index, "label": each.label, "probability": each.probability}
            for each in seen.guesses
        ],
        "layers": [
            {
                "layer": each.layer.name,
                "aliases": each.layer.aliases,
                "mean": each.mean,
                "strength": each.strength,
                "channels": [vars(unit) for unit in each.units],
            }
            for each in seen.layers
        ],
    }


def _label(network: Network, layer: Layer, channel: int) -> str:
    """A channel's number, or the class that it stands for."""
    if layer.name == network.logits and channel < len(network.labels):
        return network.labels[channel].split(",")[0]
    return str(channel)


def _tell(network: Network, seen: Inspection) -> None:
    rows = [
        [
            layer_name(each.layer),
            f"{each.mean:.3g}",
            f"{each.strength:.2f}",
            "  ".join(
                f"{_label(network, each.layer, unit.channel)} {unit.excess:+.1f}" for unit in each.units
            ),
        ]
        for each in seen.layers
    ]
    table(["layer", "mean", "x noise", "channels"], rows)
    if seen.guesses:
        said = ", ".join(f"{each.label.split(',')[0]} {each.probability:.0%}" for each in seen.guesses)
        put(f"\nclasses: {said}")


def _heat_cells(network: Network, seen: Inspection, pixels: Tensor, single: bool) -> list[tuple[str, Tensor]]:
    from reverie import atlas

    cells = [("the picture", pixels)]
    for each in seen.layers:
        if each.heat is not None:
            heat = atlas.heated(pixels, seen.spread(each.heat))
            cells.append((f"{layer_name(each.layer)}  {each.strength:.1f} x noise", heat))
        if single:
            cells += _channel_cells(network, each, seen, pixels)
    if len(cells) == 1:
        raise UsageError("None of these layers has places, so there is nothing to draw; choose others.")
    return cells


def _channel_cells(
    network: Network, one: Excitement, seen: Inspection, pixels: Tensor
) -> list[tuple[str, Tensor]]:
    from reverie import atlas

    if one.maps is None:
        return []
    return [
        (
            f"{layer_name(one.layer)}:{_label(network, one.layer, unit.channel)}  {unit.excess:+.1f}",
            atlas.heated(pixels, seen.spread(each)),
        )
        for unit, each in zip(one.units, one.maps, strict=True)
    ]
