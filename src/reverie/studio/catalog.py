"""What there is to choose from: networks with their weights, presets, formats. Torch-free."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reverie.studio.presets import own_presets, package_presets
from reverie.zoo import NETWORKS, automatic, entry
from reverie.zoo.catalog import entries
from reverie.zoo.fetch import available


def network_list() -> list[dict[str, Any]]:
    """Every network of the table: whether it can dream now, and what fetching its weights means."""
    others = [name for name in entries() if "@" in name and name.partition("@")[0] in NETWORKS]
    found = []
    for name in sorted([*NETWORKS, *others], key=lambda name: list(NETWORKS).index(name.partition("@")[0])):
        bundled, published = bool(entry(name).bundled), entries().get(name)
        about = entry(name).about
        if published is not None and "@" in name:
            about = f"trained on {published.labels.title()}"
        here = bundled or available(name)
        found.append(
            {
                "name": name,
                "about": about,
                "ready": here,
                "bundled": bundled,
                "megabytes": 0 if published is None else round(published.megabytes, 1),
                "license": "" if published is None else published.license,
                "credit": "" if published is None else published.credit,
                "classes": 0 if published is None else published.classes,
                "package": "" if published is None else published.package,
                "fetchable": published is not None and not bundled and not published.package,
            }
        )
    return found


def preset_list(folder: Path) -> list[dict[str, Any]]:
    """Own presets, then the package's; each says whether its network is here."""
    ready = {each["name"]: each["ready"] for each in network_list()}
    found = []
    for name, look in {**own_presets(folder), **package_presets()}.items():
        network = look["settings"].get("network")
        found.append(
            {"name": name, **look, "network": network, "ready": ready.get(network or automatic(), False)}
        )
    return found
