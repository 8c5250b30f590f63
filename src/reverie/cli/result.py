"""What becomes of a dream: the options that say so, and the way from a Job to its file, stdout and viewer."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import fields, is_dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO, cast, overload

from reverie.cli import transparency
from reverie.cli.options import ResultOptions
from reverie.cli.output import PIPE, beside, line, say, unused_name, unwritable, watching
from reverie.cli.plots import Viewer
from reverie.errors import InputError, OutputError, UsageError

if TYPE_CHECKING:
    from reverie.jobs.checkpoint import Checkpoint
    from reverie.jobs.job import Job
    from reverie.jobs.picture import Picture
    from reverie.loop.render import Frame

TOKEN = "\0"  # what a lone - is while cyclopts, which takes that for an option, reads the words; no word has it
_SAID = {"assets": "--asset", "file": "FILE"}  # where an option is not called as its parameter


def piped(token: str) -> str:
    """A word of the command line, with :data:`TOKEN` for a - that stands alone or behind an option's =."""
    return re.sub(r"(?<![^=])-$", lambda _: TOKEN, token) if token == "-" or token.startswith("--") else token


def unpiped(name: str, value: Any) -> Any:
    """What cyclopts made of the words for the parameter ``name``, with the - as it was typed.

    Raises :class:`UsageError` where a file is meant that is neither the picture nor the result: it is no pipe.
    """
    if isinstance(value, list | tuple):
        return type(value)(unpiped(name, each) for each in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{each.name: unpiped(each.name, getattr(value, each.name)) for each in fields(value)})
    if str(value) == TOKEN and name != "out" and (isinstance(value, Path) or name in ("mask", "guide")):
        option = _SAID.get(name, f"--{name}")
        raise UsageError(f"{option} takes a file, not -, which is for the picture alone; name one.")
    if isinstance(value, str | Path):
        return type(value)(str(value).replace(TOKEN, PIPE))
    return value


@overload
def content(source: str) -> str | bytes: ...
@overload
def content(source: None) -> None: ...
def content(source: str | None) -> str | bytes | None:
    """What stands in standard input where ``source`` is :data:`PIPE`, else the name itself."""
    return _poured_in(sys.stdin) if source == PIPE else source


@lru_cache(maxsize=1)  # several dreams may begin with it, and it can be read but once
def _poured_in(stream: TextIO | None) -> bytes:
    if stream is None:
        raise InputError("Standard input is closed; send a picture into it, or name a file.")
    try:
        return stream.buffer.read()
    except OSError as error:
        raise InputError(f"Standard input cannot be read ({error.strerror}); name a file.") from None


def name_of(source: str | None, network: str, what: str, suffix: str) -> Path:
    """The default result of a source: beside it, or here for noise and standard input."""
    return beside("stdin" if source == PIPE else source, network, what, suffix)


def finish(job: Job, source: str | None, targets: list[Path], result: ResultOptions) -> list[Path]:
    """Run ``job``, write its picture, or each of its batch, to ``targets``, and say what there is to say.

    Gives the targets written: others where the names were ours to choose and somebody took them meanwhile.
    """
    from reverie import files
    from reverie.jobs.checkpoint import PATIENCE, Checkpoint

    suffix = result.suffix if result.piped else targets[0].suffix
    for note in (*job.notes, *transparency.lost(job, suffix)):
        say(note, result.quiet)
    for file in targets:
        _check_record(file, job, result)
    checkpoint = None
    if not result.piped:
        if result.resume and all(_done(file, job) for file in targets):
            say(f"{targets[0]} is there already.", result.quiet)
            return targets
        for file in targets:
            files.check_writable(file, result.overwrite, job.plan.size, job.record.depth)
        path = targets[0].with_name(f"{targets[0].name}.checkpoint")
        checkpoint = Checkpoint(path, job.record, 0 if result.resume else PATIENCE)
    viewer = Viewer(job, targets[0].stem, result.plots, result.plots_every, result.quality)
    viewer.check(result.overwrite, result.resume)
    pictures = _watched(job, source, checkpoint, result, len(targets), viewer)
    numbers = {"quality": viewer.quality()} if result.json else {}
    if result.piped:
        _poured(pictures[0], result)
        say("wrote to standard output", result.quiet)
        viewer.finish(result.quiet or result.json)
        return targets
    made = []
    for picture, file in zip(pictures, targets, strict=True):
        written = _saved(picture, file, result)
        made.append(written)
        if result.json:
            line(source=source, out=str(written), **numbers)
        else:
            say(f"wrote {written}", result.quiet)
        if result.show:
            shown(written)
    if checkpoint:
        told = checkpoint.trouble
        checkpoint.remove()
        if checkpoint.trouble != told:
            say(checkpoint.trouble, result.quiet)
    viewer.finish(result.quiet or result.json)  # the picture is safe, whatever becomes of its views
    return made


