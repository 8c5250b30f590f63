"""steps(): the ascent itself as a film, every step of every octave at the final size."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import torch
from torch import Tensor

from reverie.film.frame import Take
from reverie.film.settings import Steps, seconds
from reverie.jobs.job import Job
from reverie.loop.render import render
from reverie.pixels.ops import resize


def step_frames(job: Job, settings: Steps) -> Iterator[Take]:
    """The source, then every ``settings.every``-th step of the dream of ``job``, then the finished picture for a while.

    With a duration the steps are spread over it, neighbors blended; without one each is a frame. Where an octave ends
    early, its last picture stays for its share of the duration, as nobody knows before how many steps it will take.
    """
    fps = Fraction(settings.fps)
    total = len(_shown(job.plan.total, settings.every))
    stay = round(settings.hold * fps)
    frames = total
    if settings.duration is not None:
        frames = max(2, round(seconds(settings.duration) * fps) - stay)
    number, before = 0, None
    for at, image in enumerate(_pictures(job, settings.every, settings.duration is not None)):
        # Frame n lies at n * (total - 1) / (frames - 1) among the pictures.
        while number < frames and number * (total - 1) <= at * (frames - 1):
            share = Fraction(number * (total - 1), frames - 1) - (at - 1)
            mixed = image if before is None or share == 1 else before.lerp(image, float(share))
            yield Take(mixed, number / fps)
            number += 1
        before = image
    assert before is not None
    for _ in range(stay):
        yield Take(before, number / fps)
        number += 1


def steps_count(job: Job, settings: Steps) -> int:
    """How many frames the film has; without a duration fewer where an octave ends early."""
    fps = Fraction(settings.fps)
    stay = round(settings.hold * fps)
    if settings.duration is None:
        return len(_shown(job.plan.total, settings.every)) + stay
    return max(2, round(seconds(settings.duration) * fps) - stay) + stay


def _shown(total: int, every: int) -> list[int]:
    """Which steps are shown; 0 is the source, the last one never missing."""
    return sorted({*range(0, total + 1, every), total})


def _pictures(job: Job, every: int, all_places: bool) -> Iterator[Tensor]:
    """The source and the steps that are shown; with ``all_places`` those that an octave leaves out too, as its end."""
    size = job.plan.size
    shown = set(_shown(job.plan.total, every))
    yield resize(job.source, size).clamp(0, 1).float().cpu()
    step = 0
    with torch.inference_mode(False):
        for frame in render(job.plan, job.source):
            first, step = (step + 1 if all_places else frame.index + 1), frame.index + 1
            if places := sum(each in shown for each in range(first, step + 1)):
                image = resize(frame.image.detach().float().cpu(), size).clamp(0, 1).clone()
                yield from [image] * places
