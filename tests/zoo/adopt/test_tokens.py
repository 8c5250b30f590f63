"""Outputs of every shape, read as activations [B, C, h, w] or [B, C]."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Size, nn

from reverie import zoo
from reverie.zoo.adopt.tokens import TokenLayout, first, folded, layout
from tests.oracle.networks import noise
from tests.oracle.torchvision_shim import models

PLAIN = nn.Identity()


@pytest.mark.parametrize(("small", "large", "maps", "expected"), [
    ((1, 6, 32, 32), (1, 6, 64, 64), [], TokenLayout(4, 1)),
    ((1, 32, 32, 6), (1, 64, 64, 6), [], TokenLayout(4, 3)),
    ((1, 6, 1, 1), (1, 6, 1, 1), [], TokenLayout(4, 1)),  # pooled
    ((1, 1, 1, 6), (1, 1, 1, 6), [], TokenLayout(4, 3)),
    ((1, 3, 17, 17), (1, 3, 65, 65), [], TokenLayout(4, 1)),  # attention, by head
    ((1, 17, 17), (1, 65, 65), [], TokenLayout(3, 0)),
    ((1, 17, 12), (1, 65, 12), [], TokenLayout(3, 2, 1, 8.0)),
    ((1, 12, 16), (1, 12, 64), [], TokenLayout(3, 1, 0, 8.0)),
    ((1, 21, 12), (1, 69, 12), [], TokenLayout(3, 2, 5, 8.0)),
    ((1, 9, 12), None, [(2, 2)], TokenLayout(3, 2, 5, 16.0)),  # not 3 x 3: the layer before it says so
    ((1, 9, 12), None, [], TokenLayout(3, 2, 0, 32 / 3)),
    ((17, 1, 12), (65, 1, 12), [], TokenLayout(3, 2, 1, 8.0, sequence=True)),
    ((16, 12), (64, 12), [], TokenLayout(2, 1, 0, 8.0)),
    ((4, 16, 12), (16, 16, 12), [], TokenLayout(3, 2)),  # windows of attention
    ((1, 12), (1, 12), [], TokenLayout(2, 1)),
    ((1,), (1,), [], TokenLayout(1, 0)),
    ((1, 5, 4, 32, 32), (1, 5, 4, 64, 64), [], TokenLayout(5, 1)),
])
def test_a_layout_is_found_in_the_shapes_of_two_pictures(
    small: tuple[int, ...], large: tuple[int, ...] | None, maps: list[tuple[int, int]], expected: TokenLayout
) -> None:
    assert layout(PLAIN, Size(small), None if large is None else Size(large), (32, 32), maps) == expected


def test_a_picture_that_is_not_square_has_the_grid_of_the_layer_before() -> None:
    assert layout(PLAIN, Size((1, 25, 12)), None, (32, 48), [(4, 6)]) == TokenLayout(3, 2, 1, 8.0)
    x = torch.arange(25.0)[None, :, None].expand(2, -1, 12)
    found = folded(x, TokenLayout(3, 2, 1, 8.0), 2, (32, 48))
    assert found is not None and found[0, 0].tolist() == (torch.arange(24.0) + 1).view(4, 6).tolist()


@pytest.mark.parametrize(("shape", "how", "count", "expected"), [
    ((2, 5, 4, 8, 6), TokenLayout(5, 1), 2, (2, 5, 4, 48)),
    ((8, 16, 12), TokenLayout(3, 2), 2, (2, 12, 64, 1)),
    ((8, 3, 16, 16), TokenLayout(4, 1), 2, (2, 3, 64, 16)),
    ((32, 12), TokenLayout(2, 1, 0, 8.0), 2, (2, 12, 4, 4)),
    ((17, 2, 12), TokenLayout(3, 2, 1, 8.0, sequence=True), 2, (2, 12, 4, 4)),
    ((2, 17, 17), TokenLayout(3, 0), 2, (2, 1, 17, 17)),
    ((2, 15, 12), TokenLayout(3, 2, 0, 8.0), 2, (2, 12, 15, 1)),  # no grid fits
    ((2,), TokenLayout(1, 0), 2, (2, 1)),
    ((3, 12), TokenLayout(2, 1), 2, None),
    ((2, 12), TokenLayout(3, 2), 2, None),
])
def test_an_output_is_folded(
    shape: tuple[int, ...], how: TokenLayout, count: int, expected: tuple[int, ...] | None
) -> None:
    found = folded(torch.zeros(shape), how, count, (32, 32))
    assert (None if found is None else tuple(found.shape)) == expected


@pytest.mark.parametrize(("output", "there"), [
    (torch.ones(2), True), ((3, torch.ones(2)), True), ({"a": None, "b": [torch.ones(2)]}, True),
    (torch.ones(2, dtype=torch.long), False), (torch.ones(0, 2), False), (torch.tensor(1.0), False), ("text", False),
])
def test_the_first_tensor_of_numbers_counts(output: Any, there: bool) -> None:
    assert (first(output) is not None) == there


def test_windows_of_attention_belong_to_their_picture() -> None:
    models()
    network = zoo.load("timm:swin_tiny_patch4_window7_224@random")
    names = [each.name for each in network.layers if "layers.0" in each.name]
    images = noise(2, 3, 64, 96)
    both = network.capture(images, names)
    for at in range(2):
        alone = network.capture(images[at : at + 1], names)
        for name in names:
            torch.testing.assert_close(both[name][at : at + 1], alone[name], rtol=1e-4, atol=1e-4)
    assert network.require_layer("layers.2").stride == 16
