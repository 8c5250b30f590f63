"""``reverie find``: which channels feed a class."""

from __future__ import annotations

import json as jsons
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from reverie.cli.options import (
    CHANNEL_CELL,
    NOTHING_CELLED,
    NOTHING_SET,
    CellOptions,
    Json,
    Name,
    Overwrite,
    Quiet,
    RunOptions,
    given,
)
from reverie.cli.output import counting, put, say, table
from reverie.cli.pictures import LONG_SIDE, layer_name, open_small
from reverie.cli.sheet import PLAIN, Cells, Drawing, SheetFile, SheetOptions, loaded, sheet_name
from reverie.errors import UsageError
from reverie.recipe import AUTO, merged, valid_run

if TYPE_CHECKING:
    from torch import Tensor

    from reverie.atlas import Feeding
    from reverie.network import Network


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
    network: Name = AUTO,
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
    valid_run(run)
    if sheet is not None:
        if json:
            raise UsageError("--sheet draws; leave out --json.")
        values = {"size": CHANNEL_CELL, **given(cell_options), "network": network}
        target = sheet_name(sheet, network, text, overwrite)
        wanted = merged(None, None, values)
        drawing = Drawing(target, layout, wanted, run, overwrite=overwrite, quiet=quiet)
    elif told := given(cell_options):
        raise UsageError(f"--{next(iter(told)).replace('_', '-')} is for a contact sheet; add --sheet FILE.")
    found = loaded(network, run, quiet or json)
    from reverie import atlas

    classes = atlas.matching(found, text)
    what = ", ".join(found.labels[at].split(",")[0] for at in classes)
    pictures = [] if image is None else [open_small(image, run, LONG_SIDE)]
    fed = _fed(found, classes, layer, pictures, run, quiet or json)
    if not any(each.value for one in fed for each in one.feeds):
        where = layer_name(fed[0].layer) if len(fed) == 1 else "these layers"
        raise UsageError(f"Nothing in {where} feeds {what}; choose another --layer, or 'all'.")
    best = sorted((each for one in fed for each in one.feeds), key=lambda each: -each.value)[:top]
    layers = {one.layer.name: one.layer for one in fed}
    if drawing is not None:
        from reverie import objective

        cells = [
            (f"{layer_name(layers[each.layer])}:{each.channel}", objective.channel(each.layer, each.channel))
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
            [f"{layer_name(layers[each.layer])}:{each.channel}", f"{each.value:.3g}", f"{each.share:.1%}"]
            for each in best
        ],
    )
    return 0


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
        how = valid_run(run)
        made = atlas.examples(network, classes, device=how.device, precision=how.precision)
        pictures = [*counting(made, atlas.EXAMPLE_COUNT, quiet)]
    return atlas.feeding(network, classes, names, pictures)
