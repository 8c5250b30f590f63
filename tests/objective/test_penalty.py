"""Penalties against numpy, with lucid's constants, and what they do to a picture."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from reverie.ascent.gradient import image_gradient
from reverie.objective import blur, distance, energy, l1, l2, tv
from tests.oracle.networks import noise, tiny_network

IMAGE = noise(2, 3, 7, 6).double()
I = IMAGE.numpy()  # noqa: E741


def test_each_is_the_sum_that_lucid_takes() -> None:
    flat = I.reshape(2, -1)
    for made, expected in (
        (l1(), np.abs(flat - 0.5).sum(1)),
        (l1(0.0), np.abs(flat).sum(1)),
        (l2(), np.sqrt(1e-6 + ((flat - 0.5) ** 2).sum(1))),
        (tv(), np.abs(np.diff(I, axis=2)).sum((1, 2, 3)) + np.abs(np.diff(I, axis=3)).sum((1, 2, 3))),
    ):
        np.testing.assert_allclose(made.score({"image": IMAGE}).numpy(), expected, rtol=1e-9)


def blurred_by_hand(plane: np.ndarray) -> np.ndarray:
    out = np.empty_like(plane)
    for y in range(plane.shape[0]):
        for x in range(plane.shape[1]):
            total = weight = 0.0
            for dy in (-1, 0, 1):
                for dx in (-1, 0, 1):
                    if 0 <= y + dy < plane.shape[0] and 0 <= x + dx < plane.shape[1]:
                        w = 1.0 if dy == dx == 0 else 0.5
                        total, weight = total + w * plane[y + dy, x + dx], weight + w
            out[y, x] = total / weight
    return out


def test_blur_is_half_the_squared_distance_to_a_blurred_picture_held_fixed() -> None:
    soft = np.stack([[blurred_by_hand(plane) for plane in picture] for picture in I])
    image = IMAGE.clone().requires_grad_(True)
    score = blur().score({"image": image})
    np.testing.assert_allclose(score.detach().numpy(), 0.5 * ((I - soft) ** 2).sum((1, 2, 3)), rtol=1e-9)
    score.sum().backward()
    assert image.grad is not None
    np.testing.assert_allclose(image.grad.numpy(), I - soft, atol=1e-12)


PENALTIES = {"tv": tv, "l1": l1, "l2": l2, "blur": blur, "energy": energy, "distance": distance}


# From where the distance to the source is measured there is nothing to lower.
@pytest.mark.parametrize("name", sorted(PENALTIES.keys() - {"distance"}))
def test_subtracting_one_lowers_it(name: str) -> None:
    network, penalty, image = tiny_network(torch.float64), PENALTIES[name](), IMAGE
    before = penalty.score({"image": image})
    for _ in range(20):
        _, (g,) = image_gradient(network, -1 * penalty, image)
        image = image - 1e-3 * g / g.abs().mean()  # the weight stays outside, as in the ascent
    assert (penalty.score({"image": image}) < before).all()
    assert not penalty.additive


def test_a_flat_gray_picture_has_a_finite_gradient_everywhere() -> None:
    gray = torch.full((1, 3, 8, 8), 0.5)
    for name, make in PENALTIES.items():
        _, (g,) = image_gradient(tiny_network(), make(), gray)
        assert torch.isfinite(g).all(), name
