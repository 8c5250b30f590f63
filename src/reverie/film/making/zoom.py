"""zoom(): the endless dive. The camera moves over the dream, and what it sees is dreamt on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from fractions import Fraction

import torch
from torch import Tensor

from reverie.film.frame import Take
from reverie.film.making import camera, guard
from reverie.film.making.timeline import Course
from reverie.film.making.video import octave_finished
from reverie.film.reading.clip import Clip
from reverie.film.settings import Zoom, seconds
from reverie.jobs.job import Job

RETURN_SIZE = 6.0  # the first frame comes into sight again at about this fraction of its size


def zoom_frames(
    job: Job,
    settings: Zoom,
    done: Take | None = None,
    index: int = 0,
    guides: Mapping[str, Clip] | None = None,
) -> Iterator[Take]:
    """Dive into the dream of ``job`` and yield a take for each frame.

    ``done`` is the last of ``index`` takes that are there already; the film goes on behind it with equal bytes.
    ``guides`` are those of the recipe that are videos, by path: each shows its frame at the film's time.
    The first frame is the whole dream of the source; every further one is what the camera sees of the last, with
    ``settings.frame_steps`` steps of dream (the zoom of Mordvintsev's DeepDream notebook, 2015), and the guard's
    hand on light, contrast, color and detail. Raises :class:`UsageError` for keyframes that cannot be.
    """
    fps, duration = Fraction(settings.fps), seconds(settings.duration)
    if settings.loop:
        # A camera that returns to where it set out: whole rounds of the spiral.
        rounds = max(1, round(float(duration) / settings.period))
        settings = settings.model_copy(update={"period": float(duration) / rounds})
    course = Course(job, settings, guides)
    state = dict(done.state) if done is not None else None
    for number in range(index, zoom_count(settings)):
        time = number / fps
        moment = course.at(time, number)
        if state is None:
            image = octave_finished(moment.whole, job.source)
            # Every objective has a light and a contrast of its own; held to the first one's all would look like it.
            others = [octave_finished(course.at(start, 0).whole, job.source) for start in course.starts()[1:]]
            state = {
                "image": image,
                "targets": torch.stack([guard.measured(each) for each in (image, *others)]),
            }
            if settings.loop:
                state["first"] = image
        else:
            move = camera.move(course.settings, float((number - 1) / fps), float(time))
            image = octave_finished(moment.further, camera.seen(state["image"], move).clamp(0, 1))
            at, following, share = course.place(time)
            target = state["targets"][at].lerp(state["targets"][following], share)
            image = guard.hold(image, target, moment.settings.keep).clamp(0, 1)
            if settings.loop:
                image = _returning(image, state["first"], course, float(time), float(duration))
            state = {**state, "image": image}
        yield Take(image, time, state)


def zoom_count(settings: Zoom) -> int:
    """How many frames the film has."""
    return max(1, round(seconds(settings.duration) * Fraction(settings.fps)))


def _returning(image: Tensor, first: Tensor, course: Course, time: float, end: float) -> Tensor:
    """``image`` with the first frame in it, where the camera will find it filling the view at the film's ``end``.

    So the loop has no seam: the dive ends in the very picture it began with, and does not fade into it.
    """
    speed = abs(math.log(course.settings(end).zoom))
    sight = min(0.7 * end, max(2.0, math.log(RETURN_SIZE) / max(speed, 1e-6)))
    left = end - time
    if left >= sight:
        return image
    before = camera.move(course.settings, time, end).back()
    height, width = image.shape[-2:]
    x, y = camera.camera_places((height, width), before)
    # How far inside the first frame each place is, 0 at its edge: an oval at first, which becomes the frame's own
    # shape on its way out of sight; its edge is soft.
    short = min(height, width)
    near = max(min(1.0, left / (0.5 * sight)), 0.03)
    power = 2 / near
    across, down = x.abs() * (2 * short / width), y.abs() * (2 * short / height)
    longer, shorter = torch.maximum(across, down), torch.minimum(across, down)
    around = longer * (1 + (shorter / longer.clamp_min(1e-6)) ** power) ** (1 / power)
    edge = ((1 - around) / (0.4 * min(1.0, left / (0.5 * sight)) + 1e-3)).clamp(0, 1)
    share = min(1.0, (sight - left) / (0.3 * sight))
    weight = share * share * (3 - 2 * share) * edge * edge * (3 - 2 * edge)
    return image.lerp(camera.seen(first, before).clamp(0, 1), weight[None, None])
