"""``reverie dream`` and ``reverie replay``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from reverie import recipe as recipes
from reverie.cli.options import RECIPE, RUN, RecipeOptions, RunOptions, given
from reverie.cli.output import beside, costs, free, line, numbered, say, targets, watching
from reverie.cli.weights import watching_weights
from reverie.errors import InputError, UsageError
from reverie.expression import Guide
from reverie.expression import guide as read_guide

if TYPE_CHECKING:
    from reverie.api import Job

NOISE = "noise"
NOTHING_CHOSEN, NOTHING_SET = RecipeOptions(), RunOptions()

Preset = Annotated[str | None, Parameter(group=RECIPE, help="A named look; 'reverie presets' lists them.")]
RecipeFile = Annotated[
    Path | None, Parameter(group=RECIPE, name="--recipe", help="A recipe in TOML or JSON.")
]
Out = Annotated[
    Path | None,
    Parameter(
        group=RUN,
        name=["--out", "-o"],
        help="The file to write (.png .jpg .webp .tif), or an existing folder; by default beside the source.",
    ),
]
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
Overwrite = Annotated[
    bool, Parameter(group=RUN, negative=(), show_default=False, help="Replace an existing result.")
]
Quiet = Annotated[
    bool, Parameter(group=RUN, name=["--quiet", "-q"], negative=(), help="No progress, no notes.")
]
Json = Annotated[
    bool, Parameter(group=RUN, name="--json", negative=(), help="One JSON line per frame on stdout.")
]
DryRun = Annotated[
    bool,
    Parameter(group=RUN, negative=(), help="Say what it will cost (memory, tiles, time) and stop there."),
]
NoMetadata = Annotated[
    bool,
    Parameter(
        group=RUN, negative=(), help="Leave the Record out of the result; it can then not be replayed."
    ),
]


def dream(
    *sources: Annotated[
        str,
        Parameter(
            name="SOURCE",
            help="A picture file, several, a folder, or 'noise'; by default noise.",
            allow_leading_hyphen=False,
        ),
    ],
    recipe_options: Annotated[RecipeOptions, Parameter(name="*")] = NOTHING_CHOSEN,
    preset: Preset = None,
    recipe: RecipeFile = None,
    run_options: Annotated[RunOptions, Parameter(name="*")] = NOTHING_SET,
    out: Out = None,
    image: ImageOption = None,
    preview: Preview = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    json: Json = False,
    no_metadata: NoMetadata = False,
    dry_run: DryRun = False,
) -> int:
    """Dream pictures: put what the network sees into them."""
    values, run = given(recipe_options), given(run_options)
    if "guide" in values:
        values["guide"] = [_whole(each) for each in values["guide"]]
    recipes.run(run)
    wanted = recipes.merged(preset, recipe, values)
    # Checked before torch is imported and before the first picture is read.
    from reverie.zoo import consent, entry

    entry(wanted.network)
    if recipe is not None and "network" not in values:
        consent(wanted.network, bool(run.get("trust")), f"The recipe {recipe}")
    wanted.files()
    found = _sources([*sources, *(image or [])])
    code, written = 0, set[Path]()
    for source, target in zip(found, targets(found, out), strict=True):
        try:
            dreamt(source, target, wanted, run, written, preview, overwrite, quiet, json, no_metadata, dry_run)
        except InputError as error:
            if len(found) == 1:
                raise
            # One bad picture of many must not cost the others.
            say(str(error))
            code = code or error.exit_code
    return code


def _whole(guide: str) -> str:
    """A guide that is itself the name of a file, marks and all, as one that can be read as text."""
    return Guide(guide).text() if os.path.exists(guide) else guide


def _sources(names: list[str]) -> list[str | None]:
    from reverie.image import listing

    found: list[str | None] = []
    for name in names or [NOISE]:
        if name == NOISE:
            found.append(None)
        elif os.path.isdir(name):
            found.extend(str(path) for path in listing(name))
        else:
            found.append(name)
    return found


def dreamt(
    source: str | None,
    target: Path | None,
    recipe: recipes.Recipe,
    run: dict[str, Any],
    written: set[Path],
    preview: bool,
    overwrite: bool,
    quiet: bool,
    json: bool,
    no_metadata: bool,
    dry_run: bool = False,
) -> None:
    """One dream, or batch of dreams, into ``target``, or its default name in that folder; adds what it wrote."""
    from reverie import api, image

    depth = recipes.run(run).depth or 8
    count = recipe.count
    if target is not None and not os.path.isdir(target):
        for each in numbered(target, count):
            image.check_writable(each, overwrite, depth=depth)
    with watching_weights(quiet or json):
        job = api.job(source, recipe=recipe, preview=preview, **run)
    name = beside(source, recipe.network, _dreamt(recipe) or job.plan.network.objective)
    if target is None or os.path.isdir(target):
        name = target / name.name if target is not None else name
        # --overwrite is about what was there before, not about a namesake in the same run.
        target = name if overwrite and name not in written else free(name, count)
        image.check_writable(numbered(target, count)[0], overwrite, depth=depth)
    if dry_run:
        costs(job, source, target, json)
        return
    written.add(target)
    _run(job, source, numbered(target, count), overwrite, quiet, json, no_metadata)


def _dreamt(recipe: recipes.Recipe) -> str:
    """What a file is named after: the objective and the names of the guides."""
    guides = [Path(read_guide(each).file).stem for each in recipe.guide]
    return "-".join([*([recipe.objective] if recipe.objective else []), *guides])


def _run(
    job: Job,
    source: str | None,
    files: list[Path],
    overwrite: bool,
    quiet: bool,
    json: bool,
    no_metadata: bool,
) -> None:
    for note in job.notes:
        say(note, quiet)
    frame = None
    with watching(source, job.plan, json, quiet) as listen:
        for frame in job.frames():
            listen(frame)
    assert frame is not None
    if job.unchanged(frame):
        say("Nothing changed: the objective does not answer to this picture; choose another.", quiet)
    pictures = [job.picture(frame)] if len(files) == 1 else job.pictures(frame)
    for picture, file in zip(pictures, files, strict=True):
        written = picture.save(file, overwrite=overwrite, metadata=not no_metadata)
        if json:
            line(source=source, out=str(written))
        else:
            say(f"wrote {written}", quiet)


def replay(
    file: Annotated[Path, Parameter(help="A picture or a film that Reverie wrote.")],
    /,
    *,
    source: Annotated[
        Path | None, Parameter(group=RECIPE, help="Where the original source lies now.")
    ] = None,
    changes: Annotated[
        list[str] | None,
        Parameter(
            group=RECIPE,
            name="--set",
            negative=(),
            help="Change one thing, as in --set steps=20; may be repeated.",
        ),
    ] = None,
    assets: Annotated[
        list[Path] | None,
        Parameter(
            group=RECIPE,
            name="--asset",
            negative=(),
            help="Where a guide or mask lies now, told by its content; may be repeated.",
        ),
    ] = None,
    run_options: Annotated[RunOptions, Parameter(name="*")] = NOTHING_SET,
    out: Out = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    json: Json = False,
    no_metadata: NoMetadata = False,
) -> int:
    """Make the same picture or film again, from the Record inside it."""
    values: dict[str, Any] = {}
    for change in changes or []:
        name, mark, text = change.partition("=")
        if not mark:
            raise UsageError(f"--set needs NAME=VALUE, as in --set steps=20, not {change!r}.")
        values[name.strip().replace("-", "_")] = recipes.number(text.strip())
    run = given(run_options)
    recipes.run(run)
    from reverie import api, image
    from reverie.film.shooting import is_film

    if is_film(file):
        from reverie.cli.film import Ending, again

        return again(file, source, values, assets or [], run, Ending(out, overwrite, quiet, json, no_metadata))
    with watching_weights(quiet or json):
        job = api.replay(file, source=source, changes=values, assets=assets or (), **run)
    target = out
    if target is None or os.path.isdir(target):
        target = (target or file.parent) / f"{file.stem}-replay{file.suffix}"
        target = target if overwrite else free(target)
    image.check_writable(target, overwrite, depth=job.record.depth)
    _run(job, str(file), [target], overwrite, quiet, json, no_metadata)
    return 0
