"""video(): a dreamt video. What was dreamt into a frame goes along with the motion into the next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from typing import Protocol

import torch
from torch import Tensor

from reverie.film.frame import Take
from reverie.film.making import flow, guard
from reverie.film.making.timeline import Course
from reverie.film.making.uncovered import caught_up
from reverie.film.reading.clip import Clip
from reverie.film.settings import Video
from reverie.jobs.job import Job
from reverie.loop.plan import Plan
from reverie.loop.render import render
from reverie.pixels.ops import cropped, resize

UNCOVERED_MARGIN = 24  # share of the short side beside what was hidden in which no dream is carried on

GLANCE = 0.2  # mean difference of two tiny frames that is as much as a whole frame not seen before


class Frames(Protocol):
    """What :func:`video_frames` needs of a clip."""

    def frames(
        self, start: Fraction | float, stop: Fraction | float | None, skip: int
    ) -> Iterator[tuple[Fraction, Tensor]]:
        """(seconds since ``start``, image [1, 3, H, W] in 0..1), without the first ``skip``."""


def video_frames(
    job: Job,
    clip: Frames,
    settings: Video,
    done: Take | None = None,
    index: int = 0,
    guides: Mapping[str, Clip] | None = None,
) -> Iterator[Take]:
    """Dream the frames of ``clip`` and yield a take for each, at the size of ``job``.

    ``done`` is the last of ``index`` takes that are there already; the film goes on behind it with equal bytes.
    ``guides`` are those of the recipe that are videos, by path: each shows its frame at the film's time.
    A scene begins with a whole dream; every further frame gets ``settings.frame_steps`` on top of what the motion
    brought along, the dream alone and not the frame (Roelof & Samim's DeepDreamAnim 2015; here with a true
    backward flow). Raises :class:`MissingError` where OpenCV is absent.
    """
    course = Course(job, settings, guides)
    start, stop = settings.span()
    frames = clip.frames(start, stop, index * settings.every)
    state = dict(done.state) if done is not None else None
    for number, (time, image) in enumerate(islice(frames, 0, None, settings.every), index):
        now = resize(cropped(image, job.plan.size), job.plan.size).clamp(0, 1).float().cpu()
        moment = course.at(time, number)
        carried = None if state is None else _carried(now, state, moment.settings)
        if carried is None or state is None:
            dreamt, ripe = octave_finished(moment.whole, now), torch.ones_like(now[:, :1])
            target = guard.measured(dreamt - now)
        else:
            target = state["target"]
            plan, ripe = caught_up(moment.further, carried.ripe, moment.settings.decay)
            dreamt = octave_finished(plan, now, carried.dream)
            if moment.settings.keep:
                held = guard.hold(dreamt - now, target, moment.settings.keep)
                dreamt = _where_asked(plan, now, (now + held).clamp(0, 1))
        state = {"frame": now, "added": dreamt - now, "target": target, "ripe": ripe}
        yield Take(dreamt, time, state)


def octave_finished(plan: Plan, source: Tensor, detail: Tensor | None = None) -> Tensor:
    """The finished picture [1, 3, H, W] on the CPU, a copy."""
    with torch.inference_mode(False):
        *_, last = (frame.image for frame in render(plan, source, detail))
    return last.detach().float().cpu().clone()


def _where_asked(plan: Plan, now: Tensor, dreamt: Tensor) -> Tensor:
    """``dreamt`` with the frame itself wherever the dream's mask is black: the guard works on whole pictures."""
    mask = plan.octaves[-1].mask
    return dreamt if mask is None else torch.where(resize(mask.cpu(), plan.size) > 0, dreamt, now)


@dataclass(frozen=True, eq=False)
class _Carried:
    """What goes on into a frame: the ``dream`` [1, 3, H, W] to add, and how ``ripe`` it is, [1, 1, H, W] in 0..1."""

    dream: Tensor
    ripe: Tensor


def _carried(now: Tensor, state: dict[str, Tensor], settings: Video) -> _Carried | None:
    """What of the last frame's dream goes on into ``now``; None where a scene begins."""
    if settings.transport == "none":
        return None
    before, added, ripe = state["frame"], state["added"], state["ripe"]
    if settings.transport == "blend":
        cut = flow.differ(now, before) > settings.cut * GLANCE
        return None if cut else _Carried(settings.decay * added, settings.decay * ripe)
    back, forth = flow.backward(now, before), flow.backward(before, now)
    # The halo dreamt around what stood there would stay behind as its ghost.
    seen = flow.visible(now, before, back, forth, round(min(now.shape[-2:]) / UNCOVERED_MARGIN))
    if 1 - seen.mean().item() > settings.cut:
        return None
    share = settings.decay * seen
    return _Carried(share * flow.warp(added, back), share * flow.warp(ripe, back).clamp(0, 1))
