"""What becomes of a dream: the options that say so, and the way from a Job to its file, stdout and viewer."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, Literal, cast, overload

from cyclopts import Parameter

from reverie.cli import transparency, views
from reverie.cli.options import RUN
from reverie.cli.output import beside, free, line, numbered, say, watching
from reverie.cli.views import Plots, PlotsEvery, QualityLine, Viewer
from reverie.errors import OutputError, UsageError

if TYPE_CHECKING:
    from reverie.api import Job, Picture
    from reverie.checkpoint import Checkpoint

PIPE = "(pipe)"  # what a lone - becomes, since cyclopts takes that for an option

Out = Annotated[
    Path | None,
    Parameter(
        group=RUN,
        name=["--out", "-o"],
        help="The file to write (.png .jpg .webp .tif), an existing folder, or - for standard output; by default "
        "beside the source.",
    ),
]
Overwrite = Annotated[
    bool, Parameter(group=RUN, negative=(), show_default=False, help="Replace an existing result.")
]
Quiet = Annotated[
    bool, Parameter(group=RUN, name=["--quiet", "-q"], negative=(), help="No progress, no notes.")
]
Json = Annotated[
    bool, Parameter(group=RUN, name="--json", negative=(), help="One JSON line per frame on stdout.")
]
NoMetadata = Annotated[
    bool,
    Parameter(
        group=RUN, negative=(), help="Leave the Record out of the result; it can then not be replayed."
    ),
]


@dataclass(frozen=True, kw_only=True)
class ResultOptions:
    """Where a dream goes, and what is said and kept on the way."""

    out: Out = None
    format: Annotated[
        Literal["png", "jpg", "webp", "tif"] | None,
        Parameter(group=RUN, help="Format where --out names no file; by default png."),
    ] = None
    overwrite: Overwrite = False
    resume: Annotated[
        bool,
        Parameter(
            group=RUN,
            negative=(),
            help="Go on from where the same command was killed: after the last finished octave of a picture, and of "
            "many pictures those that are not there yet.",
        ),
    ] = False
    show: Annotated[
        bool, Parameter(group=RUN, negative=(), help="Open the result in the desktop's viewer.")
    ] = False
    quiet: Quiet = False
    json: Json = False
    no_metadata: NoMetadata = False
    plots: Plots = None
    plots_every: PlotsEvery = 10
    quality: QualityLine = False

    @property
    def piped(self) -> bool:
        """Whether the picture goes to standard output."""
        return str(self.out) == PIPE

    @property
    def suffix(self) -> str:
        """That of a file which is not named."""
        return f".{self.format or 'png'}"

    def check(self, count: int, depth: Literal[8, 16] = 8, batch: int = 1) -> None:
        """Raise what can be known to be wrong before any work for ``count`` dreams of ``batch`` pictures."""
        views.check(self.plots, self.plots_every)
        if self.piped and (self.json or self.resume or self.show or count * batch > 1):
            other = "--json" if self.json else "--resume" if self.resume else "--show" if self.show else ""
            what = f"{other} does not go with it" if other else f"{count * batch} pictures do not go into it"
            raise UsageError(f"--out - is standard output; {what}.")
        if self.piped and sys.stdout.isatty():
            raise UsageError("--out - is standard output, here a terminal; send it to a file or a command.")
        whole = self.out is not None and not self.piped and not os.path.isdir(self.out)
        if self.out is not None and whole and count > 1:
            raise OutputError(f"{self.out} is no existing folder; {count} pictures need one.")
        if self.out is not None and whole and self.format is not None and self.out.suffix:
            raise UsageError(f"--format is for where --out names no file; {self.out} says its format itself.")
        from reverie import image

        if self.out is not None and whole:
            for each in numbered(self.out, batch):
                image.check_writable(each, self.overwrite or self.resume, depth=depth)
        else:
            image.check_depth(f"A {self.suffix} file", image.WRITES[self.suffix], depth)

    def target(self, default: Path, written: Collection[Path] = (), count: int = 1) -> Path:
        """The file to write, where ``default`` is its name if none was given; nothing of ``written`` is meant."""
        if self.out is not None and not os.path.isdir(self.out):
            return self.out
        name = default if self.out is None else self.out / default.name
        # --overwrite and --resume are about what was there before, not about a namesake in the same run.
        return name if (self.overwrite or self.resume) and name not in written else free(name, count)


def piped(token: str) -> str:
    """A word of the command line, with :data:`PIPE` for a - that stands alone or behind an option's =."""
    return re.sub(r"(?<![^=])-$", PIPE, token) if token == "-" or token.startswith("--") else token


