"""Flow against motion that is known, what was hidden, pictures moved along."""

from __future__ import annotations

import sys

import pytest
import torch

from reverie.errors import MissingError
from reverie.film.making import flow
from tests.oracle.motion import Moving, clip


@pytest.fixture(scope="module")
def moving() -> Moving:
    return clip(6, cut=5)


def test_the_flow_is_the_known_motion(moving: Moving) -> None:
    errors = []
    for at in range(1, 5):
        found = flow.backward(moving.frames[at : at + 1], moving.frames[at - 1 : at])
        assert found.shape == (1, 2, 144, 192)
        errors.append((found[0] - moving.flow[at]).norm(dim=0)[moving.seen[at, 0]].mean())
    assert torch.stack(errors).mean() < 0.3  # measured 0.14, the border and the occluder's rim counted


def test_the_flow_of_a_large_frame_is_in_its_own_pixels(moving: Moving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "LONGEST_SIDE", 96)
    found = flow.backward(moving.frames[2:3], moving.frames[1:2])
    assert (found[0] - moving.flow[2]).norm(dim=0)[moving.seen[2, 0]].median() < 0.5


def test_what_was_hidden_is_known_and_what_was_seen_too(moving: Moving) -> None:
    for at in range(2, 5):
        now, before = moving.frames[at : at + 1], moving.frames[at - 1 : at]
        back, forth = flow.backward(now, before), flow.backward(before, now)
        seen = flow.visible(now, before, back, forth)[0]
        assert seen.min() >= 0 and seen.max() <= 1
        inner = torch.zeros_like(moving.seen[at])
        inner[:, 8:-8, 8:-8] = True
        assert seen[inner & ~moving.seen[at]].mean() < 0.25
        assert seen[inner & moving.seen[at]].mean() > 0.9
        wide = flow.visible(now, before, back, forth, margin=6)[0]
        assert wide.mean() < seen.mean()
        # The occluder itself was seen, margin or not.
        assert wide[moving.occluder[at] & moving.seen[at] & inner].mean() > 0.5


def test_a_cut_leaves_nothing_seen(moving: Moving) -> None:
    now, before = moving.frames[5:6], moving.frames[4:5]
    seen = flow.visible(now, before, flow.backward(now, before), flow.backward(before, now))
    assert seen.mean() < 0.4
    assert flow.differ(now, before) > 3 * flow.differ(before, moving.frames[3:4])


def test_warp_by_whole_pixels_is_a_shift() -> None:
    image = torch.rand(1, 3, 20, 30, generator=torch.Generator().manual_seed(0))
    shift = torch.tensor([2.0, -3.0]).view(1, 2, 1, 1).expand(1, 2, 20, 30)
    torch.testing.assert_close(flow.warp(image, shift)[..., :18, 3:], image[..., 2:, :27], atol=1e-5, rtol=0)
    torch.testing.assert_close(flow.warp(image, torch.zeros(1, 2, 20, 30)), image, atol=1e-5, rtol=0)


def test_without_opencv_one_sentence_says_what_to_do(moving: Moving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(MissingError, match=r"pip install 'reverie\[video\]'"):
        flow.backward(moving.frames[:1], moving.frames[:1])
