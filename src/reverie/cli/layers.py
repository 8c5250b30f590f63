"""``reverie layers``: what a network is made of, as a table, a diagram or a contact sheet."""

from __future__ import annotations

import json as jsons
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from reverie.cli.options import (
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
from reverie.cli.output import put, table
from reverie.cli.sheet import CELL, PLAIN, Cells, Drawing, Into, SheetFile, SheetOptions, loaded, sheet_name
from reverie.cli.sheet_only import only_with_sheet
from reverie.errors import OutputError, UnknownName, UsageError
from reverie.recipe import merged

if TYPE_CHECKING:

    from reverie.network import Network


def layers(
    network: NetworkName,
    source: Into = NOISE,
    /,
    *,
    kind: Annotated[
        str | None,
        Parameter(
            help="Only layers whose kind has this in its name: conv, relu, pool, block ...; 'all' for all; "
            "'class' lists the classes instead, 'group' groups of them, for group:NAME in an objective."
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
        wanted, target = merged(None, None, values), sheet_name(sheet, network, "layers", overwrite)
        drawing = Drawing(target, layout, wanted, given(run_options), source, overwrite, quiet)
        _layer_sheet(drawing, kind)
        return 0
    only_with_sheet(source, layout, cell_options, run_options)
    from reverie import zoo

    found = zoo.load(network) if zoo.entry(network).bundled else zoo.architecture(network)
    if kind is not None and kind.lower() in ("group", "groups"):
        if diagram is not None:
            raise UsageError("--kind group lists groups of classes; leave --diagram out.")
        _groups(found, json)
        return 0
    if kind is not None and kind.lower() in ("class", "classes"):
        if diagram is not None:
            raise UsageError("--kind class lists classes; leave --diagram out.")
        _classes(found, json)
        return 0
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
    table(
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
        more = f", ... ({len(names)} in all; --kind class lists them)" if len(names) > 60 else ""
        shown = ", ".join(names[:60]) + more
        put("\n" + textwrap.fill(f"classes: {shown}", 100, break_on_hyphens=False))
    return 0


def _classes(network: Network, json: bool) -> None:
    """List every class of ``network``: its number, its WordNet id where it has one, its names."""
    if not network.labels:
        raise UsageError(f"The network {network.name} has no classes.")
    synsets = network.synsets or ("",) * len(network.labels)
    rows = list(zip(synsets, network.labels, strict=True))
    if json:
        put(jsons.dumps([{"class": at, "synset": synset, "names": label} for at, (synset, label) in enumerate(rows)]))
        return
    table(["class", "synset", "names"], [[str(at), synset, label] for at, (synset, label) in enumerate(rows)])


def _groups(network: Network, json: bool) -> None:
    """List the groups of ImageNet's classes that ``network`` knows, and how many classes each has there."""
    from reverie.recipe.groups import class_groups

    rows = [(each, network.class_group(each.holds)) for each in class_groups().values()]
    known = [(each, indices) for each, indices in rows if indices]
    if not known:
        raise UsageError(f"The network {network.name} has no ImageNet classes, so no groups of them.")
    if json:
        fields = [
            {"name": f"group:{each.name}", "about": each.about, "classes": [network.labels[at] for at in indices]}
            for each, indices in known
        ]
        put(jsons.dumps(fields))
        return
    table(
        ["group", "classes", "about"],
        [[f"group:{each.name}", str(len(indices)), each.about] for each, indices in known],
    )


def _layer_sheet(drawing: Drawing, kind: str | None) -> None:
    network = loaded(drawing.recipe.network, drawing.run, drawing.quiet)
    from reverie import atlas, objective

    chosen = atlas.worthwhile(network, kind)
    focus = drawing.recipe.focus
    cells = [(atlas.layer_label(each), objective.layer(each.name, focus)) for each in chosen]
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
