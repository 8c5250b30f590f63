"""Weights on their way, told on stderr."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from reverie.cli.output import say
from reverie.zoo.fetch import listening


@contextmanager
def watching_weights(quiet: bool = False) -> Iterator[None]:
    """Whatever is fetched inside shows: as a bar on a terminal, as a line elsewhere, not at all when quiet."""
    console = Console(stderr=True)
    if quiet:
        yield
        return
    told: set[str] = set()

    def mention(what: str, done: int, total: int) -> None:
        if what not in told:
            told.add(what)
            say(f"{what} ({total / 2**20:.0f} MB)" if total else what)

    if not console.is_terminal:
        with listening(mention):
            yield
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", visible=False)

        def listen(what: str, done: int, total: int) -> None:
            progress.update(task, description=what, completed=done, total=total or None, visible=True)

        with listening(listen):
            yield
