"""Steps of an optimizer: Adam against its formula, uphill, with a rate that sinks in the end."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from reverie.ascent.optimizer import OPTIMIZERS, Optimizer
from reverie.ascent.rules import Ascent
from reverie.ascent.shaping import Shaping
from reverie.errors import UnknownName, UsageError
from reverie.pixels.param import Fourier, Pixels
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


@pytest.mark.parametrize("name", ["adam", "nadam", "sgd"])
def test_optimizers_go_uphill(name: str) -> None:
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
    for name in OPTIMIZERS.keys() - {"adamw", "asgd"}:  # whose weights decay unasked
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


def test_the_direction_of_an_ascent_can_be_the_gradient() -> None:
    x, g = noise(1, 3, 30, 20), noise(1, 3, 30, 20, seed=1) - 0.5
    ascent = Ascent(0.01, Shaping(bands=2, gray=0.5), 0.4, 2)
    ours, theirs = Optimizer("sgd", 0.01, 2, ascent=ascent), ascent
    a, b, one, other = Pixels(x), Pixels(x), None, None
    for _ in range(2):
        a, one = ours.step(a, g, one)
        b, other = theirs.step(b, g, other)
    torch.testing.assert_close(a.image(), b.image())


def one_step(name: str, options: dict[str, object], x: Tensor, g: Tensor, steps: int = 1) -> Tensor:
    """The change that an optimizer of ours makes."""
    rule, param, state = Optimizer(name, 0.01, steps, options=tuple(options.items())), Pixels(x), None
    for _ in range(steps):
        param, state = rule.step(param, g, state)
    return param.image() - x


def test_sgd_with_weight_decay_pulls_toward_black() -> None:
    x, g = noise(1, 3, 6, 5, dtype=torch.float64), torch.zeros(1, 3, 6, 5, dtype=torch.float64)
    torch.testing.assert_close(one_step("SGD", {"weight_decay": 2.0}, x, g), -0.01 * 2 * x)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_pixels_go_uphill_and_stay_an_image_with_all(name: str) -> None:
    x, g = noise(1, 3, 6, 5), noise(1, 3, 6, 5, seed=1) - 0.5
    change = one_step(name, {}, x, g, steps=3)
    assert float((change * g).sum()) > 0
    far = one_step(name, {}, x, 1e20 * g, steps=3) + x
    assert torch.isfinite(far).all() and float(far.min()) >= 0 and float(far.max()) <= 1


def test_an_optimizer_without_its_epsilon_stays_where_nothing_pulls() -> None:
    assert not one_step("adam", {"eps": 0.0}, noise(1, 3, 4, 4), torch.zeros(1, 3, 4, 4), steps=2).any()


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("adan", {}, "no optimizer 'adan'; did you mean 'adam'"),
        ("lbfgs", {}, "no optimizer 'lbfgs'"),
        ("muon", {}, "no optimizer 'muon'"),
        ("qqqqq", {}, "no optimizer 'qqqqq'; .* lists them"),
        ("adam", {"bettas": 3.0}, "Adam does not take"),
        ("adam", {"betas": 3.0}, "Adam does not take"),
        ("sgd", {"momentum": -1.0}, "SGD does not take"),
        ("adam", {"lr": 0.1}, "its rate is step_size"),
    ],
)
def test_what_is_no_optimizer_is_refused(name: str, options: dict[str, object], said: str) -> None:
    with pytest.raises((UnknownName, UsageError), match=said) as caught:
        Optimizer(name, 0.01, 1, options=tuple(options.items()))
    assert "\n" not in str(caught.value)
