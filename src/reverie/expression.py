"""The text form of objectives: ``0.7*owl + 0.3*stage3`` becomes plain data. Torch-free.

::

    objective := [+|-] term { (+|-) term }
    term      := [number *] target            a weight in front; 1 when left out
    target    := [layer:|class:|channel:] name [: channel]  |  class | class | ...
    name      := word | "quoted" | 'quoted' | number | name..number
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

from reverie.errors import UsageError

Kind = Literal["layer", "class", "channel", ""]

_TOKEN = re.compile(
    r"""\s*(?:(?P<quoted>"[^"]*"|'[^']*')"""
    r"""|(?P<number>\d+\.\d*(?:[eE][+-]?\d+)?(?![\w.])|\.\d+(?![\w.])|\d+[eE][+-]?\d+(?![\w.])|\d+(?![\w.]))"""
    r"""|(?P<range>\.\.)|(?P<word>[^\s"'*:+\-|]+)|(?P<mark>[*:+\-|]))"""
)


@dataclass(frozen=True)
class Target:
    """One term as written: its weight, what kind of thing it says it is, its name, its channel.

    ``kind`` is empty for a bare word: tried as layer, then as class. ``last`` ends a range of
    integer layers (``features.5..12``), both ends included. ``others`` are further classes of
    which each place may choose one (``owl|rose|castle``).
    """

    weight: float
    kind: Kind
    name: str
    channel: int | None = None
    last: int | None = None
    others: tuple[str, ...] = ()

    def names(self) -> tuple[str, ...]:
        """The single names of a range, or just the name."""
        if self.last is None:
            return (self.name,)
        stem, _, first = self.name.rpartition(".")
        prefix = f"{stem}." if stem else ""
        return tuple(f"{prefix}{number}" for number in range(int(first), self.last + 1))


def parse(text: str) -> tuple[Target, ...]:
    """Read an objective; raises :class:`UsageError` with one sentence that points at the fault.

    >>> parse("0.7*owl + 0.3*stage3")[1]
    Target(weight=0.3, kind='', name='stage3', channel=None, last=None, others=())
    """
    return _Reader(text).targets()


class _Reader:
    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.tokens: list[tuple[str, str]] = []
        position, end = 0, len(text.rstrip())
        while position < end:
            match = _TOKEN.match(text, position)
            if match is None or match.lastgroup is None:
                raise self.wrong(f"{text[position:].strip()[:20]!r} cannot be read (an open quote?)")
            self.tokens.append((match.lastgroup, match[match.lastgroup]))
            position = match.end()

    def wrong(self, what: str) -> UsageError:
        return UsageError(f"The objective {self.text!r} cannot be read: {what}.")

    def peek(self, value: str, ahead: int = 0) -> bool:
        at = self.at + ahead
        return at < len(self.tokens) and self.tokens[at] == ("mark", value)

    def take(self) -> tuple[str, str]:
        if self.at >= len(self.tokens):
            raise self.wrong("it ends where a name should stand")
        self.at += 1
        return self.tokens[self.at - 1]

    def targets(self) -> tuple[Target, ...]:
        if not self.tokens:
            raise UsageError(
                "The objective is empty; name a layer or a class, for example 'stage3' or 'owl'."
            )
        found: list[Target] = []
        while self.at < len(self.tokens):
            sign = 1.0
            if self.peek("+") or self.peek("-"):
                sign = -1.0 if self.take()[1] == "-" else 1.0
            elif found:
                raise self.wrong(f"between terms a + or - is missing before {self.tokens[self.at][1]!r}")
            found.append(self.term(sign))
        return tuple(found)

    def term(self, sign: float) -> Target:
        weight = 1.0
        if self.at < len(self.tokens) and self.tokens[self.at][0] == "number" and self.peek("*", 1):
            weight = float(self.take()[1])
            self.take()
        if not math.isfinite(weight) or weight == 0:
            raise self.wrong("a weight must be a finite number other than 0")
        kind: Kind = ""
        group, name = self.take()
        if group == "word" and name in ("layer", "class", "channel") and self.peek(":"):
            kind = name  # type: ignore[assignment]
            self.take()
            group, name = self.take()
        if group in ("mark", "range"):
            raise self.wrong(f"a name is missing before {name!r}")
        if group == "quoted":
            name = name[1:-1]
        last = None
        if group == "word" and ".." in name:
            name, last = self.span(name)
        channel = None
        if self.peek(":"):
            self.take()
            group, number = self.take()
            if group != "number" or not _whole(number):
                raise self.wrong(f"after ':' the number of a channel must stand, not {number!r}")
            channel = int(number)
        if channel is None and kind == "channel":
            raise self.wrong(f"'channel:{name}' needs the number of a channel, as in 'channel:{name}:42'")
        if channel is not None and kind == "class":
            raise self.wrong(f"the class {name!r} has no channels")
        others = []
        while self.peek("|"):
            self.take()
            others.append(self.alternative())
        if others and (channel is not None or last is not None or kind == "layer"):
            raise self.wrong("only classes can be joined by '|'")
        return Target(sign * weight, "class" if others else kind, name, channel, last, tuple(others))

    def alternative(self) -> str:
        group, name = self.take()
        if group == "word" and name == "class" and self.peek(":"):
            self.take()
            group, name = self.take()
        if group in ("mark", "range") or (group == "word" and ".." in name):
            raise self.wrong(f"after '|' the name of a class must stand, not {name!r}")
        return name[1:-1] if group == "quoted" else name

    def span(self, word: str) -> tuple[str, int]:
        first, _, last = word.partition("..")
        start = first.rpartition(".")[2]
        if not (_whole(start) and _whole(last) and int(start) <= int(last) < int(start) + 1000):
            raise self.wrong(f"{word!r} is no range of layers; write it like 'features.5..12'")
        return first, int(last)


def _whole(text: str) -> bool:
    """Whether ``text`` is a whole number that anybody would use."""
    return text.isdecimal() and len(text) <= 9
