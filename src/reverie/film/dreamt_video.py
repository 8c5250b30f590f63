"""video(): a dreamt video. What was dreamt into a frame goes along with the motion into the next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import islice
from typing import Protocol

import torch
from torch import Tensor

from reverie.api import Job
from reverie.film import flow, guard
from reverie.film.clip import Clip
from reverie.film.course import Course
from reverie.film.settings import Video
from reverie.film.take import Take
from reverie.loop import render
from reverie.ops import cropped, resize
from reverie.plan import Plan

MARGIN = 24  # share of the short side beside what was hidden in which no dream is carried on

GLANCE = 0.2  # mean difference of two tiny frames that is as much as a whole frame not seen before


class Frames(Protocol):
    """What :func:`video` needs of a clip."""

    def frames(
        self, start: Fraction | float, stop: Fraction | float | None, skip: int
    ) -> Iterator[tuple[Fraction, Tensor]]:
        """(seconds since ``start``, image [1, 3, H, W] in 0..1), without the first ``skip``."""


def video(
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
            dreamt = finished(moment.whole, now)
            target = guard.measured(dreamt - now)
        else:
            target = state["target"]
            dreamt = finished(moment.further, now, carried)
            if moment.settings.keep:
                dreamt = (now + guard.held(dreamt - now, target, moment.settings.keep)).clamp(0, 1)
        state = {"frame": now, "added": dreamt - now, "target": target}
        yield Take(dreamt, time, state)


def finished(plan: Plan, source: Tensor, detail: Tensor | None = None) -> Tensor:
    """The finished picture [1, 3, H, W] on the CPU, a copy."""
    with torch.inference_mode(False):
        *_, last = (frame.image for frame in render(plan, source, detail))
    return last.detach().float().cpu().clone()


def _carried(now: Tensor, state: dict[str, Tensor], settings: Video) -> Tensor | None:
    """What of the last frame's dream goes on into ``now``; None where a scene begins."""
    if settings.transport == "none":
        return None
    before, added = state["frame"], state["added"]
    if settings.transport == "blend":
        return None if flow.differ(now, before) > settings.cut * GLANCE else settings.decay * added
    back, forth = flow.backward(now, before), flow.backward(before, now)
    # The halo dreamt around what stood there would stay behind as its ghost.
    seen = flow.visible(now, before, back, forth, round(min(now.shape[-2:]) / MARGIN))
    if 1 - seen.mean().item() > settings.cut:
        return None
    return settings.decay * seen * flow.warp(added, back)
