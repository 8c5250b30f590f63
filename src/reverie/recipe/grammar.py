"""The text form of objectives: ``0.7*owl + 0.3*stage3`` becomes plain data. Torch-free.

::

    objective := [+|-] term { (+|-) term }
    term      := [number *] target { | class-or-mask }        the weight is 1 when left out
    target    := [layer:|class:|channel:] name [: channel [@ y , x]]
               | group : name
               | function ( name [: channel] {, argument} )
    name      := word | "quoted" | 'quoted' | number | name..number       a quote in quotes is doubled
    guide     := file [@ layer {+ layer}] [* number] [| mask]

``default`` is the layer that a network dreams by default; ``| mask.png`` is where a term counts; ``owl|rose`` lets each
place choose a class, and so does ``group:dogs``, which is many. ``y, x`` are fractions of height and width. The
functions are those of ``FUNCTIONS``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from reverie.errors import UnknownName, UsageError
from reverie.recipe.functions import FUNCTIONS

TargetKind = Literal["layer", "class", "channel", ""]
Role = Literal["guide", "mask"]

DEFAULT = "default"
"""The word for the layer that a network dreams by default, the first where there are several."""

GROUP = "group"
"""The word before the name of a group of classes."""

GREATEST = 1e12
"""Weights lie between this and its inverse: single precision must bear their squares."""

PYTHON = "python:"
"""How a Record begins the name of a value that was handed in from Python, and that no text can describe."""

_UNQUOTED = re.compile(
    r"[^\s\"'|,()+*:;@]+-[^\s\"'|,()]*\.(?:png|jpe?g|jpe|jfif|webp|tiff?|bmp|gif|avif|hei[cf])(?![\w.])", re.IGNORECASE
)
"""The name of a picture with a hyphen in it, which would be read as a minus."""

_PICTURE = re.compile(r"\.(?:png|jpe?g|jpe|jfif|webp|tiff?|bmp|gif|avif|hei[cf])$", re.IGNORECASE)
_NUMBER = r"\d+\.\d*(?:[eE][+-]?\d+)?(?![\w.])|\.\d+(?![\w.])|\d+[eE][+-]?\d+(?![\w.])|\d+(?![\w.])"
_NAME = re.compile(r"\s*[^\W\d][\w'.-]*(?:\s+[\w'.-]+)+\s*")
_TOKEN = re.compile(
    rf"""\s*(?:(?P<quoted>"(?:[^"]|"")*"|'(?:[^']|'')*')|(?P<number>{_NUMBER})"""
    rf"""|(?P<group>{GROUP}:[^\W\d]\w*(?:-\w+)*)"""
    r"""|(?P<range>\.\.(?!/))|(?P<word>[^\s"'*:+\-|(),@]+)|(?P<mark>[*:+\-|(),@]))"""
)
_QUOTED = r""""(?:[^"]|"")+"|'(?:[^']|'')+'"""
_GUIDE = re.compile(
    rf"""\s*(?P<file>{_QUOTED}|[^"'\s@*|](?:[^|]*?[^\s@*|])?)\s*(?:@\s*(?P<layer>{_QUOTED}|[^@*|"']+?)\s*)?"""
    r"""(?:\*\s*(?P<weight>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*)?"""
    rf"""(?:\|\s*(?P<mask>{_QUOTED}|[^|"']+?)\s*)?"""
)


