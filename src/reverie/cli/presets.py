"""``reverie presets``: the named looks."""

from __future__ import annotations

import json as jsons

from reverie.cli.options import Json
from reverie.cli.output import put, table
from reverie.recipe import presets as looks


def presets(*, json: Json = False) -> None:
    """List the presets: named looks."""
    if json:
        put(jsons.dumps(looks.presets()))
        return
    table(["preset", "about"], [[name, str(each.get("about", ""))] for name, each in looks.presets().items()])
