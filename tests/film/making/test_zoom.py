"""The endless dive: it neither fades nor burns, closes its loop, goes on with equal bytes, changes its objective."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
import torch

from reverie import api
from reverie.ascent.optimizer import Optimizer
from reverie.ascent.rules import Ascent, Within
from reverie.errors import UnknownName, UsageError
from reverie.film.frame import Take
from reverie.film.making import camera, guard
from reverie.film.making.timeline import Course
from reverie.film.making.video import octave_finished
from reverie.film.making.zoom import zoom_count, zoom_frames
from reverie.film.settings import Zoom
from reverie.network import Network
from tests.oracle.motion import texture
from tests.support.films import job


def test_the_dive_has_its_frames_at_their_times(tiny: Network) -> None:
    settings = Zoom(fps="30000/1001", duration="0.3s")
    takes = list(zoom_frames(job(tiny), settings))
    assert len(takes) == zoom_count(settings) == 9
    assert [take.time for take in takes] == [Fraction(1001, 30000) * at for at in range(9)]
    assert all(take.image.shape == (1, 3, 48, 64) and take.image.min() >= 0 and take.image.max() <= 1 for take in takes)
    assert not torch.equal(takes[0].image, takes[-1].image)


@pytest.mark.parametrize("settings", [
    {}, {"loop": True, "spiral": 0.2}, {"at": "0s zoom=1 0.3s zoom=2 owl=1"},
    {"through": ("relu1 for 2f", "owl for 3f")},
])  # fmt: skip
def test_a_dive_goes_on_with_equal_bytes(tiny: Network, settings: dict[str, Any]) -> None:
    asked = Zoom(fps="12", duration="0.7s", **settings)
    dreams = job(tiny, objective="relu2 + owl")
    whole = list(zoom_frames(dreams, asked))
    for index in (1, 3, 7):
        done = whole[index - 1]
        kept = Take(done.image.clone(), done.time, {name: each.clone() for name, each in done.state.items()})
        rest = list(zoom_frames(dreams, asked, kept, index))
        assert len(rest) == len(whole) - index
        assert all(torch.equal(a.image, b.image) for a, b in zip(rest, whole[index:], strict=True))


def test_a_hundred_frames_neither_fade_nor_burn(tiny: Network) -> None:
    takes = list(zoom_frames(job(tiny), Zoom(duration="5s", fps="20", frame_steps=1, zoom=1.5)))
    assert len(takes) == 100
    drift(takes[0].image, takes[-1].image)


def drift(first: torch.Tensor, last: torch.Tensor) -> None:
    then, now = guard.measured(first), guard.measured(last)
    assert now[:3].mean() / then[:3].mean() == pytest.approx(1, abs=0.1)
    assert last.mean(1).std() / first.mean(1).std() == pytest.approx(1, abs=0.25)
    assert now[3] / then[3] == pytest.approx(1, abs=0.25)  # the finest band: detail


@pytest.mark.slow
def test_two_thousand_frames_of_the_built_in_network_neither_fade_nor_burn() -> None:
    dreams = api.job(texture(1)[0, :, :128, :128], size="128", seed=3)
    first = None
    for take in zoom_frames(dreams, Zoom(duration="2000s", fps="1", zoom=1.01)):
        first = take if first is None else first
    assert first is not None
    drift(first.image, take.image)


def test_without_the_guard_the_same_dive_burns(tiny: Network) -> None:
    settings = Zoom(duration="2s", fps="20", keep=0, zoom=1.5, frame_steps=4)
    images = [take.image for take in zoom_frames(job(tiny), settings)]
    assert images[-1].std() > 1.3 * images[0].std()


SPEEDS: list[dict[str, float]] = [{"zoom": 1.6}, {"zoom": 0.7}, {"zoom": 1, "rotate": 40}, {"zoom": 1.3, "spiral": 0.3}]


@pytest.mark.parametrize("speeds", SPEEDS)
def test_a_loop_ends_where_it_begins(tiny: Network, speeds: dict[str, float]) -> None:
    asked = Zoom(loop=True, duration="4s", fps="8", frame_steps=1, **speeds)
    dreams = job(tiny)
    images = [take.image for take in zoom_frames(dreams, asked)]
    course = Course(dreams, asked.model_copy(update={"period": 4.0}))
    # What the camera would see next is the first frame, nearer than any two neighbors of the dive.
    coming = camera.seen(images[-1], camera.move(course.settings, 4 - 1 / 8, 4))
    inner = (..., slice(6, -6), slice(6, -6))
    seam = (coming - images[0])[inner].abs().mean()
    step = (camera.seen(images[8], camera.move(course.settings, 1, 1 + 1 / 8)) - images[9])[inner].abs().mean()
    open_ = list(zoom_frames(dreams, asked.model_copy(update={"loop": False})))[-1].image
    assert seam < 2 * step
    assert seam < 0.4 * (open_ - images[0])[inner].abs().mean()


def test_objectives_follow_one_another_and_cross_fade(tiny: Network) -> None:
    asked = Zoom(through=("relu1 for 2s", "owl for 48f"), fade=1.0, duration="9s")
    course = Course(job(tiny), asked)

    def terms(time: float) -> dict[str, float]:
        plan = course.at(Fraction(time), 5).further
        return {term.name: round(term.weight, 6) for term in plan.octaves[-1].objective.terms if term.weight > 1e-6}

    assert terms(0) == terms(1) == {"relu1": 1.0}
    assert terms(1.5) == {"relu1": 0.5, "owl": 0.5}
    assert terms(2.0) == {"owl": 1.0}
    assert terms(3.75) == {"owl": 0.25, "relu1": 0.75}
    assert terms(4.5) == {"relu1": 1.0}


def test_each_objective_has_its_own_light_and_contrast(tiny: Network) -> None:
    legs = ("relu1 for 2s", "owl for 2s")
    asked = Zoom(through=legs, fade=0.5, duration="4s", fps="8", frame_steps=1, zoom=1.05)
    dreams = job(tiny, steps=12)
    images = [take.image for take in zoom_frames(dreams, asked)]
    course = Course(dreams, asked)
    assert course.starts() == [0, 2]
    alone = [octave_finished(course.at(start, 0).whole, dreams.source) for start in course.starts()]
    first, second = (guard.measured(each)[3:] for each in alone)  # without the means, which are alike

    def far(image: torch.Tensor, other: torch.Tensor) -> float:
        return (guard.measured(image)[3:] - other).norm().item()

    assert far(images[11], first) < 0.5 * far(images[11], second)
    assert far(images[27], second) < 0.5 * far(images[27], first)


@pytest.mark.parametrize("options", [
    {"crop": 0.9, "last_crop": 0.5, "crop_size": 32}, {"optimizer": "adam", "cooldown": 1.0}, {"smooth": "growing"},
])  # fmt: skip
@pytest.mark.parametrize("mask", [False, True])
def test_a_frame_may_take_more_steps_than_the_first(tiny: Network, options: dict[str, Any], mask: bool) -> None:
    options = {**options, "mask": torch.ones(3, 8, 8)} if mask else options
    dreams = job(tiny, steps=1, octaves=1, **options)
    takes = list(zoom_frames(dreams, Zoom(duration="0.1s", frame_steps=4)))
    assert len(takes) == 2 and bool(torch.isfinite(takes[-1].image).all())
    octave = Course(dreams, Zoom(frame_steps=4)).at(Fraction(1), 24).further.octaves[0]
    rule = octave.rule.rule if isinstance(octave.rule, Within) else octave.rule
    assert octave.steps == 4 and len(octave.crops) in (0, 4)
    assert isinstance(rule, Optimizer | Ascent) and rule.steps == 4
    assert not isinstance(rule, Optimizer) or (rule.rate(3) > 0 and rule.ascent is not None and rule.ascent.steps == 4)


def test_keyframes_change_recipe_camera_and_weights(tiny: Network) -> None:
    first, second = "0s step_size=0.01 zoom=1 owl=0 frame_steps=1", "4s step_size=0.03 zoom=2 owl=1 frame_steps=5"
    asked = Zoom(at=(first, second), ease="linear")
    dreams = job(tiny, objective="relu2 + 0.5*owl", step_decay=1.0)
    course = Course(dreams, asked)
    moment = course.at(Fraction(2), 48)
    assert moment.settings.zoom == pytest.approx(1.5)
    assert [octave.steps for octave in moment.further.octaves] == [3] * len(dreams.plan.octaves)
    assert [octave.steps for octave in moment.whole.octaves] == [3] * len(dreams.plan.octaves)
    assert moment.further.octaves[-1].rule.step_size == pytest.approx(0.02)
    assert {term.name: term.weight for term in moment.further.octaves[0].objective.terms} == {"relu2": 1.0, "owl": 0.5}
    assert course.settings(9.0).zoom == 2.0


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"at": "0s seed=4"}, UsageError, "seed cannot change over time"),
        ({"at": "0s steps=4"}, UsageError, "frame_steps"),
        ({"at": "0s network=1"}, UsageError, "network cannot change over time"),
        ({"at": "0s size=100"}, UsageError, "size cannot change"),
        ({"at": "0s stepsize=1"}, UnknownName, "step_size"),
        ({"at": "step_size=1"}, UsageError, "A time is missing"),
        ({"at": "soon step_size=1"}, UsageError, "must be a time"),
        ({"at": "0s step_size=quick"}, UsageError, "is no number"),
        ({"at": "0s momentum=7"}, UsageError, "momentum"),
        ({"at": "0s frame_steps=1.5"}, UsageError, "whole number"),
        ({"at": "0s ease=bouncy zoom=2"}, UnknownName, "bouncy"),
        ({"through": ("owll for 4s",)}, UnknownName, "owl"),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence(
    tiny: Network, settings: dict[str, Any], error: type[UsageError], words: str
) -> None:
    with pytest.raises(error, match=words) as found:
        next(zoom_frames(job(tiny), Zoom.of(**settings)))
    assert str(found.value).count(". ") == 0


def test_a_dive_from_noise_and_of_odd_size(tiny: Network) -> None:
    dreams = api.job(None, network=tiny, size="53x41", steps=1, smallest=24, objective="owl")
    images = [take.image for take in zoom_frames(dreams, Zoom(duration="0.2s", pan_x=1, rotate=90))]
    assert len(images) == 5 and images[0].shape == (1, 3, 41, 53)
