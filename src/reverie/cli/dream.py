"""``reverie dream``: dream pictures."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from reverie.cli import transparency
from reverie.cli.options import (
    DIAL_GROUP,
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
from reverie.cli.output import say
from reverie.cli.pictures import dreamt
from reverie.cli.series import series, write_sheet
from reverie.errors import InputError
from reverie.recipe import valid_run

Variations = Annotated[
    int | None,
    Parameter(
        group=DIAL_GROUP,
        show_default=False,
        help="So many pictures, 2 to 1024, in each of which something else grows elsewhere: one a seed, and a contact "
        "sheet of them. --seed 1..6 names the seeds.",
    ),
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
    variations: Variations = None,
    each_layer: EachLayer = None,
    image: ImageOption = None,
    preview: Preview = False,
    dry_run: DryRun = False,
    result: Annotated[ResultOptions, Parameter(name="*")] = PLAINLY,
) -> int:
    """Dream pictures: put what the network sees into them."""
    values, run = given(recipe_options), given(run_options)
    wanted = series(values, run, preset, recipe, each_layer, variations, result.quiet)
    found = _sources([*sources, *(image or [])])
    depth = valid_run(run).depth or 8
    transparency.refuse(values, result)
    sheets = 1 if wanted.kind else 0
    result.check(len(found) * (len(wanted.dreams) + sheets), depth, wanted.dreams[0][0].count)
    code, written = 0, set[Path]()
    for source in found:
        try:
            made = [
                dreamt(source, each, name, run, result, preview, written, dry_run) for each, name in wanted.dreams
            ]
            if wanted.kind and not dry_run:
                write_sheet(source, wanted, made, result, written)
        except InputError as error:
            if len(found) == 1:
                raise
            # One bad picture of many must not cost the others.
            say(error)
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
