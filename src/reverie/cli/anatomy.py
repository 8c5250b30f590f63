"""What a network is made of: ``reverie layers`` and ``reverie channels``, as tables and as contact sheets."""

from __future__ import annotations

import json as jsons
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from reverie import recipe as recipes
from reverie.cli.dreaming import NOISE, NOTHING_SET
from reverie.cli.inspecting import Json
from reverie.cli.options import CellOptions, RunOptions, given
from reverie.cli.output import counting, put, say
from reverie.cli.output import table as _show
from reverie.cli.result import Overwrite, Quiet
from reverie.cli.sheets import CELL, PLAIN, Cells, Drawing, Into, SheetFile, SheetOptions, loaded, named
from reverie.errors import OutputError, UnknownName, UsageError

if TYPE_CHECKING:
    from torch import Tensor

    from reverie.network import Layer, Network

NOTHING_CELLED = CellOptions()
CHANNEL_CELL = "160x160"
FEW_CLASSES = 100  # up to so many a backward pass for each is quick

NetworkName = Annotated[
    str, Parameter(help="A name that 'reverie networks' lists, or another as in docs/networks.md.")
]


def layers(
    network: NetworkName,
    source: Into = NOISE,
    /,
    *,
    kind: Annotated[
        str | None,
        Parameter(
            help="Only layers whose kind has this in its name: conv, relu, pool, block ...; 'all' for all."
        ),
    ] = None,
    diagram: Annotated[
        Path | None, Parameter(help="Draw the whole network into this file, as SVG; it must not exist.")
    ] = None,
    json: Json = False,
    sheet: SheetFile = None,
    layout: Annotated[SheetOptions, Parameter(name="*")] = PLAIN,
    cell_options: Annotated[CellOptions, Parameter(name="*")] = NOTHING_CELLED,
    run_options: Annotated[RunOptions, Parameter(name="*")] = NOTHING_SET,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> int:
    """List a network's layers: names, aliases, kinds, channels, stride, receptive field; and its classes.

    Stride and receptive field are in pixels of the picture, 0 where a layer sees all of it.

    With --sheet, see what each layer dreams instead: those worth a look (blocks,
    and activations that belong to none; at most 24), or those of --kind. Cells are
    320x200 unless --size says otherwise; 'silent' are those that found nothing to
    dream in what they started from.
    """
    if sheet is not None:
        if diagram is not None or json:
            raise UsageError("--sheet draws; leave out --diagram and --json.")
        values = {"size": CELL, **given(cell_options), "network": network}
        wanted, target = recipes.merged(None, None, values), named(sheet, network, "layers", overwrite)
        drawing = Drawing(target, layout, wanted, given(run_options), source, overwrite, quiet)
        _layer_sheet(drawing, kind)
        return 0
    _only_with_sheet(source, layout, cell_options, run_options)
    from reverie import zoo

    found = zoo.load(network) if zoo.entry(network).bundled else zoo.architecture(network)
    part = "" if kind in (None, "all") else str(kind).lower()
    listed = [each for each in found.layers if part in each.kind]
    if not listed:
        kinds = sorted({each.kind for each in found.layers})
        raise UnknownName("kind of layer", str(kind), kinds, f"'reverie layers {network}'")
    if diagram is not None:
        _draw(found, diagram)
    if json:
        fields = ("name", "aliases", "kind", "channels", "stride", "receptive", "inputs")
        put(jsons.dumps([{field: getattr(each, field) for field in fields} for each in listed]))
        return 0
    _show(
        ["layer", "aliases", "kind", "channels", "stride", "receptive"],
        [
            [
                each.name,
                " ".join(each.aliases),
                each.kind,
                *(str(number) for number in (each.channels, each.stride, each.receptive)),
            ]
            for each in listed
        ],
    )
    if found.labels and kind is None:
        names = [label.split(",")[0] for label in found.labels]
        shown = ", ".join(names[:60]) + (f", ... ({len(names)} in all)" if len(names) > 60 else "")
        put("\n" + textwrap.fill(f"classes: {shown}", 100, break_on_hyphens=False))
    return 0


def _only_with_sheet(source: str, layout: SheetOptions, *options: Any) -> None:
    """:class:`UsageError` where something was said that only a sheet can heed."""
    told = [key for each in options for key in given(each)]
    told += [key for key, value in vars(layout).items() if value != getattr(PLAIN, key)]
    if told or source != NOISE:
        what = f"--{told[0].replace('_', '-')}" if told else repr(source)
        raise UsageError(f"{what} is for a contact sheet; say where it goes with --sheet FILE.")


def _layer_sheet(drawing: Drawing, kind: str | None) -> None:
    network = loaded(drawing.recipe.network, drawing.run, drawing.quiet)
    from reverie import atlas, objective

    chosen = atlas.worthwhile(network, kind)
    focus = drawing.recipe.focus
    cells = [(atlas.called(each), objective.layer(each.name, focus)) for each in chosen]
    drawing.write(network, Cells(f"{network.name} · {len(cells)} layers", cells, "layers"))


def _draw(network: Network, path: Path) -> None:
    """Write the diagram; :class:`OutputError` where something is there already or nothing can be."""
    from reverie.cli.diagram import diagram

    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(diagram(network))
    except FileExistsError:
        raise OutputError(f"{path} exists already; choose another name.") from None
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}.") from None
    print(f"drawn: {path}", file=sys.stderr)


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
    recipes.run(run)
    if sheet is not None:
        if json:
            raise UsageError("--sheet draws; leave out --json.")
        values = {"size": CHANNEL_CELL, **given(cell_options), "network": network}
        wanted, target = recipes.merged(None, None, values), named(sheet, network, layer, overwrite)
        drawing = Drawing(target, layout, wanted, run, source, overwrite, quiet)
    else:
        _only_with_sheet(source, layout, cell_options)
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

    found = atlas.survey(network, layer.name, feeds=feeds)
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
    _show(["channel", "mean on noise", "active", "feeds most"], rows)
