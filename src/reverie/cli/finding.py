"""``reverie find``: which channels feed a class; ``reverie inspect``: what a picture excites."""

from __future__ import annotations

import json as jsons
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from reverie import recipe as recipes
from reverie.cli.anatomy import CHANNEL_CELL, NOTHING_CELLED
from reverie.cli.dreaming import NOTHING_SET
from reverie.cli.inspecting import Json
from reverie.cli.options import CellOptions, RunOptions, given
from reverie.cli.output import PIPE, counting, put, say, spoken, table
from reverie.cli.result import Overwrite, Quiet, content
from reverie.cli.sheets import PLAIN, Cells, Drawing, SheetFile, SheetOptions, loaded, named
from reverie.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

    from reverie.atlas import Excitement, Feeding, Inspection
    from reverie.network import Layer, Network

LONG_SIDE = 480  # pixels that a picture is looked at with unless more are asked for
MAPS = 8  # channels shown where a single layer is inspected

Name = Annotated[str, Parameter(name=["--network", "-n"], help="The network; 'reverie networks' lists them.")]


def find(
    text: Annotated[
        str,
        Parameter(
            name="CLASS",
            help="A class by name, number or synset, several joined by |, or a word that several "
            "share, such as snake: then all of them together.",
        ),
    ],
    /,
    *,
    network: Name = "motif",
    layer: Annotated[
        str | None,
        Parameter(
            help="The layer to search, or 'all' that are worth a look; by default the last before the classes."
        ),
    ] = None,
    top: Annotated[int, Parameter(help="How many channels to list.")] = 20,
    image: Annotated[
        str | None, Parameter(name=["--image", "-i"], help="Ask what feeds the class in this picture.")
    ] = None,
    json: Json = False,
    sheet: SheetFile = None,
    layout: Annotated[SheetOptions, Parameter(name="*")] = PLAIN,
    cell_options: Annotated[CellOptions, Parameter(name="*")] = NOTHING_CELLED,
    run_options: Annotated[RunOptions, Parameter(name="*")] = NOTHING_SET,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> int:
    """List the channels that feed a class most; dream them into a contact sheet with --sheet.

    Where the layer feeds the class scores linearly, as the last one does, by its
    weights: how much the score rises when the channel rises by one everywhere.
    Elsewhere, for --layer all, and for --image by gradient times activation, summed
    over places (channel attribution, Olah et al. 2018, "The Building Blocks of
    Interpretability"): what the channel adds to the score of a picture. Without
    --image the pictures are three short dreams of the class, always the same.

    What is listed can be dreamt: reverie dream photo.jpg --objective stage4:42.
    """
    if top < 1:
        raise UsageError(f"--top must be 1 or more, not {top}.")
    run, drawing = given(run_options), None
    recipes.run(run)
    if sheet is not None:
        if json:
            raise UsageError("--sheet draws; leave out --json.")
        values = {"size": CHANNEL_CELL, **given(cell_options), "network": network}
        target = named(sheet, network, text, overwrite)
        wanted = recipes.merged(None, None, values)
        drawing = Drawing(target, layout, wanted, run, overwrite=overwrite, quiet=quiet)
    elif told := given(cell_options):
        raise UsageError(f"--{next(iter(told)).replace('_', '-')} is for a contact sheet; add --sheet FILE.")
    found = loaded(network, run, quiet or json)
    from reverie import atlas

    classes = atlas.matching(found, text)
    what = ", ".join(found.labels[at].split(",")[0] for at in classes)
    pictures = [] if image is None else [_opened(image, run, LONG_SIDE)]
    fed = _fed(found, classes, layer, pictures, run, quiet or json)
    if not any(each.value for one in fed for each in one.feeds):
        where = _name(fed[0].layer) if len(fed) == 1 else "these layers"
        raise UsageError(f"Nothing in {where} feeds {what}; choose another --layer, or 'all'.")
    best = sorted((each for one in fed for each in one.feeds), key=lambda each: -each.value)[:top]
    layers = {one.layer.name: one.layer for one in fed}
    if drawing is not None:
        from reverie import objective

        cells = [
            (f"{_name(layers[each.layer])}:{each.channel}", objective.channel(each.layer, each.channel))
            for each in best
        ]
        before = {name: atlas.before_relu(found, layers[name]) for name in {each.layer for each in best}}
        woken = {
            at: objective.channel(*source)
            for at, each in enumerate(best)
            if (source := before[each.layer].get(each.channel))
        }
        drawing.write(found, Cells(f"{found.name} · feeding {what}", cells, "channels", woken))
        return 0
    if json:
        rows = [
            {
                "layer": each.layer,
                "channel": each.channel,
                "value": each.value,
                "share": each.share,
                "objective": f"{each.layer}:{each.channel}",
            }
            for each in best
        ]
        asked = [{"class": at, "label": found.labels[at]} for at in classes]
        put(jsons.dumps({"network": found.name, "classes": asked, "method": fed[0].method, "channels": rows}))
        return 0
    how = "its weights" if fed[0].method == "weights" else "gradient times activation"
    if len(classes) > 1:
        say(f"{len(classes)} classes are meant together; name one for that one alone.", quiet)
    say(f"{what}: what feeds {'it' if len(classes) == 1 else 'them'} in {found.name}, by {how}", quiet)
    table(
        ["channel", "value", "share"],
        [
            [f"{_name(layers[each.layer])}:{each.channel}", f"{each.value:.3g}", f"{each.share:.1%}"]
            for each in best
        ],
    )
    return 0


def _name(layer: Layer) -> str:
    from reverie import atlas

    return atlas.called(layer)


def _fed(
    network: Network,
    classes: tuple[int, ...],
    layer: str | None,
    pictures: list[Tensor],
    run: dict[str, Any],
    quiet: bool,
) -> tuple[Feeding, ...]:
    from reverie import atlas

    if layer == "all":
        logits = network.logits
        names = [each.name for each in atlas.worthwhile(network) if each.name != logits]
    else:
        names = [network.require_layer(layer).name if layer else atlas.feeder(network).name]
        if not pictures and atlas.direct(network, names[0], classes) is not None:
            return atlas.feeding(network, classes, names)
    if not pictures:
        how = recipes.run(run)
        made = atlas.examples(network, classes, device=how.device, precision=how.precision)
        pictures = [*counting(made, atlas.EXAMPLES, quiet)]
    return atlas.feeding(network, classes, names, pictures)


def _opened(path: str, run: dict[str, Any], long_side: int) -> Tensor:
    """The picture, no larger than ``long_side``."""
    from reverie.image import load
    from reverie.ops import fitted, resize

    photo = load(content(path), recipes.run(run).max_pixels)
    size = (photo.pixels.shape[-2], photo.pixels.shape[-1])
    return resize(photo.pixels, fitted(size, long_side) if max(size) > long_side else size).clamp(0, 1)


def inspect(
    picture: Annotated[str, Parameter(help="The picture to show to the network, or - for standard input.")],
    /,
    *,
    network: Name = "motif",
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
    recipes.run(run)
    if top is not None and not 1 <= top <= 1024:
        raise UsageError(f"--top must be a whole number from 1 to 1024, not {top}.")
    if not 16 <= size <= 4096:
        raise UsageError(f"--size must be a long side from 16 to 4096, not {size}.")
    SheetOptions(columns=columns).check()
    from reverie import atlas, image

    stem = "stdin" if picture == PIPE else Path(picture).stem
    target = None if sheet is None else named(sheet, stem, "heat", overwrite)
    if target is not None:
        image.check_writable(target, overwrite)
    pixels = _opened(picture, run, size)
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
        image.save(target, whole, overwrite=overwrite)
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
            _name(each.layer),
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
            cells.append((f"{_name(each.layer)}  {each.strength:.1f} x noise", heat))
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
            f"{_name(one.layer)}:{_label(network, one.layer, unit.channel)}  {unit.excess:+.1f}",
            atlas.heated(pixels, seen.spread(each)),
        )
        for unit, each in zip(one.units, one.maps, strict=True)
    ]
