"""``reverie film steps``, ``zoom`` and ``video``; and ``reverie replay`` of what they made."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from reverie.cli.options import (
    FILM,
    NOISE,
    RUN,
    FilmRunOptions,
    JsonLines,
    NoMetadata,
    Overwrite,
    Preset,
    Preview,
    Quiet,
    RecipeFile,
    ResultOptions,
    StepsOptions,
    StepsRecipeOptions,
    VideoOptions,
    VideoRecipeOptions,
    ZoomOptions,
    ZoomRecipeOptions,
    given,
)
from reverie.cli.output import PIPE, line, say
from reverie.cli.pictures import chosen
from reverie.cli.progress import watching_weights
from reverie.cli.result import content, name_of
from reverie.errors import OutputError, UsageError
from reverie.film.settings import Steps, Video, Zoom

if TYPE_CHECKING:
    from reverie.film.shooting import Film, Shot

film = App("film", help="Films: the ascent itself, an endless zoom, or a video dreamt frame by frame.")
NO_STEPS, NO_ZOOM, NO_VIDEO = StepsOptions(), ZoomOptions(), VideoOptions()
NO_RUN, NO_STEPS_RECIPE = FilmRunOptions(), StepsRecipeOptions()
NO_ZOOM_RECIPE, NO_VIDEO_RECIPE = ZoomRecipeOptions(), VideoRecipeOptions()

SourceName = Annotated[
    str,
    Parameter(
        name="SOURCE",
        help="A picture file, - for standard input, or 'noise'; by default noise.",
        allow_leading_hyphen=False,
    ),
]
ClipFile = Annotated[str, Parameter(name="CLIP", help="A video file.", allow_leading_hyphen=False)]
FilmOut = Annotated[
    Path | None,
    Parameter(
        group=RUN,
        name=["--out", "-o"],
        help="The film to write (.mp4 .mov .mkv .webm .gif .webp .apng), or a name without suffix for a folder of "
        "PNG; by default an .mp4 beside the source.",
    ),
]


@dataclass(frozen=True)
class Ending:
    """What becomes of a film, and what is said on the way."""

    out: Path | None
    overwrite: bool
    quiet: bool
    json: bool
    no_metadata: bool
    keep_reel: bool = False
    poster: bool = False
    sheet: bool = False


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Options:
    """What all three films take."""

    preset: Preset = None
    recipe: RecipeFile = None
    out: FilmOut = None
    preview: Preview = False
    poster: Annotated[
        bool,
        Parameter(
            group=FILM,
            negative=(),
            show_default=False,
            help="Write the film's strongest frame beside it, as -poster.png.",
        ),
    ] = False
    sheet: Annotated[
        bool,
        Parameter(
            group=FILM,
            negative=(),
            show_default=False,
            help="Write a contact sheet of 20 frames beside it, as -sheet.png.",
        ),
    ] = False
    keep_reel: Annotated[
        bool,
        Parameter(
            group=FILM,
            negative=(),
            show_default=False,
            help="Keep the folder of lossless frames after the film is written.",
        ),
    ] = False
    overwrite: Overwrite = False
    quiet: Quiet = False
    json: JsonLines = False
    no_metadata: NoMetadata = False

    def ending(self) -> Ending:
        """The part about the result."""
        names = ("out", "overwrite", "quiet", "json", "no_metadata", "keep_reel", "poster", "sheet")
        return Ending(**{name: getattr(self, name) for name in names})


NO_OPTIONS = Options()
# What 'reverie replay' offers for pictures, and what to do about it where the file is a film.
_OF_PICTURES = {
    "format": "the suffix of --out chooses a film's format",
    "resume": "leave it out, the same command goes on by itself",
    "show": "leave it out and open the film yourself",
    "plots": "leave it out",
    "plots_every": "leave it out",
    "quality": "leave it out",
}


@film.command
def steps(
    source: SourceName = NOISE,
    /,
    *,
    settings: Annotated[StepsOptions, Parameter(name="*")] = NO_STEPS,
    recipe_options: Annotated[StepsRecipeOptions, Parameter(name="*")] = NO_STEPS_RECIPE,
    run_options: Annotated[FilmRunOptions, Parameter(name="*")] = NO_RUN,
    options: Options = NO_OPTIONS,
) -> int:
    """Film the ascent itself: every step of every octave."""
    return _make("steps", source, Steps.of(**given(settings)), recipe_options, run_options, options)


@film.command
def zoom(
    source: SourceName = NOISE,
    /,
    *,
    settings: Annotated[ZoomOptions, Parameter(name="*")] = NO_ZOOM,
    recipe_options: Annotated[ZoomRecipeOptions, Parameter(name="*")] = NO_ZOOM_RECIPE,
    run_options: Annotated[FilmRunOptions, Parameter(name="*")] = NO_RUN,
    options: Options = NO_OPTIONS,
) -> int:
    """Dive into a picture, dreaming on and on."""
    return _make("zoom", source, Zoom.of(**given(settings)), recipe_options, run_options, options)


@film.command
def video(
    clip: ClipFile,
    /,
    *,
    settings: Annotated[VideoOptions, Parameter(name="*")] = NO_VIDEO,
    recipe_options: Annotated[VideoRecipeOptions, Parameter(name="*")] = NO_VIDEO_RECIPE,
    run_options: Annotated[FilmRunOptions, Parameter(name="*")] = NO_RUN,
    options: Options = NO_OPTIONS,
) -> int:
    """Dream a video, frame by frame, the dream carried along with the motion; its sound comes with it."""
    return _make("video", clip, Video.of(**given(settings)), recipe_options, run_options, options)


def _make(
    kind: Any, source: str, settings: Any, recipe_options: Any, run_options: Any, options: Options
) -> int:
    values, run = given(recipe_options), given(run_options)
    wanted = chosen(values, run, options.preset, options.recipe, options.quiet)
    from reverie.film import shooting
    from reverie.film.writing import codec

    ending = options.ending()
    _files(ending.out, source if kind == "video" else "")
    if ending.out is not None and not _folder(ending.out):
        codec.check_film_writable(ending.out, ending.overwrite)
    given_source = None if source == NOISE and kind != "video" else source
    with watching_weights(options.quiet or options.json):
        made = shooting.make_film(kind, content(given_source), settings, recipe=wanted, preview=options.preview, **run)
    objective = wanted.objective or made.job.plan.network.objective
    name = name_of(given_source, made.job.record.recipe.network, objective, ".mp4")
    return _shoot(made, ending, name.with_stem(f"{name.stem}-{kind}"))


def again(
    file: Path,
    source: Path | None,
    changes: dict[str, Any],
    assets: list[Path],
    run: dict[str, Any],
    result: ResultOptions,
) -> int:
    """``reverie replay`` of a film; what ``result`` says of pictures alone is refused."""
    plain = ResultOptions()
    for name, instead in _OF_PICTURES.items():
        if getattr(result, name) != getattr(plain, name):
            raise UsageError(f"{file} is a film and --{name.replace('_', '-')} is for pictures; {instead}.")
    from reverie.film import shooting

    ending = Ending(result.out, result.overwrite, result.quiet, result.json, result.no_metadata)
    _files(ending.out)
    with watching_weights(ending.quiet or ending.json):
        made = shooting.replay_film(file, source=source, changes=changes, assets=assets, **run)
    return _shoot(made, ending, file.with_name(f"{file.stem}-replay{file.suffix}"))


def _files(out: Path | None, clip: str = "") -> None:
    """Refuse pipes: a film is written, and a clip read, with going back and forth."""
    if str(out) == PIPE:
        raise UsageError("--out - is standard output, where no film can go; name a file such as dream.mp4.")
    if clip == PIPE:
        raise UsageError("A video cannot be read from standard input; name its file.")


def _folder(out: Path) -> bool:
    """Whether the film goes into ``out`` under its own name; an empty folder, or one that is itself a film of ours,
    takes the frames."""
    from reverie.film.writing import codec

    return os.path.isdir(out) and any(out.iterdir()) and not codec.is_film_folder(out)


def _shoot(made: Film, ending: Ending, name: Path) -> int:
    from reverie.film import shooting

    target = ending.out
    if target is None or _folder(target):
        name = target / name.name if target is not None else name
        target = name if ending.overwrite else _free(name, made.fingerprint)
    for note in made.notes:
        say(note, ending.quiet)
    with _watching(made, ending.json, ending.quiet) as listen:
        try:
            written = shooting.shoot(
                made,
                target,
                overwrite=ending.overwrite,
                metadata=not ending.no_metadata,
                keep_reel=ending.keep_reel,
                poster=ending.poster,
                sheet=ending.sheet,
                on_shot=listen,
                on_note=lambda note: say(note, ending.quiet),
            )
        except KeyboardInterrupt:
            done = len(list(shooting.reel_of(target).glob("*.png")))
            say(
                f"interrupted; {done} frames are safe in {shooting.reel_of(target)}; the same command goes on."
            )
            return 130
    for path in written:
        if ending.json:
            asset = made.record.asset("source")
            line(source=asset.path if asset else None, out=str(path))
        else:
            say(f"wrote {path}", ending.quiet)
    return 0


def _free(path: Path, fingerprint: str) -> Path:
    """The name whose film was begun and is this one; else ``path``, or the first of ``path-2``, ... nobody has."""
    from reverie.film.shooting import reel_of
    from reverie.film.writing.reel import has_film

    number, candidate = 2, path
    while candidate.exists() or (reel_of(candidate).exists() and not has_film(reel_of(candidate), fingerprint)):
        candidate = path.with_stem(f"{path.stem}-{number}")
        number += 1
        if number > 10_000:
            raise OutputError(f"{path} has ten thousand namesakes; name the film with --out.")
    return candidate


class _Pace(ProgressColumn):
    """Frames a second, or seconds a frame where it takes long."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        if not speed:
            return Text("")
        return Text(f"{speed:.2f} frames/s" if speed >= 1 else f"{1 / speed:.1f} s a frame")


@contextmanager
def _watching(made: Film, as_json: bool, quiet: bool) -> Iterator[Callable[[Shot], None]]:
    """What listens to the shots: a JSON line each, one bar with pace and time left, or nothing."""
    if as_json:
        yield lambda shot: line(frame=shot.index, total=shot.total, resumed=shot.again)
        return
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield lambda shot: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("frame {task.completed}/{task.total}"),
    )
    with Progress(*columns, _Pace(), TimeRemainingColumn(), console=console, transient=True) as progress:
        task = progress.add_task(made.kind, total=made.total)

        def listen(shot: Shot) -> None:
            if shot.index == shot.again:
                progress.reset(task, completed=shot.again, total=shot.total)
            progress.update(task, completed=shot.index + 1)

        yield listen
