"""Commands that only look: ``reverie networks``, ``layers``, ``presets``, ``doctor``."""

from __future__ import annotations

import json as jsons
import os
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from reverie import recipe as recipes

Json = Annotated[bool, Parameter(name="--json", negative=(), help="JSON on stdout instead of a table.")]


def _show(columns: list[str], rows: list[list[str]]) -> None:
    """A table for people; plain and unwrapped where stdout is no terminal."""
    console = Console()
    if not console.is_terminal:
        for row in rows:
            print("\t".join(row))
        return
    table = Table(*columns, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        table.add_row(*row)
    console.print(table)


def networks(*, json: Json = False) -> None:
    """List the networks, and whether their weights are here."""
    from reverie.zoo import NETWORKS

    found = [
        {"name": name, "ready": bool(entry.bundled), "about": entry.about} for name, entry in NETWORKS.items()
    ]
    if json:
        print(jsons.dumps(found))
        return
    _show(
        ["network", "weights", "about"],
        [
            [str(each["name"]), "built in" if each["ready"] else "--weights FILE", str(each["about"])]
            for each in found
        ],
    )


def layers(
    network: Annotated[str, Parameter(help="A name that 'reverie networks' lists.")], /, *, json: Json = False
) -> None:
    """List a network's layers: names, aliases, kinds, channels, stride; and its classes."""
    from reverie import zoo

    found = zoo.load(network) if zoo.entry(network).bundled else zoo.architecture(network)
    if json:
        print(
            jsons.dumps(
                [
                    {
                        "name": each.name,
                        "aliases": list(each.aliases),
                        "kind": each.kind,
                        "channels": each.channels,
                        "stride": each.stride,
                    }
                    for each in found.layers
                ]
            )
        )
        return
    _show(
        ["layer", "aliases", "kind", "channels", "stride"],
        [
            [each.name, " ".join(each.aliases), each.kind, str(each.channels), str(each.stride)]
            for each in found.layers
        ],
    )
    if found.labels:
        names = [label.split(",")[0] for label in found.labels]
        shown = ", ".join(names[:60]) + (f", ... ({len(names)} in all)" if len(names) > 60 else "")
        Console(width=100).print(f"\nclasses: {shown}", highlight=False)


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
        "cache": "none needed: no network here is downloaded",
        "networks": [name for name, entry in NETWORKS.items() if entry.bundled],
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
