"""Step movies: every step once, at the final size, spread over any duration."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reverie import api
from reverie.film.making.steps import step_frames, steps_count
from reverie.film.settings import Steps
from reverie.loop.render import render
from reverie.network import Network
from reverie.pixels.ops import resize
from tests.oracle.motion import texture
from tests.oracle.networks import tiny_network


def job(network: Network, **options: Any) -> api.Job:
    values = {"steps": 3, "smallest": 24, "jitter": 3, "pad": 4, "objective": "relu2", "precision": "fp32", **options}
    return api.job(texture(0)[0, :, :48, :64], network=network, **values)


def test_every_step_of_every_octave_is_a_frame_at_the_final_size(tiny: Network) -> None:
    dreams = job(tiny)
    takes = list(step_frames(dreams, Steps(hold=0)))
    assert len(takes) == dreams.plan.total + 1 == steps_count(dreams, Steps(hold=0))
    torch.testing.assert_close(takes[0].image, dreams.source)
    for take, frame in zip(takes[1:], render(dreams.plan, dreams.source), strict=True):
        torch.testing.assert_close(take.image, resize(frame.image, (48, 64)).clamp(0, 1))
    assert [take.time for take in takes] == [Fraction(at, 24) for at in range(len(takes))]


def test_every_third_step_and_the_last_one_which_stays(tiny: Network) -> None:
    dreams = job(tiny, steps=4)
    asked = Steps(every=3, fps="10", hold=0.5)
    takes = list(step_frames(dreams, asked))
    *_, last = render(dreams.plan, dreams.source)
    assert len(takes) == steps_count(dreams, asked) == len({*range(0, dreams.plan.total + 1, 3), dreams.plan.total}) + 5
    assert all(torch.equal(take.image, last.image) for take in takes[-6:])


DREAMS = job(tiny_network(), steps=2)


@given(st.integers(1, 4), st.sampled_from(["0.1s", "1s", "3s"]), st.sampled_from(["5", "24", "30000/1001"]))
def test_a_duration_is_kept_whatever_the_steps(every: int, duration: str, fps: str) -> None:
    asked = Steps(every=every, duration=duration, fps=fps, hold=0.25)
    takes = list(step_frames(DREAMS, asked))
    stay = round(0.25 * Fraction(fps))
    assert len(takes) == steps_count(DREAMS, asked)
    assert abs(len(takes) / Fraction(fps) - Fraction(duration[:-1])) <= (2 + stay) / Fraction(fps)
    torch.testing.assert_close(takes[0].image, DREAMS.source)
    *_, last = render(DREAMS.plan, DREAMS.source)
    torch.testing.assert_close(takes[-1].image, last.image)


@pytest.mark.parametrize("every", [1, 3])
def test_a_duration_is_kept_where_octaves_end_early(tiny: Network, every: int) -> None:
    dreams = job(tiny, steps=8, max_gain=0.0)  # every octave ends before its first step
    *_, last = render(dreams.plan, dreams.source)
    assert last.step == 0
    asked = Steps(duration="2s", every=every)
    takes = list(step_frames(dreams, asked))
    assert len(takes) == steps_count(dreams, asked) == 48
    assert [take.time for take in takes] == [Fraction(at, 24) for at in range(48)]
    torch.testing.assert_close(takes[-1].image, last.image)
    assert len(list(step_frames(dreams, Steps(hold=0)))) == len(dreams.plan.octaves) + 1  # unasked only what was dreamt


def test_more_frames_than_steps_are_blended(tiny: Network) -> None:
    takes = list(step_frames(DREAMS, Steps(duration="4s", fps="24", hold=0)))
    changes = torch.stack([(b.image - a.image).abs().max() for a, b in pairwise(takes)])
    assert (changes > 0).all()
    assert changes.max() < 0.5 * (takes[0].image - takes[-1].image).abs().max()


@pytest.mark.parametrize("octaves", [1, 2])
def test_octaves_of_any_number(tiny: Network, octaves: int) -> None:
    dreams = job(tiny, octaves=octaves, steps=1)
    assert len(list(step_frames(dreams, Steps(hold=0)))) == octaves + 1
