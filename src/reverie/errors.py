"""Every way Reverie says no. Each exception is one clear sentence and carries an exit code.

::

    ReverieError            1  (never raised itself)
    ├── UsageError          2  an option, a name, a recipe that cannot be
    │   └── UnknownName     2  a layer, class, channel, network, preset that is not there
    ├── InputError          3  a source, guide or weights file that cannot be used
    ├── MissingError        4  weights or an optional library that are absent
    └── OutputError         5  a result that cannot be written
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

LONGEST_WORD, LONGEST_SENTENCE = 200, 4_000  # characters
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_LONG = re.compile(rf"\S{{{LONGEST_WORD + 1},}}")


def printable(sentence: str) -> str:
    """``sentence`` without what a terminal would obey, and with the middle cut out of every endless name.

    Names come from files, and files from strangers.

    >>> printable("The mask a\\x00\\x1b[2J.png is absent.")
    'The mask a\\\\x00\\\\x1b[2J.png is absent.'
    """
    plain = _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), sentence)
    plain = _LONG.sub(lambda found: f"{found[0][:140]}...{found[0][-57:]}", plain)
    return plain if len(plain) <= LONGEST_SENTENCE else plain[: LONGEST_SENTENCE - 3] + "..."


_OPTION = re.compile(r"\[\[(\w+)(?:=([^\[\]]*))?\]\]")
_FLAGS = {"path": "--out", "assets": "--asset", "changes": "--set", "metadata=False": "--no-metadata"}
_PLAIN = re.compile(r"-?[\d.]+|True|False|None|[A-Z]+")  # values that stand without quotes in Python


class Sentence(str):
    """A sentence for people that names options: ``[[steps]]``, or ``[[precision=fp32]]`` with a value.

    As text it is for Python (``steps``, ``precision='fp32'``); ``flags`` is for the command line (``--steps``,
    ``--precision fp32``).
    """

    flags: str

    def __new__(cls, marked: str) -> Sentence:
        made = super().__new__(cls, _OPTION.sub(_in_python, marked))
        made.flags = _OPTION.sub(_as_flag, marked)
        return made


def _in_python(option: re.Match[str]) -> str:
    name, value = option[1], option[2]
    if value is None:
        return name
    return f"{name}={value if _PLAIN.fullmatch(value) else repr(value)}"


def _as_flag(option: re.Match[str]) -> str:
    name, value = option[1], option[2]
    if (flag := _FLAGS.get(f"{name}={value}")) is not None:
        return flag
    flag = _FLAGS.get(name, "--" + name.replace("_", "-"))
    return flag if value in (None, "True") else f"{flag} {value}"


class ReverieError(Exception):
    """The family. ``str(error)`` is one sentence for people that names the thing and the remedy.

    Options in it are marked as in :class:`Sentence`; ``error.flags`` is the sentence for the command line.
    """

    exit_code = 1

    def __init__(self, sentence: object = "") -> None:
        said = sentence if isinstance(sentence, Sentence) else Sentence(str(sentence))
        super().__init__(printable(str(said)))
        self.flags = printable(said.flags)


class UsageError(ReverieError):
    """What was asked for cannot be: a bad option, value or combination."""

    exit_code = 2


class UnknownName(UsageError):
    """A name that does not exist; offers the nearest that do.

    >>> str(UnknownName("class", "owll", ["owl", "rose"]))
    "There is no class 'owll'; did you mean 'owl'?"
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], listing: str = "") -> None:
        names = {str(each).lower(): str(each) for each in known}
        near = [names[key] for key in difflib.get_close_matches(name.lower(), names, n=3, cutoff=0.5)]
        near += [each for key, each in names.items() if name.lower() in key and each not in near][
            : 3 - len(near)
        ]
        sentence = f"There is no {kind} {name!r}"
        if near:
            sentence += f"; did you mean {' or '.join(repr(each) for each in near)}?"
        elif listing:
            sentence += f"; {listing} lists them."
        else:
            sentence += "."
        super().__init__(sentence)
        self.kind, self.name, self.near = kind, name, near


class InputError(ReverieError):
    """A file given to Reverie cannot be used."""

    exit_code = 3


class MissingError(ReverieError):
    """Weights or an optional library that the request needs are not here."""

    exit_code = 4


class OutputError(ReverieError):
    """A result cannot be written where it should go."""

    exit_code = 5
