"""Objectives: their algebra, their scores against numpy, and layers fitted to what is there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reverie.network import Activations
from reverie.objective import Objective, Sight, Term, channel, layer, log_probability, logit

FACTOR = st.floats(-8, 8).filter(lambda f: abs(f) > 1e-3)


def activations(seed: int = 0) -> Activations:
    g = torch.Generator().manual_seed(seed)
    shapes = {"image": (2, 3, 6, 6), "conv": (2, 4, 5, 3), "head": (2, 7)}
    return {name: torch.randn(*shape, generator=g, dtype=torch.float64) for name, shape in shapes.items()}


def measuring(seen: Activations) -> Sight:
    """A moment at which the network sees just that, whatever it is shown."""
    image = torch.zeros(2, 3, 6, 6)
    return Sight(image, image, lambda image: image, lambda _image, _layers: seen)


A, B = layer("conv"), channel("conv", 2)
SEEN = activations()


def close(x: torch.Tensor, y: torch.Tensor) -> None:
    torch.testing.assert_close(x, y)


def test_a_layer_scores_half_its_mean_square_for_each_picture() -> None:
    for name in ("conv", "head"):
        a = SEEN[name].numpy()
        expected = [0.5 * np.mean(one**2) for one in a]
        np.testing.assert_allclose(layer(name).score(SEEN).numpy(), expected)


def test_a_channel_scores_its_mean() -> None:
    np.testing.assert_allclose(B.score(SEEN).numpy(), SEEN["conv"].numpy()[:, 2].mean((1, 2)))
    np.testing.assert_allclose(channel("head", 5).score(SEEN).numpy(), SEEN["head"].numpy()[:, 5])


def test_a_logit_is_its_channel_under_the_name_of_its_class() -> None:
    close(logit("head", 5).score(SEEN), channel("head", 5).score(SEEN))
    assert [term.name for term in logit("head", 5, label="owl").terms + logit("head", 5).terms] == [
        "owl",
        "class:5",
    ]
    assert log_probability("head", 5, label="owl").terms[0].name == "owl"


@pytest.mark.parametrize("temperature", [1.0, 2.0])
@pytest.mark.parametrize("classes", [[1], [0, 3], [2, 1, 0]])
def test_a_log_probability_is_a_contest_at_every_place(temperature: float, classes: list[int]) -> None:
    for name in ("conv", "head"):
        p = np.exp(SEEN[name].numpy() / temperature)
        expected = np.log(p[:, classes].sum(1) / p.sum(1)).reshape(2, -1).mean(1)
        wanted = log_probability(name, *classes, temperature=temperature)
        np.testing.assert_allclose(wanted.score(SEEN).numpy(), expected)


def test_a_log_probability_stops_pushing_where_its_class_shows() -> None:
    a = torch.zeros(1, 4, 1, 2)
    a[0, 1, 0, 0] = 20
    a.requires_grad_(True)
    log_probability("conv", 1).score({"conv": a}).backward()
    assert a.grad is not None
    assert 0 <= float(a.grad[0, 1, 0, 0]) < 0.001
    assert float(a.grad[0, 1, 0, 1]) > 0.1


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_several_logits_are_their_soft_maximum_at_every_place(temperature: float) -> None:
    for name in ("conv", "head"):
        e = np.exp(SEEN[name].numpy()[:, [0, 3]] / temperature).sum(1)
        expected = (temperature * np.log(e)).reshape(2, -1).mean(1)
        np.testing.assert_allclose(logit(name, 0, 3, temperature=temperature).score(SEEN).numpy(), expected)


@pytest.mark.parametrize("form", [logit, log_probability])
def test_of_several_classes_each_place_takes_the_one_it_is_nearest_to(form: Callable[..., Objective]) -> None:
    a = torch.zeros(1, 4, 1, 2)
    a[0, 1, 0, 0] = a[0, 2, 0, 1] = 4
    a.requires_grad_(True)
    form("conv", 1, 2).score({"conv": a}).backward()
    assert a.grad is not None
    left, right = a.grad[0, 1:3, 0, 0], a.grad[0, 1:3, 0, 1]
    assert left[0] > 3 * left[1] > 0
    assert right[1] > 3 * right[0] > 0


@given(FACTOR, FACTOR)
def test_objectives_add_and_scale_like_their_scores(p: float, q: float) -> None:
    a, b = A.score(SEEN), B.score(SEEN)
    close((p * A + q * B).score(SEEN), p * a + q * b)
    close((A * p - q * B).score(SEEN), p * a - q * b)
    close((-(p * A) - B).score(SEEN), -p * a - b)
    close((p * (A + q * B)).score(SEEN), p * a + p * q * b)


def test_weights_stay_outside_the_scores_of_the_terms() -> None:
    first, second = (3 * A - 2 * B).scores(SEEN)
    close(first, A.score(SEEN))
    close(second, B.score(SEEN))
    assert [term.weight for term in (3 * A - 2 * B).terms] == [3, -2]


def test_the_layers_of_a_sum_are_those_of_its_parts() -> None:
    assert (A - 2 * layer("head") + B).layers == {"conv", "head"}
    assert A.layers == B.layers == {"conv"}


def test_a_sum_is_additive_only_if_every_term_is() -> None:
    whole = Objective((replace(A.terms[0], additive=False),))
    assert (A + B).additive
    assert not (A + whole).additive
    assert not (-2 * whole).additive


def test_algebra_leaves_its_operands_as_they_are() -> None:
    before = A.terms
    _ = 2 * A + B - A
    assert A.terms is before
    assert A.terms[0].weight == 1


def test_a_layer_without_focus_measures_nothing() -> None:
    assert not layer("conv").measures
    assert not (A + B).measured(measuring(SEEN)).measures


def focused_by_hand(a: np.ndarray, now: np.ndarray, focus: float) -> list[float]:
    scores = []
    for one, later in zip(a, now, strict=True):
        excited = np.array([np.maximum(plane, 0).mean() for plane in one])
        share = (excited / excited.mean()) ** focus
        share = share / share.mean()
        scores.append(0.5 * np.mean([s * np.mean(plane**2) for s, plane in zip(share, later, strict=True)]))
    return scores


@pytest.mark.parametrize("name", ["conv", "head"])
@pytest.mark.parametrize("focus", [0.5, 1.4, 8.0])
def test_focus_weights_channels_by_what_was_there_at_the_measuring(name: str, focus: float) -> None:
    later = activations(1)
    fitted = layer(name, focus).measured(measuring(SEEN))
    expected = focused_by_hand(SEEN[name].numpy(), later[name].numpy(), focus)
    np.testing.assert_allclose(fitted.score(later).numpy(), expected)


def test_an_unfitted_focus_scores_like_the_plain_layer() -> None:
    close(layer("conv", 2.0).score(SEEN), A.score(SEEN))


def test_measuring_keeps_weight_name_and_layers_and_can_be_repeated() -> None:
    later = activations(2)
    objective = -3 * layer("conv", 1.4) + B
    fitted = objective.measured(measuring(SEEN))
    assert [(t.weight, t.name, t.layers) for t in fitted.terms] == [
        (t.weight, t.name, t.layers) for t in objective.terms
    ]
    assert fitted.measures
    close(fitted.measured(measuring(later)).score(later), objective.measured(measuring(later)).score(later))


def test_measuring_holds_no_graph() -> None:
    seen = {"conv": SEEN["conv"].clone().requires_grad_(True)}
    score = layer("conv", 1.4).measured(measuring(seen)).score({"conv": SEEN["conv"]})
    assert not score.requires_grad


def test_focus_on_a_layer_that_is_nowhere_positive_still_pulls() -> None:
    a = (-SEEN["conv"].abs()).requires_grad_(True)
    score = layer("conv", 1.4).measured(measuring({"conv": a.detach()})).score({"conv": a})
    (g,) = torch.autograd.grad(score.sum(), a)
    assert float(g.abs().max()) > 0


def test_a_term_of_ones_own_joins_the_sum() -> None:
    darkness = Objective((Term(frozenset(["image"]), lambda seen: -seen["image"].mean((1, 2, 3))),))
    close((2 * darkness + B).score(SEEN), -2 * SEEN["image"].mean((1, 2, 3)) + B.score(SEEN))
    assert (darkness + B).layers == {"image", "conv"}
