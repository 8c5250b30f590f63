"""Transparency and the files that cannot hold it: asked for it is refused, otherwise said once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from reverie.errors import OutputError

if TYPE_CHECKING:
    from reverie.cli.options import ResultOptions
    from reverie.jobs.job import Job

KEPT_BY = ".png, .webp or .tif"


def refuse(values: Mapping[str, Any], result: ResultOptions, suffix: str = "") -> None:
    """Raise :class:`OutputError` where ``values`` that were typed ask for what the result cannot hold.

    ``suffix`` is that of the result where ``result`` names none.
    """
    opacity, named = values.get("opacity"), result.out is not None and not os.path.isdir(result.out)
    if not isinstance(opacity, int | float) or opacity >= 1:
        return
    if result.out is not None and named and not result.piped:
        name, suffix = str(result.out), result.out.suffix
    else:
        suffix = suffix or result.suffix
        name = f"A {suffix} file"
    if _opaque(suffix):
        raise OutputError(f"{name} cannot be transparent; for --opacity {opacity:g} use {KEPT_BY}.")


def lost(job: Job, suffix: str) -> list[str]:
    """What to say before a dream that is transparent in part goes into a file that is not; by preset or source."""
    if not _opaque(suffix) or not (job.record.recipe.opacity < 1 or _transparent(job)):
        return []
    return [f"A {suffix} file cannot be transparent: all of the picture is shown; {KEPT_BY} keeps what is clear."]


def _opaque(suffix: str) -> bool:
    from reverie import files

    return files.WRITES.get(suffix.lower()) == "JPEG"


def _transparent(job: Job) -> bool:
    """Whether any of the source shows through."""
    if job.alpha is None:
        return False
    from reverie.pixels.ops import unit

    return bool((unit(job.alpha) < 1).any())
