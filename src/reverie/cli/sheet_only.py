"""Options of contact sheets, refused where no sheet is drawn."""

from __future__ import annotations

from typing import Any

from reverie.cli.options import NOISE, given
from reverie.cli.sheet import PLAIN, SheetOptions
from reverie.errors import UsageError


def only_with_sheet(source: str, layout: SheetOptions, *options: Any) -> None:
    """:class:`UsageError` where something was said that only a sheet can heed."""
    told = [key for each in options for key in given(each)]
    told += [key for key, value in vars(layout).items() if value != getattr(PLAIN, key)]
    if told or source != NOISE:
        what = f"--{told[0].replace('_', '-')}" if told else repr(source)
        raise UsageError(f"{what} is for a contact sheet; say where it goes with --sheet FILE.")
