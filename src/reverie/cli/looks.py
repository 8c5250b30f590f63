"""``reverie looks``: every preset on one sheet of one's own picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from reverie.cli.options import NOISE, NOTHING_SET, RUN, Overwrite, Quiet, RunOptions, given
from reverie.cli.output import PIPE, counting, say, spoken
from reverie.cli.result import content, name_of
from reverie.cli.series import cell, ready_looks
from reverie.cli.sheet import PLAIN, SheetOptions, loaded
from reverie.errors import UsageError
from reverie.recipe import merged, valid_run

if TYPE_CHECKING:
    from torch import Tensor

CELL_SIDE = 360
"""Pixels of the long side of a look on the sheet."""

LooksOut = Annotated[
    Path | None,
    Parameter(
        group=RUN,
        name=["--out", "-o"],
        help="The sheet to write (.png .jpg .webp .tif), or an existing folder; by default beside the source.",
    ),
]


def looks(
    source: Annotated[str, Parameter(help="The picture to dream into, or -; by default noise.")] = NOISE,
    /,
    *,
    layout: Annotated[SheetOptions, Parameter(name="*")] = PLAIN,
    run_options: Annotated[RunOptions, Parameter(name="*")] = NOTHING_SET,
    out: LooksOut = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> int:
    """Show every look of 'reverie presets' on one sheet of your own picture, small: it takes minutes.

    'reverie dream SOURCE --preset all' makes them in full size, a file each.
    """
    from reverie import atlas, files
    from reverie.recipe import record

    layout.check()
    run = given(run_options)
    valid_run(run)
    if str(out) == PIPE:
        raise UsageError("--out - is standard output, where no sheet can go; name a file such as looks.png.")
    if run.get("weights") is not None:
        raise UsageError("The looks bring their networks; leave --weights out.")
    names = ready_looks(quiet)
    named = None if source == NOISE else source
    default = name_of(named, "all", "looks", ".png")
    target = default if out is None else out / default.name if out.is_dir() else out
    pages = replace(layout, per_page=layout.per_page or len(names)).pages(target, len(names))
    for path, _ in pages:
        files.check_writable(path, overwrite)
    wanted = [name for _, chosen in pages for name in names[chosen.start : chosen.stop]]
    cells = dict(counting(_dreamt(named, wanted, run, quiet), len(wanted), quiet))
    for path, chosen in pages:
        drawn = [(name, cells[name]) for name in names[chosen.start : chosen.stop]]
        whole = atlas.sheet(drawn, layout.columns, spoken(named))
        files.save(path, whole, text=record.view("contact sheet"), overwrite=overwrite)
        say(f"wrote {path}", quiet)
    return 0


def _dreamt(
    source: str | None, names: list[str], run: dict[str, Any], quiet: bool
) -> Iterator[tuple[str, Tensor]]:
    """Every look's preview of the source, as a cell of the sheet."""
    from reverie import api

    networks = {}
    for name in names:
        recipe = merged(name, None, {})
        if recipe.network not in networks:
            networks = {recipe.network: loaded(recipe.network, run, quiet)}  # one at a time in memory
        job = api.job(content(source), recipe=recipe, network=networks[recipe.network], preview=True, **run)
        for frame in job.frames():
            if frame.last:
                yield name, cell(job.picture(frame).pixels, CELL_SIDE)
