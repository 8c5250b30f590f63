"""Networks that people have and no textbook shows: counters, half a scale, exported, quantized, checkpointed."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import reverie
from reverie import atlas
from reverie.errors import UsageError
from reverie.objective import layer
from reverie.tile.tiles import Tiles

QUICK: dict[str, Any] = {"size": 48, "steps": 1, "octaves": 1, "threads": 1, "precision": "fp32"}


class Plain(nn.Module):
    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(channels, 8, 3, 2, 1)
        self.deep = nn.Conv2d(8, 8, 3, 2, 1)
        self.head = nn.Linear(8, 4)

    def body(self, x: Tensor) -> Tensor:
        return self.deep(x)  # type: ignore[no-any-return]

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(self.conv(x).relu()).relu().mean((2, 3)))  # type: ignore[no-any-return]


class Counting(Plain):
    """Its first parameter is a counter of integers."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = nn.Parameter(torch.tensor(0), requires_grad=False)
        self._parameters = dict(reversed(self._parameters.items()))


class HalfAScale(nn.Module):
    """Its first parameter is in fp16, all others in fp32."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones((), dtype=torch.float16))
        self.inner = Plain()

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x * self.scale.float())  # type: ignore[no-any-return]


class Checkpointed(Plain):
    def body(self, x: Tensor) -> Tensor:
        return checkpoint(super().body, x, use_reentrant=True)  # type: ignore[no-any-return,misc]


class WithoutGradient(Plain):
    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)


class Embedding(nn.Module):
    """Its deepest block reads no picture: it makes a position embedding."""

    class Positions(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.part = nn.Conv2d(2, 8, 1)

        def forward(self, h: int, w: int) -> Tensor:
            y, x = torch.meshgrid(torch.linspace(0, 1, h), torch.linspace(0, 1, w), indexing="ij")
            return self.part(torch.stack([y, x])[None]).sin()  # type: ignore[no-any-return]

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 4, 4), nn.ReLU())
        self.positions = self.Positions()
        self.last = nn.Conv2d(8, 8, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        return self.last(x + self.positions(x.shape[-2], x.shape[-1])).relu()  # type: ignore[no-any-return]


class Coordinates(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.deep = nn.Conv2d(5, 8, 3, 2, 1), nn.Conv2d(8, 16, 3, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        b, _, h, w = x.shape
        y, z = torch.meshgrid(torch.linspace(-1, 1, h), torch.linspace(-1, 1, w), indexing="ij")
        return self.deep(self.conv(torch.cat([x, y.expand(b, 1, h, w), z.expand(b, 1, h, w)], 1)).relu())  # type: ignore[no-any-return]


class Rolling(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.deep = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 16, 3, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.deep(torch.roll(self.conv(x).relu(), (3, 3), (2, 3)))  # type: ignore[no-any-return]


def picture(side: int = 48) -> Tensor:
    return torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("module", [Counting(), HalfAScale()])
def test_the_picture_has_the_type_of_most_numbers(module: nn.Module) -> None:
    network, name = reverie.adopt(module), "inner.deep" if isinstance(module, HalfAScale) else "deep"
    plain = reverie.adopt(Plain()).capture(picture(), ["deep"])["deep"]
    torch.testing.assert_close(network.capture(picture(), [name])[name], plain)
    assert reverie.dream(None, network=network, objective=name, **QUICK)


def test_a_reentrant_checkpoint_is_dreamt_through() -> None:
    image = picture().requires_grad_()
    gradients = []
    for module in (Plain(), Checkpointed()):
        seen = reverie.adopt(module).capture(image, ["head"])["head"]
        gradients.append(torch.autograd.grad(seen.sum(), image)[0])
    assert gradients[0].any()
    torch.testing.assert_close(gradients[0], gradients[1])
    with pytest.raises(RuntimeError, match="use_reentrant"):  # yours is as it was
        torch.autograd.grad(Checkpointed()(image).sum(), image)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("program", [True, False])
def test_an_exported_network_has_its_operations_as_layers(program: bool) -> None:
    exported = torch.export.export(Plain().eval(), (torch.zeros(1, 3, 48, 48),))
    network = reverie.adopt(exported if program else exported.module(), labels=("a", "b", "c", "d"))
    plain = reverie.adopt(Plain()).capture(picture(), ["deep", "head"])
    found = network.capture(picture(), ["conv2d_1", network.logits])
    torch.testing.assert_close(found["conv2d_1"], plain["deep"])
    torch.testing.assert_close(found[network.logits], plain["head"])
    assert reverie.dream(None, network=network, objective="class:b", **QUICK)


def test_a_quantized_part_ends_in_a_sentence() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = reverie.adopt(torch.ao.quantization.quantize_dynamic(Plain(), {nn.Linear}, dtype=torch.qint8))
        with pytest.raises(UsageError, match="passes no gradient back to the picture from head"):
            reverie.dream(None, network=network, objective="head", **QUICK)
        assert reverie.dream(None, network=network, objective="deep", **QUICK)


def test_a_network_without_gradient_is_inspected_and_its_sheet_refused() -> None:
    network = reverie.adopt(WithoutGradient())
    assert [each.layer.name for each in atlas.inspect(network, picture()).layers] == ["conv", "deep", "head"]
    with pytest.raises(UsageError, match="passes a gradient back"):
        atlas.worthwhile(network)


def test_the_default_layer_reads_the_picture() -> None:
    network = reverie.adopt(Embedding())
    image = picture().requires_grad_()
    seen = network.capture(image, [network.objective])[network.objective]
    assert torch.autograd.grad(seen.square().sum(), image)[0].any()


@pytest.mark.parametrize("module", [Coordinates(), Rolling()])
def test_tiles_of_a_network_that_knows_where_a_pixel_lies_are_refused(module: nn.Module) -> None:
    with pytest.raises(UsageError, match="depends on more than the neighborhood"):
        Tiles(48)(reverie.adopt(module), layer("deep"), picture(160))


def test_tiles_of_a_plain_foreign_network_are_still_exact() -> None:
    network = reverie.adopt(Plain())
    _, tiled = Tiles(48)(network, layer("deep"), picture(160))
    from reverie.ascent.gradient import image_gradient

    _, whole = image_gradient(network, layer("deep"), picture(160))
    torch.testing.assert_close(tiled, whole, rtol=1e-4, atol=1e-9)
