"""The command ``reverie``. Commands live in their own modules; torch is imported only to compute."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence

from cyclopts import App, CycloptsError
from rich.console import Console

from reverie import __version__
from reverie.cli import anatomy, dreaming, film, finding, inspecting, sheets, visualizing
from reverie.cli.allocator import keep_freed_memory
from reverie.cli.output import say
from reverie.cli.result import piped
from reverie.cli.weights import weights
from reverie.errors import ReverieError

EPILOGUE = (
    "Exit codes: 0 done, 1 a bug of ours, 2 usage, 3 input, 4 weights or extras absent, 5 output, "
    "130 interrupted."
)


def application() -> App:
    """The command line, ready to be called with tokens."""
    app = App(
        "reverie",
        help="Pictures out of what a neural network sees: DeepDream, offline.",
        version=__version__,
        help_format="plaintext",
        help_epilogue=EPILOGUE,
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    app.command(dreaming.dream)
    app.command(dreaming.replay)
    app.command(visualizing.visualize)
    app.command(film.film)
    app.command(sheets.motifs)
    app.command(inspecting.networks)
    app.command(anatomy.layers)
    app.command(anatomy.channels)
    app.command(finding.find)
    app.command(finding.inspect)
    app.command(inspecting.presets)
    app.command(inspecting.doctor)
    app.command(weights)
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code and never shows a traceback for a user's mistake."""
    keep_freed_memory()
    tokens = [piped(each) for each in (sys.argv[1:] if arguments is None else arguments)]
    try:
        result = application()(
            tokens,
            exit_on_error=False,
            print_error=False,
            console=Console(),
            error_console=Console(stderr=True),
        )
        return result if isinstance(result, int) else 0
    except CycloptsError as error:
        sentence = " ".join(str(error).split())
        say(f"{sentence.rstrip('.')}. Try 'reverie --help'.")
        return 2
    except ReverieError as error:
        say(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        say("interrupted; nothing half-written was left behind.")
        return 130
    except (BrokenPipeError, SystemExit):
        # rich leaves by SystemExit when whoever read stdout has gone.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        say("stdout was closed before all was said; a dream under way was not written.")
        return 5
    except Exception:
        traceback.print_exc()
        say("this is a bug of ours; please report it with the lines above.")
        return 1
