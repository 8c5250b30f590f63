"""Dreamt video on a clip whose motion is known: no flicker, no ghosts, clean cuts, equal bytes after a stop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from reverie import api
from reverie.files import save
from reverie.film.frame import Take
from reverie.film.making import flow, guard
from reverie.film.making.uncovered import caught_up
from reverie.film.making.video import _carried, octave_finished, video_frames
from reverie.film.settings import Video
from reverie.network import Network
from tests.oracle.motion import Moving, clip


@dataclass
class Held:
    """A clip out of memory that counts what was asked of it."""

    images: Tensor

    def frames(
        self, start: Fraction | float = 0, stop: Fraction | float | None = None, skip: int = 0
    ) -> Iterator[tuple[Fraction, Tensor]]:
        times = [(Fraction(at, 24), at) for at in range(len(self.images))]
        inside = [(time, at) for time, at in times if time >= start and (stop is None or time < stop)]
        for time, at in inside[skip:]:
            yield time - Fraction(start), self.images[at : at + 1]


def small(network: Network, images: Tensor, **options: object) -> api.Job:
    values = {"steps": 4, "smallest": 32, "jitter": 4, "pad": 4, "objective": "relu2", "precision": "fp32",
              "step_size": 0.006, "realism": 0, "variation": 0, **options}
    return api.job(images[0], network=network, **values)


def flicker(dreams: Tensor, moving: Moving) -> float:
    """What changes from frame to frame that the motion does not explain, where nothing was hidden."""
    found = []
    for at in range(1, len(dreams)):
        if at != moving.cut:
            seen = moving.seen[at : at + 1].float()
            change = (dreams[at : at + 1] - flow.warp(dreams[at - 1 : at], moving.flow[at : at + 1])).abs()
            found.append((change.mean(1, keepdim=True) * seen).sum() / seen.sum())
    return torch.stack(found).mean().item()


def strength(dreams: Tensor, moving: Moving) -> float:
    return (dreams - moving.frames).square().mean((1, 2, 3)).sqrt().mean().item()


def film(job: api.Job, moving: Moving, **settings: object) -> Tensor:
    return torch.cat([take.image for take in video_frames(job, Held(moving.frames), Video(**settings))])


@pytest.fixture(scope="module")
def moving() -> Moving:
    return clip(7, (96, 128), cut=5)


def test_a_dreamt_video_does_not_flicker(tiny: Network, moving: Moving) -> None:
    job = small(tiny, moving.frames)
    alone = torch.cat([octave_finished(job.plan, each[None]) for each in moving.frames])
    dreams = film(job, moving)
    assert abs(strength(dreams, moving) / strength(alone, moving) - 1) < 0.2
    assert flicker(dreams, moving) < 0.5 * flicker(film(job, moving, transport="blend"), moving)


@pytest.mark.slow
def test_the_built_in_network_flickers_a_quarter_as_much_as_frames_dreamt_alone() -> None:
    moving = clip(16, (240, 320), cut=10)
    job = api.job(moving.frames[0], seed=1)
    alone = torch.cat([octave_finished(job.plan, each[None]) for each in moving.frames])
    dreams = film(job, moving)
    assert abs(strength(dreams, moving) / strength(alone, moving) - 1) < 0.1
    assert flicker(dreams, moving) < 0.25 * flicker(alone, moving)
    assert flicker(film(job, moving, transport="blend"), moving) > 0.5 * flicker(alone, moving)


def test_a_cut_starts_clean(tiny: Network, moving: Moving) -> None:
    job = small(tiny, moving.frames)
    for transport in ("flow", "blend"):
        takes = list(video_frames(job, Held(moving.frames), Video(transport=transport)))
        # The first frame behind the cut is the one that a clip which begins there would have.
        again = next(video_frames(job, Held(moving.frames), Video(transport=transport), takes[0], 5))
        alone = list(video_frames(job, Held(moving.frames), Video(transport="none")))[5]
        assert torch.equal(takes[5].image, alone.image)
        assert torch.equal(takes[5].image, again.image)


def test_no_ghost_stays_behind_the_occluder() -> None:
    moving = clip(6, (144, 192))
    for at in range(2, 6):
        now, before = moving.frames[at : at + 1], moving.frames[at - 1 : at]
        # Whatever was dreamt into the occluder, and beside it as its halo, is not carried to where it was.
        stood = moving.occluder[at - 1][None].float()
        halo = F.max_pool2d(stood, 7, 1, 3)
        state = {"frame": before, "added": halo.expand(-1, 3, -1, -1), "ripe": torch.ones_like(halo)}
        kept = _carried(now, state, Video())
        uncovered = (stood > 0)[0] & ~moving.occluder[at]
        beside = (halo > 0)[0] & ~F.max_pool2d(moving.occluder[at][None].float(), 3, 1, 1)[0].bool()
        assert kept is not None
        carried = kept.dream
        assert carried[0, :1][uncovered].abs().mean() < 0.25
        assert carried[0, :1][beside].abs().mean() < 0.35
        assert carried[0, :1][moving.occluder[at]].mean() > 0.5
        blended = _carried(now, state, Video(transport="blend"))
        assert blended is not None
        assert blended.dream[0, :1][uncovered].mean() > 0.85
        # Where nothing was carried on the dream has to begin, elsewhere it is as ripe as it was.
        assert kept.ripe[0][uncovered].mean() < 0.25 and kept.ripe[0][moving.occluder[at]].mean() > 0.5


@pytest.mark.parametrize("transport", ["flow", "blend", "none"])
def test_a_film_goes_on_with_equal_bytes(tiny: Network, moving: Moving, transport: str) -> None:
    job = small(tiny, moving.frames, steps=2)
    settings = Video(transport=transport, at=("0s decay=0.8", "1s decay=0.95"))
    whole = list(video_frames(job, Held(moving.frames), settings))
    for index in (1, 4, 5, 6):
        done = whole[index - 1]
        kept = Take(done.image.clone(), done.time, {name: each.clone() for name, each in done.state.items()})
        rest = list(video_frames(job, Held(moving.frames), settings, kept, index))
        assert [take.time for take in rest] == [take.time for take in whole[index:]]
        assert all(torch.equal(a.image, b.image) for a, b in zip(rest, whole[index:], strict=True))
    assert all(each.dtype == torch.float32 for take in whole for each in take.state.values())


def test_range_and_every_choose_frames_and_odd_sizes_work(tiny: Network) -> None:
    moving = clip(6, (61, 83), occluder=False)
    job = small(tiny, moving.frames, steps=1)
    takes = list(video_frames(job, Held(moving.frames), Video(range="0.04s..0.21s", every=2, transport="blend")))
    assert [take.time for take in takes] == [Fraction(at, 24) - Fraction("0.04") for at in (1, 3, 5)]
    assert takes[0].image.shape == (1, 3, 61, 83)
    assert list(video_frames(job, Held(moving.frames), Video(range="9s.."))) == []


def test_the_dream_neither_brightens_nor_fades(tiny: Network) -> None:
    still = clip(1, (64, 64)).frames.expand(30, -1, -1, -1)
    job = small(tiny, still)
    takes = list(video_frames(job, Held(still), Video(transport="blend", frame_steps=2)))
    first, last = (guard.measured(takes[at].state["added"]) for at in (0, -1))
    assert (first[:3] - last[:3]).abs().max() < 0.02
    assert 0.75 < last[3:].square().sum().sqrt() / first[3:].square().sum().sqrt() < 1.25


def test_frames_of_one_film_draw_from_seeds_of_their_own(tiny: Network) -> None:
    still = clip(1, (64, 64)).frames.expand(2, -1, -1, -1)
    job = small(tiny, still)
    first, second = video_frames(job, Held(still), Video(transport="none"))
    assert not torch.equal(first.image, second.image)
    assert torch.equal(first.image, octave_finished(replace(job.plan), still[:1]))


def test_what_is_uncovered_catches_up(tiny: Network) -> None:
    moving = clip(9, (96, 128))
    job = small(tiny, moving.frames, steps=8)
    age, fresh, old = torch.full((96, 128), 99.0), [], []
    dreams = film(job, moving)
    for at in range(1, 9):
        age = torch.where(moving.seen[at, 0], flow.warp(age[None, None], moving.flow[at : at + 1])[0, 0] + 1, 0)
        added = (dreams[at] - moving.frames[at]).square().mean(0).sqrt()
        fresh.append(added[(age > 1) & (age < 4)])
        old.append(added[age > 50])
    # 0.66 of it in their second and third frame; striding as the rest does, 0.18.
    assert torch.cat(fresh).mean() > 0.4 * torch.cat(old).mean()


def test_strides_are_longer_only_where_little_was_carried(tiny: Network, moving: Moving) -> None:
    plan = small(tiny, moving.frames, octaves=3, steps=1).plan
    ripe = torch.full((1, 1, 96, 128), 0.9)
    same, after = caught_up(plan, ripe, 0.9)
    assert same is plan and after.min() > 0.999
    ripe[..., :64] = 0.0
    faster, after = caught_up(plan, ripe, 0.9)
    for at, (one, other) in enumerate(zip(plan.octaves, faster.octaves, strict=True)):
        start, gradient = one.param(torch.full((1, 3, *one.size), 0.5)), torch.randn(1, 3, *one.size)
        slow, quick = (each.rule.step(start, gradient, None)[0].image() - 0.5 for each in (one, other))
        width = one.size[1]
        torch.testing.assert_close(quick[..., width // 2 + 8 :], slow[..., width // 2 + 8 :])
        ratio = (quick.abs().mean(1) / slow.abs().mean(1))[..., : width // 2 - 8].median()
        assert ratio == pytest.approx(8 ** (1 - 0.25 * at), rel=0.02)
    assert after[..., :56].max() == pytest.approx(0.8) and after[..., 72:].min() > 0.999
    # Eight strides a frame are enough: four steps are twice as long where one step is eight times.
    _, after = caught_up(small(tiny, moving.frames, octaves=3, steps=4).plan, ripe, 0.9)
    assert after[..., :56].max() == pytest.approx(0.2)
    assert caught_up(plan, ripe, 0.0)[0] is plan and caught_up(plan, torch.ones_like(ripe), 1.0)[0] is plan


def test_outside_a_mask_every_frame_keeps_its_pixels(tiny: Network, moving: Moving, tmp_path: Path) -> None:
    mask = torch.zeros(1, 3, 96, 128)
    mask[..., :64] = 1
    job = small(tiny, moving.frames, mask=str(save(tmp_path / "mask.png", mask)))
    dreams = film(job, moving)
    assert torch.equal(dreams[..., 66:], moving.frames[..., 66:])
    assert (dreams - moving.frames)[..., :60].abs().mean() > 0.01
