"""Record: what happened, as text that travels inside every picture Reverie writes."""

from __future__ import annotations

import json
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from reverie.errors import InputError
from reverie.recipe.model import Precision, Recipe

R = TypeVar("R", bound="Record")

SCHEMA = 1  # raised when old records could no longer be replayed as they stand


class Asset(BaseModel):
    """A file that took part: its role (``source``, ``weights``), path as given, SHA-256 in hex."""

    model_config = ConfigDict(frozen=True)

    role: str
    path: str
    sha256: str


class Record(BaseModel):
    """Recipe, assets, and how it was resolved: enough to make the same bytes again on one machine."""

    model_config = ConfigDict(frozen=True)

    reverie: Literal[1] = 1
    recipe: Recipe
    assets: tuple[Asset, ...] = ()
    device: str
    precision: Precision
    threads: int
    depth: Literal[8, 16] = 8
    tile: Literal["none"] | int = "none"  # side of the tiles in pixels
    tile_mode: Literal["exact", "shifted"] = "exact"
    versions: dict[str, str]
    part: int = Field(0, ge=0)  # which picture of the batch, where the recipe's count is above 1
    values: dict[str, str] = {}  # what was handed in from Python: {"rule": "python:MyRule"}

    def text(self) -> str:
        """The record as compact JSON; equal records give equal text."""
        # Absent where it is empty, as in the records that were written before there were values.
        left_out = None if self.values else {"values"}
        return json.dumps(self.model_dump(mode="json", exclude=left_out), sort_keys=True, separators=(",", ":"))

    def asset(self, role: str) -> Asset | None:
        """The asset of that role, if any."""
        return next((each for each in self.assets if each.role == role), None)


def parse_record(text: str | None, path: Path) -> Record:
    """The record of a picture found in ``path``; :class:`InputError` when there is none or it is of another kind."""
    return parse_as(text, path, Record)


def parse_as(text: str | None, path: Path, model: type[R]) -> R:
    """The record of that kind found in ``path``; :class:`InputError` when there is none or it is of another kind."""
    if text is None:
        raise InputError(
            f"{path} carries no record of Reverie; it was not made by Reverie, or without metadata."
        )
    try:
        values = json.loads(text)
        if isinstance(values, dict) and isinstance(values.get("reverie"), int) and values["reverie"] > SCHEMA:
            raise InputError(
                f"The record in {path} was written by a newer Reverie; update Reverie to replay it."
            )
        if isinstance(values, dict) and "view" in values:
            raise InputError(f"{path} is a {values['view']}, no dream; name a picture that Reverie dreamt.")
        if model is Record and isinstance(values, dict) and "film" in values:
            raise InputError(f"{path} is a film, not a picture; reverie.film.replay makes it again.")
        return model.model_validate(_completed(values))
    except (ValueError, RecursionError):  # pydantic's ValidationError is a ValueError
        raise InputError(f"The record in {path} cannot be read; it was damaged or edited.") from None


def _completed(values: object) -> object:
    """The values of a record with the recipe fields that did not exist when it was written, at what then was done."""
    recipe = values.get("recipe") if isinstance(values, dict) else None
    if not isinstance(recipe, dict):
        return values
    extras = {name: field.json_schema_extra for name, field in Recipe.model_fields.items()}
    before = {name: extra["before"] for name, extra in extras.items() if isinstance(extra, dict) and "before" in extra}
    return {**values, "recipe": {**before, **recipe}}  # type: ignore[dict-item]


def view(kind: str) -> str:
    """The text inside a picture about dreams, such as a ``contact sheet``: it tells ours from other people's files."""
    return json.dumps({"reverie": SCHEMA, "view": kind}, sort_keys=True, separators=(",", ":"))


def versions(*libraries: str) -> dict[str, str]:
    """Versions of what decides the bytes of a picture: ours, and those of further ``libraries``."""
    found = {"python": platform.python_version()}
    for package in ("reverie", "torch", "pillow", "numpy", *libraries):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "unknown"
    return found
