"""Guides that move: a video as a picture that goes on with the film, its frame at the film's time."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from torch import Tensor

from reverie import files
from reverie.errors import InputError, MissingError
from reverie.files import Photo
from reverie.files.decoding import is_video
from reverie.film.reading.clip import Clip
from reverie.jobs import sources
from reverie.recipe import Recipe, merged


@dataclass(frozen=True, eq=False)
class Moving(Photo):
    """A video among pictures: its first frame, and the ``clip`` whose frames come after it."""

    clip: Clip = field(kw_only=True)


def open_guide(source: Any, max_pixels: int = files.MAX_PIXELS) -> Photo:
    """Open a guide: :class:`Moving` for the path of a video or an animated GIF, else a still picture."""
    return moving(source) or sources.opened(source, max_pixels)


def moving(source: Any) -> Moving | None:
    """The video at a path; None for anything else. Raises :class:`InputError` for one that cannot be read."""
    if not isinstance(source, str | Path) or not os.path.isfile(source):
        return None
    try:
        clip = Clip(source)
    except (InputError, MissingError):
        with open(source, "rb") as file:
            if is_video(file.read(128)):
                raise
        return None  # whoever reads pictures says what is wrong with it
    if clip.count == 1 and clip.path.suffix.lower() in files.READS:
        return None
    first = next(clip.frames())[1]
    return Moving(first, None, None, clip.digest(), tuple(clip.notes), str(source), clip=clip)


def moving_guides(options: Mapping[str, Any], known: Mapping[str, sources.Photos]) -> dict[str, sources.Photos]:
    """``known`` and every guide that moves among those named in ``options`` of :func:`reverie.job`, by path."""
    values = {name: options[name] for name in options.keys() & Recipe.model_fields.keys() - {"network"}}
    wanted = merged(options.get("preset"), options.get("recipe"), sources.with_handed_in(values)[0])
    named = {file for role, file in wanted.files() if role == "guide"} - known.keys()
    return {**known, **{file: (found,) for file in named if (found := moving(file)) is not None}}


class Projector:
    """The frame of ``clip`` at a time of the film; behind its end it begins anew. Times asked for should rise."""

    def __init__(self, clip: Clip) -> None:
        self._clip, self._round, self._asked = clip, -1, Fraction(0)
        self._length = clip.timing.end if clip.timing.end > 0 else None
        self._shown: Tensor | None = None

    def at(self, time: Fraction) -> Tensor:
        """The image [1, 3, H, W] in 0..1 that is shown at ``time``, in seconds; the same tensor while it stays."""
        turn, time = divmod(time, self._length) if self._length else (0, time)
        if turn != self._round or time < self._asked:
            self._round, self._frames = turn, self._clip.undeveloped()
            self._next, self._shown = next(self._frames, None), None
        self._asked, passed = time, None
        while self._next is not None and (self._next[0] <= time or (self._shown is None and passed is None)):
            passed, self._next = self._next, next(self._frames, None)
        if passed is not None:
            self._shown = passed[1]()
        assert self._shown is not None  # a clip has a frame
        return self._shown
