"""Objectives over a batch: diversity and interpolation."""

from __future__ import annotations

import numpy as np
import torch

from reverie.objective import channel, diversity, favorites, interpolation, layer

G = torch.Generator().manual_seed(0)
A = {"conv": torch.randn(3, 4, 5, 2, generator=G, dtype=torch.float64)}


def test_diversity_is_minus_the_mean_cosine_of_gram_matrices() -> None:
    grams = []
    for picture in A["conv"].numpy():
        flat = picture.reshape(4, -1)
        gram = flat @ flat.T
        grams.append(gram / np.sqrt((gram**2).sum()))
    expected = [
        -np.mean([(grams[i] * grams[j]).sum() for j in range(3) if j != i]) for i in range(3)
    ]
    np.testing.assert_allclose(diversity("conv").score(A).numpy(), expected)


def test_one_alone_is_neither_alike_nor_diverse() -> None:
    a = A["conv"][:1].clone().requires_grad_(True)
    score = diversity("conv").score({"conv": a})
    score.sum().backward()
    assert float(score.detach()) == 0
    assert a.grad is not None and float(a.grad.abs().max()) < 1e-9


def test_ascent_makes_equal_pictures_differ() -> None:
    a = A["conv"][:1].repeat(3, 1, 1, 1) + 0.01 * A["conv"]
    before = diversity("conv").score({"conv": a})
    for _ in range(50):
        a = a.detach().requires_grad_(True)
        (g,) = torch.autograd.grad(diversity("conv").score({"conv": a}).sum(), a)
        a = a + 0.1 * g / g.abs().mean()
    assert (diversity("conv").score({"conv": a}) > before + 0.2).all()


def test_interpolation_leads_from_one_to_the_other() -> None:
    first, second = 2 * channel("conv", 0), layer("conv")
    score = interpolation(first, second).score(A)
    one, two = first.score(A), second.score(A)
    torch.testing.assert_close(score, torch.stack([one[0], (one[1] + two[1]) / 2, two[2]]))
    alone = {"conv": A["conv"][:1]}
    torch.testing.assert_close(interpolation(first, second).score(alone), first.score(alone))
    assert interpolation(first, second).layers == {"conv"}
    assert not interpolation(first, second).measures
    assert interpolation(first, favorites("conv", 2)).measures
