"""The form of the page, read off the settings' own declarations: a new field of the Recipe appears by itself."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel

from reverie.film.settings import Steps, Video, Zoom
from reverie.recipe import Recipe, Run

DIALS = ("strength", "motif_size", "color", "realism")
"""What the first screen shows, as far as the Recipe has it; the rest of its places go to what comes nearest."""

INSTEAD = {"strength": "step_size", "motif_size": "octave_scale", "realism": "blend"}

OTHER_FIELDS = ("network", "objective", "guide", "match", "mask")
"""Fields that have a place of their own on the page."""

RUN_FIELDS = ("precision", "depth", "tile", "memory")
"""What of a Run the page may ask for; a file of weights, or trust in a stranger's code, it may not."""

_ABOUT = {
    "Octaves and steps": "octaves octave_scale smallest above steps step_size schedule max_gain optimizer step_decay "
    "momentum headroom detail cooldown",
    "Gradient": "bands fine coarse spread gray pyramid normalize smooth smooth_sigma smooth_weights smooth_kernel "
    "smooth_border color balance",
    "What the network sees": "jitter inset pad border rotate zoom resettle grain crop last_crop crop_size views "
    "redirect",
    "Spectra and batches": "param decay contrast start likeness opacity count",
}
_GROUPS = {field: group for group, fields in _ABOUT.items() for field in fields.split()}
_WORDS = {"motif_size": ["auto", "small", "medium", "large"]}
"""Words that a field of numbers and words is chosen by."""
_UNITS = (("in pixels", "px"), ("pixels of", "px"), ("degrees", "°"), ("seconds", "s"))


def form(
    model: type[BaseModel], without: tuple[str, ...] = (), only: tuple[str, ...] = ()
) -> list[dict[str, Any]]:
    """Each field as the page needs it: name, label, group, kind, default, range, step, choices, unit, help."""
    properties = model.model_json_schema()["properties"]
    found = []
    for name, field in model.model_fields.items():
        if name in without or (only and name not in only):
            continue
        extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        help_text = field.description or ""
        found.append(
            {
                "name": name,
                "label": _label(name),
                "group": str(extra.get("group") or _GROUPS.get(name, "The picture")),
                "unit": str(extra.get("unit") or _unit(help_text)),
                "help": help_text,
                **_kind(properties[name], field.default, _WORDS.get(name)),
            }
        )
    return found


def whole_form() -> dict[str, Any]:
    """Everything that the page builds forms from."""
    dials = [name if name in Recipe.model_fields else INSTEAD.get(name, "") for name in DIALS]
    return {
        "recipe": form(Recipe, without=OTHER_FIELDS),
        "run": form(Run, only=RUN_FIELDS),
        "dials": [name for name in dials if name],
        "steps": form(Steps),
        "zoom": form(Zoom, without=("at",)),
        "video": form(Video, without=("at",)),
        "moving": {"zoom": sorted(Zoom.moving), "video": sorted(Video.moving)},
    }


def _label(name: str) -> str:
    words = name.replace("_", " ")
    return words[0].upper() + words[1:]


def _unit(text: str) -> str:
    return next((unit for words, unit in _UNITS if words in text.lower()), "")


def _kind(schema: dict[str, Any], default: Any, words: list[str] | None = None) -> dict[str, Any]:
    """How a field is shown: as a choice, a switch, a number with its range, or as text."""
    if words is not None:
        return {"kind": "choice", "choices": words, "default": default}
    kinds = schema.get("anyOf", [schema])
    plain = [each for each in kinds if each.get("type") != "null"]
    optional = len(plain) < len(kinds)
    default = list(default) if isinstance(default, tuple) else default
    first = plain[0] if len(plain) == 1 else {}
    if "enum" in first or ("const" in first and len(plain) == 1):
        return {"kind": "choice", "choices": first.get("enum", [first.get("const")]), "default": default}
    if first.get("type") == "boolean":
        return {"kind": "switch", "default": default}
    if first.get("type") in ("integer", "number"):
        low, high = _bounds(first)
        found = {
            "kind": "number",
            "whole": first["type"] == "integer",
            "default": default,
            "optional": optional,
        }
        return {**found, "minimum": low, "maximum": high, "step": _step(first, low, high, default)}
    shape = "list" if first.get("type") == "array" else "text"
    return {"kind": shape, "default": default, "optional": optional}


def _bounds(schema: dict[str, Any]) -> tuple[float | None, float | None]:
    """The least and the greatest value that a slider may give; open ends are kept a little away from."""
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    if low is not None and high is not None and schema["type"] == "number":
        margin = (high - low) / 1000
        low = round(low + margin, 6) if "exclusiveMinimum" in schema else low
        high = round(high - margin, 6) if "exclusiveMaximum" in schema else high
    return low, high


def _step(schema: dict[str, Any], low: float | None, high: float | None, default: Any) -> float:
    if schema["type"] == "integer":
        return 1
    span = (high - low) if low is not None and high is not None else abs(float(default or 1))
    return 0.001 if span <= 0.1 else 0.01 if span <= 4 else 0.1 if span <= 40 else 1


def options(recipe: dict[str, Any]) -> list[str]:
    """Words of the command line that say ``recipe``'s values, each quoted for a POSIX shell."""
    words: list[str] = []
    for name, value in recipe.items():
        flag = f"--{name.replace('_', '-')}"
        if name in ("guide", "groups", "at", "through"):
            for each in value:
                words += [flag, shell_quoted(str(each))]
        elif value is True:
            words.append(flag)
        elif value not in (None, False):
            text = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
            words.append(
                f"{flag}={shell_quoted(text)}" if text.startswith("-") else f"{flag} {shell_quoted(text)}"
            )
    return words


def shell_quoted(text: str) -> str:
    """``text`` as one word of a POSIX shell."""
    if text and re.fullmatch(r"[\w@%+=:,./-]+", text, re.ASCII):
        return text
    return "'" + text.replace("'", "'\"'\"'") + "'"
