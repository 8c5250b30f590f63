"""What film to make: the settings of the three films. Torch-free; every default stands here once."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from reverie.errors import InputError
from reverie.recipe import read_settings, validated

Ease = Literal["linear", "cubic", "sine", "hold"]

_CLOCK = re.compile(r"(?:(\d+):)?(\d+):(\d+(?:\.\d+)?)")
_SECONDS = re.compile(r"(?=\d|\.\d)(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d*)?|\.\d+)s?)?")
_MILLISECONDS = re.compile(r"(\d+(?:\.\d+)?)ms")
_FRAMES = re.compile(r"(\d+)f")


def seconds(text: str, fps: Fraction | None = None) -> Fraction:
    """The time that ``4s``, ``1m30s``, ``1:30``, ``250ms``, ``96f`` (frames, where ``fps`` is known) or ``4`` means.

    Raises ValueError with a clause for people.
    """
    text = str(text).strip().lower()
    if fps is not None and (found := _FRAMES.fullmatch(text)):
        return int(found[1]) / fps
    if found := _MILLISECONDS.fullmatch(text):
        return Fraction(found[1]) / 1000
    found = _CLOCK.fullmatch(text) or _SECONDS.fullmatch(text)
    if found is None:
        raise ValueError(f"must be a time like 4s, 1m30s or 1:30, not {text!r}")
    hours, minutes, rest = found.groups()
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + Fraction(rest or 0)


def _fps(value: object) -> str:
    text = str(value).strip()
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not 0 < rate <= 1000:
        raise ValueError(f"must be frames per second like 24, 29.97 or 30000/1001, not {value!r}")
    return text


def _duration(value: object) -> str:
    text = str(value).strip()
    if not 0 < seconds(text) <= 1_000_000:
        raise ValueError(f"must be a time above 0, like 4s or 1m30s, not {value!r}")
    return text


def _span(value: object) -> str:
    start, dots, stop = str(value).strip().partition("..")
    try:
        empty = bool(stop) and seconds(stop) <= seconds(start or "0")
        seconds(start or "0")
    except ValueError:
        empty = True
    if not dots or empty:
        raise ValueError(f"must be a part of the clip like 10s..20s, 10s.. or ..20s, not {value!r}")
    return f"{start}..{stop}"


def _keyframes(value: object) -> tuple[str, ...]:
    """Keyframes as words; the name of a TOML file stands for what is in it."""
    words: list[str] = []
    for word in _several(value, "keyframes like '0s step_size=0.003'"):
        for part in str(word).split():
            words.extend(_from_file(Path(part)) if part.lower().endswith(".toml") else [part])
    return tuple(words)


def _several(value: object, what: str) -> list[str]:
    """The texts in ``value``, a text itself or a list of texts; ValueError where it is anything else."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list | tuple) or not all(isinstance(each, str) for each in texts):
        raise ValueError(f"must be {what}, not {value!r}")
    return list(texts)


def _from_file(path: Path) -> list[str]:
    words: list[str] = []
    for time, values in read_settings(path, "keyframe file").items():
        if time == "ease":
            words.append(f"ease={values}")
        elif isinstance(values, dict):
            words += [time, *(f"{name}={each}" for name, each in values.items())]
        else:
            raise InputError(f'{path} holds {time!r} outside any time; begin a part like ["4s"] before it.')
    return words


def _through(value: object) -> tuple[str, ...]:
    parts = tuple(_several(value, "objectives, each with its time, like 'owl for 4s'"))
    for part in parts:
        legs(part, Fraction(24))
    return parts


def legs(text: str, fps: Fraction) -> tuple[str, Fraction]:
    """Objective and length in seconds of ``owl for 4s`` or ``owl for 96f``; ValueError for anything else."""
    objective, word, time = text.rpartition(" for ")
    if not word or not objective.strip() or seconds(time, fps) <= 0:
        raise ValueError(
            f"must be an objective and its time, like 'owl for 4s' or 'owl for 96f', not {text!r}"
        )
    return objective.strip(), seconds(time, fps)


