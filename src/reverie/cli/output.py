"""Where results go, and what is said on the way: names, progress, JSON lines."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn, track
from rich.table import Table
from rich.text import Text

from reverie.errors import OutputError, ReverieError

if TYPE_CHECKING:
    from reverie.jobs.job import Job
    from reverie.loop.plan import Plan
    from reverie.loop.render import Frame

FrameListener = Callable[["Frame"], None]
Item = TypeVar("Item")

PIPE = "-"  # standard input as a source, standard output as a result


def say(text: str | ReverieError, quiet: bool = False) -> None:
    """One line for people, on stderr; options in it are said as flags."""
    if not quiet:
        with contextlib.suppress(OSError):  # a full or closed stderr must not cost the picture that was dreamt
            print(f"reverie: {getattr(text, 'flags', text)}", file=sys.stderr, flush=True)


def line(**values: object) -> None:
    """One line for programs, on stdout."""
    put(json.dumps(values))


def put(text: str) -> None:
    """Text on stdout at once; :class:`OutputError` where that has no room (a reader that has gone is told by main)."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise unwritable(error) from None


def unwritable(error: OSError) -> OutputError:
    """What to say where nothing more can be written to stdout."""
    return OutputError(f"Standard output cannot be written ({error.strerror}); send it elsewhere.")


def table(columns: list[str], rows: list[list[str]]) -> None:
    """A table for people; plain and unwrapped where stdout is no terminal."""
    console = Console()
    if not console.is_terminal:
        for row in rows:
            put("\t".join(row))
        return
    made = Table(*columns, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        made.add_row(*map(Text, row))  # names of files may look like rich's markup
    console.print(made)


def slug(text: str) -> str:
    """A piece of a file name: letters, digits and hyphens."""
    return re.sub(r"[^\w.]+", "-", text).strip("-.").lower()[:60] or "dream"


def beside(source: str | None, network: str, objective: str, suffix: str = ".png") -> Path:
    """The default result: beside its source, named by network and objective."""
    stem, folder = ("noise", Path()) if source is None else (Path(source).stem, Path(source).parent)
    # File systems take 255 bytes, of any encoding: what is added must still fit behind the longest of names.
    while len(os.fsencode(stem)) > 120:
        stem = stem[:-1]
    what = re.sub(r"\.(png|jpe?g|webp|tiff?)\b", "", objective, flags=re.IGNORECASE)  # of masks and guides
    return folder / f"{stem}-{slug(network)}-{slug(what)}{suffix}"


def spoken(source: str | None) -> str:
    """What people call a source."""
    if source is None:
        return "noise"
    return "standard input" if source == PIPE else Path(source).name


def numbered(path: Path, count: int) -> list[Path]:
    """The files of a batch: ``path`` for one picture, ``path-1``, ``path-2``, ... for several."""
    return [path] if count == 1 else [path.with_stem(f"{path.stem}-{at}") for at in range(1, count + 1)]


def unused_name(path: Path, count: int = 1) -> Path:
    """``path``, or the first of ``path-2``, ``path-3``, ... of which no file of such a batch exists."""
    number, candidate = 2, path
    while any(each.exists() for each in numbered(candidate, count)):
        candidate = path.with_stem(f"{path.stem}-{number}")
        number += 1
    return candidate


@contextmanager
def watching(source: str | None, plan: Plan, as_json: bool, quiet: bool) -> Iterator[FrameListener]:
    """What listens to the frames of ``plan``: a JSON line each, one progress bar, or nothing."""
    if as_json:
        yield lambda frame: line(
            source=source,
            index=frame.index,
            total=frame.total,
            octave=frame.octave,
            octaves=frame.octaves,
            step=frame.step,
            steps=frame.steps,
            width=frame.image.shape[-1],
            height=frame.image.shape[-2],
            score=frame.score.mean().item(),
        )
        return
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield lambda frame: None
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("octave {task.fields[octave]}  step {task.fields[step]}  score {task.fields[score]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        # Steps of a large octave take longer, so time left is told in pixels, not in steps.
        pixels = [octave.size[0] * octave.size[1] for octave in plan.octaves]
        work = sum(each * octave.steps for each, octave in zip(pixels, plan.octaves, strict=True))
        task = progress.add_task(spoken(source), total=work, octave="-", step="-", score="-")

        def listen(frame: Frame) -> None:
            before = sum(
                each * octave.steps for each, octave in zip(pixels[: frame.octave], plan.octaves, strict=False)
            )
            in_octave = frame.index + 1 - sum(octave.steps for octave in plan.octaves[: frame.octave])
            progress.update(
                task,
                completed=before + pixels[frame.octave] * in_octave,
                octave=f"{frame.octave + 1}/{frame.octaves}",
                step=f"{frame.index + 1}/{frame.total}",
                score=f"{frame.score.mean().item():.3g}",
            )

        yield listen


def costs(job: Job, source: str | None, target: Path, as_json: bool) -> None:
    """What a dream will take, for people or for programs, on stdout."""
    from reverie.jobs import budget

    found = budget.estimate(job.plan, job.source.shape[0])
    (height, width), octaves = job.plan.size, len(job.plan.octaves)
    if as_json:
        line(source=source, out=str(target), width=width, height=height, octaves=octaves, **vars(found))
        return
    minutes, seconds = divmod(round(found.seconds), 60)
    tiles = f"{found.tiles} of {found.side} px, {found.margins:.0%} of the work in their margins"
    table(
        ["", "the dream will take"],
        [
            ["picture", f"{_ends(source or 'noise', 'input')} -> {_ends(str(target), 'output')}"],
            ["size", f"{width}x{height}, {octaves} octaves, {found.steps} steps"],
            ["tiles", tiles if found.side else "none, the picture is seen whole"],
            ["memory", f"about {budget.readable(found.peak)} at most"],
            ["time", f"about {minutes} min {seconds} s" if minutes else f"about {max(1, seconds)} s"],
            *(["note", note] for note in job.notes),
        ],
    )


def _ends(name: str, side: str) -> str:
    return f"standard {side}" if name == PIPE else name


def counting(items: Iterable[Item], total: int, quiet: bool) -> Iterable[Item]:
    """``items`` with a bar on stderr over them, where that is a terminal."""
    console = Console(stderr=True)
    silent = quiet or not console.is_terminal
    return track(items, "dreaming", total=total, console=console, transient=True, disable=silent)
