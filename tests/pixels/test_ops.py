"""Pure image functions against their numpy twins, at sizes nobody would choose."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Tensor

from reverie.pixels import ops
from tests.oracle import twins, twins_shaping
from tests.oracle.networks import noise

SIDE = st.integers(1, 40)


def image(h: int, w: int, seed: int = 0) -> Tensor:
    return noise(1, 3, h, w, seed=seed, dtype=torch.float64)


def array(x: Tensor) -> twins.Array:
    return np.asarray(x[0].double().numpy())


@given(SIDE, SIDE, SIDE, st.integers(2, 40))
@example(20, 20, 1, 2)
def test_resize_agrees_with_its_twin(h: int, w: int, to_h: int, to_w: int) -> None:
    x = image(h, w)
    np.testing.assert_allclose(
        array(ops.resize(x, (to_h, to_w))), twins.resize(array(x), (to_h, to_w)), atol=1e-9
    )


@pytest.mark.parametrize(("size", "to"), [((20, 1), (9, 1)), ((9, 1), (20, 1)), ((20, 5), (9, 1))])
def test_resize_to_one_pixel_of_width_agrees_with_its_twin(size: ops.Size, to: ops.Size) -> None:
    x = image(*size)
    np.testing.assert_allclose(array(ops.resize(x, to)), twins.resize(array(x), to), atol=1e-9)


def test_resize_to_its_own_size_changes_nothing() -> None:
    x = image(7, 9)
    assert ops.resize(x, (7, 9)) is x


@given(SIDE, SIDE, SIDE, SIDE)
def test_resize_keeps_a_constant(h: int, w: int, to_h: int, to_w: int) -> None:
    made = ops.resize(torch.full((1, 3, h, w), 0.3), (to_h, to_w))
    torch.testing.assert_close(made, torch.full((1, 3, to_h, to_w), 0.3))


def test_resize_is_linear() -> None:
    a, b = image(20, 30), image(20, 30, seed=1)
    whole = ops.resize(2 * a - b, (13, 41))
    torch.testing.assert_close(whole, 2 * ops.resize(a, (13, 41)) - ops.resize(b, (13, 41)))


def test_shrinking_does_not_alias() -> None:
    stripes = torch.tensor([0.0, 1.0]).repeat(32).expand(1, 3, 64, 64)
    assert (ops.resize(stripes, (16, 16)) - 0.5).abs().max() < 0.1


@given(st.integers(1, 6), st.integers(1, 6), st.tuples(*[st.integers(0, 25)] * 4))
def test_mirrored_agrees_with_its_twin_for_any_margin(
    h: int, w: int, sides: tuple[int, int, int, int]
) -> None:
    x = image(h, w)
    np.testing.assert_array_equal(array(ops.mirrored(x, *sides)), twins.reflect_pad(array(x), *sides))


def test_mirrored_both_ways_of_working_agree_where_they_meet() -> None:
    x = image(5, 6)
    small = ops.mirrored(x, 4, 4, 5, 5)
    large = ops.mirrored(x, 5, 4, 5, 5)
    assert torch.equal(large[..., 1:, :], small)


def test_gradient_flows_through_a_margin_larger_than_the_picture() -> None:
    x = image(2, 3).requires_grad_(True)
    ops.mirrored(x, 7, 6, 5, 4).sum().backward()
    assert x.grad is not None
    counts = np.einsum("h,w->hw", twins.reflect_matrix(2, 7, 6).sum(0), twins.reflect_matrix(3, 5, 4).sum(0))
    np.testing.assert_array_equal(x.grad[0, 0].numpy(), counts)


@given(st.integers(1, 70), st.integers(1, 70), st.integers(0, 6))
def test_the_bands_add_up_to_the_picture(h: int, w: int, levels: int) -> None:
    x = image(h, w)
    bands = ops.split(x, levels)
    assert all(band.shape == x.shape for band in bands)
    torch.testing.assert_close(torch.stack(bands).sum(0), x, rtol=0, atol=1e-12)


@given(st.integers(1, 50), st.integers(1, 50), st.integers(0, 5))
def test_split_agrees_with_its_twin(h: int, w: int, levels: int) -> None:
    x = image(h, w)
    ours, theirs = ops.split(x, ops.levels_in((h, w), levels)), twins.split(array(x), levels)
    assert len(ours) == len(theirs)
    for band, twin in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(array(band), twin, atol=1e-12)


@given(SIDE, SIDE)
def test_the_filter_against_alternation_agrees_with_its_twin(h: int, w: int) -> None:
    x = image(h, w)
    np.testing.assert_allclose(array(ops.without_alternation(x)), twins.without_alternation(array(x)), atol=1e-12)


def test_what_alternates_from_pixel_to_pixel_is_gone() -> None:
    rows = torch.tensor([1.0, -1.0]).repeat(8)
    assert ops.without_alternation(rows.expand(1, 3, 16, 16)).abs().max() < 1e-6
    assert ops.without_alternation(rows[:, None].expand(1, 3, 16, 16)).abs().max() < 1e-6


def test_a_shift_of_the_picture_is_a_shift_of_its_bands() -> None:
    x = image(64, 64)
    shifted = ops.split(x.roll(3, -1), 3)
    for band, moved in zip(ops.split(x, 3), shifted, strict=True):
        torch.testing.assert_close(moved[..., 20:-20], band.roll(3, -1)[..., 20:-20], rtol=0, atol=1e-12)


def test_the_bands_of_a_constant_hold_nothing() -> None:
    *bands, rest = ops.split(torch.full((1, 3, 33, 47), 0.7, dtype=torch.float64), 3)
    assert max(float(band.abs().max()) for band in bands) < 1e-12
    torch.testing.assert_close(rest, torch.full_like(rest, 0.7))


def test_strengths_are_taken_for_each_picture_alone() -> None:
    x = torch.cat([image(5, 6) - 0.5, 10 * (image(5, 6, 1) - 0.5)])
    for at in range(2):
        one = x[at].numpy()
        assert float(ops.mean_abs(x)[at]) == pytest.approx(np.abs(one).mean())
        assert float(ops.rms(x)[at]) == pytest.approx(np.sqrt((one**2).mean()))
    assert ops.mean_abs(x).shape == ops.rms(x).shape == (2, 1, 1, 1)


@given(SIDE, SIDE, st.integers(0, 9))
def test_local_strength_agrees_with_its_twin(h: int, w: int, reach: int) -> None:
    x = image(h, w) - 0.5
    np.testing.assert_allclose(ops.local_rms(x, reach)[0, 0].numpy(), twins.local_rms(array(x), reach))


@given(st.integers(1, 3000), st.integers(1, 3000), st.integers(1, 3000))
def test_fitted_has_the_long_side_asked_for_and_no_side_below_one(h: int, w: int, long: int) -> None:
    size = ops.fitted_size((h, w), long)
    assert max(size) == long
    assert min(size) >= 1
    assert abs(min(size) - max(1.0, min(h, w) * long / max(h, w))) <= 0.5


@given(SIDE, SIDE, SIDE, SIDE)
def test_cropped_is_the_largest_centered_part_of_that_shape(h: int, w: int, to_h: int, to_w: int) -> None:
    ys, xs = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    part = ops.cropped(torch.stack([ys, xs])[None], (to_h, to_w))
    ch, cw = part.shape[-2:]
    assert ch == h or cw == w
    assert ch == max(1, min(h, round(w * to_h / to_w))) or cw == max(1, min(w, round(h * to_w / to_h)))
    top, left = int(part[0, 0, 0, 0]), int(part[0, 1, 0, 0])
    assert 0 <= (h - ch - top) - top <= 1
    assert 0 <= (w - cw - left) - left <= 1


def cloud(h: int, w: int, seed: int = 3) -> Tensor:
    return ops.cloud((h, w), torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("h", "w"), [(60, 90), (1, 1), (1, 40), (200, 30), (300, 300)])
def test_a_cloud_has_the_size_asked_for_and_stays_in_range(h: int, w: int) -> None:
    x = cloud(h, w)
    assert x.shape == (1, 3, h, w)
    assert torch.isfinite(x).all()
    assert float(x.min()) >= 0
    assert float(x.max()) <= 1


def test_a_cloud_is_drawn_from_its_generator_alone() -> None:
    assert torch.equal(cloud(60, 90), cloud(60, 90))
    assert not torch.equal(cloud(60, 90), cloud(60, 90, seed=4))


def test_a_cloud_is_gray_on_average_and_varies() -> None:
    x = cloud(120, 180)
    assert float(x.mean()) == pytest.approx(0.5, abs=0.02)
    assert 0.08 < float(x.std()) < 0.3


def test_a_small_and_a_large_cloud_share_their_forms() -> None:
    small, large = cloud(80, 120), ops.resize(cloud(240, 360), (80, 120))
    together = torch.corrcoef(torch.stack([small.flatten(), large.flatten()]))
    assert float(together[0, 1]) > 0.98


def test_a_very_long_thin_cloud_costs_no_gigabytes(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []

    def counted(*shape: int, **_options: object) -> Tensor:
        drawn.append(int(np.prod(shape)))
        raise InterruptedError

    monkeypatch.setattr(torch, "randn", counted)
    with pytest.raises(InterruptedError):
        cloud(1, 5000)
    assert drawn[0] <= 3 * 2048 * 2048


@given(SIDE, SIDE, st.integers(0, 5))
def test_a_pyramid_collapses_into_what_it_was_made_of(h: int, w: int, levels: int) -> None:
    x = image(h, w)
    torch.testing.assert_close(ops.collapsed(ops.pyramid(x, levels, (h, w)), (h, w)), x, rtol=0, atol=1e-12)


def test_the_source_keeps_its_chroma() -> None:
    source, dreamt = 0.4 + 0.2 * image(9, 8), 0.4 + 0.2 * image(9, 8, seed=1)
    made = ops.recolored(dreamt, source, "source")
    np.testing.assert_allclose(twins_shaping.chroma(array(made)), twins_shaping.chroma(array(source)), atol=1e-12)
    np.testing.assert_allclose(twins_shaping.luma(array(made)), twins_shaping.luma(array(dreamt)), atol=1e-12)


def test_locked_color_has_the_mean_and_the_contrast_of_the_source() -> None:
    source, dreamt = image(20, 20), 0.1 + 0.3 * image(20, 20, seed=1)
    made, wanted = array(ops.recolored(dreamt, source, "locked")), array(source)
    inside = (made > 0).all() and (made < 1).all()
    assert inside
    np.testing.assert_allclose(made.mean((1, 2)), wanted.mean((1, 2)))
    np.testing.assert_allclose(made.std((1, 2)), wanted.std((1, 2)))


def test_locked_color_of_a_flat_dream_is_flat() -> None:
    made = ops.recolored(torch.full((1, 3, 5, 5), 0.2), image(5, 5).float(), "locked")
    assert float(made.std((-2, -1)).max()) < 1e-6


@pytest.mark.parametrize("shape", [(2, 5), (2, 5, 4, 3)])
def test_the_mean_of_squares_has_the_gradient_that_autograd_finds(shape: tuple[int, ...]) -> None:
    x = noise(*shape, seed=1, dtype=torch.float64)
    if len(shape) == 4:
        x = x.contiguous(memory_format=torch.channels_last)
    leaf, twin = x.clone().requires_grad_(True), x.clone().requires_grad_(True)
    torch.testing.assert_close(ops.mean_of_squares(leaf), twin.square().mean(1))
    (found,), (expected,) = (
        torch.autograd.grad(made.sin().sum(), of)
        for made, of in ((ops.mean_of_squares(leaf), leaf), (twin.square().mean(1), twin))
    )
    torch.testing.assert_close(found, expected)
    assert found.stride() == x.stride()
    assert torch.autograd.gradgradcheck(ops.mean_of_squares, (leaf,))
