"""What becomes of a raw gradient: against numpy twins, and block by block against the whole."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from reverie.ascent.blockwise import Block, Stretch, blockwise
from reverie.ascent.rules import Ascent, Taken
from reverie.ascent.shaping import Shaping
from reverie.ascent.smoothing import Smoothing, quick
from reverie.pixels.ops import split
from reverie.pixels.param import Pixels
from tests.oracle import twins, twins_shaping
from tests.oracle.networks import noise

SHAPINGS = {
    "none": Shaping(),
    "bands": Shaping(bands=3),
    "fine": Shaping(bands=4, fine=0.35),
    "spread": Shaping(bands=3, spread=0.7),
    "gray": Shaping(gray=0.3),
    "fine gray": Shaping(bands=4, fine_gray=1.0),
    "all": Shaping(bands=3, fine=0.35, spread=1.0, gray=0.5, fine_gray=0.7),
}
OTHERS = {
    "box": Shaping(smoothing=Smoothing("box", kernel=5), normalize="std"),
    "blend": Shaping(smoothing=Smoothing("gaussian", (0.5, 1.5), (3, 1)), normalize="l2"),
    "wrapped": Shaping(bands=2, smoothing=Smoothing("cascade", border="circular"), normalize="standard"),
    "decimated": Shaping(bands=3, pyramid="decimated", normalize="none"),
    "decimated and spread": Shaping(
        2, 0.4, 0.5, pyramid="decimated", smoothing=Smoothing("growing", border="constant"), normalize="max"
    ),
    "sign": Shaping(normalize="sign"),
}
SIDE = st.integers(1, 60)


def raw(h: int, w: int, seed: int = 0) -> Tensor:
    return noise(1, 3, h, w, seed=seed, dtype=torch.float64) - 0.4


@pytest.mark.parametrize("shaping", SHAPINGS.values(), ids=SHAPINGS)
@given(h=SIDE, w=SIDE)
def test_shaping_agrees_with_its_twin(shaping: Shaping, h: int, w: int) -> None:
    g = raw(h, w)
    twin = twins.shaped(g[0].numpy(), shaping.bands, shaping.fine, shaping.spread, shaping.gray, shaping.fine_gray)
    np.testing.assert_allclose(shaping(g)[0].numpy(), twin, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("shaping", SHAPINGS.values(), ids=SHAPINGS)
def test_a_direction_has_mean_strength_one_for_each_picture(shaping: Shaping) -> None:
    for h, w in ((1, 1), (7, 9), (64, 48)):
        made = shaping(torch.cat([raw(h, w), 100 * raw(h, w, seed=1)]))
        np.testing.assert_allclose(made.abs().mean((1, 2, 3)).numpy(), [1, 1])


@pytest.mark.parametrize("shaping", SHAPINGS.values(), ids=SHAPINGS)
@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_the_strength_of_a_gradient_does_not_matter(shaping: Shaping, factor: float) -> None:
    g = raw(40, 30).float()
    torch.testing.assert_close(shaping(factor * g), shaping(g), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shaping", SHAPINGS.values(), ids=SHAPINGS)
def test_no_gradient_gives_no_direction(shaping: Shaping) -> None:
    assert torch.equal(shaping(torch.zeros(1, 3, 20, 30)), torch.zeros(1, 3, 20, 30))


def test_gray_takes_the_color_out() -> None:
    made = Shaping(gray=1.0)(raw(10, 10))
    torch.testing.assert_close(made, made[:, :1].expand_as(made))


def test_fine_turns_the_finest_band_down() -> None:
    def finest(fine: float) -> float:
        made = Shaping(bands=3, fine=fine)(raw(64, 64))[0].numpy()
        return float(np.std(twins.split(made, 1)[0]))

    assert finest(0.0) < 0.8 * finest(0.35)
    assert finest(0.35) < 0.8 * finest(1.0)


def test_spread_lets_calm_places_dream_too() -> None:
    g = raw(64, 64)
    g[..., :32] *= 0.1

    def calm(spread: float) -> float:
        made = Shaping(bands=3, spread=spread)(g).abs()
        return float(made[..., :24].mean() / made[..., 40:].mean())

    assert calm(0.0) < 0.3
    assert calm(0.0) < calm(0.5) < calm(1.0)
    assert calm(1.0) > 0.5


def test_coarse_turns_down_what_lies_below_all_bands() -> None:
    def lowest(coarse: float) -> float:
        return split(Shaping(bands=3, coarse=coarse)(white), 3)[-1].std().item()

    white = torch.randn(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    assert lowest(0.0) < lowest(0.4) < lowest(1.0)


ALL = SHAPINGS | OTHERS


@pytest.mark.parametrize("shaping", ALL.values(), ids=ALL)
@given(h=SIDE, w=SIDE, side=st.integers(1, 70))
@settings(max_examples=12)
def test_blocks_make_what_the_whole_makes(shaping: Shaping, h: int, w: int, side: int) -> None:
    g = raw(h, w)
    over, measured = shaping.blocks((h, w), side)
    made = torch.full_like(g, torch.nan)
    for at, (block, part) in enumerate(blockwise(lambda block: shaping.walk(block.of(g), block), over, measured)):
        assert block == over[at]
        made[..., *block.place] = part
    torch.testing.assert_close(made, shaping(g), rtol=1e-8, atol=1e-8)


def without_sums(shaping: Shaping, g: Tensor, block: Block) -> Tensor:
    """The direction of a block if all that is measured were 1."""
    walk = shaping.walk(block.of(g), block)
    part = next(walk)
    try:
        while True:
            part = walk.send(torch.ones_like(part.value))
    except StopIteration as done:
        made: Tensor = done.value
        return made


@pytest.mark.parametrize("upright", [True, False], ids=["rows", "columns"])
def test_a_block_needs_no_more_than_its_reach_and_not_much_less(upright: bool) -> None:
    shaping = SHAPINGS["all"]
    assert shaping.reach < 140
    middle, all_ = Stretch(300, 140, 160, shaping.reach, shaping.reach), Stretch(20, 0, 20)
    block, g = Block(middle, all_), raw(300, 20)
    if not upright:
        block, g = Block(all_, middle), g.mT
    far, near = g.clone(), g.clone()
    for changed, at in ((far, 140 - shaping.reach - 1), (near, 139)):
        (changed if upright else changed.mT)[..., at, :] += 100
    assert torch.equal(without_sums(shaping, far, block), without_sums(shaping, g, block))
    assert not torch.equal(without_sums(shaping, near, block), without_sums(shaping, g, block))


def test_the_first_sum_needs_no_more_than_the_filters_reach_and_not_much_less() -> None:
    shaping, g = SHAPINGS["all"], raw(300, 20)
    block = Block(Stretch(300, 140, 160, shaping.filters, shaping.filters), Stretch(20, 0, 20))
    assert shaping.filters < shaping.reach / 2

    def energies(g: Tensor) -> Tensor:
        return next(shaping.walk(block.of(g), block)).value

    wide = Block(Stretch(300, 140, 160, shaping.reach, shaping.reach), block.columns)
    torch.testing.assert_close(energies(g), next(shaping.walk(wide.of(g), wide)).value)
    near = g.clone()
    near[..., 139, :] += 100
    assert not torch.equal(energies(near), energies(g))


def test_a_step_can_go_block_by_block_with_its_momentum() -> None:
    rule = Ascent(0.02, SHAPINGS["all"], 0.4)
    g, before = raw(90, 40), Shaping()(raw(90, 40, seed=1))
    moved, whole = rule.step(Pixels(noise(1, 3, 90, 40, dtype=torch.float64)), g, Taken(1, before))
    over, measured = rule.shaping.blocks((90, 40), 32)
    made = torch.full_like(g, torch.nan)
    walk = blockwise(lambda block: rule.walk(block.of(g), before[..., *block.place], block), over, measured)
    for block, part in walk:
        made[..., *block.place] = part
    torch.testing.assert_close(made, whole.direction, rtol=1e-9, atol=1e-9)
    assert float((moved.image() - 0.5).abs().max()) < 0.5


@pytest.mark.parametrize("blur", ["box", "gaussian", "growing", "cascade"])
@pytest.mark.parametrize("border", ["reflect", "constant", "replicate", "circular"])
@pytest.mark.parametrize("width", [0, 9])
def test_blurs_agree_with_their_twin(blur: str, border: str, width: int) -> None:
    g, sigmas = raw(12, 17), [0.5, 1.1] if blur == "gaussian" else [0.5]
    weights = [3.0, 2.0] if blur == "gaussian" and width else []
    made = Smoothing(blur, tuple(sigmas), tuple(weights), width, border)  # type: ignore[arg-type]
    for step in (1, 3):
        twin = twins_shaping.smoothed(g[0].numpy(), blur, sigmas, weights, width, border, step, 3)
        np.testing.assert_allclose(made(g, step / 3)[0].numpy(), twin, atol=1e-12)


def test_a_growing_blur_has_the_numbers_of_its_system() -> None:
    grown = [Smoothing("growing").widths(i / 10)[0] for i in range(1, 11)]
    np.testing.assert_allclose(grown, [4 * i / 10 + 0.5 for i in range(1, 11)])
    np.testing.assert_allclose(Smoothing("cascade").widths(0.5), [0.75, 1.5, 3.0])


@pytest.mark.parametrize("size", [(16, 16), (17, 22), (31, 5), (1, 9), (1, 1)])
@pytest.mark.parametrize("levels", [1, 4])
def test_the_decimated_pyramid_is_that_of_tensorflow(size: tuple[int, int], levels: int) -> None:
    g = raw(*size)
    made = Shaping(bands=levels, pyramid="decimated", normalize="none")(g)[0].numpy()
    np.testing.assert_allclose(made, twins_shaping.lap_normalized(g[0].numpy(), levels), atol=1e-9)


@pytest.mark.parametrize("norm", ["mean", "std", "standard", "l2", "max", "sign", "none"])
def test_norms_agree_with_their_twin(norm: str) -> None:
    g = torch.cat([raw(13, 10), 40 * raw(13, 10, seed=1)])
    made = Shaping(normalize=norm)(g)  # type: ignore[arg-type]
    for at in range(2):
        np.testing.assert_allclose(made[at].numpy(), twins_shaping.normalized(g[at].numpy(), norm), rtol=1e-9)


@pytest.mark.parametrize("norm", ["std", "standard", "l2", "max", "sign", "none"])
def test_no_gradient_gives_no_direction_whatever_the_norm(norm: str) -> None:
    none = torch.zeros(1, 3, 20, 30)
    assert torch.equal(Shaping(normalize=norm)(none), none)  # type: ignore[arg-type]


@pytest.mark.parametrize("norm", ["std", "standard"])
def test_rounding_is_not_raised_where_all_is_alike(norm: str) -> None:
    made = Shaping(normalize=norm)(torch.full((1, 3, 20, 30), 0.1))  # type: ignore[arg-type]
    assert float(made.abs().max()) <= 1001


def test_momentum_keeps_the_strength_that_another_norm_gave() -> None:
    rule = Ascent(1.0, Shaping(normalize="l2"), 0.5)
    before = Shaping(normalize="l2")(raw(20, 20, seed=1))
    alone, g = Shaping(normalize="l2")(raw(20, 20)), raw(20, 20)
    made = rule.directed(g, Taken(1, before)).direction
    assert float(made.abs().mean()) == pytest.approx(float(alone.abs().mean()))
    assert not torch.allclose(made, alone)


def test_the_quick_lengths_have_small_factors_alone() -> None:
    powers = sorted(2**a * 3**b * 5**c for a in range(11) for b in range(7) for c in range(5))
    for length in (1, 7, 8, 11, 241, 523, 1024):
        assert quick(length) == next(each for each in powers if each >= length)
