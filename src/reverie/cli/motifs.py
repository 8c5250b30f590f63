"""``reverie motifs``: a contact sheet of everything that a network knows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from reverie.cli.options import (
    NOISE,
    NOTHING_CHOSEN,
    NOTHING_SET,
    RUN,
    Overwrite,
    Quiet,
    RecipeOptions,
    RunOptions,
    given,
)
from reverie.cli.output import PIPE, unused_name
from reverie.cli.sheet import CELL, PER_PAGE, PLAIN, Cells, Drawing, SheetOptions, loaded, sheet_name
from reverie.errors import UsageError
from reverie.recipe import merged, valid_run

SheetOut = Annotated[
    Path | None,
    Parameter(
        group=RUN,
        name=["--out", "-o"],
        help="The file to write (.png .jpg .webp .tif), or an existing folder; by default motifs.png.",
    ),
]


def motifs(
    source: Annotated[str, Parameter(help="The picture to dream into, or -; by default noise.")] = NOISE,
    /,
    *,
    layout: Annotated[SheetOptions, Parameter(name="*")] = PLAIN,
    recipe_options: Annotated[RecipeOptions, Parameter(name="*")] = NOTHING_CHOSEN,
    run_options: Annotated[RunOptions, Parameter(name="*")] = NOTHING_SET,
    out: SheetOut = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> int:
    """Dream every class of the network into one picture: a contact sheet of all motifs.

    The network is the built-in one unless --network names another.
    """
    values = {"size": CELL, **given(recipe_options)}
    if values.pop("objective", None):
        raise UsageError("'reverie motifs' dreams every class in turn; it takes no --objective.")
    if values.get("guide"):
        raise UsageError("'reverie motifs' dreams classes alone; it takes no --guide.")
    if str(out) == PIPE:
        raise UsageError("--out - is standard output, where no sheet can go; name a file such as motifs.png.")
    values.setdefault("network", "motif")
    wanted, run = merged(None, None, values), given(run_options)
    valid_run(run)
    from reverie import zoo

    zoo.entry(wanted.network)
    target = sheet_name(out or Path(), wanted.network, "motifs", overwrite) if out else Path("motifs.png")
    target = unused_name(target) if out is None and not overwrite else target
    # All motifs of the built-in network are wanted at one glance.
    layout = replace(layout, per_page=2 * PER_PAGE if layout.per_page is None else layout.per_page)
    drawing = Drawing(target, layout, wanted, run, source, overwrite, quiet)
    network = loaded(wanted.network, run, quiet)
    if not network.labels:
        raise UsageError(f"The network {network.name} has no classes; 'reverie layers' lists its layers.")
    from reverie.objective.resolve import resolve

    # By number, since several classes may share a name.
    each = [(label.split(",")[0], resolve(network, f"class:{at}")) for at, label in enumerate(network.labels)]
    drawing.write(network, Cells(f"{network.name} · {len(each)} classes", each, "classes"))
    return 0
