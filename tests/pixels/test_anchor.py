"""Holding a dream to the light, the colors and the large forms of its source."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reverie.pixels.anchor import Anchor
from reverie.pixels.ops import resize
from tests.oracle.networks import noise


def scene(h: int = 96, w: int = 128) -> torch.Tensor:
    """A smooth source in 0.25..0.75, which leaves room to either side."""
    return resize(0.25 + 0.5 * noise(1, 3, 4, 5), (h, w)).clamp(0.2, 0.8)


def test_a_shift_of_light_and_color_is_taken_back() -> None:
    source = scene()
    shifted = source + torch.tensor([0.15, 0.05, -0.1]).view(3, 1, 1)
    held = Anchor.of(source, 1.0).hold(shifted.clone())
    assert (held - source).abs().max() < 0.01
    half = Anchor.of(source, 0.5).hold(shifted.clone())
    light = (half - source).mean((0, 2, 3)).mean()
    color = (half - source).mean((0, 2, 3)) - light
    assert light == pytest.approx(0.5 * (0.15 + 0.05 - 0.1) / 3, abs=1e-3)
    # Color is held 1.4 times as firmly as light.
    wanted = 0.3 * (torch.tensor([0.15, 0.05, -0.1]) - 0.1 / 3)
    torch.testing.assert_close(color, wanted, atol=1e-3, rtol=0)


@pytest.mark.parametrize("realism", [0.25, 0.6, 1.0])
def test_fine_detail_stays_as_it_was_dreamt(realism: float) -> None:
    source = scene()
    stripes = 0.1 * torch.cos(torch.arange(128) * torch.pi / 1.5).view(1, 1, 1, -1).expand(1, 3, 96, 128)
    held = Anchor.of(source, realism).hold(source + stripes)
    assert (held - source - stripes).abs().mean() < 0.01


def test_the_more_realism_the_smaller_the_forms_that_are_held() -> None:
    source = torch.full((1, 3, 120, 120), 0.5)
    form = source.clone()
    form[..., 50:70, 50:70] += 0.3
    left = [float((Anchor.of(source, r).hold(form.clone()) - source).abs().mean()) for r in (0.2, 0.5, 0.8, 1.0)]
    assert left == sorted(left, reverse=True)
    assert left[-1] < 0.5 * left[0]


def test_black_of_a_mask_keeps_every_byte() -> None:
    source, dreamt = scene(), noise(1, 3, 96, 128, seed=3)
    mask = torch.zeros(1, 1, 96, 128)
    mask[..., 64:] = 1
    held = Anchor.of(source, 0.8).hold(dreamt.clone(), mask)
    assert torch.equal(held[..., :64], dreamt[..., :64])
    assert not torch.equal(held[..., 64:], dreamt[..., 64:])


@settings(max_examples=30)
@given(h=st.integers(1, 70), w=st.integers(1, 70), realism=st.floats(0, 1), batch=st.integers(1, 2))
def test_pictures_of_any_size_stay_within_their_range_and_are_changed_in_place(
    h: int, w: int, realism: float, batch: int
) -> None:
    source, dreamt = noise(batch, 3, h, w), noise(batch, 3, h, w, seed=1)
    held = Anchor.of(source, realism).hold(dreamt)
    assert held is dreamt
    assert held.shape == source.shape
    assert 0 <= held.min() <= held.max() <= 1


def test_a_ribbon_is_compared_at_a_bounded_size() -> None:
    assert Anchor.of(torch.rand(1, 3, 2, 60_000), 1.0).source.shape[-1] <= 4096
