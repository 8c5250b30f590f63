"""``reverie dream`` and ``reverie replay``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from reverie.cli import plots, transparency
from reverie.cli.options import (
    NOISE,
    NOTHING_CHOSEN,
    NOTHING_SET,
    PLAINLY,
    WHAT,
    DryRun,
    ImageOption,
    Preset,
    Preview,
    RecipeFile,
    RecipeOptions,
    ResultOptions,
    RunOptions,
    given,
)
from reverie.cli.output import say, spoken, unused_name
from reverie.cli.pictures import chosen, dreamt, recipe_label
from reverie.cli.result import name_of
from reverie.errors import InputError, UsageError
from reverie.recipe import Recipe, valid_run

SHEET_SIDE = 480  # pixels of the long side of a cell of --each-layer's contact sheet

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
    wanted = chosen(values, run, preset, recipe, result.quiet)
    found = _sources([*sources, *(image or [])])
    depth = valid_run(run).depth or 8
    transparency.refuse(values, result)
    if each_layer is None:
        result.check(len(found), depth, wanted.count)
        recipe_of = [(wanted, recipe_label(wanted))]
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






def _sources(names: list[str]) -> list[str | None]:
    from reverie.files import listing

    found: list[str | None] = []
    for name in names or [NOISE]:
        if name == NOISE:
            found.append(None)
        elif os.path.isdir(name):
            found.extend(str(path) for path in listing(name))
        else:
            found.append(name)
    return found






def _layered(recipe: Recipe, layers: str) -> list[tuple[Recipe, str]]:
    """The recipe for each of the layers, and what each is called; a wrong name is refused before any dream."""
    from reverie import atlas, zoo

    blank = zoo.load if zoo.entry(recipe.network).bundled else zoo.architecture
    network = blank(recipe.network)
    names = [name for name in (each.strip() for each in layers.split(",")) if name]
    if names == ["all"]:
        names = [atlas.layer_label(each) for each in atlas.worthwhile(network)]
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
    from reverie import atlas, files
    from reverie.pixels.ops import fitted_size, resize
    from reverie.recipe import record

    cells = []
    labeled = [
        (name if len(paths) == 1 else f"{name} {at}", path)
        for name, paths in made.items()
        for at, path in enumerate(paths, 1)
    ]
    for name, path in labeled:
        pixels = files.load(path).pixels
        size = (pixels.shape[-2], pixels.shape[-1])
        size = fitted_size(size, SHEET_SIDE) if max(size) > SHEET_SIDE else size
        cells.append((name, resize(pixels, size).clamp(0, 1)))
    target = result.target(name_of(source, network, "each-layer", result.suffix), written)
    ours = plots.is_plot(target)  # of the run that is gone on with; anybody else's file stays
    target = target if result.overwrite or ours else unused_name(target)
    written.add(target)
    title = f"{network} · {spoken(source)}"
    text = None if result.no_metadata else record.view("contact sheet")
    files.save(target, atlas.sheet(cells, title=title), text=text, overwrite=result.overwrite or ours)
    say(f"wrote {target}", result.quiet)


