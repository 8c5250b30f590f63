"""``reverie dream`` and ``reverie replay``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from reverie import recipe as recipes
from reverie.cli import transparency, views
from reverie.cli.options import RUN, WHAT, RecipeOptions, RunOptions, given
from reverie.cli.output import PIPE, costs, free, numbered, say, spoken
from reverie.cli.result import ResultOptions, content, finish, name_of
from reverie.cli.weights import watching_weights
from reverie.errors import InputError, UsageError
from reverie.expression import Guide
from reverie.expression import guide as read_guide
from reverie.written import setting

NOISE = "noise"
SHEET_SIDE = 480  # pixels of the long side of a cell of --each-layer's contact sheet
NOTHING_CHOSEN, NOTHING_SET, PLAINLY = RecipeOptions(), RunOptions(), ResultOptions()

Preset = Annotated[str | None, Parameter(group=WHAT, help="A named look; 'reverie presets' lists them.")]
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
EachLayer = Annotated[
    str | None,
    Parameter(
        group=WHAT,
        help="One dream for each of these layers, A,B,C, or 'all' worth a look, and a contact sheet of them.",
    ),
]


def dream(
    *sources: Annotated[
        str,
        Parameter(
            name="SOURCE",
            help="A picture file, several, a folder, - for standard input, or 'noise'; by default noise.",
            allow_leading_hyphen=False,
        ),
    ],
    recipe_options: Annotated[RecipeOptions, Parameter(name="*")] = NOTHING_CHOSEN,
    preset: Preset = None,
    recipe: RecipeFile = None,
    run_options: Annotated[RunOptions, Parameter(name="*")] = NOTHING_SET,
    each_layer: EachLayer = None,
    image: ImageOption = None,
    preview: Preview = False,
    dry_run: DryRun = False,
    result: Annotated[ResultOptions, Parameter(name="*")] = PLAINLY,
) -> int:
    """Dream pictures: put what the network sees into them."""
    values, run = given(recipe_options), given(run_options)
    wanted = chosen(values, run, preset, recipe)
    found = _sources([*sources, *(image or [])])
    depth = recipes.run(run).depth or 8
    transparency.refuse(values, result)
    if each_layer is None:
        result.check(len(found), depth, wanted.count)
        recipe_of = [(wanted, called(wanted))]
    else:
        if "objective" in values:
            raise UsageError("--each-layer says what is dreamt; leave --objective out.")
        recipe_of = _layered(wanted, each_layer)
        result.check(len(found) * (len(recipe_of) + 1), depth)
    code, written = 0, set[Path]()
    for source in found:
        try:
            made = [
                dreamt(source, each, name, run, result, preview, written, dry_run) for each, name in recipe_of
            ]
            if each_layer is not None and not dry_run:
                names = [name for _, name in recipe_of]
                _sheet(source, wanted.network, dict(zip(names, made, strict=True)), result, written)
        except InputError as error:
            if len(found) == 1:
                raise
            # One bad picture of many must not cost the others.
            say(str(error))
            code = code or error.exit_code
    return code


def chosen(
    values: dict[str, Any], run: dict[str, Any], preset: str | None, recipe: Path | None
) -> recipes.Recipe:
    """The recipe of what was typed, checked before torch is imported and before the first picture is read."""
    if "guide" in values:
        values["guide"] = [_whole(each) for each in values["guide"]]
    recipes.run(run)
    wanted = recipes.merged(preset, recipe, values)
    from reverie.zoo import consent, entry

    entry(wanted.network)
    if recipe is not None and "network" not in values:
        consent(wanted.network, bool(run.get("trust")), f"The recipe {recipe}")
    wanted.files()
    return wanted


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
    recipe: recipes.Recipe,
    what: str,
    run: dict[str, Any],
    result: ResultOptions,
    preview: bool,
    written: set[Path],
    dry_run: bool = False,
) -> list[Path]:
    """One dream, or batch of dreams, into the files that ``result`` means, called after ``what`` by default."""
    from reverie import api

    with watching_weights(result.quiet or result.json):
        job = api.job(content(source), recipe=recipe, preview=preview, **run)
    default = name_of(source, recipe.network, what or job.plan.network.objective, result.suffix)
    target = result.target(default, written, recipe.count)
    if dry_run:
        costs(job, source, target, result.json)
        return [target]
    written.add(target)
    made = finish(job, source, numbered(target, recipe.count), result)
    written.update(made)
    return made


def called(recipe: recipes.Recipe) -> str:
    """What a file is named after: the objective and the names of the guides."""
    guides = [Path(read_guide(each).file).stem for each in recipe.guide]
    return "-".join([*([recipe.objective] if recipe.objective else []), *guides])


def _layered(recipe: recipes.Recipe, layers: str) -> list[tuple[recipes.Recipe, str]]:
    """The recipe for each of the layers, and what each is called; a wrong name is refused before any dream."""
    from reverie import atlas, zoo

    blank = zoo.load if zoo.entry(recipe.network).bundled else zoo.architecture
    network = blank(recipe.network)
    names = [name for name in (each.strip() for each in layers.split(",")) if name]
    if names == ["all"]:
        names = [atlas.called(each) for each in atlas.worthwhile(network)]
    if not names:
        raise UsageError("--each-layer names no layer; write it like --each-layer stage2,stage3.")
    paths = [network.require_layer(name).name for name in names]
    return [
        (recipe.model_copy(update={"objective": f'layer:"{path}"'}), name)
        for name, path in zip(names, paths, strict=True)
    ]


def _sheet(
    source: str | None,
    network: str,
    made: dict[str, list[Path]],
    result: ResultOptions,
    written: set[Path],
) -> None:
    """The contact sheet of the dreams of all layers, from their files."""
    from reverie import atlas, image, record
    from reverie.ops import fitted, resize

    cells = []
    files = [
        (name if len(paths) == 1 else f"{name} {at}", path)
        for name, paths in made.items()
        for at, path in enumerate(paths, 1)
    ]
    for name, path in files:
        pixels = image.load(path).pixels
        size = (pixels.shape[-2], pixels.shape[-1])
        size = fitted(size, SHEET_SIDE) if max(size) > SHEET_SIDE else size
        cells.append((name, resize(pixels, size).clamp(0, 1)))
    target = result.target(name_of(source, network, "each-layer", result.suffix), written)
    ours = views.ours(target)  # of the run that is gone on with; anybody else's file stays
    target = target if result.overwrite or ours else free(target)
    written.add(target)
    title = f"{network} · {spoken(source)}"
    text = None if result.no_metadata else record.view("contact sheet")
    image.save(target, atlas.sheet(cells, title=title), text=text, overwrite=result.overwrite or ours)
    say(f"wrote {target}", result.quiet)


def replay(
    picture: Annotated[
        str,
        Parameter(
            name="FILE", help="A picture or a film that Reverie wrote, or - for a picture on standard input."
        ),
    ],
    /,
    *,
    source: Annotated[Path | None, Parameter(group=WHAT, help="Where the original source lies now.")] = None,
    changes: Annotated[
        list[str] | None,
        Parameter(
            group=WHAT,
            name="--set",
            negative=(),
            help="Change one thing, as in --set steps=20; may be repeated.",
        ),
    ] = None,
    assets: Annotated[
        list[Path] | None,
        Parameter(
            group=WHAT,
            name="--asset",
            negative=(),
            help="Where a guide or mask lies now, told by its content; may be repeated.",
        ),
    ] = None,
    run_options: Annotated[RunOptions, Parameter(name="*")] = NOTHING_SET,
    result: Annotated[ResultOptions, Parameter(name="*")] = PLAINLY,
) -> int:
    """Make the same picture or film again, from the Record inside it."""
    values: dict[str, Any] = {}
    for change in changes or []:
        name, mark, text = change.partition("=")
        if not mark:
            raise UsageError(f"--set needs NAME=VALUE, as in --set steps=20, not {change!r}.")
        values[name.strip().replace("-", "_")] = setting(text.strip())
    run = given(run_options)
    recipes.run(run)
    piped, file = picture == PIPE, Path(picture)
    from reverie import api
    from reverie.film.shooting import is_film

    if not piped and is_film(file):
        from reverie.cli.film import again

        return again(file, source, values, assets or [], run, result)
    result.check(1)
    transparency.refuse(values, result, "" if piped or result.format else file.suffix)
    with watching_weights(result.quiet or result.json):
        job = api.replay(content(picture), source=source, changes=values, assets=assets or (), **run)
    stem, suffix = ("stdin", ".png") if piped else (file.stem, file.suffix)
    default = file.with_name(f"{stem}-replay{result.suffix if result.format else suffix}")
    finish(job, picture, [result.target(default)], result)
    return 0