class _Film(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    moving: ClassVar[frozenset[str]] = frozenset()
    """Numbers here that keyframes may change over time."""

    @classmethod
    def of(cls, **values: Any) -> Self:
        """The settings of these values; :class:`UsageError` in one sentence."""
        return validated(cls, values)


Rate = Annotated[str, BeforeValidator(_fps)]
Duration = Annotated[str, BeforeValidator(_duration)]


class Steps(_Film):
    """The ascent itself as a film: every step of every octave, at the final size."""

    fps: Rate = Field(
        "24", description="Frames per second of the film: a number, or a ratio like 30000/1001."
    )
    duration: Duration | None = Field(
        None,
        description="Length, as in 10s: steps are blended or left out to fit; by default a frame a step.",
    )
    every: int = Field(1, ge=1, le=10_000, description="Show every n-th step alone.")
    hold: float = Field(1.0, ge=0, le=60, description="Seconds that the finished picture stays, 0 to 60.")


class _Moving(_Film):
    at: Annotated[tuple[str, ...], BeforeValidator(_keyframes)] = Field(
        (),
        description="Keyframes: a time, then what holds there, as in '--at 0s step_size=0.003 --at 4s "
        "step_size=0.01'; numbers of the recipe, of the camera and weights of the objective by name. "
        "A TOML file is read for its keyframes.",
    )
    ease: Ease = Field(
        "cubic", description="The way from one keyframe to the next: linear, cubic, sine or hold."
    )


class Zoom(_Moving):
    """The endless dive: the dream moved by a camera, and dreamt on."""

    moving: ClassVar[frozenset[str]] = frozenset(
        {"zoom", "rotate", "pan_x", "pan_y", "spiral", "period", "frame_steps", "keep"}
    )

    fps: Rate = Field("24", description="Frames per second: a number, or a ratio like 30000/1001.")
    duration: Duration = Field("10s", description="Length of the film, as in 10s or 1m30s.")
    zoom: float = Field(
        1.25, ge=0.1, le=10, description="Enlargement per second, 0.1 to 10; below 1 the camera draws back."
    )
    rotate: float = Field(0.0, ge=-360, le=360, description="Turn in degrees per second, counterclockwise.")
    pan_x: float = Field(
        0.0, ge=-2, le=2, description="Camera to the right, in short sides of the picture per second."
    )
    pan_y: float = Field(0.0, ge=-2, le=2, description="Camera downward, in short sides per second.")
    spiral: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Radius, in short sides, of the circle that the point dived into runs on, 0 to 1.",
    )
    period: float = Field(8.0, ge=0.1, le=3600, description="Seconds of one round of the spiral.")
    frame_steps: int = Field(2, ge=1, le=100, description="Steps per octave for every frame after the first.")
    keep: float = Field(
        0.5,
        ge=0,
        le=1,
        description="How firmly light, contrast, color and detail are held where the first frame had them, 0 (not) "
        "to 1.",
    )
    through: Annotated[tuple[str, ...], BeforeValidator(_through)] = Field(
        (),
        description="Objectives one after the other, each with its time, as in 'owl for 4s' (or 'owl for 96f', "
        "frames); repeat the option. After the last comes the first again.",
    )
    fade: float = Field(
        1.0, ge=0, le=600, description="Seconds of the crossfade from objective to objective."
    )
    loop: bool = Field(
        False, description="Let the film end where it begins: the first frame is met again deep in the dive."
    )


class Video(_Moving):
    """A dreamt video: what was dreamt into a frame is carried along with the motion into the next."""

    moving: ClassVar[frozenset[str]] = frozenset({"decay", "frame_steps", "keep"})

    range: Annotated[str, BeforeValidator(_span)] | None = Field(
        None, description="Part of the clip to dream, as in 10s..20s, 10s.. or ..20s."
    )
    every: int = Field(1, ge=1, le=1000, description="Dream every n-th frame alone.")
    transport: Literal["flow", "blend", "none"] = Field(
        "flow",
        description="How the dream goes on from frame to frame: along the motion (flow), in its place (blend), or "
        "not at all (none).",
    )
    decay: float = Field(
        0.9, ge=0, le=1, description="Share of the dream that goes on into the next frame, 0 to 1."
    )
    frame_steps: int = Field(
        1, ge=1, le=100, description="Steps per octave for every frame that a dream was carried into."
    )
    keep: float = Field(
        1.0,
        ge=0,
        le=1,
        description="How firmly strength and light of the dream are held where the scene began with them, 0 (not) "
        "to 1.",
    )
    cut: float = Field(
        0.5,
        ge=0,
        le=1,
        description="A scene begins anew where more than this share of a frame was not seen before, 0 to 1 (never).",
    )

    def span(self) -> tuple[Fraction, Fraction | None]:
        """Start and stop in seconds; stop is None for the clip's end."""
        start, _, stop = (self.range or "..").partition("..")
        return seconds(start or "0"), seconds(stop) if stop else None
