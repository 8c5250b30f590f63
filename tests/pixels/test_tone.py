"""HDR and wide gamuts: known points of the standards, hues that stay, gamuts worked out from their chromaticities."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from reverie.pixels import tone

D65 = (0.3127, 0.3290)
BT709 = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
CORNERS = {9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)), 12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))}


def to_xyz(corners: tuple[tuple[float, float], ...]) -> np.ndarray:
    """RGB to CIE XYZ from the chromaticities of the primaries and of white (SMPTE RP 177)."""
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in corners]).T
    white = np.array([D65[0] / D65[1], 1, (1 - sum(D65)) / D65[1]])
    return columns * np.linalg.solve(columns, white)


@pytest.mark.parametrize("primaries", [9, 12])
def test_gamuts_are_those_of_their_chromaticities(primaries: int) -> None:
    expected = np.linalg.inv(to_xyz(BT709)) @ to_xyz(CORNERS[primaries])
    np.testing.assert_allclose(tone.WIDE[primaries], expected, atol=2e-4)


@pytest.mark.parametrize("primaries", [9, 12])
def test_a_color_within_bt709_comes_out_of_a_wide_film_as_it_was(primaries: int) -> None:
    color = np.random.default_rng(0).uniform(0.05, 0.95, (5, 3))
    wide = np.linalg.inv(to_xyz(CORNERS[primaries])) @ to_xyz(BT709) @ (color**2.4).T
    image = torch.from_numpy(wide ** (1 / 2.4)).float()[None, :, :, None]
    np.testing.assert_allclose(tone.displayed(image, 14, primaries)[0, :, :, 0].T, color, atol=2e-3)


def test_what_is_bt709_is_not_touched() -> None:
    image = torch.rand(1, 3, 4, 5)
    for transfer in (1, 2, 6, 13):
        assert tone.displayed(image, transfer, 1) is image


@pytest.mark.parametrize(("transfer", "points"), [
    (tone.PQ, {0.0: 0, 0.44028: 50, 0.50808: 100, 0.58069: 203, 0.75183: 1000}),  # SMPTE ST 2084, BT.2408
    (tone.HLG, {0.0: 0, 0.5: 1000 * (1 / 12) ** 1.2, 0.75: 203, 1.0: 1000}),  # BT.2100, BT.2408
])  # fmt: skip
def test_light_below_the_knee_keeps_its_ratio_to_paper_white(transfer: int, points: dict[float, float]) -> None:
    shown = [float(tone.displayed(torch.full((1, 3, 1, 1), at), transfer, 1).mean()) for at in points]
    assert shown == sorted(shown) and shown[0] == 0 and shown[-1] == pytest.approx(1, abs=1e-3)
    for value, light in zip(shown, points.values(), strict=True):
        if light < 90:
            assert value == pytest.approx((light / 203) ** (1 / 2.4), abs=1e-3)
        else:
            assert value <= (light / 203) ** (1 / 2.4) + 1e-3


def test_hues_stay_and_nothing_leaves_the_range() -> None:
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(1, 3, 40, 40, generator=generator) * 0.75
    shown = tone.displayed(image, tone.PQ, 1)
    assert shown.min() >= 0 and shown.max() <= 1
    # The ratios of the channels' light are what they were.
    light, made = tone._from_pq(image), shown.double() ** 2.4
    ratios = [each / each.sum(1, keepdim=True) for each in (light.double(), made)]
    assert (ratios[0] - ratios[1]).abs().max() < 1e-3
    assert torch.isfinite(tone.displayed(torch.tensor([0.0, 1, 1]).view(1, 3, 1, 1), tone.HLG, 9)).all()
