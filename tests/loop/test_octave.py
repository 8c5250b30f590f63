"""Sizes of octaves, and what detail is carried from one to the next."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reverie.loop.octave import sizes, start
from reverie.pixels.ops import resize
from tests.oracle import twins
from tests.oracle.networks import noise

SIDE = st.integers(1, 5000)
OCTAVES = st.just("auto") | st.integers(1, 64)


@settings(max_examples=200)
@given(SIDE, SIDE, OCTAVES, st.floats(1.05, 16), st.integers(16, 4096))
def test_sizes_agree_with_their_twin(h: int, w: int, octaves: int | str, scale: float, smallest: int) -> None:
    found = sizes((h, w), octaves, scale, smallest)  # type: ignore[arg-type]
    assert found == twins.octave_sizes((h, w), octaves, scale, smallest)
    assert found[-1] == (h, w)
    assert found == sorted(set(found))
    assert min(map(min, found)) >= 1


@pytest.mark.parametrize(("h", "w"), [(1, 1), (1, 5000), (5000, 1), (23, 23)])
@pytest.mark.parametrize("octaves", ["auto", 1, 8])
def test_a_picture_too_small_for_octaves_has_one(h: int, w: int, octaves: int | str) -> None:
    assert sizes((h, w), octaves, 1.4, 128) == [(h, w)]  # type: ignore[arg-type]


def test_auto_shares_the_coarse_sizes_of_a_small_and_a_large_picture() -> None:
    small, large = sizes((320, 480), "auto", 1.4, 128), sizes((1280, 1920), "auto", 1.4, 128)
    assert len(small) == 4
    assert large[: len(small) - 1] == small[:-1]
    assert len(large) > len(small)


@given(st.integers(200, 1000), st.integers(200, 1000), st.integers(2, 8))
def test_auto_shares_them_to_the_pixel_on_the_short_side(h: int, w: int, times: int) -> None:
    small = sizes((h, w), "auto", 1.4, 128)[:-1]
    large = sizes((h * times, w * times), "auto", 1.4, 128)
    assert small == large[: len(small)]


def test_auto_starts_at_the_smallest_size_and_grows_by_the_scale() -> None:
    assert sizes((512, 512), "auto", 2.0, 64) == [(64, 64), (128, 128), (256, 256), (512, 512)]
    assert sizes((750, 750), "auto", 2.0, 64)[-2:] == [(512, 512), (750, 750)]
    assert sizes((700, 700), "auto", 2.0, 64)[-2:] == [(256, 256), (700, 700)]  # less than half a step


def test_auto_takes_no_step_that_is_hardly_one() -> None:
    assert sizes((130, 130), "auto", 1.4, 128) == [(130, 130)]


def test_a_number_is_anchored_at_the_fine_end() -> None:
    assert sizes((512, 768), 3, 2.0, 16) == [(128, 192), (256, 384), (512, 768)]
    assert sizes((512, 768), 3, 2.0, 4096) == [(128, 192), (256, 384), (512, 768)]


def test_a_number_takes_no_more_than_the_picture_holds() -> None:
    assert sizes((100, 100), 8, 2.0, 16) == [(25, 25), (50, 50), (100, 100)]


SOURCE = noise(1, 3, 12, 16)
ADDED, DREAMT = 0.2 * (noise(1, 3, 6, 8, seed=1) - 0.5), noise(1, 3, 6, 8, seed=2)


@pytest.mark.parametrize("detail", ["reinject", "carry", "lost"])
def test_the_first_octave_starts_at_the_source(detail: str) -> None:
    begun = start(detail, SOURCE, None, None)  # type: ignore[arg-type]
    assert torch.equal(begun, SOURCE)
    assert begun is not SOURCE


@pytest.mark.parametrize("detail", ["reinject", "carry"])
def test_what_was_dreamt_is_enlarged_and_added_to_the_pristine_source(detail: str) -> None:
    begun = start(detail, SOURCE, ADDED, DREAMT)  # type: ignore[arg-type]
    torch.testing.assert_close(begun, SOURCE + resize(ADDED, (12, 16)))


def test_lost_enlarges_the_dream_itself() -> None:
    torch.testing.assert_close(start("lost", SOURCE, ADDED, DREAMT), resize(DREAMT, (12, 16)))


def test_lost_still_takes_the_dream_of_an_earlier_frame_at_the_start() -> None:
    torch.testing.assert_close(start("lost", SOURCE, ADDED, None), SOURCE + resize(ADDED, (12, 16)))


@pytest.mark.parametrize("detail", ["reinject", "carry", "lost"])
def test_an_octave_starts_within_black_and_white(detail: str) -> None:
    begun = start(detail, SOURCE, 50 * ADDED, (DREAMT > 0.5).float())  # type: ignore[arg-type]
    assert float(begun.min()) >= 0
    assert float(begun.max()) <= 1


@pytest.mark.parametrize(("octaves", "exponents"), [(5, [-2, -1, 0, 1, 2]), (4, [-2, -1, 0, 1])])
def test_octaves_may_lie_above_the_picture(octaves: int, exponents: list[int]) -> None:
    found = sizes((400, 600), octaves, 1.3, 16, above=(octaves + 1) // 2 - 1)
    assert found == [(round(400 * 1.3**k), round(600 * 1.3**k)) for k in exponents]


def test_auto_goes_on_above_the_picture() -> None:
    assert sizes((256, 256), "auto", 2.0, 64, above=1) == [(64, 64), (128, 128), (256, 256), (512, 512)]
    assert sizes((256, 256), 1, 2.0, 64, above=3) == [(256, 256)]
