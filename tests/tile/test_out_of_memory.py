"""What does not fit into a GPU's memory is dreamt in tiles, smaller each time; here a module plays the GPU."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from reverie.ascent.gradient import image_gradient
from reverie.jobs.budget import fit_plan
from reverie.loop.plan import prepare
from reverie.loop.render import render
from reverie.network import Network
from reverie.objective import layer
from reverie.recipe import Recipe, Run
from reverie.tile.out_of_memory import Retreat
from tests.oracle.networks import around, noise, tiny_network


class Small(nn.Module):
    """Holds no more than so many pixels."""

    def __init__(self, pixels: int) -> None:
        super().__init__()
        self.pixels, self.refused = pixels, 0

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-1] * x.shape[-2] > self.pixels:
            self.refused += 1
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return x


def network(pixels: int) -> Network:
    torch.manual_seed(0)
    return around(("memory", Small(pixels)), ("conv", nn.Conv2d(3, 4, 3, padding=1)))


def test_it_is_the_whole_picture_where_that_fits() -> None:
    tiny, image, look = tiny_network(), noise(1, 3, 64, 96), Retreat()
    for ours, plain in zip(look(tiny, layer("relu2"), image), image_gradient(tiny, layer("relu2"), image), strict=True):
        assert torch.equal(ours, plain)
    assert look.tiles is None


@pytest.mark.parametrize(("pixels", "side"), [(700 * 700, 512), (300 * 300, 256), (140 * 140, 128)])
def test_tiles_shrink_until_they_fit_and_give_the_same_gradient(pixels: int, side: int) -> None:
    image, objective, look = noise(1, 3, 700, 720), layer("conv"), Retreat()
    scores, gradients = look(network(pixels), objective, image)
    expected = image_gradient(network(10**9), objective, image)
    torch.testing.assert_close(scores, expected[0])
    torch.testing.assert_close(gradients, expected[1], rtol=1e-4, atol=1e-9)
    assert look.tiles is not None and look.tiles.side == side


def test_what_sufficed_once_is_kept() -> None:
    small, look = network(300 * 300), Retreat()
    memory = small.module.get_submodule("memory")
    assert isinstance(memory, Small)
    refused = []
    for _ in range(3):
        look(small, layer("conv"), noise(1, 3, 720, 720))
        refused.append(memory.refused)
    assert refused[0] > 0 and refused == [refused[0]] * 3


def test_when_nothing_fits_torch_says_so() -> None:
    with pytest.raises(torch.OutOfMemoryError):
        Retreat()(network(50), layer("conv"), noise(1, 3, 300, 300))


def test_a_dream_goes_on_in_tiles_and_the_plan_tells() -> None:
    def dreamt(look: object, pixels: int) -> tuple[int, Tensor]:
        recipe = Recipe.of({"octaves": 1, "steps": 2, "objective": "conv", "pad": 0, "focus": 1})
        plan = replace(prepare(network(pixels), recipe, (300, 310)), look=look)
        *_, last = render(plan, noise(1, 3, 300, 310))
        return plan.retreat, last.image

    side, tiled = dreamt(Retreat(), 280 * 280)
    assert side == 256
    none, whole = dreamt(image_gradient, 10**9)
    assert none == 0
    assert float((tiled - whole).abs().mean()) < 1e-3


def test_a_plan_for_a_gpu_can_retreat() -> None:
    plan = prepare(tiny_network(), Recipe(), (64, 64))
    assert isinstance(fit_plan(replace(plan, device=torch.device("cuda")), Run()).look, Retreat)
    assert fit_plan(plan, Run()).look is image_gradient
