"""From what people write for an option to its value, or a ValueError saying what it must be. Torch-free."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from reverie.errors import UsageError
from reverie.recipe import grammar, schedule
from reverie.recipe.groups import group_texts, parse_groups


def valid_octaves(value: object) -> object:
    text = str(value).strip().lower()
    if text == "auto":
        return text
    if not text.isdecimal() or len(text) > 2 or not 1 <= int(text) <= 64:
        raise ValueError(f"must be 'auto' or a whole number from 1 to 64, not {value!r}")
    return int(text)


def valid_size(value: object) -> object:
    """'800' is a long side; '800x600' (width x height) a shape; kept as text in that form."""
    text = str(value).strip().lower()
    parts = text.split("x")
    if len(parts) > 2 or not all(
        part.isdecimal() and len(part) <= 6 and 1 <= int(part) <= 100_000 for part in parts
    ):
        raise ValueError(f"must be a long side like 1024 or WIDTHxHEIGHT like 1920x1080, not {value!r}")
    return "x".join(str(int(part)) for part in parts)


MOTIF_SIZES = {"small": 12.0, "medium": 20.0, "large": 35.0}
"""Words for the size of the largest motifs, in per cent of the picture's short side."""


def valid_motif_size(value: object) -> object:
    """A word, or per cent of the short side as in 25 or '25%'."""
    text = str(value).strip().lower()
    if text == "auto" or text in MOTIF_SIZES:
        return text
    try:
        share = float(text.removesuffix("%"))
    except ValueError:
        share = math.nan
    if not 2 <= share <= 100:
        raise ValueError(f"must be auto, small, medium, large, or per cent from 2 to 100, not {value!r}")
    return share


def valid_steps(value: object) -> object:
    what = "a whole number from 1 to 10000, or one an octave like 20,10,5"
    found = schedule.values(value, int, 1, 10_000, what)
    return found if len(found) > 1 else found[0]


def valid_step_size(value: object) -> object:
    what = "a number above 0, at most 1000, or one an octave like 0.02,0.01"
    found = schedule.values(value, float, 5e-324, 1000, what)
    return found if len(found) > 1 else found[0]


def valid_objective(value: object) -> object:
    """One text; a list, coarse first, is joined by semicolons."""
    several = isinstance(value, list | tuple) and all(isinstance(each, str) for each in value)
    return "; ".join(value) if several else value  # type: ignore[arg-type]


def valid_optimizer(value: object) -> object:
    schedule.optimizer(str(value))
    return str(value).strip()


def valid_device(value: object) -> object:
    """A device that torch may have here."""
    text = str(value).strip().lower()
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?|mps", text):
        raise ValueError(f"must be auto, cpu, cuda, cuda:N or mps, not {value!r}")
    return text


def valid_sigmas(value: object) -> object:
    return schedule.values(value, float, 0.05, 32, "numbers from 0.05 to 32 like 0.5,1")


def valid_weights(value: object) -> object:
    if value in ("", "()", (), []):
        return ()
    return schedule.values(value, float, 1e-6, 1e6, "positive numbers like 1,0.5")


def valid_odd(value: object) -> object:
    found, *others = schedule.values(value, int, 0, 255, "0 or an odd number from 3 to 255")
    if others or (found and (found % 2 == 0 or found < 3)):
        raise ValueError(f"must be 0 or an odd number from 3 to 255, not {value!r}")
    return found


def valid_guides(value: object) -> object:
    """One guide or several, each of which can be read."""
    texts = (value,) if isinstance(value, str) else value
    if not isinstance(texts, list | tuple) or not all(isinstance(each, str) for each in texts):
        raise ValueError(f"must be the text of a guide, or a list of them, not {value!r}")
    for each in texts:
        grammar.parse_guide(each)
    return tuple(texts)


def valid_tile(value: object) -> object:
    """A side in pixels, 'auto' or 'none'."""
    text = str(value).strip().lower()
    if text in ("auto", "none"):
        return text
    if not text.isdecimal() or not 16 <= int(text[:9]) <= 100_000:
        raise ValueError(f"must be 'auto', 'none' or a side in pixels from 16 to 100000, not {value!r}")
    return int(text)


_UNITS = {"": 1, "b": 1} | {
    prefix + unit: factor**power
    for power, prefix in enumerate("kmgt", 1)
    for unit, factor in (("", 1024), ("ib", 1024), ("b", 1000))
}


def valid_memory(value: object) -> object:
    """'2GiB' or '1.5 G' (of 1024), '800MB' (of 1000), or bytes; kept as bytes."""
    text = str(value).strip().lower()
    found = re.fullmatch(r"(\d{1,18}(?:\.\d{1,9})?)\s*([a-z]*)", text)
    if text != "auto" and (found is None or found[2] not in _UNITS or float(found[1]) * _UNITS[found[2]] < 1):
        raise ValueError(f"must be 'auto' or a size like 2GiB, 800MB or a number of bytes, not {value!r}")
    return text if found is None else round(float(found[1]) * _UNITS[found[2]])


def setting(text: str) -> Any:
    """The value of ``--set name=text``: JSON where it is (numbers, true), else the text itself."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return text if isinstance(value, float) and not math.isfinite(value) else value


def valid_groups(value: object) -> object:
    """A mapping of names to classes, or texts like ``pets=tabby|beagle``."""
    texts = group_texts(value) if isinstance(value, Mapping) else value
    texts = (texts,) if isinstance(texts, str) else texts
    if not isinstance(texts, list | tuple) or not all(isinstance(each, str) for each in texts):
        raise ValueError(f"must be NAME=CLASS|CLASS, as in pets=tabby|beagle, not {value!r}")
    try:
        parse_groups(texts)
    except UsageError as error:
        raise ValueError(f"must be NAME=CLASS|CLASS: {error}") from None
    return tuple(texts)
