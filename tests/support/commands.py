"""The command line in tests: calls that must be refused, and one that heeds Ctrl-C."""

from __future__ import annotations

import sys
from pathlib import Path

from reverie.cli import main

HEEDING_CTRL_C = [sys.executable, "-c", "import runpy, signal as s; s.signal(s.SIGINT, s.default_int_handler);"
                  "runpy.run_module('reverie', run_name='__main__', alter_sys=True)"]  # fmt: skip


def refused(capsys, code, *arguments):
    """The one sentence that a refusal prints; nothing else, and no traceback."""
    before = set(Path.cwd().rglob("*"))
    assert main([str(each) for each in arguments]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("reverie: ") and err.count("\n") == 1 and "Traceback" not in err
    assert set(Path.cwd().rglob("*")) == before
    return err
