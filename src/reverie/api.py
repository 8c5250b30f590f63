"""Few-argument calls for people: a path or an array in, a Picture out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from reverie.errors import UsageError
from reverie.jobs.checkpoint import Checkpoint
from reverie.jobs.job import Job, Picture, job
from reverie.jobs.replaying import replay
from reverie.jobs.sources import Handed, Source
from reverie.loop.render import Frame
from reverie.recipe.grammar import named

__all__ = ["Job", "Picture", "dream", "dream_guided", "job", "replay", "visualize"]


def dream(
    source: Source = None,
    *,
    on_frame: Callable[[Frame], None] | None = None,
    resume: str | Path | None = None,
    **options: Any,
) -> Picture:
    """Dream a picture and return it.

    ``source`` is a path, a uint8 or float array [H, W, 3], a tensor [3, H, W] or [1, 3, H, W] in
    0..1, a Pillow image, or None for noise. ``options`` are the fields of :class:`Recipe`
    (``objective="owl"``, ``steps=20``, ...) and of :class:`Run`, and ``preset``, ``recipe``,
    ``preview``. ``on_frame`` sees every step. ``resume`` names a file to keep what is done in, octave by octave,
    and to go on from where an earlier call was killed; it is gone when the picture is done.

    >>> dream("photo.jpg", objective="owl").save("out.png")  # doctest: +SKIP
    """
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
        return work.picture(frame)  # a plan has at least one step


def dream_guided(
    source: Source,
    guide: Source | Sequence[Source],
    *,
    layer: str = "",
    weight: float = 1.0,
    **options: Any,
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


def visualize(objective: str = "", source: Source = None, **options: Any) -> Picture:
    """What the network means by ``objective``, drawn from noise, or out of ``source`` (feature accentuation).

    A :func:`dream` with the defaults of the preset ``visualize``, or ``accentuate`` where there is a source.
    Olah et al. 2017; Hamblin et al. 2024.

    >>> visualize("owl").save("owl.png")  # doctest: +SKIP
    """
    options.setdefault("preset", "visualize" if source is None else "accentuate")
    return dream(source, objective=named(objective) if objective else "", **options)














