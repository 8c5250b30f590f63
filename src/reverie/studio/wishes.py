"""What the page asks for, checked: a wish becomes a recipe over files of ours, and a Record becomes a wish again.

The page names pictures by their ids alone. A wish that names a file, an address or code is refused here, whatever
Record it was loaded from.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reverie import zoo
from reverie.errors import InputError, UsageError
from reverie.film.settings import Steps, Video, Zoom
from reverie.recipe import AUTO, Recipe, valid_run
from reverie.recipe.grammar import Guide, parse_guide
from reverie.studio import schema
from reverie.studio.files import FILMS, file_slug
from reverie.studio.presets import over_preset

WishKind = Literal["dream", "steps", "zoom", "video"]
FILM_MODELS: dict[str, type[Steps | Zoom | Video]] = {"steps": Steps, "zoom": Zoom, "video": Video}
Find = Callable[[str], str | None]
"""The name of a file in the studio's folder for an id; None for an id that nothing has."""


class GuideWish(BaseModel):
    """A guide as the page says it: a picture by its id, the layer it works on, its weight, and a mask by its id."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    picture: str = Field(max_length=40)
    layer: str = Field("", max_length=200)
    weight: float = 1.0
    mask: str | None = Field(None, max_length=40)


class Wish(BaseModel):
    """One dream or film as the page asks for it."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    kind: WishKind = "dream"
    source: str | None = Field(None, max_length=40)
    preset: str | None = Field(None, max_length=100)
    settings: dict[str, Any] = Field(default_factory=dict)
    mask: str | None = Field(None, max_length=40)
    guides: list[GuideWish] = Field(default_factory=list, max_length=16)
    film: dict[str, Any] = Field(default_factory=dict)
    run: dict[str, Any] = Field(default_factory=dict)
    preview: bool = False


class Spec(BaseModel):
    """A wish made ready for the worker: a whole recipe, files by their names in the studio's folder."""

    kind: str
    source: str | None
    recipe: dict[str, Any]
    film: dict[str, Any] = {}
    run: dict[str, Any] = {}
    preview: bool = False
    preset: str | None = None


def read(values: object) -> Wish:
    """A wish from JSON; :class:`UsageError` in one sentence."""
    try:
        return Wish.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the wish"
        raise UsageError(f"{where}: {first['msg'][0].lower()}{first['msg'][1:]}.") from None


def ready(wish: Wish, find: Find, presets: Path) -> Spec:
    """The recipe that a wish means; :class:`UsageError` or :class:`InputError` in one sentence for what cannot be."""
    for name in ("mask", "guide"):
        if name in wish.settings:
            raise UsageError(f"A {name} is given by the id of a picture, not among the settings.")
    strange = set(wish.run) - set(schema.RUN_FIELDS)
    if strange:
        raise UsageError(f"The studio does not take {sorted(strange)[0]!r}.")
    values = {name: value for name, value in wish.settings.items() if value is not None}
    values = over_preset(wish.preset, values, presets)
    if wish.mask is not None:
        values["mask"] = _file(wish.mask, find)
    if wish.guides:
        values["guide"] = [
            Guide(
                _file(each.picture, find),
                each.layer,
                each.weight,
                _file(each.mask, find) if each.mask else "",
            ).text()
            for each in wish.guides
        ]
    made = Recipe.of(values)
    if (
        made.network == AUTO
    ):  # the queue, the command line and the Record say the same one, whatever is installed later
        made = Recipe.of(values, {"network": zoo.automatic()})
    _ours(made, {_file(each, find) for each in _ids(wish)})
    valid_run(dict(wish.run))
    film: dict[str, Any] = {}
    if wish.kind != "dream":
        model = FILM_MODELS[wish.kind]
        # A keyframe's word may be the name of a TOML file, which the page may not choose.
        for word in wish.film.get("at") or ():
            if ".toml" in str(word).lower():
                raise UsageError("Keyframes are given one by one in the studio, not by the name of a file.")
        film = model.of(**{name: value for name, value in wish.film.items() if value is not None}).model_dump(
            mode="json"
        )
    source = None if wish.source is None else _file(wish.source, find)
    if wish.kind == "video" and (source is None or Path(source).suffix.lower() not in FILMS):
        raise UsageError("A dreamt video needs a video; drop one on the page.")
    if wish.kind != "video" and source is not None and Path(source).suffix.lower() in FILMS:
        raise UsageError("This needs a picture, not a video.")
    dumped = made.model_dump(mode="json", exclude_unset=True)
    return Spec(
        kind=wish.kind,
        source=source,
        recipe=dumped,
        film=film,
        run=wish.run,
        preview=wish.preview,
        preset=wish.preset,
    )


def _ids(wish: Wish) -> list[str]:
    found = [each.picture for each in wish.guides] + [each.mask for each in wish.guides if each.mask]
    return [*found, *([wish.mask] if wish.mask else [])]


def _file(identity: str, find: Find) -> str:
    if (name := find(identity)) is None:
        raise InputError("A picture of these settings is not in the studio any more; drop it again.")
    return name


def _ours(made: Recipe, given: set[str]) -> None:
    """Refuse a recipe that names a file which the page did not give by id, or a network that is not in our table."""
    if zoo.foreign(made.network) is not None:
        raise UsageError("The studio dreams with the networks of its own table alone; choose one of those.")
    zoo.entry(made.network)
    for _, file in made.files():
        if file not in given:
            raise UsageError(
                f"The settings name the file {file!r}; in the studio pictures are dropped on the page."
            )


