"""``reverie visualize``: what a network means by a class, a layer, a channel."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Group, Parameter

from reverie.cli import transparency
from reverie.cli.options import (
    NOISE,
    NOTHING_SET,
    PLAINLY,
    RUN,
    WHAT,
    Preset,
    Preview,
    RecipeFile,
    ResultOptions,
    RunOptions,
    VisualizeOptions,
    given,
)
from reverie.cli.output import say
from reverie.cli.pictures import dreamt, recipe_label, with_network
from reverie.errors import UsageError
from reverie.recipe import Recipe, merged, schedule, valid_run
from reverie.recipe.grammar import DEFAULT

NO_VISUALIZE_OPTIONS = VisualizeOptions()
TERMS = Group("Added terms", sort_key=0)

Classes = Annotated[
    list[str] | None,
    Parameter(
        group=WHAT,
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


@dataclass(frozen=True, kw_only=True)
class Terms:
    """Terms that are added to every TEXT; each is written into the objective of the Record."""

    l2: Annotated[
        float | None,
        Parameter(
            group=TERMS,
            help="Take away so much of ||I||^2, the square sum of the distance to gray: no glare.",
        ),
    ] = None
    tv: Annotated[
        float | None, Parameter(group=TERMS, help="Take away so much total variation: smooth surfaces.")
    ] = None
    blur: Annotated[
        float | None,
        Parameter(group=TERMS, help="Mix a little blur in at every step, so strongly: no speckle."),
    ] = None
    diversity: Annotated[
        str | None,
        Parameter(
            group=TERMS,
            help="With --count: make the pictures differ, WEIGHT or WEIGHT@LAYER; by default at the layer that the "
            "network dreams.",
        ),
    ] = None

    def after(self, text: str, recipe: Recipe) -> str:
        """``text`` with these terms, where there are any."""
        found = [
            (word, _weight(option, str(weight)))
            for option, word, weight in (
                ("l2", "energy", self.l2),
                ("tv", "tv", self.tv),
                ("blur", "blur", self.blur),
            )
            if weight is not None
        ]
        added = "".join(f" - {weight}*{word}" for word, weight in found if float(weight))
        if self.diversity is not None:
            added += self._differing(recipe)
        # What is dreamt in turn, octave by octave, gets the terms in every one.
        return "; ".join(each + added for each in schedule.objectives(text)) if added else text

    def _differing(self, recipe: Recipe) -> str:
        assert self.diversity is not None
        weight, mark, layer = self.diversity.partition("@")
        weight = _weight("diversity", weight)
        if recipe.count == 1:
            raise UsageError("--diversity is about several pictures; add --count, as in --count 4.")
        return f' + {weight}*diversity("{layer if mark else DEFAULT}")' if float(weight) else ""


NO_TERMS = Terms()


def _weight(option: str, text: str) -> str:
    try:
        good = 0 <= float(text) < math.inf
    except ValueError:
        good = False
    if not good:
        raise UsageError(f"--{option} must begin with a number from 0, not {text!r}.")
    return f"{float(text):.12g}"


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
    terms: Annotated[Terms, Parameter(name="*")] = NO_TERMS,
    recipe_options: Annotated[VisualizeOptions, Parameter(name="*")] = NO_VISUALIZE_OPTIONS,
    preset: Preset = None,
    recipe: RecipeFile = None,
    run_options: Annotated[RunOptions, Parameter(name="*")] = NOTHING_SET,
    source: From = None,
    preview: Preview = False,
    result: Annotated[ResultOptions, Parameter(name="*")] = PLAINLY,
) -> int:
    """Draw what the network means by a class, layer or channel, from noise or out of a photo.

    The defaults are those of the preset 'visualize', with --from those of 'accentuate'; --preset lucid, maco
    or classic takes another method.
    """
    values, run = given(recipe_options), given(run_options)
    valid_run(run)
    source = None if source == NOISE else source
    from reverie.recipe.grammar import named

    wanted = [*(named(text) for text in texts), *(_class(name) for name in classes or [])]
    if not wanted and recipe is None:
        raise UsageError(
            "Say what to show: a class, layer or channel, as in 'reverie visualize owl' or '--class owl'."
        )
    name = preset or ("visualize" if source is None else "accentuate")
    plain = merged(name, recipe, values)
    if not wanted and not plain.objective:
        raise UsageError("The recipe names no objective; say what to show, as in 'reverie visualize owl'.")
    objectives = [terms.after(text, plain) for text in wanted or [plain.objective]]
    network = with_network(plain, run, result.quiet).network
    made = [
        merged(name, recipe, {**values, "objective": each}).model_copy(update={"network": network})
        for each in objectives
    ]
    # Checked before torch is imported and before the picture is read.
    from reverie.zoo import consent, entry

    entry(made[0].network)
    if recipe is not None and "network" not in values:
        consent(made[0].network, bool(run.get("trust")), f"The recipe {recipe}")
    for each in made:
        each.files()  # reads every objective
    code, written = 0, set[Path]()
    transparency.refuse(values, result)
    result.check(len(made), valid_run(run).depth or 8, made[0].count)
    for each in made:
        try:
            dreamt(source, each, recipe_label(each), run, result, preview, written)
        except UsageError as error:
            if len(made) == 1:
                raise
            # One misspelt name of many must not cost the others.
            say(error)
            code = code or error.exit_code
    return code


def _class(name: str) -> str:
    quote = "'" if '"' in name else '"'
    return f"class:{quote}{name}{quote}"