@overload
def content(source: str) -> str | bytes: ...
@overload
def content(source: None) -> None: ...
def content(source: str | None) -> str | bytes | None:
    """What stands in standard input where ``source`` is :data:`PIPE`, else the name itself."""
    return sys.stdin.buffer.read() if source == PIPE else source


def name_of(source: str | None, network: str, what: str, suffix: str) -> Path:
    """The default result of a source: beside it, or here for noise and standard input."""
    return beside("stdin" if source == PIPE else source, network, what, suffix)


def finish(job: Job, source: str | None, files: list[Path], result: ResultOptions) -> None:
    """Run ``job``, write its picture, or each of its batch, to ``files``, and say what there is to say."""
    from reverie import image
    from reverie.checkpoint import PATIENCE, Checkpoint

    suffix = result.suffix if result.piped else files[0].suffix
    for note in (*job.notes, *transparency.lost(job, suffix)):
        say(note, result.quiet)
    checkpoint = None
    if not result.piped:
        if result.resume and all(_done(file, job) for file in files):
            say(f"{files[0]} is there already.", result.quiet)
            return
        for file in files:
            image.check_writable(file, result.overwrite, job.plan.size, job.record.depth)
        path = files[0].with_name(f"{files[0].name}.checkpoint")
        checkpoint = Checkpoint(path, job.record, 0 if result.resume else PATIENCE)
    viewer = Viewer(job, files[0].stem, result.plots, result.plots_every, result.quality)
    pictures = _watched(job, source, checkpoint, result, len(files), viewer)
    numbers = {"quality": viewer.quality()} if result.json else {}
    if result.piped:
        _poured(pictures[0], result)
        say("wrote to standard output", result.quiet)
        return
    for picture, file in zip(pictures, files, strict=True):
        written = picture.save(file, overwrite=result.overwrite, metadata=not result.no_metadata)
        if result.json:
            line(source=source, out=str(written), **numbers)
        else:
            say(f"wrote {written}", result.quiet)
        if result.show:
            shown(written)
    if checkpoint:
        checkpoint.remove()


def _done(target: Path, job: Job) -> bool:
    """Whether the picture lies there already, whole."""
    from reverie import image, record
    from reverie.checkpoint import differences
    from reverie.errors import InputError

    if not target.is_file():
        return False
    try:
        found = record.parse(image.read_text(target), target)
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
    try:
        with watching(source, job.plan, result.json, result.quiet) as listen:
            for frame in job.frames(checkpoint, resume=result.resume, gradients=viewer.drawing):
                listen(frame)
                viewer.see(frame)
                if not frame.last:
                    del frame  # nobody holds it while the next is made
    except KeyboardInterrupt:
        if checkpoint and checkpoint.path.exists():
            say(f"what was done is kept in {checkpoint.path}; the same command with --resume goes on.")
        raise
    if checkpoint and checkpoint.trouble:
        say(checkpoint.trouble, result.quiet)
    if side := job.plan.retreat:
        say(f"The memory of {job.plan.device} did not suffice; dreamt in tiles of {side} px.", result.quiet)
    if job.unchanged(frame):
        say("Nothing changed: the objective does not answer to this picture; choose another.", result.quiet)
    viewer.finish(result.quiet or result.json)
    return [job.picture(frame)] if count == 1 else job.pictures(frame)


def _poured(picture: Picture, result: ResultOptions) -> None:
    """The picture to standard output, once it is whole."""
    with tempfile.NamedTemporaryFile() as file:  # tifffile wants a name
        picture.write(cast(BinaryIO, file), result.suffix, metadata=not result.no_metadata)
        file.seek(0)
        shutil.copyfileobj(file, sys.stdout.buffer)
        sys.stdout.buffer.flush()


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