def of_record(text: str, by_content: Callable[[str], str | None]) -> dict[str, Any]:
    """A Record as a wish, and what of it could not be taken over, a sentence each.

    ``by_content`` gives the id of a file of ours with that SHA-256. Pictures are known by content alone, never by the
    path that a stranger wrote; nothing of a Record is run, opened or fetched.
    """
    values = json.loads(text)
    if not isinstance(values, dict) or not isinstance(values.get("recipe"), dict):
        raise InputError("The Record in this picture cannot be read; it was damaged or edited.")
    made = Recipe.of(values["recipe"])
    notes: list[str] = []
    assets = {
        (str(each.get("role")), str(each.get("path"))): str(each.get("sha256"))
        for each in values.get("assets") or ()
        if isinstance(each, dict)
    }

    def ours(role: str, path: str) -> str | None:
        found = by_content(assets.get((role, path), ""))
        if found is None:
            notes.append(f"The {role} {Path(path).name} is not in the studio; drop it and add it again.")
        return found

    plain = made.model_dump(mode="json")
    defaults = Recipe.of().model_dump(mode="json")
    settings = {
        name: value
        for name, value in plain.items()
        if value != defaults[name] and name not in ("mask", "guide")
    }
    if made.network != AUTO:
        settings["network"] = made.network
    if zoo.foreign(made.network) is not None:
        settings.pop("network", None)
        notes.append(
            "The network of this picture is a stranger's file or library, which the studio does not run."
        )
    guides = []
    for each in map(parse_guide, made.guide):
        if (picture := ours("guide", each.file)) is not None:
            guides.append(
                {
                    "picture": picture,
                    "layer": each.layer,
                    "weight": each.weight,
                    "mask": ours("mask", each.mask) if each.mask else None,
                }
            )
    source = next(((role, path) for role, path in assets if role == "source"), None)
    kind = values.get("film") if values.get("film") in FILM_MODELS else "dream"
    return {
        "kind": kind,
        "source": ours(*source) if source else None,
        "settings": settings,
        "mask": ours("mask", made.mask) if made.mask else None,
        "guides": guides,
        "film": values.get("settings")
        if kind != "dream" and isinstance(values.get("settings"), dict)
        else {},
        "notes": notes,
    }


def title(spec: Spec) -> str:
    """What people call the dream: its objective or preset, and its source."""
    what = (
        spec.recipe.get("objective") or spec.preset or ("guided" if spec.recipe.get("guide") else "default")
    )
    return str(what)


def stem(spec: Spec, job: str) -> str:
    """The name of the result without suffix; the job's own id makes it the only one."""
    source = (
        "noise"
        if spec.source is None
        else file_slug(Path(spec.source).stem.rpartition("-")[0] or Path(spec.source).stem, 30)
    )
    end = "" if spec.kind == "dream" else f"-{spec.kind}"
    return f"{source}-{file_slug(title(spec), 40)}{end}-{job[:8]}"


def command(spec: Spec, folder: Path, target: str) -> str:
    """The command line that makes the same file, run anywhere."""
    head = {"dream": "reverie dream"}.get(spec.kind, f"reverie film {spec.kind}")
    words = [f"cd {schema.shell_quoted(str(folder))} &&", head, schema.shell_quoted(spec.source or "noise")]
    words += schema.options(_changed(spec.film, spec.kind))
    words += schema.options(spec.recipe) + schema.options(spec.run)
    words += ["--preview"] if spec.preview else []
    return " ".join([*words, "--out", schema.shell_quoted(target)])


def _changed(film: Mapping[str, Any], kind: str) -> dict[str, Any]:
    if kind == "dream":
        return {}
    model = FILM_MODELS[kind]
    defaults = model.of().model_dump(mode="json")
    return {name: value for name, value in film.items() if value != defaults.get(name)}


def python(spec: Spec, folder: Path, target: str) -> str:
    """The lines of Python that make the same picture or film."""
    given = {**spec.recipe, **spec.run}
    options = [f"{name}={_literal(value)}," for name, value in given.items()]
    inner = "".join(f"\n    {each}" for each in options)
    place = [f"import os\n\nimport reverie\n\nos.chdir({str(folder)!r})"]
    if spec.kind == "dream":
        extra = "\n    preview=True," if spec.preview else ""
        return "\n".join(
            [
                *place,
                f"picture = reverie.dream(\n    {spec.source!r},{inner}{extra}\n)",
                f"picture.save({target!r})",
                "",
            ]
        )
    model = FILM_MODELS[spec.kind].__name__
    film = "".join(
        f"\n    {name}={_literal(value)}," for name, value in _changed(spec.film, spec.kind).items()
    )
    place[0] = place[0].replace(
        "import reverie", f"from reverie.film import shooting\nfrom reverie.film.settings import {model}"
    )
    return "\n".join(
        [
            *place,
            f"settings = {model}.of({film}\n)" if film else f"settings = {model}.of()",
            f"film = shooting.make_film(\n    {spec.kind!r},\n    {spec.source!r},\n    settings,{inner}\n)",
            f"shooting.shoot(film, {target!r})",
            "",
        ]
    )


def _literal(value: Any) -> str:
    return repr(tuple(value)) if isinstance(value, list) else repr(value)