def _check_record(file: Path, job: Job, result: ResultOptions) -> None:
    """Refuse a Record that the file cannot hold; it is known before the dream."""
    from reverie import files

    suffix = result.suffix if result.piped else file.suffix.lower()
    if result.no_metadata or suffix not in files.WRITES:  # such a name is refused for its suffix
        return
    last = job.record.model_copy(update={"part": job.record.recipe.count - 1})
    name = f"A {suffix} on standard output" if result.piped else file
    files.check_text(name, files.WRITES[suffix], last.text())


def _saved(picture: Picture, file: Path, result: ResultOptions) -> Path:
    """Write the picture; where the name was ours to choose and was taken while we dreamt, to the next free one."""
    while True:
        try:
            return picture.save(file, overwrite=result.overwrite, metadata=not result.no_metadata)
        except OutputError:
            chosen = result.out is None or os.path.isdir(result.out)
            other = unused_name(file)
            if result.overwrite or not chosen or other == file:
                raise
            file = other


def _done(target: Path, job: Job) -> bool:
    """Whether the picture lies there already, whole."""
    from reverie import files
    from reverie.jobs.checkpoint import differences
    from reverie.recipe import record

    if not os.path.isfile(target):
        return False
    try:
        found = record.parse_record(files.read_text(target), target)
    except InputError:
        return False
    return not differences(job.record, found) and found.depth == job.record.depth


def _watched(
    job: Job,
    source: str | None,
    checkpoint: Checkpoint | None,
    result: ResultOptions,
    count: int,
    viewer: Viewer,
) -> list[Picture]:
    if checkpoint and result.resume and (octave := checkpoint.found()[0]):
        say(f"going on after octave {octave} of {len(job.plan.octaves)}.", result.quiet)
    told = ""
    if checkpoint and checkpoint.occupied():
        say(told := checkpoint.trouble, result.quiet)
    try:
        with watching(source, job.plan, result.json, result.quiet) as listen:
            for frame in job.frames(checkpoint, resume=result.resume, gradients=viewer.drawing):
                listen(frame)
                viewer.see(frame)
                if not frame.last:
                    del frame  # nobody holds it while the next is made
    except KeyboardInterrupt:
        if checkpoint and checkpoint.ours:
            say(f"what was done is kept in {checkpoint.path}; the same command with --resume goes on.")
        raise
    if checkpoint and checkpoint.trouble not in ("", told):
        say(checkpoint.trouble, result.quiet)
    if side := job.plan.retreat:
        say(f"The memory of {job.plan.device} did not suffice; dreamt in tiles of {side} px.", result.quiet)
    if job.unchanged(frame):
        say(f"Nothing changed: {_why_unchanged(job, frame)}.", result.quiet)
    return [job.picture(frame)] if count == 1 else job.pictures(frame)


def _why_unchanged(job: Job, frame: Frame) -> str:
    """What kept the source as it was, and the remedy."""
    masks = [octave.mask for octave in job.plan.octaves if octave.mask is not None]
    if job.plan.blend == 1:
        return "--blend 1 is the source alone; choose a number below 1"
    most = job.plan.octaves[-1].max_gain
    if most is not None and float(frame.score.min()) > most:
        return f"the score is {float(frame.score.min()):.4g}, above --max-gain {most:g} at once; choose a greater one"
    if masks and not any(bool(mask.any()) for mask in masks):
        return "the mask is black all over; what is white in it is dreamt"
    if any(role == "mask" for role, _ in job.record.recipe.files()):
        return "the objective does not answer to this picture where the masks are white; choose others"
    return "the objective does not answer to this picture; choose another"


def _poured(picture: Picture, result: ResultOptions) -> None:
    """The picture to standard output, once it is whole."""
    with tempfile.NamedTemporaryFile() as file:  # tifffile wants a name
        picture.write(cast(BinaryIO, file), result.suffix, metadata=not result.no_metadata)
        file.seek(0)
        try:
            shutil.copyfileobj(file, sys.stdout.buffer)
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise unwritable(error) from None


def shown(path: Path) -> None:
    """Open a picture in the desktop's viewer, or say that there is none."""
    if sys.platform == "win32":
        os.startfile(path)
        return
    command = "open" if sys.platform == "darwin" else "xdg-open"
    desktop = sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if not desktop or shutil.which(command) is None:
        say(f"there is no desktop here to show {path} on; open it where there is one.")
        return
    silent = subprocess.DEVNULL
    subprocess.Popen([command, str(path)], stdin=silent, stdout=silent, stderr=silent, start_new_session=True)
