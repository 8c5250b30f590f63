"""Commands that only look: ``reverie networks``, ``presets``, ``doctor``."""

from __future__ import annotations

import json as jsons
import os

from reverie.cli.options import Json
from reverie.cli.output import put, table


def doctor(*, json: Json = False) -> None:
    """Tell what Reverie finds here: device, threads, codecs, versions."""
    import torch
    from PIL import features

    from reverie.loop.plan import resolve_device
    from reverie.network.fast import resolve_precision
    from reverie.recipe.record import versions
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
    table(
        ["what", "found"],
        [[key, ", ".join(value) if isinstance(value, list) else str(value)] for key, value in rows.items()],
    )


def _films() -> list[str]:
    """The kinds of film that the PyAV here can write."""
    from reverie.film.writing.codec import FORMATS, encodes

    return [suffix.removeprefix(".") for suffix, kind in FORMATS.items() if encodes(kind.codec)]


def _importable(name: str) -> bool:
    import importlib.util

    return importlib.util.find_spec(name) is not None
