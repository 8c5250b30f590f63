"""The guard of feedback loops, against statistics of numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reverie.film.making import guard


def picture(seed: int, size: tuple[int, int] = (48, 64)) -> torch.Tensor:
    return torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(seed))


def test_means_are_those_of_numpy() -> None:
    image = picture(0)
    found = guard.measured(image)
    np.testing.assert_allclose(found[:3].numpy(), image.numpy().mean((0, 2, 3)), rtol=1e-5)
    assert found.shape == (3 + 2 * (guard.LEVELS + 1),) and found.dtype == torch.float32


def test_a_picture_that_is_right_stays() -> None:
    image = picture(1)
    torch.testing.assert_close(guard.hold(image, guard.measured(image), 1.0), image, atol=1e-5, rtol=0)


@given(st.floats(0.7, 1.4), st.floats(-0.2, 0.2), st.floats(0.7, 1.4))
def test_contrast_light_and_color_are_brought_back(contrast: float, light: float, color: float) -> None:
    image = picture(2)
    gray = image.mean(1, keepdim=True)
    target = guard.measured(image)
    drifted = ((gray - 0.5) * contrast + 0.5 + light) + (image - gray) * color
    for _ in range(3):
        drifted = guard.hold(drifted, target, 1.0)
    torch.testing.assert_close(guard.measured(drifted), target, rtol=0.02, atol=0.002)


def test_half_a_hand_moves_half_the_way() -> None:
    image = picture(3)
    moved = guard.hold(image + 0.1, guard.measured(image), 0.5)
    assert (moved - image).mean().item() == pytest.approx(0.05, abs=1e-3)


def test_nothing_is_changed_by_more_than_the_limit_and_small_and_empty_pictures_work() -> None:
    weak, strong = picture(4) * 0.01, guard.measured(picture(4))
    gained = guard.measured(guard.hold(weak, strong, 1.0))[3:] / guard.measured(weak)[3:]
    assert gained.max() <= guard.STRONGEST * 1.01
    tiny = picture(5, (3, 5))
    assert torch.isfinite(guard.hold(tiny, guard.measured(tiny))).all()
    assert torch.isfinite(guard.hold(torch.zeros(1, 3, 16, 16), strong)).all()
