"""Presets for the page: those of the package and one's own, which are the TOML files that ``--preset`` reads."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reverie.errors import InputError, UnknownName, UsageError
from reverie.recipe import AUTO, Recipe
from reverie.recipe.presets import all_presets, preset
from reverie.studio.files import file_slug, written_whole

_FIELDS_ELSEWHERE = ("mask", "guide")
_MOST = 200


def over_preset(name: str | None, values: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """``values`` over those of the preset of that name, the package's or one's own ``own:NAME``.

    The preset's own network stands where ``values`` have none, or ``auto``.
    """
    if name is None:
        return dict(values)
    asked = values.get("network")
    plain = {key: value for key, value in values.items() if key != "network" or asked != AUTO}
    if name.startswith("own:"):
        found = own_presets(folder)
        if name not in found:
            raise UsageError(f"There is no preset {name.removeprefix('own:')!r} any more; choose another.")
        return {**found[name]["settings"], **plain}
    if name not in all_presets():  # which is never the name of a file here
        raise UnknownName("preset", name, all_presets())
    other = None if asked in (None, AUTO) else str(asked)
    return {**preset(name, other, bool(values.get("objective"))), **plain}


def own_presets(folder: Path) -> dict[str, dict[str, Any]]:
    """Own presets by ``own:NAME``: settings, title and a line for people. What cannot be read is left out."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.glob("*.toml"))[:_MOST]:
        try:
            values = tomllib.loads(path.read_text("utf-8"))
            about = str(values.pop("about", ""))
            title = str(values.pop("title", path.stem))
            recipe = Recipe.of(values)
        except (OSError, ValueError, UsageError, RecursionError):
            continue
        if recipe.guide or recipe.mask:
            continue
        settings = recipe.model_dump(mode="json", exclude_unset=True)
        found[f"own:{path.stem}"] = {"title": title, "about": about, "settings": settings, "own": True}
    return found


def save_preset(folder: Path, title: str, about: str, settings: Mapping[str, Any]) -> str:
    """Write an own preset and give its name; one of that title is replaced."""
    title = " ".join(title.split())[:60]
    if not title:
        raise UsageError("A preset needs a name.")
    values = {
        name: value for name, value in settings.items() if name not in _FIELDS_ELSEWHERE and value is not None
    }
    made = Recipe.of(values).model_dump(mode="json", exclude_unset=True)
    lines = [f"about = {_toml(about[:200])}", f"title = {_toml(title)}"]
    lines += [f"{name} = {_toml(value)}" for name, value in made.items() if value is not None]
    name = file_slug(title)
    with written_whole(folder / f"{name}.toml") as temporary:
        temporary.write_text("\n".join(lines) + "\n", "utf-8")
    return f"own:{name}"


def remove_preset(folder: Path, name: str) -> None:
    """Remove an own preset."""
    bare = name.removeprefix("own:")
    if not re.fullmatch(r"[a-z0-9-]+", bare):
        raise InputError("There is no such preset.")
    (folder / f"{bare}.toml").unlink(missing_ok=True)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, str):
        return json.dumps(value).replace("\x7f", "\\u007f")  # TOML's basic strings are JSON's, DEL apart
    return repr(value)


def package_presets() -> dict[str, dict[str, Any]]:
    """The package's presets: settings, title, a line for people, and the network that it names, if any."""
    found = {}
    for name, values in all_presets().items():
        settings = {key: value for key, value in values.items() if key not in ("about", "kind", "elsewhere")}
        found[name] = {
            "title": name.replace("-", " ").capitalize(),
            "about": str(values.get("about", "")),
            "settings": settings,
            "own": False,
        }
    return found