@dataclass(frozen=True)
class Target:
    """One term as written: its weight, what kind of thing it says it is, its name, its channel.

    ``kind`` is empty for a bare word: tried as layer, then as class. A group is a class whose name is ``group:dogs``.
    ``last`` ends a range of integer layers (``features.5..12``), both ends included. ``others`` are further classes of
    which each place may choose one (``owl|rose|castle``). ``place`` is that of a neuron, y and x as fractions
    of height and width; ``function`` is one of ``FUNCTIONS`` with its ``arguments``; ``mask`` is the file that says
    where the term counts.
    """

    weight: float
    kind: TargetKind
    name: str
    channel: int | None = None
    last: int | None = None
    others: tuple[str, ...] = ()
    place: tuple[float, float] | None = None
    function: str = ""
    arguments: tuple[float | str, ...] = ()
    mask: str = ""

    def names(self) -> tuple[str, ...]:
        """The single names of a range, or just the name."""
        if self.last is None:
            return (self.name,)
        stem, _, first = self.name.rpartition(".")
        prefix = f"{stem}." if stem else ""
        return tuple(f"{prefix}{number}" for number in range(int(first), self.last + 1))

    def text(self) -> str:
        """The term as text that :func:`parse_objective` reads back."""
        name = _quoted(self.name) if self.last is None else f"{self.name}..{self.last}"
        inner = f"{self.kind}:{name}" if self.kind else name
        inner += "" if self.channel is None else f":{self.channel}"
        inner += "" if self.place is None else f"@{self.place[0]!r},{self.place[1]!r}"
        inner += "".join(f"|{_quoted(each)}" for each in self.others)
        if self.function:
            given = (_quoted(each) if isinstance(each, str) else f"{each:g}" for each in self.arguments)
            inner = f"{self.function}({', '.join((inner, *given))})"
        inner += f"|{_quoted(self.mask)}" if self.mask else ""
        return f"{'-' if self.weight < 0 else '+'} {abs(self.weight)!r}*{inner}"


@dataclass(frozen=True)
class Guide:
    """A guide as written: its picture or folder of pictures, its layer or several joined by +, weight and mask.

    Layer and mask are "" where none is named.
    """

    file: str
    layer: str = ""
    weight: float = 1.0
    mask: str = ""

    def text(self) -> str:
        """The guide as text that :func:`parse_guide` reads back."""
        layer = f"@{_quoted(self.layer)}" if self.layer else ""
        weight = f"*{self.weight!r}" if self.weight != 1 else ""
        return f"{_quoted(self.file)}{layer}{weight}" + (f"|{_quoted(self.mask)}" if self.mask else "")


def parse_guide(text: str) -> Guide:
    """Read a guide, ``flowers.jpg@stage3*0.5|left.png``; :class:`UsageError` in one sentence.

    >>> parse_guide("flowers.jpg@stage3*0.5")
    Guide(file='flowers.jpg', layer='stage3', weight=0.5, mask='')
    """
    found = _GUIDE.fullmatch(text)
    if found is None:
        raise UsageError(
            f"The guide {text!r} cannot be read; write FILE, FILE@LAYER, FILE@LAYER*WEIGHT or FILE@LAYER|MASK, with "
            "quotes around a name that contains such marks."
        )
    weight = float(found["weight"] or 1)
    if not 1 / GREATEST <= abs(weight) <= GREATEST:
        raise UsageError(
            f"The guide {text!r} has the weight {found['weight']}; give a number from {1 / GREATEST:g} to {GREATEST:g}."
        )
    return Guide(_plain(found["file"]), _plain(found["layer"]), weight, _plain(found["mask"]))


def files(targets: Iterable[Target], guides: Iterable[Guide] = ()) -> tuple[tuple[Role, str], ...]:
    """Every picture that these terms and guides need, as written, with what it is needed for; none twice."""
    found: list[tuple[Role, str]] = []
    for target in targets:
        found += [("guide", each) for each in target.arguments if isinstance(each, str)]
        found += [("mask", target.mask)] if target.mask else []
    for each in guides:
        found += [("guide", each.file)]
        found += [("mask", each.mask)] if each.mask else []
    return tuple(dict.fromkeys(found))


def parse_objective(text: str) -> tuple[Target, ...]:
    """Read an objective; raises :class:`UsageError` with one sentence that points at the fault.

    >>> parse_objective("0.7*owl + 0.3*stage3")[1].name
    'stage3'
    """
    if text.strip().startswith(PYTHON):
        raise UsageError(f"The objective {text.strip()} is a value made in Python; hand it in again as objective=.")
    return _Reader(text).targets()


