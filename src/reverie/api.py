"""Few-argument calls for people: a path or an array in, a Picture out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Unpack, overload

import numpy as np
import torch

from reverie.errors import UsageError
from reverie.jobs.checkpoint import Checkpoint
from reverie.jobs.job import Job, job
from reverie.jobs.options import DreamKeywords, GuidedKeywords, VisualizeKeywords, Wanted
from reverie.jobs.picture import Picture
from reverie.jobs.replaying import replay
from reverie.jobs.sources import Handed, Source
from reverie.loop.render import Frame
from reverie.recipe.grammar import named
from reverie.recipe.presets import all_presets

__all__ = ["Job", "Picture", "dream", "dream_guided", "job", "presets", "replay", "visualize"]

Several = list[Any] | tuple[Any, ...]
OnFrame = Callable[[Frame], None] | None


@overload
def dream(
    source: Source = None,
    *,
    on_frame: OnFrame = None,
    resume: str | Path | None = None,
    **options: Unpack[DreamKeywords],
) -> Picture: ...
@overload
def dream(
    source: Source = None,
    *,
    count: int,
    on_frame: OnFrame = None,
    resume: str | Path | None = None,
    **options: Unpack[DreamKeywords],
) -> list[Picture]: ...
@overload
def dream(
    source: Several,
    *,
    count: int = 1,
    on_frame: OnFrame = None,
    resume: None = None,
    **options: Unpack[DreamKeywords],
) -> list[Picture]: ...
def dream(
    source: Any = None,
    *,
    on_frame: OnFrame = None,
    resume: str | Path | None = None,
    **options: Any,
) -> Picture | list[Picture]:
    """Dream a picture and return it.

    ``source`` is a path, a uint8 or float array [H, W, 3], a tensor [3, H, W] or [1, 3, H, W] in 0..1, a Pillow image,
    or None for noise. Of several, in a list, an array [B, H, W, 3] or a tensor [B, 3, H, W], each is dreamt in turn,
    and a list comes back; ``count=3`` gives a list of three dreams of one source.

    ``objective`` is a text like ``"0.7*owl + stage3"``, a mapping of such names to weights, or an
    :class:`reverie.Objective`; ``transform``, ``rule`` and ``param`` stand in for what the options say of them. Other
    ``options`` are the fields of :class:`reverie.Recipe` (``steps=20``, ...) and of :class:`reverie.Run`, and
    ``preset``, ``recipe``, ``preview``, ``network``. ``on_frame`` sees every step. ``resume`` names a file to keep what
    is done in, octave by octave, and to go on from where an earlier call was killed; it is gone when the picture is
    done. Raises :class:`reverie.ReverieError`, one sentence, for whatever cannot be.

    >>> dream("photo.jpg", objective="owl").save("out.png")  # doctest: +SKIP
    """
    if (several := _several(source)) is not None:
        if resume is not None:
            raise UsageError("resume keeps one dream; of several sources dream each by itself.")
        made = [dream(each, on_frame=on_frame, **options) for each in several]
        return [one for each in made for one in (each if isinstance(each, list) else [each])]
    with torch.inference_mode(False):  # in a caller's there would be nothing to differentiate
        work = job(source, **options)
        checkpoint = Checkpoint(resume, work.record) if resume is not None else None
        for frame in work.frames(checkpoint):
            if on_frame is not None:
                on_frame(frame)
            if not frame.last:
                del frame  # nobody holds it while the next is made
        if checkpoint:
            checkpoint.remove()
        # A plan has at least one step.
        return (
            work.pictures(frame)
            if "count" in options or work.record.recipe.count > 1
            else work.picture(frame)
        )


def _several(source: Any) -> Iterable[Any] | None:
    """The sources in a list, or in an array or tensor of several pictures; None for a single one."""
    if isinstance(source, list | tuple):
        return source
    batch = isinstance(source, np.ndarray | torch.Tensor) and source.ndim == 4 and len(source) > 1
    return list(source) if batch else None


def dream_guided(
    source: Source,
    guide: Source | Sequence[Source],
    *,
    layer: str = "",
    weight: float = 1.0,
    **options: Unpack[GuidedKeywords],
) -> Picture:
    """Dream the forms of ``guide`` into ``source``: each place becomes more like the best match in the guide.

    ``guide`` is a picture like ``source``, a folder of pictures, or a list of them; ``layer`` (several joined by +)
    where they are compared, by default the network's own for guides. Options are those of :func:`dream`; with an
    ``objective`` that is dreamt too. DeepDream: Mordvintsev, Olah & Tyka 2015.

    >>> dream_guided("sky.jpg", "flowers.jpg").save("out.png")  # doctest: +SKIP
    """
    several = list(guide) if isinstance(guide, list | tuple) else [guide]
    if not several or any(each is None for each in several):
        raise UsageError("A guided dream needs a guide: a path, an array, a tensor or a Pillow image.")
    return dream(source, guide=[Handed(each, layer, weight) for each in several], **options)


@overload
def visualize(
    objective: Wanted = "", source: Source = None, **options: Unpack[VisualizeKeywords]
) -> Picture: ...
@overload
def visualize(
    objective: Wanted = "", source: Source = None, *, count: int, **options: Unpack[VisualizeKeywords]
) -> list[Picture]: ...
def visualize(objective: Wanted = "", source: Source = None, **options: Any) -> Picture | list[Picture]:
    """What the network means by ``objective``, drawn from noise, or out of ``source`` (feature accentuation).

    A :func:`dream` with the defaults of the preset ``visualize``, or ``accentuate`` where there is a source.
    Olah et al. 2017; Hamblin et al. 2024.

    >>> visualize("owl").save("owl.png")  # doctest: +SKIP
    """
    options.setdefault("preset", "visualize" if source is None else "accentuate")
    wanted = named(objective) if isinstance(objective, str) and objective else objective
    made: Picture | list[Picture] = dream(source, objective=wanted, **options)
    return made


def presets() -> dict[str, dict[str, Any]]:
    """The named looks: name -> ``about``, a line for people, and the fields of :class:`reverie.Recipe` that it sets.

    >>> "owls" in presets()
    True
    """
    return {name: dict(fields) for name, fields in all_presets().items()}
