"""``reverie visualize``: what a network means by a class, a layer, a channel."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from reverie import recipe as recipes
from reverie.cli.dreaming import (
    NOISE,
    NOTHING_SET,
    Json,
    NoMetadata,
    Out,
    Overwrite,
    Preset,
    Preview,
    Quiet,
    RecipeFile,
    dreamt,
)
from reverie.cli.options import RECIPE, RUN, RunOptions, VisualizeOptions, given
from reverie.cli.output import say, targets
from reverie.errors import UsageError

NOTHING_CHOSEN = VisualizeOptions()

Classes = Annotated[
    list[str] | None,
    Parameter(
        group=RECIPE,
        name=["--class", "-c"],
        negative=(),
        help="A class by name, number or synset; may be repeated. The same as class:NAME in TEXT.",
    ),
]
From = Annotated[
    str | None,
    Parameter(
        group=RUN,
        name=["--from", "-i"],
        help="A picture to begin with instead of noise: feature accentuation.",
    ),
]


def visualize(
    *texts: Annotated[
        str,
        Parameter(
            name="TEXT",
            help="What to show: a class, layer, layer:channel, or any objective; several make a picture each.",
            allow_leading_hyphen=False,
        ),
    ],
    classes: Classes = None,
    recipe_options: Annotated[VisualizeOptions, Parameter(name="*")] = NOTHING_CHOSEN,
    preset: Preset = None,
    recipe: RecipeFile = None,
    run_options: Annotated[RunOptions, Parameter(name="*")] = NOTHING_SET,
    source: From = None,
    out: Out = None,
    preview: Preview = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    json: Json = False,
    no_metadata: NoMetadata = False,
) -> int:
    """Draw what the network means by a class, layer or channel, from noise or out of a photo.

    The defaults are those of the preset 'visualize', with --from those of 'accentuate'; --preset lucid, maco
    or classic takes another method.
    """
    values, run = given(recipe_options), given(run_options)
    recipes.run(run)
    source = None if source == NOISE else source
    wanted = [*texts, *(_class(name) for name in classes or [])]
    if not wanted and recipe is None:
        raise UsageError(
            "Say what to show: a class, layer or channel, as in 'reverie visualize owl' or '--class owl'."
        )
    name = preset or ("visualize" if source is None else "accentuate")
    made = [recipes.merged(name, recipe, {**values, **each}) for each in _objectives(wanted)]
    # Checked before torch is imported and before the picture is read.
    from reverie.expression import parse
    from reverie.zoo import consent, entry

    entry(made[0].network)
    if recipe is not None and "network" not in values:
        consent(made[0].network, bool(run.get("trust")), f"The recipe {recipe}")
    for each in made:
        if each.objective:
            parse(each.objective)
    code, written = 0, set[Path]()
    for each, target in zip(made, targets([source] * len(made), out), strict=True):
        try:
            dreamt(source, target, each, run, written, preview, overwrite, quiet, json, no_metadata)
        except UsageError as error:
            if len(made) == 1:
                raise
            # One misspelt name of many must not cost the others.
            say(str(error))
            code = code or error.exit_code
    return code


def _class(name: str) -> str:
    quote = "'" if '"' in name else '"'
    return f"class:{quote}{name}{quote}"


def _objectives(texts: list[str]) -> list[dict[str, Any]]:
    return [{"objective": text} for text in texts] or [{}]
