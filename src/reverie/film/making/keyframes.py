"""Keyframes: words like ``0s step_size=0.003 4s step_size=0.01`` become a curve for each number. Torch-free."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel

from reverie.errors import UnknownName, UsageError
from reverie.film.settings import Ease, Video, Zoom, seconds
from reverie.recipe import Recipe, validated
from reverie.recipe.grammar import Target

# Numbers that a film holds fast, and why.
FIXED = {
    "seed": "all randomness follows from it and the frame's number",
    "steps": "only the first frame of a scene takes them; frame_steps says how many the others get",
    "octaves": "the sizes of a dream must stay",
    "octave_scale": "the sizes of a dream must stay",
    "smallest": "the sizes of a dream must stay",
    "motif_size": "the sizes of a dream must stay",
    "variation": "it decides what the first frame of a scene begins with",
    "above": "the sizes of a dream must stay",
    "smooth_kernel": "between two odd widths lies an even one; smooth_sigma decides the blur anyway",
    "opacity": "no film is transparent",
    "count": "a film is one picture after the other",
}


def _kinds(model: type[BaseModel], name: str) -> set[Any]:
    annotation = model.model_fields[name].annotation
    return set(get_args(annotation)) or {annotation}


NUMBERS = tuple(
    name for name in Recipe.model_fields if _kinds(Recipe, name) & {int, float} and name not in FIXED
)


def is_whole_number(model: type[BaseModel], name: str) -> bool:
    """Whether that field takes whole numbers alone."""
    return float not in _kinds(model, name)


@dataclass(frozen=True)
class Curve:
    """A number over time: ``points`` are (seconds, value, the way that leads there), rising in time."""

    points: tuple[tuple[float, float, Ease], ...]

    def at(self, time: float) -> float:
        """The value at ``time`` seconds; before the first and after the last point theirs."""
        before = self.points[0]
        for point in self.points:
            if time < point[0]:
                share = (time - before[0]) / (point[0] - before[0]) if point is not before else 0.0
                return before[1] + _eased(share, point[2]) * (point[1] - before[1])
            before = point
        return before[1]


def _eased(share: float, ease: Ease) -> float:
    if ease == "cubic":
        return share * share * (3 - 2 * share)
    if ease == "sine":
        return 0.5 - 0.5 * math.cos(math.pi * share)
    return share if ease == "linear" else 0.0


def term_label(target: Target) -> str:
    """What keyframes call a term: its name, with a channel's number or the other classes behind it."""
    name = "|".join((target.name, *target.others))
    name = name if target.last is None else f"{name}..{target.last}"
    name = name if target.channel is None else f"{name}:{target.channel}"
    return f"{target.function}({name})" if target.function else name


def curves(settings: Zoom | Video, recipe: Recipe, targets: list[Target]) -> Mapping[str, Curve]:
    """A curve for every number that the keyframes of ``settings`` name.

    Where no keyframe stands at the start, the number sets out from the recipe's or the setting's own value.
    Raises :class:`UsageError` in one sentence for what cannot be read or cannot change.
    """
    terms = {term_label(target): target for target in targets}
    found: dict[str, dict[float, tuple[float, Ease]]] = {}
    time, ease = None, settings.ease
    for word in settings.at:
        name, mark, text = word.partition("=")
        if not mark:
            time, ease = _time(word, settings), settings.ease
        elif name == "ease":
            if text not in get_args(Ease):
                raise UnknownName("ease", text, get_args(Ease))
            ease = text  # type: ignore[assignment]
            settings = settings if time is not None else settings.model_copy(update={"ease": text})
        elif time is None:
            raise UsageError(f"A time is missing before {word!r}; write [[at]] 4s {word}.")
        else:
            name = name.replace("-", "_") if name not in terms else name
            found.setdefault(name, {})[time] = (_value(name, text, settings, terms), ease)
    made = {}
    for name, points in found.items():
        if min(points) > 0:
            points = {0.0: (_own(name, settings, recipe, terms), settings.ease), **points}
        made[name] = Curve(tuple((time, *points[time]) for time in sorted(points)))
    return made


def _time(word: str, settings: Zoom | Video) -> float:
    try:
        return float(seconds(word))
    except ValueError as error:
        raise UsageError(
            f"[[at]] {error}; then comes what holds there, as in [[at]] 4s step_size=0.01."
        ) from None


def _value(name: str, text: str, settings: Zoom | Video, terms: Mapping[str, Target]) -> float:
    known = (*sorted(settings.moving), *NUMBERS, *terms)
    if name in FIXED:
        raise UsageError(f"{name} cannot change over time: {FIXED[name]}.")
    if name not in known:
        if name in Recipe.model_fields or name in type(settings).model_fields:
            raise UsageError(f"{name} cannot change over time; keyframes take {', '.join(known)}.")
        raise UnknownName("number that keyframes could change", name, known)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UsageError(f"[[at]] {name}={text} is no number; write {name}=0.5.")
    if name in terms:
        return value
    model = type(settings) if name in settings.moving else Recipe
    if is_whole_number(model, name) and not value.is_integer():
        raise UsageError(f"[[at]] {name}={text} must be a whole number.")
    validated(model, {name: int(value) if is_whole_number(model, name) else value})
    return value


def _own(name: str, settings: Zoom | Video, recipe: Recipe, terms: Mapping[str, Target]) -> float:
    if name in terms:
        return terms[name].weight
    value = getattr(settings if name in settings.moving else recipe, name)
    if not isinstance(value, int | float):
        raise UsageError(f"{name} has no single number to set out from; write [[at]] 0s {name}=... too.")
    return float(value)
