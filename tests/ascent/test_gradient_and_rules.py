"""The one backward pass: against finite differences, term by term, and what becomes of a gradient."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from reverie.ascent.gradient import Slope, combined, image_gradient, lasting, scales, slope
from reverie.ascent.rules import Ascent, Taken
from reverie.ascent.shaping import Shaping
from reverie.network import Network
from reverie.objective import Objective, channel, distance, inside, layer
from reverie.pixels.ops import EPSILON
from reverie.pixels.param import Pixels
from reverie.pixels.transform import Transform, compose, jitter, pad, wander
from tests.oracle import twins
from tests.oracle.networks import gradient, hooks, noise, tiny_network

A, B, OWL = layer("relu1"), channel("relu2", 3), channel("logits", 0)
WHOLE = 0.7 * A - 2 * B + 5 * OWL
NOTHING: Transform = compose()


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def smooth() -> Network:
    return tiny_network(torch.float64, nn.Softplus)


def differences(f: Callable[[Tensor], Tensor], x: Tensor, directions: int = 4) -> list[tuple[Tensor, Tensor]]:
    """Some directions and the slope of ``f`` along each, by central differences."""
    found = []
    for seed in range(directions):
        d = torch.randn(x.shape, generator=generator(seed), dtype=torch.float64)
        found.append((d, (f(x + 1e-5 * d) - f(x - 1e-5 * d)) / 2e-5))
    return found


@pytest.mark.parametrize("objective", [A, layer("conv2"), B, OWL, layer("logits"), inside(A, 2), inside(B, 1)])
def test_image_gradient_agrees_with_finite_differences(objective: Objective) -> None:
    network, x = smooth(), noise(1, 3, 16, 21, dtype=torch.float64)

    def f(x: Tensor) -> Tensor:
        return objective.score(network.capture(x, objective.layers))

    scores, (g,) = image_gradient(network, objective, x)
    torch.testing.assert_close(scores[0], f(x))
    for d, found in differences(f, x):
        torch.testing.assert_close((g * d).sum()[None], found, rtol=1e-6, atol=1e-10)


@pytest.mark.parametrize(
    "transform",
    [NOTHING, pad(3, 32, 16), jitter(5), compose(pad(2), jitter(7)), wander(4, 6, 16, 4), wander(30, 9)],
    ids=["nothing", "pad", "jitter", "pad and jitter", "wander", "far wander"],
)
def test_gradient_agrees_with_finite_differences_through_transforms(transform: Transform) -> None:
    network, x = smooth(), noise(1, 3, 17, 14, dtype=torch.float64)

    def f(x: Tensor) -> Tensor:
        return WHOLE.score(network.capture(transform(x, generator(9)), WHOLE.layers))

    score, g = gradient(network, WHOLE, Pixels(x), transform, generator(9), balance=False)
    torch.testing.assert_close(score, f(x))
    for d, found in differences(f, x):
        torch.testing.assert_close((g * d).sum()[None], found, rtol=1e-6, atol=1e-10)


def test_every_term_gets_its_own_unweighted_gradient(tiny: Network) -> None:
    x = noise(2, 3, 16, 16)
    scores, gradients = image_gradient(tiny, WHOLE, x)
    assert scores.shape == (3, 2)
    assert gradients.shape == (3, 2, 3, 16, 16)
    for at, objective in enumerate((A, B, OWL)):
        alone, (g,) = image_gradient(tiny, objective, x)
        torch.testing.assert_close(scores[at], alone[0])
        torch.testing.assert_close(gradients[at], g)


def test_the_pictures_of_a_batch_do_not_mix(tiny: Network) -> None:
    x = noise(2, 3, 16, 16)
    _, whole = gradient(tiny, WHOLE, Pixels(x), NOTHING, generator())
    for at in range(2):
        _, alone = gradient(tiny, WHOLE, Pixels(x[at : at + 1]), NOTHING, generator())
        torch.testing.assert_close(whole[at : at + 1], alone, rtol=1e-4, atol=1e-5)


def test_the_gradient_of_jitter_is_undone_where_the_network_sees_all_places_alike() -> None:
    network, x = (
        tiny_network(torch.float64, padding_mode="circular"),
        noise(1, 3, 16, 16, dtype=torch.float64),
    )
    still = gradient(network, A, Pixels(x), NOTHING, generator())[1]
    for seed in range(4):
        moved = gradient(network, A, Pixels(x), jitter(7), generator(seed))[1]
        torch.testing.assert_close(moved, still)


def test_nothing_is_left_behind(tiny: Network) -> None:
    x = noise(1, 3, 16, 16)
    before = x.clone()
    score, g = gradient(tiny, WHOLE, Pixels(x), jitter(3), generator())
    assert hooks(tiny.module) == 0
    assert not any(each.requires_grad for each in (x, score, g))
    assert torch.equal(x, before)
    assert all(parameter.grad is None for parameter in tiny.module.parameters())


def test_a_gradient_is_taken_even_where_gradients_are_off(tiny: Network) -> None:
    x = Pixels(noise(1, 3, 16, 16))
    with torch.no_grad():
        off = gradient(tiny, A, x, jitter(3), generator())[1]
    torch.testing.assert_close(off, gradient(tiny, A, x, jitter(3), generator())[1])


def cosine(a: Tensor, b: Tensor) -> float:
    return float(torch.nn.functional.cosine_similarity(a.flatten(), b.flatten(), dim=0))


def shares(network: Network, terms: tuple[Objective, ...], x: Tensor, balance: bool) -> float:
    """By what factor the nearest term is nearer to the combined gradient than the farthest."""
    whole: Objective = sum((0.5 * term for term in terms[1:]), 0.5 * terms[0])
    together = gradient(network, whole, Pixels(x), NOTHING, generator(), balance)[1]
    near = [cosine(together, image_gradient(network, term, x)[1][0]) for term in terms]
    assert min(near) > 0 or not balance
    return max(near) / max(min(near), 1e-9)


@pytest.mark.parametrize("size", [(16, 16), (48, 80)])
def test_terms_of_equal_weight_pull_alike(tiny: Network, size: tuple[int, int]) -> None:
    for pair in itertools.combinations((A, layer("relu2"), B, OWL), 2):
        assert shares(tiny, pair, noise(1, 3, *size), balance=True) < 1.5


def loud(objective: Objective) -> Objective:
    """The same wish, shouted: its score itself, not its weight, is a thousand times as large."""
    (term,) = objective.terms
    return Objective((replace(term, score=lambda seen: 1000 * term.score(seen)),))


def test_a_loud_term_is_no_stronger_than_a_quiet_one_unless_raw(tiny: Network) -> None:
    x = noise(1, 3, 32, 32)
    assert shares(tiny, (A, loud(B)), x, balance=True) < 1.5
    assert shares(tiny, (A, loud(B)), x, balance=False) > 1.5


@given(st.floats(-3, 3), st.floats(-3, 3))
def test_balanced_terms_are_weighted_after_each_is_made_one(p: float, q: float) -> None:
    g = torch.stack([noise(2, 3, 5, 4) - 0.5, 1e-6 * (noise(2, 3, 5, 4, seed=1) - 0.4)]).double()
    weights = g.new_tensor([[p, p], [q, q]])
    made = combined(g, weights / scales(g))
    for at in range(2):
        twin = p * twins.normalized(g[0, at].numpy()) + q * twins.normalized(g[1, at].numpy())
        np.testing.assert_allclose(made[at].numpy(), twin, atol=1e-12)
    torch.testing.assert_close(combined(g, weights), p * g[0] + q * g[1])


def test_terms_that_are_not_balanced_go_back_in_one_pass(tiny: Network) -> None:
    objective, x = 2 * A - 0.5 * B + WHOLE, noise(2, 3, 32, 32)
    weights = [term.weight for term in objective.terms]
    scores, gradients = image_gradient(tiny, objective, x)
    passes: list[Tensor] = []
    first = tiny.module.get_submodule("conv1")
    with first.register_full_backward_hook(lambda module, given, returned: passes.append(returned[0])):
        found = slope(tiny, objective, Pixels(x), NOTHING, generator(), balance=False)
        assert len(passes) == 1
        slope(tiny, objective, Pixels(x), NOTHING, generator(), balance=True)
        assert len(passes) == 1 + len(weights)
    torch.testing.assert_close(found.gradient, torch.einsum("t,t...->...", torch.tensor(weights), gradients))
    torch.testing.assert_close(found.terms, scores)
    torch.testing.assert_close(found.score, torch.tensor(weights) @ scores)


def test_a_term_without_gradient_adds_nothing() -> None:
    g = torch.stack([noise(1, 3, 5, 4) - 0.5, torch.zeros(1, 3, 5, 4)])
    assert torch.equal(combined(g, 1 / scales(g)), combined(g[:1], 1 / scales(g[:1])))


def test_terms_balanced_by_scales_from_before_go_back_in_one_pass(tiny: Network) -> None:
    objective, x = 2 * A - 0.5 * B, noise(2, 3, 32, 32)
    measured = slope(tiny, objective, Pixels(x), NOTHING, generator())
    assert measured.scales is not None and tuple(measured.scales.shape) == (2, 2)
    passes: list[Tensor] = []
    first = tiny.module.get_submodule("conv1")
    with first.register_full_backward_hook(lambda module, given, returned: passes.append(returned[0])):
        held = slope(tiny, objective, Pixels(x), NOTHING, generator(), held=measured.scales)
    assert len(passes) == 1
    torch.testing.assert_close(held.gradient, measured.gradient)
    assert held.scales is measured.scales


def test_the_sum_of_looks_knows_what_all_of_them_tell() -> None:
    x, found = noise(1, 3, 4, 4), torch.tensor([[1.0], [2.0]])
    measured = Slope(torch.ones(1), torch.ones(2, 1), x, scales=found)
    silent = replace(measured, scales=None)
    assert (measured + silent).scales is None and (silent + measured).scales is None
    mean = (measured + replace(measured, gradient=3 * x, scales=3 * found)) / 2
    torch.testing.assert_close(mean.gradient, 2 * x)
    assert mean.strength is None and torch.equal(mean.scales, 2 * found)


def test_scales_do_not_last_where_a_term_is_silent_or_about_the_picture(tiny: Network) -> None:
    found = torch.tensor([[1.0], [2.0]])
    assert lasting(A + B, found) is found
    assert lasting(A + B, torch.tensor([[1.0], [EPSILON]])) is None
    assert lasting(A - distance(), found) is None
    assert lasting(A, found[:1]) is None


@pytest.mark.parametrize("size", [(16, 16), (64, 48), (1, 200)])
def test_a_step_is_as_strong_whatever_the_size_of_the_picture(tiny: Network, size: tuple[int, int]) -> None:
    x = noise(1, 3, *size)
    g = gradient(tiny, A, Pixels(x), pad(0, 16, 16), generator())[1]
    moved = Ascent(0.01).step(Pixels(x), g, None)[0].image()
    assert float((moved - x).abs().mean()) == pytest.approx(0.01, rel=1e-3)


def moved(rule: Ascent, g: Tensor, before: Tensor | None) -> Tensor:
    """The direction of one step."""
    taken = None if before is None else Taken(1, before)
    return rule.step(Pixels(torch.full_like(g, 0.5)), g, taken)[1].direction


def test_momentum_keeps_what_the_steps_agree_on() -> None:
    agreed, random = torch.ones(1, 3, 8, 8), generator()
    direction = None
    for _ in range(60):
        g = agreed + 3 * torch.randn(1, 3, 8, 8, generator=random)
        direction = moved(Ascent(0.01, momentum=0.9), g, direction)
        assert float(direction.abs().mean()) == pytest.approx(1)
    assert direction is not None
    alone = Shaping()(agreed + 3 * torch.randn(1, 3, 8, 8, generator=random))
    assert float(direction.mean()) > 2 * float(alone.mean())


def test_without_momentum_a_direction_is_what_it_is() -> None:
    now, before = torch.randn(1, 3, 4, 4), torch.randn(1, 3, 4, 4)
    assert torch.equal(moved(Ascent(0.01), now, before), Shaping()(now))
    assert torch.equal(moved(Ascent(0.01, momentum=0.9), now, None), Shaping()(now))


def test_a_step_goes_uphill(tiny: Network) -> None:
    param = Pixels(noise(1, 3, 32, 32))
    before, g = gradient(tiny, WHOLE, param, NOTHING, generator(), balance=False)
    after, _ = gradient(tiny, WHOLE, Ascent(1e-3).step(param, g, None)[0], NOTHING, generator(), balance=False)
    assert float(after) > float(before)
