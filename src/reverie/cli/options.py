"""Command line options read off the models of Recipe, Run and films, so that neither can drift."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from cyclopts import Group, Parameter
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from reverie.cli.output import (
    PIPE,
    numbered,
    unused_name,
)
from reverie.cli.plots import Plots, PlotsEvery, QualityLine, check_plots
from reverie.errors import OutputError, UsageError
from reverie.film.settings import Steps, Video, Zoom
from reverie.recipe import Recipe, Run

DIAL_GROUP = Group("The dials", sort_key=0)
WHAT = Group("What to dream", sort_key=1)
STEPS = Group("Octaves and steps", sort_key=2)
GRADIENT = Group("Gradient", sort_key=3)
SEEN = Group("What the network sees", sort_key=4)
SPECTRUM = Group("Spectra and batches", sort_key=5)
FILM = Group("Film options", sort_key=0)
RUN = Group("Run options", sort_key=6)
# Options of the Recipe by what they are about; those of no group are what to dream.
_ABOUT = {
    DIAL_GROUP: "strength motif_size realism variation",
    STEPS: "octaves octave_scale smallest above steps step_size schedule max_gain optimizer step_decay momentum "
    "headroom detail cooldown",
    GRADIENT: "bands fine coarse spread gray fine_gray pyramid normalize smooth smooth_sigma smooth_weights "
    "smooth_kernel smooth_border color",
    SEEN: "jitter inset pad border rotate zoom resettle grain crop last_crop crop_size views redirect",
    SPECTRUM: "param decay contrast start likeness opacity count",
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
        plain = str if key == "seed" else _plain(field.annotation)  # several seeds are written 1..6
        fields.append(
            (key, Annotated[plain | None, declared], dataclasses.field(default=None))
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


Json = Annotated[bool, Parameter(name="--json", negative=(), help="JSON on stdout instead of a table.")]


Out = Annotated[
    Path | None,
    Parameter(
        group=RUN,
        name=["--out", "-o"],
        help="The file to write (.png .jpg .webp .tif), an existing folder, or - for standard output; by default "
        "beside the source.",
    ),
]


Overwrite = Annotated[
    bool, Parameter(group=RUN, negative=(), show_default=False, help="Replace an existing result.")
]


Quiet = Annotated[
    bool, Parameter(group=RUN, name=["--quiet", "-q"], negative=(), help="No progress, no notes.")
]


JsonLines = Annotated[
    bool, Parameter(group=RUN, name="--json", negative=(), help="One JSON line per frame on stdout.")
]


NoMetadata = Annotated[
    bool,
    Parameter(
        group=RUN, negative=(), help="Leave the Record out of the result; it can then not be replayed."
    ),
]


@dataclass(frozen=True, kw_only=True)
class ResultOptions:
    """Where a dream goes, and what is said and kept on the way."""

    out: Out = None
    format: Annotated[
        Literal["png", "jpg", "webp", "tif"] | None,
        Parameter(group=RUN, help="Format where --out names no file; by default png."),
    ] = None
    overwrite: Overwrite = False
    resume: Annotated[
        bool,
        Parameter(
            group=RUN,
            negative=(),
            help="Go on from where the same command was killed: after the last finished octave of a picture, and of "
            "many pictures those that are not there yet.",
        ),
    ] = False
    show: Annotated[
        bool, Parameter(group=RUN, negative=(), help="Open the result in the desktop's viewer.")
    ] = False
    quiet: Quiet = False
    json: JsonLines = False
    no_metadata: NoMetadata = False
    plots: Plots = None
    plots_every: PlotsEvery = 10
    quality: QualityLine = False

    @property
    def piped(self) -> bool:
        """Whether the picture goes to standard output."""
        return str(self.out) == PIPE

    @property
    def suffix(self) -> str:
        """That of a file which is not named."""
        return f".{self.format or 'png'}"

    def check(self, count: int, depth: Literal[8, 16] = 8, batch: int = 1) -> None:
        """Raise what can be known to be wrong before any work for ``count`` dreams of ``batch`` pictures."""
        if self.resume and self.no_metadata and count > 1:
            raise UsageError(
                "--resume knows finished pictures by the Record that --no-metadata leaves out; of several pictures "
                "leave one of the two options out."
            )
        check_plots(self.plots, self.plots_every)
        if self.piped and (self.json or self.resume or self.show or count * batch > 1):
            other = "--json" if self.json else "--resume" if self.resume else "--show" if self.show else ""
            what = f"{other} does not go with it" if other else f"{count * batch} pictures do not go into it"
            raise UsageError(f"--out - is standard output; {what}.")
        if self.piped and sys.stdout is None:
            raise OutputError("--out - is standard output, which is closed here; send it to a file or a command.")
        if self.piped and sys.stdout.isatty():
            raise UsageError("--out - is standard output, here a terminal; send it to a file or a command.")
        whole = self.out is not None and not self.piped and not os.path.isdir(self.out)
        if self.out is not None and whole and count > 1:
            raise OutputError(f"{self.out} is no existing folder; {count} pictures need one.")
        if self.out is not None and whole and self.format is not None and self.out.suffix:
            raise UsageError(f"--format is for where --out names no file; {self.out} says its format itself.")
        from reverie import files

        if self.out is not None and whole:
            for each in numbered(self.out, batch):
                files.check_writable(each, self.overwrite or self.resume, depth=depth)
        else:
            files.check_depth(f"A {self.suffix} file", files.WRITES[self.suffix], depth)

    def target(self, default: Path, written: Collection[Path] = (), count: int = 1) -> Path:
        """The file to write, where ``default`` is its name if none was given; nothing of ``written`` is meant."""
        if self.out is not None and not os.path.isdir(self.out):
            return self.out
        name = default if self.out is None else self.out / default.name
        # --overwrite and --resume are about what was there before, not about a namesake in the same run.
        return name if (self.overwrite or self.resume) and name not in written else unused_name(name, count)


NOISE = "noise"


NOTHING_CHOSEN, NOTHING_SET, PLAINLY = RecipeOptions(), RunOptions(), ResultOptions()


NOTHING_CELLED = CellOptions()


CHANNEL_CELL = "160x160"


NetworkName = Annotated[
    str, Parameter(help="A name that 'reverie networks' lists, or another as in docs/networks.md.")
]


Preset = Annotated[
    str | None,
    Parameter(group=WHAT, help="A named look ('reverie presets' lists them), or a TOML file of one's own."),
]


RecipeFile = Annotated[Path | None, Parameter(group=WHAT, name="--recipe", help="A recipe in TOML or JSON.")]


ImageOption = Annotated[
    list[str] | None,
    Parameter(group=RUN, name=["--image", "-i"], negative=(), help="Another way to say SOURCE."),
]


Preview = Annotated[
    bool,
    Parameter(
        group=RUN, negative=(), help="Small and quick, at most 480 px: an early octave of the final picture."
    ),
]


DryRun = Annotated[
    bool,
    Parameter(group=RUN, negative=(), help="Say what it will cost (memory, tiles, time) and stop there."),
]


Name = Annotated[str, Parameter(name=["--network", "-n"], help="The network; 'reverie networks' lists them.")]
