"""Commands that only look: ``reverie networks``, ``presets``, ``doctor``."""

from __future__ import annotations

import json as jsons
import os
import sys
from typing import Annotated

from cyclopts import Parameter

from reverie import preset as looks
from reverie.cli.output import put
from reverie.cli.output import table as _show

Json = Annotated[bool, Parameter(name="--json", negative=(), help="JSON on stdout instead of a table.")]


def networks(*, json: Json = False) -> None:
    """List the networks, and whether their weights are here."""
    from reverie.zoo import NETWORKS, entry
    from reverie.zoo.adopt.names import EXAMPLES
    from reverie.zoo.catalog import entries, published
    from reverie.zoo.fetch import available

    others = [name for name in entries() if "@" in name]
    found = []
    for name in sorted([*NETWORKS, *others], key=lambda name: list(NETWORKS).index(name.partition("@")[0])):
        bundled, about = bool(entry(name).bundled), entry(name).about
        if "@" in name:
            about = f"the same, trained on {entries()[name].labels.title()}"
        package = "" if bundled else published(name).package
        absent = f"in the package {package}" if package else "fetched at first use"
        weights = "built in" if bundled else "here" if available(name) else absent
        found.append(
            {"name": name, "ready": weights in ("built in", "here"), "weights": weights, "about": about}
        )
    if json:
        put(jsons.dumps(found))
        return
    _show(
        ["network", "weights", "about"],
        [[str(each["name"]), str(each["weights"]), str(each["about"])] for each in found],
    )
    print(f"\nand any other: {', '.join(EXAMPLES)}", file=sys.stderr)


def presets(*, json: Json = False) -> None:
    """List the presets: named looks."""
    if json:
        put(jsons.dumps(looks.presets()))
        return
    _show(["preset", "about"], [[name, str(each.get("about", ""))] for name, each in looks.presets().items()])


def doctor(*, json: Json = False) -> None:
    """Tell what Reverie finds here: device, threads, codecs, versions."""
    import torch
    from PIL import features

    from reverie.optimize import resolve_precision
    from reverie.plan import resolve_device
    from reverie.record import versions
    from reverie.zoo import NETWORKS
    from reverie.zoo.catalog import entries
    from reverie.zoo.fetch import available, folder
    from reverie.zoo.packages import installed

    device = resolve_device("auto")
    codecs = [name for name in ("jpg", "webp", "avif", "libtiff") if features.check(name)]
    if _importable("pillow_heif"):
        codecs.append("heic")
    if _importable("av"):
        codecs.extend(each for each in _films() if each not in codecs)
    found = {
        "device": str(device),
        "precision": resolve_precision("auto", device),
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "codecs": ["png", *codecs],
        "cache": str(folder()),
        "networks": [
            *(name for name, entry in NETWORKS.items() if entry.bundled),
            *(name for name in entries() if available(name)),
        ],
        "packages": [f"{entry.package} {version}" for entry in entries().values() if (version := installed(entry))],
        "versions": versions(),
    }
    if json:
        put(jsons.dumps(found))
        return
    rows = {key: value for key, value in found.items() if key != "versions"} | versions()
    _show(
        ["what", "found"],
        [[key, ", ".join(value) if isinstance(value, list) else str(value)] for key, value in rows.items()],
    )


def _films() -> list[str]:
    """The kinds of film that the PyAV here can write."""
    from reverie.film.codec import FORMATS, encodes

    return [suffix.removeprefix(".") for suffix, kind in FORMATS.items() if encodes(kind.codec)]


def _importable(name: str) -> bool:
    import importlib.util

    return importlib.util.find_spec(name) is not None
