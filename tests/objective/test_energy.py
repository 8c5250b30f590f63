"""Energies, favorites, neurons and masks: their scores against numpy, and that ascent raises them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from reverie.ascent.gradient import image_gradient
from reverie.errors import UsageError
from reverie.objective import (
    Objective,
    Sight,
    channel,
    favorites,
    layer,
    masked,
    mean,
    mean_square,
    neuron,
    norm,
    sum_square,
    whole,
)
from reverie.pixels.param import Pixels
from reverie.pixels.transform import wander
from reverie.recipe import Recipe
from tests.oracle.networks import gradient, noise, tiny_network

G = torch.Generator().manual_seed(3)
SEEN = {
    "conv": torch.randn(2, 4, 5, 3, generator=G, dtype=torch.float64),
    "head": torch.randn(2, 7, generator=G, dtype=torch.float64),
}


def still(picture: Tensor, activations: dict[str, Tensor] | None = None) -> Sight:
    return Sight(picture, picture, lambda image: image, lambda _image, _layers: activations or SEEN)


@pytest.mark.parametrize("name", SEEN)
def test_each_energy_is_what_its_name_says(name: str) -> None:
    a = SEEN[name].numpy().reshape(2, -1)
    for made, expected, additive in (
        (mean(name), a.mean(1), True),
        (mean_square(name), (a**2).mean(1), True),
        (sum_square(name), (a**2).sum(1), False),
        (norm(name), np.sqrt((a**2).sum(1)), False),
        (layer(name), 0.5 * (a**2).mean(1), True),
    ):
        np.testing.assert_allclose(made.score(SEEN).numpy(), expected)
        assert made.additive == additive
        assert not whole(made).additive


def test_a_norm_has_a_gradient_where_all_is_zero() -> None:
    a = torch.zeros(1, 2, 3, 3, requires_grad=True)
    norm("conv").score({"conv": a}).sum().backward()
    assert a.grad is not None and not a.grad.isnan().any()


def test_favorites_are_the_channels_that_the_source_excites() -> None:
    source = torch.ones(1, 4, 2, 2) * torch.tensor([0.0, 3.0, 1.0, 2.0]).view(1, 4, 1, 1)
    sight, a = still(torch.zeros(1, 3, 4, 4), {"conv": source}), SEEN["conv"].numpy()
    for weakest, chosen in ((False, [1, 3]), (True, [2, 3])):  # channel 0 is silent: nothing to follow
        found = favorites("conv", 2, weakest).measured(sight)
        np.testing.assert_allclose(
            found.score(SEEN).numpy(), 0.5 * (a[:, chosen] ** 2).mean((1, 2, 3))
        )
    assert favorites("conv", 99).measured(sight).score(SEEN).shape == (2,)


def test_favorites_are_chosen_on_the_source_not_on_the_dream() -> None:
    source, dream = torch.zeros(1, 3, 4, 4), torch.ones(1, 3, 4, 4)

    def capture(image: Tensor, _layers: object) -> dict[str, Tensor]:
        strong = int(image.mean())  # channel 0 where it is the source, 1 where it is the dream
        return {"conv": torch.eye(4)[strong].view(1, 4, 1, 1).expand(1, 4, 2, 2)}

    fitted = favorites("conv", 1).measured(Sight(dream, source, lambda image: image, capture))
    expected = 0.5 * SEEN["conv"][:, 0].square().mean((1, 2))
    torch.testing.assert_close(fitted.score(SEEN), expected)


def test_a_neuron_is_the_unit_at_its_place() -> None:
    a = SEEN["conv"]
    torch.testing.assert_close(neuron("conv", 2).score(SEEN), a[:, 2, 2, 1])
    torch.testing.assert_close(neuron("conv", 1, (0.0, 1.0)).score(SEEN), a[:, 1, 0, 2])
    torch.testing.assert_close(neuron("conv", 1, (0.99, 0.4)).score(SEEN), a[:, 1, 4, 1])
    with pytest.raises(UsageError, match="has no places"):
        neuron("head", 2).score(SEEN)


@pytest.mark.parametrize("place", [(0.1, 0.1), (0.5, 0.5), (0.97, 0.3)])
def test_a_neuron_follows_the_picture(place: tuple[float, float]) -> None:
    """Whatever shift is drawn, the gradient falls where the place is in the picture."""
    network, image = tiny_network(torch.float64), noise(1, 3, 40, 48).double()
    sight = Sight(image, image, lambda one: one, network.capture)
    y, x = place[0] * 40, place[1] * 48
    for seed in range(6):
        generator = torch.Generator().manual_seed(seed)
        _, g = gradient(
            network, channelwise(place), Pixels(image), wander(6, 7, 16, 16), generator, sight=sight
        )
        strength = g.abs().sum((0, 1))
        rows, columns = (strength > 0).nonzero().double().mean(0).tolist()
        assert abs(rows - y) < 4 and abs(columns - x) < 4


def channelwise(place: tuple[float, float]) -> Objective:
    # Before any ReLU, so that no unit is silent.
    return neuron("conv2", 3, place)


MASK = torch.zeros(1, 1, 10, 6).index_fill_(3, torch.arange(3), 1.0)


def test_a_mask_weights_the_places_of_its_layer() -> None:
    a = SEEN["conv"].numpy()
    small = MASK.double().numpy()[0, 0, ::2, ::2]  # 10x6 stretched to the layer's 5x3
    small[:, 1] = 0.5  # the middle place lies half in it, as an antialiased filter sees it
    made = masked(layer("conv"), MASK.double(), "left.png")
    got = made.score(SEEN).numpy()
    left = 0.5 * (a[..., 0] ** 2).mean(1).sum(1) / 15
    every = 0.5 * (a**2).mean((1, 2, 3))
    assert (left < got).all() and (got < every).all()
    one = masked(layer("conv"), torch.ones(1, 1, 3, 9).double())
    np.testing.assert_allclose(one.score(SEEN).numpy(), every)
    half = masked(layer("conv"), torch.full((1, 1, 3, 9), 0.5).double())
    np.testing.assert_allclose(half.score(SEEN).numpy(), every / 2)
    assert not made.additive and made.terms[0].share == 0.5


def test_what_has_no_places_takes_no_mask() -> None:
    for made in (norm("conv"), neuron("conv", 1)):
        with pytest.raises(UsageError, match=r"takes no mask \(left.png\)"):
            masked(made, MASK, "left.png")
    with pytest.raises(UsageError, match="has no places, so it takes no mask"):
        masked(layer("head"), MASK).score(SEEN)


def test_a_masked_term_stays_on_its_side_whatever_shift_is_drawn() -> None:
    network, image = tiny_network(torch.float64), noise(1, 3, 40, 48).double()
    left = torch.zeros(1, 1, 40, 48)
    left[..., :24] = 1
    sight = Sight(image, image, lambda one: one, network.capture)
    for seed in range(4):
        generator = torch.Generator().manual_seed(seed)
        objective = masked(layer("relu2"), left)
        _, g = gradient(network, objective, Pixels(image), wander(4, 9, 16, 16), generator, sight=sight)
        # Half of a unit's place and its receptive field of 7 px reach over the border.
        assert float(g[..., 24 + 8 :].abs().max()) == 0
        assert float(g[..., :16].abs().mean()) > 0


def test_balanced_a_masked_term_is_as_strong_in_its_mask_as_another_everywhere() -> None:
    network, image = tiny_network(torch.float64), noise(1, 3, 48, 48).double()
    quarter = torch.zeros(1, 1, 48, 48)
    quarter[..., :24, :24] = 1
    sight, generator = Sight(image, image, lambda one: one, network.capture), torch.Generator()
    steps = [
        gradient(network, made, Pixels(image), lambda one, _: one, generator, sight=sight)[1]
        for made in (layer("relu2"), masked(layer("relu2"), quarter))
    ]
    everywhere, inside = (g[..., 2:18, 2:18].abs().mean() for g in steps)
    assert float(inside / everywhere) == pytest.approx(1, abs=0.25)


def test_a_mask_and_a_measure_work_together() -> None:
    made = masked(favorites("conv", 1), torch.ones(1, 1, 2, 2).double(), "m")
    picture = torch.zeros(1, 3, 4, 4)
    fitted = made.measured(still(picture)).following(still(picture))
    torch.testing.assert_close(
        fitted.score(SEEN), favorites("conv", 1).measured(still(picture)).score(SEEN)
    )
    assert fitted.measures and fitted.follows


@pytest.mark.parametrize("made", [
    mean("relu2"), mean_square("relu2"), sum_square("relu2"), norm("relu2"), layer("relu2"),
    channel("conv2", 3), neuron("conv2", 3), favorites("relu2", 2), masked(layer("relu2"), MASK),
], ids=lambda made: made.terms[0].name)
def test_the_gradient_is_that_of_the_score_and_following_it_raises_the_score(made: Objective) -> None:
    network, image = tiny_network(torch.float64), noise(1, 3, 16, 16).double()
    sight = Sight(image, image, lambda one: one, network.capture)
    made = made.measured(sight).following(sight)
    (before,), (g,) = image_gradient(network, made, image)
    along = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    ahead, behind = (image_gradient(network, made, image + s * 1e-6 * along)[0] for s in (1, -1))
    assert float(ahead - behind) / 2e-6 == pytest.approx(float((g * along).sum()), rel=1e-4)
    assert float(image_gradient(network, made, image + 1e-3 * g / g.abs().mean())[0]) > float(before)


def test_the_optimum_of_a_weighted_pull_and_its_penalty_is_where_they_are_equal() -> None:
    """maximize a - a^2 / 2: at 1, from either side."""
    for start in (-2.0, 4.0):
        a = torch.full((1, 1, 2, 2), start)
        for _ in range(200):
            a = a.detach().requires_grad_(True)
            (g,) = torch.autograd.grad((mean("x") - layer("x")).score({"x": a}).sum(), a)
            a = a + 0.4 * g
        torch.testing.assert_close(a.detach(), torch.ones(1, 1, 2, 2))


def test_shares_leave_weights_alone() -> None:
    made = 3 * masked(layer("conv"), MASK)
    assert made.terms[0].weight == 3
    assert replace(made.terms[0], weight=1).share == made.terms[0].share
    assert Recipe().balance == "terms"
