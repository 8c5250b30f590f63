"""``reverie networks``: what can be loaded by name."""

from __future__ import annotations

import json as jsons
import sys

from reverie.cli.options import Json
from reverie.cli.output import put, table


def networks(*, json: Json = False) -> None:
    """List the networks, and whether their weights are here."""
    from reverie.recipe import AUTO
    from reverie.zoo import NETWORKS, automatic, entry
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
    table(
        ["network", "weights", "about"],
        [[str(each["name"]), str(each["weights"]), str(each["about"])] for each in found],
    )
    print(f"\n{AUTO}, the default, is {automatic()} here", file=sys.stderr)
    print(f"and any other: {', '.join(EXAMPLES)}", file=sys.stderr)
