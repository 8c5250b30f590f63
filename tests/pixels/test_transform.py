"""Transforms: where the picture is after them, how far they move it, and that a gradient finds back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from reverie.pixels.transform import compose, jitter, pad, wander
from tests.oracle import twins
from tests.oracle.networks import noise


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def rolls(image: Tensor, seen: Tensor, reach: int) -> list[tuple[int, int]]:
    """All shifts up to ``reach`` that turn ``image`` into ``seen``."""
    steps = range(-reach, reach + 1)
    return [(dy, dx) for dy in steps for dx in steps if torch.equal(image.roll((dy, dx), (-2, -1)), seen)]


@given(st.integers(0, 1000))
def test_jitter_shifts_around_by_no_more_than_its_amount(seed: int) -> None:
    image = noise(1, 3, 13, 15)
    assert len(rolls(image, jitter(4)(image, generator(seed)), 4)) == 1


def test_jitter_is_drawn_anew_each_time_and_reaches_every_shift() -> None:
    image, drawn, move = noise(1, 3, 9, 9), generator(), jitter(1)
    seen = [rolls(image, move(image, drawn), 1)[0] for _ in range(200)]
    assert len(set(seen)) == 9


def test_no_jitter_moves_nothing_and_draws_nothing() -> None:
    image, drawn = noise(1, 3, 9, 9), generator()
    assert torch.equal(jitter(0)(image, drawn), image)
    assert torch.equal(drawn.get_state(), generator().get_state())


def test_the_gradient_through_jitter_is_rolled_back() -> None:
    image, g = noise(1, 3, 9, 11).requires_grad_(True), noise(1, 3, 9, 11, seed=1)
    seen = jitter(5)(image, generator(2))
    (pulled,) = torch.autograd.grad(seen, image, g)
    ((dy, dx),) = rolls(image.detach(), seen.detach(), 5)
    assert (dy, dx) != (0, 0)
    assert torch.equal(pulled, g.roll((-dy, -dx), (-2, -1)))


SIDE = st.integers(1, 40)


@given(SIDE, SIDE, st.integers(0, 20), st.integers(1, 70), st.sampled_from([1, 4, 16]))
def test_pad_agrees_with_its_twin(h: int, w: int, amount: int, least: int, multiple: int) -> None:
    image, drawn = noise(1, 3, h, w), generator()
    seen = pad(amount, least, multiple)(image, drawn)
    rows, columns = (twins.margins(side, amount, least, multiple) for side in (h, w))
    np.testing.assert_array_equal(seen[0].numpy(), twins.reflect_pad(image[0].numpy(), *rows, *columns))
    assert torch.equal(drawn.get_state(), generator().get_state())


@given(SIDE, SIDE, st.integers(0, 6), st.integers(0, 6), st.sampled_from([1, 50]), st.integers(0, 99))
def test_wander_keeps_a_mirrored_margin_whatever_shift_is_drawn(
    h: int, w: int, margin: int, amount: int, least: int, seed: int
) -> None:
    image = noise(1, 3, h, w)
    seen = wander(margin, amount, least, 4)(image, generator(seed))[0].numpy()
    sides = [sum(twins.margins(side, margin + amount, least, 4)) for side in (h, w)]
    assert seen.shape == (3, h + sides[0], w + sides[1])
    tops, lefts = (range(margin, whole - margin + 1) for whole in sides)
    assert any(
        np.array_equal(seen, twins.reflect_pad(image[0].numpy(), t, sides[0] - t, x, sides[1] - x))
        for t in tops
        for x in lefts
    )


def test_wander_reaches_every_place_around_the_middle() -> None:
    image, drawn, move = noise(1, 3, 6, 6), generator(), wander(3, 2)
    places = set()
    for _ in range(400):
        seen = move(image, drawn)
        corners = [(y, x) for y in range(11) for x in range(11)]
        places |= {(y, x) for y, x in corners if torch.equal(seen[..., y : y + 6, x : x + 6], image)}
    assert places == {(y, x) for y in range(3, 8) for x in range(3, 8)}


def test_the_gradient_through_wander_adds_up_over_all_copies_of_a_pixel() -> None:
    image = noise(1, 3, 4, 5, dtype=torch.float64).requires_grad_(True)
    seen = wander(3, 2, 20, 1)(image, generator(5))
    g = noise(*seen.shape, seed=1, dtype=torch.float64)
    (pulled,) = torch.autograd.grad(seen, image, g)
    value = image.detach().flatten()
    copies = seen.detach().flatten()[:, None] == value[None]
    torch.testing.assert_close(pulled.flatten(), (copies.double() * g.flatten()[:, None]).sum(0))


def test_compose_applies_in_order_and_shares_one_generator() -> None:
    image, drawn = noise(1, 3, 8, 8), generator(1)
    whole = compose(pad(2), jitter(3), jitter(3))(image, drawn)
    again = generator(1)
    step = jitter(3)(jitter(3)(pad(2)(image, again), again), again)
    assert torch.equal(whole, step)


def test_compose_of_nothing_is_the_picture() -> None:
    image = noise(1, 3, 8, 8)
    assert compose()(image, generator()) is image


@pytest.mark.parametrize("make", [jitter(7), wander(3, 7), compose(pad(3), jitter(7))])
def test_the_same_seed_draws_the_same(make: object) -> None:
    image = noise(1, 3, 20, 20)
    one, same, other = (make(image, generator(seed)) for seed in (1, 1, 2))  # type: ignore[operator]
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
