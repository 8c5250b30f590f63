"""Objectives that follow another picture: best match, direction, caricature, against numpy and finite differences."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from reverie.ascent.gradient import image_gradient
from reverie.errors import UsageError
from reverie.objective import Objective, Sight, caricature, direction, guide, match
from reverie.objective.guide import best
from tests.oracle.networks import noise, tiny_network


def seeded(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


A = {"conv": seeded(2, 4, 5, 3), "head": seeded(2, 4, seed=1)}
VECTORS = seeded(7, 4, seed=2)


def best_by_hand(a: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Place by place, as the notebook of 2015 does: the vector of the largest dot product."""
    found = np.empty_like(a)
    for picture, into in zip(a, found, strict=True):
        for y in range(a.shape[2]):
            for x in range(a.shape[3]):
                into[:, y, x] = max(vectors, key=lambda v: float(v @ picture[:, y, x]))
    return found


def test_the_seed_at_each_place_is_the_guides_best_vector() -> None:
    a = A["conv"].clone().requires_grad_(True)
    score = match("conv", VECTORS).score({"conv": a})
    score.sum().backward()
    wanted = best_by_hand(A["conv"].numpy(), VECTORS.numpy())
    assert a.grad is not None
    np.testing.assert_allclose(a.grad.numpy() * 15, wanted, atol=1e-12)  # 15 places, whose mean is the score
    np.testing.assert_allclose(
        score.detach().numpy(), (A["conv"].numpy() * wanted).sum(1).mean((1, 2)), atol=1e-12
    )


def test_a_match_is_made_anew_for_every_activation() -> None:
    turned = {"conv": -A["conv"]}
    wanted = best_by_hand(-A["conv"].numpy(), VECTORS.numpy())
    np.testing.assert_allclose(
        match("conv", VECTORS).score(turned).numpy(), (-A["conv"].numpy() * wanted).sum(1).mean((1, 2))
    )


def test_cosine_does_not_favor_strong_vectors() -> None:
    vectors = torch.tensor([[10.0, 10.0], [1.0, 0.0]])
    a = torch.tensor([1.0, 0.1]).view(1, 2, 1, 1)
    assert best(a, vectors).flatten().tolist() == [10, 10]
    score = match("conv", vectors, "cosine").score({"conv": a})
    assert float(score) == pytest.approx(1.0)  # <a, (1, 0)>


def test_a_layer_without_places_matches_as_a_whole() -> None:
    products = A["head"] @ VECTORS.T
    torch.testing.assert_close(match("head", VECTORS).score(A), products.max(1).values)


@given(st.integers(1, 40), st.integers(1, 12))
def test_chunks_change_nothing(chunk: int, rows: int) -> None:
    vectors, whole = seeded(rows, 4, seed=3), guide.LARGEST_TABLE
    expected = best(A["conv"], vectors)
    guide.LARGEST_TABLE = chunk
    try:
        assert torch.equal(best(A["conv"], vectors), expected)
    finally:
        guide.LARGEST_TABLE = whole


