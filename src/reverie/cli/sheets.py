"""Contact sheets: ``reverie motifs``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from reverie import recipe as recipes
from reverie.cli.dreaming import NOISE, NOTHING_CHOSEN, NOTHING_SET, Out, Overwrite, Quiet
from reverie.cli.options import RECIPE, RecipeOptions, RunOptions, given
from reverie.cli.output import counting, free, say
from reverie.errors import UsageError

CELL = "320x200"

Columns = Annotated[
    int, Parameter(group=RECIPE, help="Pictures in a row, 0 for what suits their number. [default: 0]")
]


def motifs(
    source: Annotated[str, Parameter(help="The picture to dream into; by default noise.")] = NOISE,
    /,
    *,
    recipe_options: Annotated[RecipeOptions, Parameter(name="*")] = NOTHING_CHOSEN,
    run_options: Annotated[RunOptions, Parameter(name="*")] = NOTHING_SET,
    columns: Columns = 0,
    out: Out = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> int:
    """Dream every class of the network into one picture: a contact sheet of all motifs."""
    values = {"size": CELL, **given(recipe_options)}
    if values.pop("objective", None):
        raise UsageError("'reverie motifs' dreams every class in turn; it takes no --objective.")
    if columns < 0:
        raise UsageError(f"--columns must be 0 or more, not {columns}.")
    run = given(run_options)
    wanted = recipes.merged(None, None, values)
    recipes.run(run)
    from reverie import api, atlas, image, zoo

    zoo.entry(wanted.network)
    target = out if out is not None else Path("motifs.png")
    if target.is_dir():
        target = target / "motifs.png"
    target = target if overwrite or out is not None else free(target)
    image.check_writable(target, overwrite)
    network = zoo.load(wanted.network, run.get("weights"))
    names = [label.split(",")[0] for label in network.labels]
    if not names:
        raise UsageError(f"The network {network.name} has no classes; 'reverie layers' lists its layers.")
    job = api.job(None if source == NOISE else source, recipe=wanted, **run)
    texts = [f'class:"{name}"' for name in names]
    made = atlas.dreams(
        network,
        texts,
        job.source,
        job.plan.size,
        wanted,
        device=str(job.plan.device),
        precision=job.plan.precision,
    )
    cells = [
        (name, picture) for name, (_, picture) in zip(names, counting(made, len(names), quiet), strict=True)
    ]
    image.save(target, atlas.sheet(cells, columns), overwrite=overwrite)
    say(f"wrote {target}", quiet)
    return 0
