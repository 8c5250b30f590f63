"""``reverie presets``: the named looks."""

from __future__ import annotations

import json as jsons

from reverie.cli.options import Json
from reverie.cli.output import put, table
from reverie.recipe.presets import all_presets


def presets(*, json: Json = False) -> None:
    """List the presets: named looks."""
    if json:
        put(jsons.dumps(all_presets()))
        return
    table(
        ["preset", "kind", "about"],
        [[name, str(each["kind"]), str(each["about"])] for name, each in all_presets().items()],
    )
