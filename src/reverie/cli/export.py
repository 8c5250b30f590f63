"""``reverie export``: step graphs for engines without autograd, such as a browser."""

from __future__ import annotations

import json as jsons
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from reverie.cli.options import Json, NetworkName, Overwrite, Quiet
from reverie.cli.output import put, say
from reverie.errors import UsageError
from reverie.recipe import valid_run

if TYPE_CHECKING:
    from reverie.export import Manifest

Layers = Annotated[
    str | None,
    Parameter(
        help="Layers whose terms the graph has, joined by commas, as in stage3,stage4,classes; the word 'classes' "
        "means the class terms. By default those that the network dreams by itself, those for guides, and the classes."
    ),
]


def export(
    network: NetworkName,
    /,
    *,
    out: Annotated[
        Path, Parameter(name=["--out", "-o"], help="The folder to write into; it is made where absent.")
    ],
    layers: Layers = None,
    half: Annotated[
        bool,
        Parameter(
            negative=(), help="Round all weights to 16 bits, which halves the file; gradients then differ."
        ),
    ] = False,
    weights: Annotated[
        Path | None, Parameter(help="Weights file for the network, as for 'reverie dream'.")
    ] = None,
    offline: Annotated[
        bool, Parameter(negative=(), help="Never fetch weights; take those that are here.")
    ] = False,
    overwrite: Overwrite = False,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Write a network's step graph: one ONNX file that tells score and gradient, with a JSON file beside it.

    The graph takes a picture of any size and the weights of its terms. It holds the backward pass, so a runtime without
    autograd, as in a browser, can dream with it. Needs the extra 'web'.
    """
    from reverie import zoo
    from reverie.export import manifest
    from reverie.export.writer import library

    names = None if layers is None else [each.strip() for each in layers.split(",")]
    if names is not None and not all(names):
        raise UsageError("--layers has an empty name; write them as in --layers stage3,classes.")
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out {out} is no folder; name one, such as --out manifest.")
    library()  # an absent extra is told before weights are fetched
    how = valid_run({key: value for key, value in (("weights", weights), ("offline", offline)) if value})
    found = zoo.load(network, how.weights, offline=how.offline)
    made = manifest.export(found, names or manifest.default_layers(found), out, half=half, overwrite=overwrite)
    if json:
        told = {
            "network": made.network,
            "file": str(out / made.file),
            "sha256": made.sha256,
            "rounded": made.rounded,
        }
        put(jsons.dumps(told | {"layers": [each.name for each in made.layers], "classes": made.classes}))
        return 0
    size = (out / made.file).stat().st_size / 1e6
    say(f"{out / made.file} ({size:.1f} MB) has the terms of {_listed(made)}.", quiet)
    if made.rounded:
        say(
            "its weights are rounded to 16 bits: dreams differ a little from those of 'reverie dream'.", quiet
        )
    return 0


def _listed(made: Manifest) -> str:
    names = [each.name for each in made.layers] + (["the classes"] if made.classes else [])
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
