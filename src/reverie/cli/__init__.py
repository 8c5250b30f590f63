"""The command ``reverie``. Commands live in their own modules; torch is imported only to compute."""

from __future__ import annotations

import errno
import io
import os
import sys
import traceback
from collections.abc import Sequence
from functools import cache
from typing import Any

from cyclopts import App, CycloptsError, UnknownOptionError
from rich.console import Console

from reverie import __version__
from reverie.cli import (
    channels,
    doctor,
    dream,
    export,
    film,
    find,
    inspect,
    layers,
    looks,
    motifs,
    networks,
    presets,
    replay,
    studio,
    visualize,
)
from reverie.cli.allocator import keep_freed_memory
from reverie.cli.output import PIPE, say, unwritable
from reverie.cli.result import TOKEN, piped, unpiped
from reverie.cli.weights import weights
from reverie.errors import OutputError, ReverieError, UsageError

EPILOGUE = (
    "Exit codes: 0 done, 1 a bug of ours, 2 usage, 3 input, 4 weights or extras absent, 5 output, "
    "130 interrupted."
)


WRITERS = ("dream", "replay", "visualize", "film")  # commands that work while they tell of it on stdout

ELSEWHERE = {
    "--tile-size": "--tile",
    "--iterations": "--steps",
    "--num-iterations": "--steps",
    "--output-layers": "--objective",
    "--c-class": "--objective",
    "--class": "--objective",
    "--learning-rate": "--step-size",
    "--lr": "--step-size",
}
"""Options of other DeepDream programs, and ours that do what they did."""


class _Commands(App):
    """The commands, which get a - as it was typed."""

    def parse_args(self, *args: Any, **kwargs: Any) -> Any:
        command, bound, ignored = super().parse_args(*args, **kwargs)
        for name, value in bound.arguments.items():
            bound.arguments[name] = unpiped(name, value)
        return command, bound, ignored


@cache
def application() -> App:
    """The command line, ready to be called with tokens."""
    app = _Commands(
        "reverie",
        help="Pictures out of what a neural network sees: DeepDream, offline.",
        version=__version__,
        help_format="plaintext",
        help_epilogue=EPILOGUE,
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    app.command(dream.dream)
    app.command(replay.replay)
    app.command(visualize.visualize)
    app.command(film.film)
    app.command(looks.looks)
    app.command(motifs.motifs)
    app.command(networks.networks)
    app.command(layers.layers)
    app.command(channels.channels)
    app.command(find.find)
    app.command(inspect.inspect)
    app.command(presets.presets)
    app.command(export.export)
    app.command(doctor.doctor)
    app.command(weights)
    app.command(studio.studio)
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code and never shows a traceback for a user's mistake."""
    keep_freed_memory()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names of files need not be text
    code = _run([piped(each) for each in (sys.argv[1:] if arguments is None else arguments)])
    if (error := _flushed()) and not code:
        code = OutputError.exit_code
        if not isinstance(error, BrokenPipeError):
            say(str(unwritable(error)))
    return code


def _run(tokens: list[str]) -> int:
    try:
        return _called(tokens)
    except ReverieError as error:
        say(error)
        return error.exit_code
    except KeyboardInterrupt:
        say("interrupted; nothing half-written was left behind.")
        return 130
    except (BrokenPipeError, SystemExit):
        # rich leaves by SystemExit when whoever read stdout has gone. That a listing was cut short is no news.
        if tokens and tokens[0] in WRITERS:
            say("stdout was closed before all was said; a dream under way was not written.")
        return OutputError.exit_code
    except Exception as error:
        if _exhausted(error):
            say("the memory does not suffice; lower --size, or give less --memory so that the dream is cut into tiles.")
            return UsageError.exit_code
        traceback.print_exc()
        say("this is a bug of ours; please report it with the lines above.")
        return 1


def _exhausted(error: Exception) -> bool:
    # torch has a class of its own for GPUs alone; on a CPU it is told by its words.
    words = ("can't allocate memory", "out of memory")
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(each in str(error).lower() for each in words)
    )


def _called(tokens: list[str]) -> int:
    try:
        result = application()(
            tokens,
            exit_on_error=False,
            print_error=False,
            console=Console(),
            error_console=Console(stderr=True),
        )
    except UnknownOptionError as error:
        given = [each.partition("=")[0] for each in tokens]
        known = next((each for each in given if each.replace("_", "-") in ELSEWHERE), None)
        if known is None:
            raise UsageError(_said(error)) from None
        raise UsageError(
            f"There is no option {known}; say {ELSEWHERE[known.replace('_', '-')]} instead. Try 'reverie --help'."
        ) from None
    except CycloptsError as error:
        raise UsageError(_said(error)) from None
    except OSError as error:
        if error.errno == errno.ENOSPC and error.filename is None:  # of no file: help that rich could not write
            raise unwritable(error) from None
        raise
    return result if isinstance(result, int) else 0


def _said(error: CycloptsError) -> str:
    """What cyclopts says, in one sentence and a hint."""
    sentence = " ".join(str(error).split()).replace(TOKEN, PIPE).replace("\\x00", PIPE)  # bare, or as repr shows it
    return f"{sentence.rstrip('.')}. Try 'reverie --help'."


def _flushed() -> OSError | None:
    """What keeps waiting text from stdout, where Python would stumble over it again when it leaves."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return error
    return None
