"""Commands that only look: ``reverie networks``, ``layers``, ``presets``, ``doctor``."""

from __future__ import annotations

import json as jsons
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from rich.console import Console

from reverie import recipe as recipes
from reverie.cli.output import table as _show
from reverie.errors import OutputError, UnknownName

if TYPE_CHECKING:
    from reverie.network import Network

Json = Annotated[bool, Parameter(name="--json", negative=(), help="JSON on stdout instead of a table.")]


def networks(*, json: Json = False) -> None:
    """List the networks, and whether their weights are here."""
    from reverie.zoo import NETWORKS, entry
    from reverie.zoo.catalog import entries
    from reverie.zoo.fetch import cached

    others = [name for name in entries() if "@" in name]
    found = []
    for name in sorted([*NETWORKS, *others], key=lambda name: list(NETWORKS).index(name.partition("@")[0])):
        bundled, about = bool(entry(name).bundled), entry(name).about
        if "@" in name:
            about = f"the same, trained on {entries()[name].labels.title()}"
        weights = "built in" if bundled else "here" if cached(name) else "fetched at first use"
        found.append(
            {"name": name, "ready": weights in ("built in", "here"), "weights": weights, "about": about}
        )
    if json:
        print(jsons.dumps(found))
        return
    _show(
        ["network", "weights", "about"],
        [[str(each["name"]), str(each["weights"]), str(each["about"])] for each in found],
    )


def layers(
    network: Annotated[str, Parameter(help="A name that 'reverie networks' lists.")],
    /,
    *,
    kind: Annotated[
        str | None, Parameter(help="Only layers whose kind has this in its name: conv, relu, pool, block ...")
    ] = None,
    diagram: Annotated[
        Path | None, Parameter(help="Draw the whole network into this file, as SVG; it must not exist.")
    ] = None,
    json: Json = False,
) -> None:
    """List a network's layers: names, aliases, kinds, channels, stride, receptive field; and its classes.

    Stride and receptive field are in pixels of the picture, 0 where a layer sees all of it.
    """
    from reverie import zoo

    found = zoo.load(network) if zoo.entry(network).bundled else zoo.architecture(network)
    listed = [each for each in found.layers if (kind or "").lower() in each.kind]
    if not listed:
        kinds = sorted({each.kind for each in found.layers})
        raise UnknownName("kind of layer", str(kind), kinds, f"'reverie layers {network}'")
    if diagram is not None:
        _draw(found, diagram)
    if json:
        fields = ("name", "aliases", "kind", "channels", "stride", "receptive", "inputs")
        print(jsons.dumps([{field: getattr(each, field) for field in fields} for each in listed]))
        return
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
        Console(width=100).print(f"\nclasses: {shown}", highlight=False)


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


def presets(*, json: Json = False) -> None:
    """List the presets: named looks."""
    if json:
        print(jsons.dumps(recipes.presets()))
        return
    _show(
        ["preset", "about"], [[name, str(each.get("about", ""))] for name, each in recipes.presets().items()]
    )


def doctor(*, json: Json = False) -> None:
    """Tell what Reverie finds here: device, threads, codecs, versions."""
    import torch
    from PIL import features

    from reverie.optimize import resolve_precision
    from reverie.plan import resolve_device
    from reverie.record import versions
    from reverie.zoo import NETWORKS
    from reverie.zoo.fetch import folder, receipts

    device = resolve_device("auto")
    codecs = [name for name in ("jpg", "webp", "avif", "libtiff") if features.check(name)]
    if _importable("tifffile"):
        codecs.append("tifffile")
    if _importable("pillow_heif"):
        codecs.append("heic")
    found = {
        "device": str(device),
        "precision": resolve_precision("auto", device),
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "codecs": ["png", *codecs],
        "cache": str(folder()),
        "networks": [
            *(name for name, entry in NETWORKS.items() if entry.bundled),
            *(each.name for each in receipts()),
        ],
        "versions": versions(),
    }
    if json:
        print(jsons.dumps(found))
        return
    rows = {key: value for key, value in found.items() if key != "versions"} | versions()
    _show(
        ["what", "found"],
        [[key, ", ".join(value) if isinstance(value, list) else str(value)] for key, value in rows.items()],
    )


def _importable(name: str) -> bool:
    import importlib.util

    return importlib.util.find_spec(name) is not None
