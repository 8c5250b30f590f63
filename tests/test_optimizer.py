"""Steps of an optimizer: Adam against its formula, uphill, with a rate that sinks in the end."""

from __future__ import annotations

import pytest
import torch

from reverie.optimizer import OPTIMIZERS, Optimizer
from reverie.param import Fourier, Pixels
from tests.oracle.networks import noise


def test_adam_agrees_with_the_formula() -> None:
    x = 0.4 + 0.2 * noise(1, 3, 4, 5)
    rule, param, state = Optimizer("adam", 0.01, 5), Pixels(x), None
    mean, square, twin = torch.zeros_like(x), torch.zeros_like(x), x.clone()
    for step in range(1, 6):
        g = noise(1, 3, 4, 5, seed=step) - 0.5
        param, state = rule.step(param, g, state)
        mean, square = 0.9 * mean + 0.1 * g, 0.999 * square + 0.001 * g * g
        twin = twin + 0.01 * (mean / (1 - 0.9**step)) / ((square / (1 - 0.999**step)).sqrt() + 1e-8)
    torch.testing.assert_close(param.values, twin, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_goes_uphill(name: str) -> None:
    goal = noise(1, 3, 6, 6, seed=1)
    param, state, rule = Fourier.of(noise(1, 3, 6, 6)), None, Optimizer(name, 0.05, 60)
    before = float((param.image() - goal).square().sum())
    for _ in range(60):
        leaf = param.values.clone().requires_grad_(True)
        score = -(Fourier(leaf, param.size).image() - goal).square().sum()
        (g,) = torch.autograd.grad(score, leaf)
        param, state = rule.step(param, g, state)
    assert float((param.image() - goal).square().sum()) < 0.9 * before


def test_no_gradient_moves_nothing() -> None:
    x = noise(1, 3, 4, 5)
    for name in OPTIMIZERS:
        param, _ = Optimizer(name, 0.1, 1).step(Pixels(x), torch.zeros_like(x), None)
        assert torch.equal(param.values, x)


def test_a_step_after_clipping_starts_at_the_clipped_picture() -> None:
    rule, param, state = Optimizer("sgd", 1.0, 3), Pixels(torch.full((1, 3, 2, 2), 0.9)), None
    for change in (0.5, -0.25):
        param, state = rule.step(param, torch.full((1, 3, 2, 2), change), state)
    torch.testing.assert_close(param.values, torch.full((1, 3, 2, 2), 0.75))


def test_the_rate_sinks_evenly_at_the_end() -> None:
    rule = Optimizer("adam", 0.1, 8, cooldown=0.5)
    assert [round(rule.rate(step), 4) for step in range(8)] == [0.1] * 5 + [0.075, 0.05, 0.025]
    assert {Optimizer("adam", 0.1, 8).rate(step) for step in range(8)} == {0.1}
