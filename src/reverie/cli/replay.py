"""``reverie replay``: the same picture or film again, from the Record inside it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from reverie.cli import transparency
from reverie.cli.options import NOTHING_SET, PLAINLY, WHAT, ResultOptions, RunOptions, given
from reverie.cli.output import PIPE
from reverie.cli.progress import watching_weights
from reverie.cli.result import content, finish
from reverie.errors import UsageError
from reverie.recipe import valid_run
from reverie.recipe.validators import setting


def replay(
    picture: Annotated[
        str,
        Parameter(
            name="FILE", help="A picture or a film that Reverie wrote, or - for a picture on standard input."
        ),
    ],
    /,
    *,
    source: Annotated[Path | None, Parameter(group=WHAT, help="Where the original source lies now.")] = None,
    changes: Annotated[
        list[str] | None,
        Parameter(
            group=WHAT,
            name="--set",
            negative=(),
            help="Change one thing, as in --set steps=20; may be repeated.",
        ),
    ] = None,
    assets: Annotated[
        list[Path] | None,
        Parameter(
            group=WHAT,
            name="--asset",
            negative=(),
            help="Where a guide or mask lies now, told by its content; may be repeated.",
        ),
    ] = None,
    run_options: Annotated[RunOptions, Parameter(name="*")] = NOTHING_SET,
    result: Annotated[ResultOptions, Parameter(name="*")] = PLAINLY,
) -> int:
    """Make the same picture or film again, from the Record inside it."""
    values: dict[str, Any] = {}
    for change in changes or []:
        name, mark, text = change.partition("=")
        if not mark:
            raise UsageError(f"--set needs NAME=VALUE, as in --set steps=20, not {change!r}.")
        values[name.strip().replace("-", "_")] = setting(text.strip())
    run = given(run_options)
    valid_run(run)
    piped, file = picture == PIPE, Path(picture)
    from reverie import api
    from reverie.film.shooting import is_film

    if not piped and is_film(file):
        from reverie.cli.film import again

        return again(file, source, values, assets or [], run, result)
    result.check(1)
    transparency.refuse(values, result, "" if piped or result.format else file.suffix)
    with watching_weights(result.quiet or result.json):
        job = api.replay(content(picture), source=source, changes=values, assets=assets or (), **run)
    stem, suffix = ("stdin", ".png") if piped else (file.stem, file.suffix)
    default = file.with_name(f"{stem}-replay{result.suffix if result.format else suffix}")
    finish(job, picture, [result.target(default)], result)
    return 0
