"""The text forms of what changes from octave to octave, and of optimizers. Torch-free.

::

    steps = 20,10,5               one value an octave, coarse first; the last one holds for all that follow
    objective = owl; stage2       likewise
    optimizer = adam betas=0.9,0.99 weight_decay=0.01
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, TypeVar

V = TypeVar("V")

Number = int | float
FEWEST = 6  # steps of a tapered octave: with fewer the jitter leaves grain
_NAME = re.compile(r"[A-Za-z_]\w*")


def values(
    value: object, read: Callable[[str], Number], low: Number, high: Number, what: str
) -> tuple[Any, ...]:
    """Numbers from ``low`` to ``high`` in a list or a text like ``20,10,5``; else ValueError: they must be ``what``."""
    # A list may hold texts: that is how an option comes that may be repeated.
    text = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    parts = text.strip(" ()[]").removesuffix(",").split(",")
    try:
        found = [read(part.strip()) for part in parts]
    except ValueError:
        found = []
    if not found or len(found) > 64 or not all(math.isfinite(each) and low <= each <= high for each in found):
        raise ValueError(f"must be {what}, not {value!r}")
    return tuple(found)


def at_octave(each: V | tuple[V, ...], octave: int) -> V:
    """The value of an octave, 0 the coarsest: ``each`` itself, or its entry, the last one from there on."""
    return each[min(octave, len(each) - 1)] if isinstance(each, tuple) else each


def adaptive(steps: int, level: int) -> tuple[int, float]:
    """Steps, and a factor on the step size, of the ``level``-th octave counted from the finest, which is 1.

    The schedule of Lassa30's deepdreaming: max(n, floor(n log2 k)) steps at a rate of 1.2^-(k-1).
    """
    return max(steps, math.floor(steps * math.log2(level))), 1.2 ** -(level - 1)


def tapered(steps: int, strength: float) -> int:
    """Steps of an octave that is to go ``strength`` times as far as the first: as many as go there in strides like
    the first's, but no fewer than :data:`FEWEST`, and no more than ``steps``."""
    return min(steps, max(FEWEST, round(steps * strength)))


def objectives(text: str) -> tuple[str, ...]:
    """The objective texts of the octaves, coarse first: ``text`` cut at every semicolon outside quotes."""
    found, quote = [""], ""
    for letter in text:
        if letter == ";" and not quote:
            found.append("")
            continue
        if letter in "\"'" and quote in ("", letter):
            quote = "" if quote else letter
        found[-1] += letter
    return tuple(each.strip() for each in found)


def optimizer(text: str) -> tuple[str, dict[str, Any]]:
    """Name and options of ``adam betas=0.9,0.99 nesterov=true``; ValueError when it is not written so."""
    name, *pairs = text.split() or [""]
    options: dict[str, Any] = {}
    for pair in pairs:
        key, _, value = pair.partition("=")
        if not _NAME.fullmatch(key) or not value:
            raise ValueError("must be a name and options, as in 'adam betas=0.9,0.99 eps=1e-6'")
        options[key] = _value(value)
    if not _NAME.fullmatch(name):
        raise ValueError("must be 'ascent' or the name of an optimizer, as in 'adam' or 'sgd momentum=0.9'")
    return name, options


def _value(text: str) -> Any:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        found = tuple(float(part) for part in text.strip("()").split(","))
    except ValueError:
        found = (math.nan,)
    if not all(map(math.isfinite, found)):
        raise ValueError(f"must give its options as numbers, true or false, unlike {text!r},")
    return found if len(found) > 1 else found[0]