class Largest(TorchDispatchMode):
    """Remembers how many numbers the largest tensor made had."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        out = func(*args, **(kwargs or {}))
        if isinstance(out, Tensor):
            self.count = max(self.count, out.numel())
        return out


def test_memory_stays_flat_however_large_picture_and_guide_are() -> None:
    a, vectors = torch.rand(1, 8, 250, 200), torch.rand(3000, 8)
    with Largest() as largest:
        match("conv", vectors).score({"conv": a})
    assert largest.count <= guide.LARGEST_TABLE < 250 * 200 * 3000 / 30


@pytest.mark.parametrize("power", [0.0, 1.0, 2.5])
def test_a_direction_is_the_dot_product_times_the_floored_cosine(power: float) -> None:
    v = VECTORS[0].numpy()
    for name, activation in A.items():
        expected = []
        for picture in activation.numpy():
            places = picture.reshape(4, -1).T
            dots = places @ v
            cosine = dots / (np.linalg.norm(places, axis=1) + 1e-4) / (np.linalg.norm(v) + 1e-4)
            expected.append(np.mean(dots * np.maximum(0.1, cosine) ** power))
        np.testing.assert_allclose(direction(name, VECTORS[0], power).score(A).numpy(), expected, rtol=1e-9)


def test_a_direction_fits_its_layer() -> None:
    with pytest.raises(UsageError, match="has 4 channels, the direction 3"):
        direction("conv", torch.ones(3)).score(A)
    with pytest.raises(UsageError, match="one finite vector"):
        direction("conv", torch.tensor([1.0, float("nan")]))
    with pytest.raises(UsageError, match="one finite vector"):
        direction("conv", torch.ones(2, 2))


def at(source: Tensor, activations: dict[str, Tensor]) -> Sight:
    return Sight(source, source, lambda image: image, lambda _image, _layers: activations)


@pytest.mark.parametrize("power", [0.0, 1.5])
def test_a_caricature_points_at_the_source(power: float) -> None:
    source = {"conv": seeded(2, 4, 5, 3, seed=5)}
    wanted = caricature("conv", power).following(at(torch.zeros(1, 3, 4, 4), source))
    a, s = A["conv"].numpy(), source["conv"].numpy()
    dots = (a * s).sum(1)
    lengths = (np.sqrt((a**2).sum(1)) + 1e-4) * (np.sqrt((s**2).sum(1)) + 1e-4)
    expected = (dots * np.maximum(0.1, dots / lengths) ** power).mean((1, 2))
    np.testing.assert_allclose(wanted.score(A).numpy(), expected, rtol=1e-9)
    assert wanted.follows and not wanted.additive


def test_gradients_agree_with_finite_differences() -> None:
    network = tiny_network(torch.float64)
    image = noise(1, 3, 16, 16).double()
    seen = network.capture(noise(1, 3, 16, 16).flip(-1).double(), ["relu2"])
    features = seen["relu2"].flatten(2)[0].T
    for wanted in (
        match("relu2", features),
        match("relu2", features, "cosine"),
        direction("relu2", features.mean(0), 2.0),
        caricature("relu2", 1.0).following(at(image, seen)),
    ):
        _, (g,) = image_gradient(network, wanted, image)
        along = seeded(1, 3, 16, 16, seed=9)
        ahead, behind = (
            image_gradient(network, wanted, image + sign * 1e-6 * along)[0][0, 0] for sign in (1, -1)
        )
        assert float((ahead - behind) / 2e-6) == pytest.approx(float((g[0] * along).sum()), rel=1e-4)


def test_ascent_reaches_the_known_optimum() -> None:
    """On the unit sphere <x, y> is largest at x = y: each place ends at its own best vector."""
    vectors = torch.nn.functional.normalize(seeded(3, 4, seed=6), dim=1)
    x = torch.nn.functional.normalize(seeded(1, 4, 2, 2, seed=7), dim=1)
    wanted, start = match("conv", vectors), x
    for _ in range(200):
        x = x.detach().requires_grad_(True)
        (g,) = torch.autograd.grad(wanted.score({"conv": x}).sum(), x)
        x = torch.nn.functional.normalize(x + g, dim=1)
    torch.testing.assert_close(x.detach(), best(start, vectors))


def test_what_is_matched_adds_over_places_and_what_knows_the_source_does_not() -> None:
    assert match("conv", VECTORS).additive
    assert direction("conv", VECTORS[0]).additive
    halves = [match("conv", VECTORS).score({"conv": half}) for half in A["conv"].split([2, 3], 2)]
    torch.testing.assert_close(
        match("conv", VECTORS).score(A), 0.4 * halves[0] + 0.6 * halves[1]
    )
    term = replace(match("conv", VECTORS).terms[0], weight=3.0)
    torch.testing.assert_close(Objective((term,)).score(A), 3 * match("conv", VECTORS).score(A))
