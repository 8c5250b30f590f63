"""Contact sheets: ``reverie motifs``, and how ``layers``, ``channels`` and ``find`` draw theirs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter

from reverie.cli.options import (
    NOISE,
)
from reverie.cli.output import counting, say, slug, unused_name
from reverie.cli.progress import watching_weights
from reverie.cli.result import content
from reverie.errors import UsageError
from reverie.recipe import AUTO, Recipe, valid_run

if TYPE_CHECKING:
    from torch import Tensor

    from reverie.jobs.job import Job
    from reverie.network import Network
    from reverie.objective import Objective

CELL = "320x200"
PER_PAGE = 64
SHEET = Group("Sheet options", sort_key=0)

SheetFile = Annotated[
    Path | None,
    Parameter(
        group=SHEET,
        name="--sheet",
        help="Dream each into one cell of a contact sheet and write it here (.png .jpg .webp .tif, or a folder).",
    ),
]
Into = Annotated[
    str,
    Parameter(
        group=SHEET, help="With --sheet: the picture to dream into, - for standard input; by default noise."
    ),
]


@dataclass(frozen=True, kw_only=True)
class SheetOptions:
    """How a contact sheet is laid out."""

    columns: Annotated[
        int, Parameter(group=SHEET, help="Pictures in a row, 0 for what suits their number.")
    ] = 0
    page: Annotated[
        str,
        Parameter(
            group=SHEET, help="The page to draw, or 'all' for each in a file of its own: out-1.png, ..."
        ),
    ] = "1"
    per_page: Annotated[
        int | None,
        Parameter(group=SHEET, help="Pictures on a page, 1 to 1024; by default 64, and 128 for motifs."),
    ] = None

    def check(self) -> None:
        """Raise :class:`UsageError` for numbers that cannot be."""
        if not 0 <= self.columns <= 1024:
            raise UsageError(f"--columns must be a whole number from 0 to 1024, not {self.columns}.")
        if self.per_page is not None and not 1 <= self.per_page <= 1024:
            raise UsageError(f"--per-page must be a whole number from 1 to 1024, not {self.per_page}.")
        if self.page != "all" and not (self.page.isdecimal() and 1 <= int(self.page) < 10**6):
            raise UsageError(f"--page must be a whole number from 1, or 'all', not {self.page!r}.")

    def pages(self, target: Path, count: int) -> list[tuple[Path, range]]:
        """The files to write, and which of ``count`` cells go into each."""
        each = self.per_page or PER_PAGE
        ranges = [range(at, min(at + each, count)) for at in range(0, count, each)]
        if self.page == "all":
            several = len(ranges) > 1
            return [
                (target.with_stem(f"{target.stem}-{at}") if several else target, each)
                for at, each in enumerate(ranges, 1)
            ]
        if int(self.page) > len(ranges):
            raise UsageError(f"--page must be at most {len(ranges)}, or 'all', not {self.page}.")
        return [(target, ranges[int(self.page) - 1])]


PLAIN = SheetOptions()


@dataclass(frozen=True)
class Cells:
    """What goes on the sheet: ``title`` says what all have in common, ``each`` has caption and objective.

    ``instead`` is dreamt where the objective of the cell of that number finds nothing: what goes into its ReLU.
    """

    title: str
    each: Sequence[tuple[str, Objective]]
    noun: str
    instead: Mapping[int, Objective] = field(default_factory=dict)


@dataclass(frozen=True)
class Drawing:
    """A contact sheet asked for, checked before anything is loaded."""

    target: Path
    layout: SheetOptions
    recipe: Recipe
    run: dict[str, Any]
    source: str = NOISE
    overwrite: bool = False
    quiet: bool = False

    def __post_init__(self) -> None:
        from reverie.files import check_writable

        self.layout.check()
        valid_run(self.run)
        # Of several pages only the folder and the suffix can be judged before they are counted.
        check_writable(self.target, self.overwrite or self.layout.page == "all")

    def write(self, network: Network, cells: Cells) -> None:
        """Dream the cells page by page, and write each page as soon as it is whole."""
        from reverie import api, atlas, files

        mark = " · * before ReLU" if cells.instead else ""
        pages = self.layout.pages(self.target, len(cells.each))
        anything = self.recipe.model_copy(update={"objective": f'layer:"{network.layers[0].name}"'})
        run = {name: value for name, value in self.run.items() if name not in ("weights", "offline")}
        source = None if self.source == NOISE else content(self.source)
        job = api.job(source, recipe=anything, network=network, **run)
        for note in job.notes:
            say(note, self.quiet)
        for path, chosen in pages:
            size = atlas.sheet_size(len(chosen), job.plan.size, self.layout.columns, cells.title)
            files.check_writable(path, self.overwrite, size)
        for path, chosen in pages:
            made = self._dreamt(job, cells, chosen)
            drawn = [*counting(made, len(chosen), self.quiet)]
            part = f" · {chosen.start} to {chosen.stop - 1}" if len(chosen) < len(cells.each) else ""
            whole = atlas.sheet(drawn, self.layout.columns, cells.title + part + mark)
            files.save(path, whole, overwrite=self.overwrite)
            say(f"wrote {path}", self.quiet)
        left = len(cells.each) - (self.layout.per_page or PER_PAGE)
        if self.layout.page == "1" and left > 0:
            say(f"{left} more {cells.noun} are on further pages; --page 2, or --page all.", self.quiet)

    def _dreamt(self, job: Job, cells: Cells, chosen: range) -> Iterator[tuple[str, Tensor]]:
        from reverie import atlas

        for at in chosen:
            name, objective = cells.each[at]
            (dream,) = atlas.dreams(job.plan, [objective], job.source)
            if dream.silent and at in cells.instead:
                (dream,) = atlas.dreams(job.plan, [cells.instead[at]], job.source)
                name += " *"
            yield f"{name} (silent)" if dream.silent else name, dream.picture


def sheet_name(sheet: Path, network: str, what: str, overwrite: bool) -> Path:
    """The file that ``--sheet`` means: itself, or one named by its content in an existing folder."""
    if not os.path.isdir(sheet):
        return sheet
    inside = sheet / f"{slug(network)}-{slug(what)}.png"
    return inside if overwrite else unused_name(inside)


def loaded(name: str, run: dict[str, Any], quiet: bool) -> Network:
    """The network with its weights, fetched where they must be, on the device that ``run`` says."""
    how = valid_run(run)
    import torch

    from reverie import zoo
    from reverie.loop.plan import resolve_device

    if name == AUTO and how.weights is None:
        name = zoo.automatic()
        if note := zoo.advice(name):
            say(note, quiet)
    zoo.entry(name)
    if how.threads:
        torch.set_num_threads(how.threads)
    device = resolve_device(how.device)
    with watching_weights(quiet):
        network = zoo.load(name, how.weights, offline=how.offline)
    network.module.to(device)
    return network