def weighted_text(targets: Mapping[str, float]) -> str:
    """``{"stage3": 1, "owl": -0.5}`` as the text of an objective; raises :class:`UsageError` for other weights."""
    for name, weight in targets.items():
        if not isinstance(name, str) or not isinstance(weight, int | float):
            raise UsageError(f"An objective that is a mapping has names and numbers, not {name!r}: {weight!r}.")
        if not 1 / GREATEST <= abs(weight) <= GREATEST:
            raise UsageError(
                f"The weight of {name!r} must be a number from {1 / GREATEST:g} to {GREATEST:g} or its negative, "
                f"not {weight:g}."
            )
    return " ".join(f"{'-' if weight < 0 else '+'} {abs(weight)!r}*{named(name)}" for name, weight in targets.items())


def named(text: str) -> str:
    """``text`` as an objective; words that are none (``green snake``) are taken for the name of a class."""
    try:
        parse_objective(text)
    except UsageError:
        if ";" in text:  # one text an octave: schedule.objectives
            return text
        if not _NAME.fullmatch(text):
            raise
        return f'class:"{text.strip()}"'
    return text


class _Reader:
    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.tokens: list[tuple[str, str]] = []
        if file := _UNQUOTED.search(re.sub(_QUOTED, lambda quote: " " * len(quote[0]), text)):
            raise self.wrong(f'a - parts two terms; put the file name in quotes, "{file[0]}"')
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

    def passed(self, value: str) -> bool:
        """Whether that mark stands here; if so, it is read."""
        here = self.peek(value)
        self.at += here
        return here

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
        if not 1 / GREATEST <= weight <= GREATEST:
            raise self.wrong(f"a weight must be a number from {1 / GREATEST:g} to {GREATEST:g}, not {weight:g}")
        called = self.at < len(self.tokens) and self.tokens[self.at][0] == "word" and self.peek("(", 1)
        made = self.call() if called else self.target()
        others, mask = list(made.others), ""
        while self.passed("|"):
            if mask:
                raise self.wrong(f"behind the mask {mask!r} nothing more can be joined by '|'")
            name, is_mask = self.alternative()
            if is_mask:
                mask = name
            elif made.function:
                raise self.wrong(f"behind {made.function}(...) only a mask can stand after '|', not {name!r}")
            else:
                others.append(name)
        if len(others) > len(made.others) and not self.class_like(made):
            raise self.wrong("only classes can be joined by '|'")
        kind: TargetKind = "class" if others and not made.function else made.kind
        return replace(made, weight=sign * weight, kind=kind, others=tuple(others), mask=mask)

    def class_like(self, made: Target) -> bool:
        return made.channel is None and made.last is None and made.kind != "layer" and not made.place

    def target(self) -> Target:
        kind: TargetKind = ""
        group, name = self.take()
        if group == "word" and name in ("layer", "class", "channel") and self.peek(":"):
            kind = name  # type: ignore[assignment]
            self.take()
            group, name = self.take()
        if group in ("mark", "range"):
            raise self.wrong(f"a name is missing before {name!r}")
        if not kind and (group == "group" or (group == "word" and name == GROUP and self.peek(":"))):
            kind, name, group = "class", name if group == "group" else self.group(), "quoted"
        elif group == "quoted":
            name = _plain(name)
        elif group == "word" and kind in ("", "class"):
            # Several words are the name of a class, as people write it: green snake.
            while self.at < len(self.tokens) and self.tokens[self.at][0] == "word" and not self.peek("(", 1):
                name, kind = f"{name} {self.take()[1]}", "class"
        last = None
        if group == "word" and ".." in name:
            name, last = self.span(name)
        channel = None
        if self.passed(":"):
            group, number = self.take()
            if group != "number" or not _whole(number):
                raise self.wrong(f"after ':' the number of a channel must stand, not {number!r}")
            channel = int(number)
        if channel is None and kind == "channel":
            raise self.wrong(f"'channel:{name}' needs the number of a channel, as in 'channel:{name}:42'")
        if channel is not None and kind == "class":
            raise self.wrong(f"the class {name!r} has no channels")
        place = self.place(name, channel) if self.passed("@") else None
        return Target(1.0, kind, name, channel, last, place=place)

    def group(self) -> str:
        """``group:NAME``, whose first word has been read."""
        self.take()
        kind, name = self.take()
        if kind not in ("word", "quoted"):
            raise self.wrong(f"after 'group:' the name of a group must stand, not {name!r}")
        return f"{GROUP}:{_plain(name) if kind == 'quoted' else name}"

    def place(self, name: str, channel: int | None) -> tuple[float, float]:
        if channel is None:
            raise self.wrong(f"a place belongs to a channel, as in '{name}:42@0.5,0.5'")
        found: list[float] = []
        for _ in "yx":
            if found and not self.passed(","):
                break
            group, text = self.take()
            if group != "number" or float(text) > 1:
                break
            found.append(float(text))
        if len(found) < 2:
            raise self.wrong(
                f"after '@' two fractions of height and width from 0 to 1 must stand, as in '{name}:{channel}@0.5,0.25'"
            )
        return found[0], found[1]

    def call(self) -> Target:
        """``function(name, argument, ...)``; the tokens up to the bracket are known to be there."""
        function = self.take()[1]
        self.take()
        if function not in FUNCTIONS:
            known = [name for name, row in FUNCTIONS.items() if row.of != "image"]
            raise UnknownName("function", function, known, "docs/objectives.md")
        made, others, arguments = self.target(), [], list[float | str]()
        if made.place is not None:
            raise self.wrong(f"{function}(...) takes no place")
        while self.passed("|"):
            name, is_mask = self.alternative()
            if is_mask:
                raise self.wrong(f"the mask {name!r} must stand behind {function}(...)")
            others.append(name)
        while self.passed(","):
            group, text = self.take()
            if group in ("mark", "range"):
                raise self.wrong(f"an argument of {function}(...) is missing before {text!r}")
            arguments.append(float(text) if group == "number" else _plain(text) if group == "quoted" else text)
        if not self.passed(")"):
            raise self.wrong(f"{function}( is not closed; write {FUNCTIONS[function].example}")
        made = replace(made, function=function, others=tuple(others), arguments=tuple(arguments))
        self.check(made)
        return made

    def check(self, made: Target) -> None:
        """Refuse a call whose arguments do not suit its function."""
        row = FUNCTIONS[made.function]
        numbers = [each for each in made.arguments if not isinstance(each, str)]
        words = [each for each in made.arguments if isinstance(each, str)]
        about = self.class_like(made) if row.of == "class" else made.kind != "class" and not made.others
        fits = (
            row.of != "image"
            and row.fits(numbers, words)
            and all(math.isfinite(each) for each in numbers)
            and (not words or isinstance(made.arguments[0], str))
            and (made.channel is not None) == (row.of == "channel")
            and about
        )
        if not fits:
            raise self.wrong(f"{made.function}(...) is written like {row.example}")

    def alternative(self) -> tuple[str, bool]:
        """What stands behind '|', and whether it is the file of a mask."""
        group, name = self.take()
        if group == "group" or (group == "word" and name == GROUP and self.peek(":")):
            return name if group == "group" else self.group(), False
        if group == "word" and name == "class" and self.passed(":"):
            group, name = self.take()
        text = _plain(name) if group == "quoted" else name
        if group in ("word", "quoted") and _PICTURE.search(text):
            return text, True
        if group in ("mark", "range") or (group == "word" and ".." in name):
            raise self.wrong(
                f"after '|' the name of a class or the file of a mask must stand, not {name!r} (quotes around a "
                "name with other marks in it)"
            )
        return text, False

    def span(self, word: str) -> tuple[str, int]:
        first, _, last = word.partition("..")
        start = first.rpartition(".")[2]
        if not (_whole(start) and _whole(last) and int(start) <= int(last) < int(start) + 1000):
            raise self.wrong(f"{word!r} is no range of layers; write it like 'features.5..12'")
        return first, int(last)


def _whole(text: str) -> bool:
    """Whether ``text`` is a whole number that anybody would use."""
    return text.isdecimal() and len(text) <= 9


def _plain(text: str | None) -> str:
    """A name without its quotes, of which it has two where one is meant; "" for none."""
    text = text or ""
    return text[1:-1].replace(text[0] * 2, text[0]) if text[:1] in ("'", '"') else text


def _quoted(name: str) -> str:
    """A name in quotes; of the two kinds the one that is not in it, or doubled there."""
    quote = "'" if '"' in name and "'" not in name else '"'
    return quote + name.replace(quote, quote * 2) + quote
