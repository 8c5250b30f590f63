"""Command line options read off the models of Recipe, Run and films, so that neither can drift."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from cyclopts import Group, Parameter
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from reverie.film.settings import Steps, Video, Zoom
from reverie.recipe import Recipe, Run

WHAT = Group("What to dream", sort_key=1)
STEPS = Group("Octaves and steps", sort_key=2)
GRADIENT = Group("Gradient", sort_key=3)
SEEN = Group("What the network sees", sort_key=4)
SPECTRUM = Group("Spectra and batches", sort_key=5)
FILM = Group("Film options", sort_key=0)
RUN = Group("Run options", sort_key=6)
# Options of the Recipe by what they are about; those of no group are what to dream.
_ABOUT = {
    STEPS: "octaves octave_scale smallest above steps step_size schedule max_gain optimizer step_decay momentum "
    "headroom detail cooldown",
    GRADIENT: "bands fine coarse spread gray pyramid normalize smooth smooth_sigma smooth_weights smooth_kernel "
    "smooth_border color",
    SEEN: "jitter inset pad border rotate zoom resettle grain crop last_crop crop_size views redirect",
    SPECTRUM: "param decay start likeness opacity count",
}
_GROUPS = {field: group for group, fields in _ABOUT.items() for field in fields.split()}


def _plain(annotation: Any) -> Any:
    """The type that the command line parses; what it leaves open the model checks."""
    if get_origin(annotation) is Annotated:
        return _plain(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        inner = [each for each in get_args(annotation) if each is not type(None)]
        return _plain(inner[0]) if len(inner) == 1 else str
    if get_origin(annotation) is tuple:
        return list[str]
    if annotation in (int, float, bool, Path) or get_origin(annotation) is Literal:
        return annotation
    return str


def _help(field: FieldInfo) -> str:
    text = field.description or ""
    default = ",".join(map(str, field.default)) if isinstance(field.default, tuple) else field.default
    return text if default in (None, "") else f"{text} [default: {default}]"


def _options(name: str, model: type[BaseModel], group: Group | None, without: tuple[str, ...] = ()) -> Any:
    fields = []
    for key, field in model.model_fields.items():
        if key in without:
            continue
        declared = Parameter(
            help=_help(field),
            group=group or _GROUPS.get(key, WHAT),
            show_default=False,
            allow_leading_hyphen=key != "at",
            negative=(),
            consume_multiple=key == "at",  # a time, and any number of things that hold there
        )
        fields.append(
            (key, Annotated[_plain(field.annotation) | None, declared], dataclasses.field(default=None))
        )
    return dataclasses.make_dataclass(
        name, fields, frozen=True, kw_only=True, namespace={"__module__": __name__}
    )


RecipeOptions = _options("RecipeOptions", Recipe, None)
RunOptions = _options("RunOptions", Run, RUN)
# A film is written in the 8 bits that its codecs have.
FilmRunOptions = _options("FilmRunOptions", Run, RUN, without=("depth",))
# For commands that say themselves which network, and what it dreams in each cell of a sheet.
CellOptions = _options(
    "CellOptions", Recipe, None, without=("network", "objective", "guide", "match", "mask")
)
# For 'visualize', whose objective is what stands first.
VisualizeOptions = _options("VisualizeOptions", Recipe, None, without=("objective",))
StepsOptions = _options("StepsOptions", Steps, FILM)
ZoomOptions = _options("ZoomOptions", Zoom, FILM)
VideoOptions = _options("VideoOptions", Video, FILM)
# What a film calls the same is the film's, and no film is transparent.
StepsRecipeOptions = _options("StepsRecipeOptions", Recipe, None, without=("opacity",))
ZoomRecipeOptions = _options("ZoomRecipeOptions", Recipe, None, without=("opacity", *Zoom.model_fields))
VideoRecipeOptions = _options("VideoRecipeOptions", Recipe, None, without=("opacity", *Video.model_fields))


def given(options: Any) -> dict[str, Any]:
    """The options that were really typed, by field name."""
    return {key: value for key, value in vars(options).items() if value is not None}
