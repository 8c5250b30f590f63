"""What a network is made of: ``reverie layers`` and ``reverie channels``, as tables and as contact sheets."""

from __future__ import annotations

import json as jsons
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from reverie.cli.options import (
    CHANNEL_CELL,
    NOISE,
    NOTHING_CELLED,
    NOTHING_SET,
    CellOptions,
    Json,
    NetworkName,
    Overwrite,
    Quiet,
    RunOptions,
    given,
)
from reverie.cli.output import counting, put, say, table
from reverie.cli.sheet import PLAIN, Cells, Drawing, Into, SheetFile, SheetOptions, loaded, sheet_name
from reverie.cli.sheet_only import only_with_sheet
from reverie.errors import UsageError
from reverie.recipe import merged, valid_run

if TYPE_CHECKING:
    from torch import Tensor

    from reverie.network import Layer, Network

FEW_CLASSES = 100  # up to so many a backward pass for each is quick











def channels(
    network: NetworkName,
    layer: Annotated[str, Parameter(help="A layer's path or traditional name; 'reverie layers' lists them.")],
    source: Into = NOISE,
    /,
    *,
    classes: Annotated[
        bool | None,
        Parameter(
            negative="--no-classes",
            show_default=False,
            help="Tell the classes that each channel feeds most: exactly where the layer feeds them directly, else "
            "by the gradient on noise, which takes a pass for each class. [default: where that is quick]",
        ),
    ] = None,
    json: Json = False,
    sheet: SheetFile = None,
    layout: Annotated[SheetOptions, Parameter(name="*")] = PLAIN,
    cell_options: Annotated[CellOptions, Parameter(name="*")] = NOTHING_CELLED,
    run_options: Annotated[RunOptions, Parameter(name="*")] = NOTHING_SET,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> int:
    """List a layer's channels: activation on noise, share of active places, classes fed most.

    With --sheet, see what each channel dreams instead, page by page, in cells of
    160x160 unless --size says otherwise. Where a channel sleeps in what it started
    from, what goes into its ReLU is dreamt and marked *; 'silent' are those that
    even so found nothing.
    """
    run = given(run_options)
    valid_run(run)
    if sheet is not None:
        if json:
            raise UsageError("--sheet draws; leave out --json.")
        values = {"size": CHANNEL_CELL, **given(cell_options), "network": network}
        wanted, target = merged(None, None, values), sheet_name(sheet, network, layer, overwrite)
        drawing = Drawing(target, layout, wanted, run, source, overwrite, quiet)
    else:
        only_with_sheet(source, layout, cell_options)
    found = loaded(network, run, quiet)
    which = found.require_layer(layer)
    labels = _labels(found)
    # As captions only what is certain, unless it was asked for.
    feeds = _feeds(found, which, classes, FEW_CLASSES if sheet is None else 0, quiet or json)
    if sheet is None:
        _list_channels(found, which, feeds, labels, json)
        return 0
    from reverie import atlas, objective

    best = [] if feeds is None else feeds.argmax(0).tolist()
    cells = [
        (f"{at} {labels[best[at]]}" if best else str(at), objective.channel(which.name, at))
        for at in range(which.channels)
    ]
    if which.name == found.logits and labels:
        cells = [(f"{at} {labels[at]}", each) for at, (_, each) in enumerate(cells)]
    woken = {at: objective.channel(*each) for at, each in atlas.before_relu(found, which).items()}
    title = f"{found.name} · {layer} · {which.channels} channels"
    drawing.write(found, Cells(title, cells, "channels", woken))
    return 0


def _labels(network: Network) -> list[str]:
    return [label.split(",")[0] for label in network.labels]


def _feeds(network: Network, layer: Layer, asked: bool | None, few: int, quiet: bool) -> Tensor | None:
    """How much each class gets from each channel, [K, C]; None where that is not asked for or makes no sense.

    Unasked it is told where it is exact, or where there are at most ``few`` classes.
    """
    if asked is False or not network.labels or not network.logits or layer.name == network.logits:
        return None
    import torch

    from reverie import atlas

    before = [each.name for each in network.layers]
    if before.index(layer.name) > before.index(network.logits):
        return None
    feeds = atlas.direct(network, layer.name)
    count = network.require_layer(network.logits).channels
    if feeds is None and (asked or count <= few):
        feeds = torch.stack([*counting(atlas.reach(network, layer.name), count, quiet)])
    elif feeds is None and few:
        say("--classes tells the classes that each channel feeds most; it takes a while here.", quiet)
    return feeds


def _list_channels(
    network: Network, layer: Layer, feeds: Tensor | None, labels: list[str], json: bool
) -> None:
    from reverie import atlas

    found = atlas.survey_channels(network, layer.name, feeds=feeds)
    if json:
        put(
            jsons.dumps(
                [
                    {
                        "layer": layer.name,
                        "channel": each.channel,
                        "mean": each.mean,
                        "active": each.active,
                        "classes": [{"class": at, "label": network.labels[at]} for at in each.classes],
                    }
                    for each in found
                ]
            )
        )
        return
    rows = [
        [
            str(each.channel),
            f"{each.mean:.3g}",
            f"{each.active:.0%}",
            ", ".join(labels[at] for at in each.classes),
        ]
        for each in found
    ]
    table(["channel", "mean on noise", "active", "feeds most"], rows)
