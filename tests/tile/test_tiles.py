"""Tiles: the stitched gradient is the whole picture's, whatever is cut where."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from reverie import zoo
from reverie.ascent.gradient import image_gradient
from reverie.errors import UsageError
from reverie.loop.plan import prepare, resolve
from reverie.loop.render import render
from reverie.network import Network
from reverie.objective import Objective, Term, channel, layer, log_probability, logit, mean, norm
from reverie.pixels.transform import wander
from reverie.recipe import Recipe
from reverie.tile import Tiles
from reverie.tile.geometry import scattered, tiles, units
from reverie.tile.index_view import View
from tests.oracle.networks import LABELS, blind_network, noise, tiny_network
from tests.support.tiles import agrees, error

# One objective a network that is cheap to reach; the deep ones are in the slow test below.
MIDDLE = {
    "motif": "stage3 + owl|rose",
    "googlenet": "inception_3b - conv2/3x3",
    "googlenet-bvlc": "inception_3a",
    "inception_v1": "mixed3b",
    "inception_v3": "mixed0 + conv2d_3",
    "resnet18": "layer3",
    "resnet50": "layer2",
    "squeezenet1_0": "fire8",
    "squeezenet1_1": "fire9 - relu_conv1",
    "alexnet": "relu5 + pool1",
    "vgg16": "relu3_3",
    "vgg19": "pool2",
    "efficientnet_lite0": "block4 + stem",
    "efficientnet_lite2": "block5",
}
DEEP = {
    "motif": "logits:3 + stage2",
    "googlenet": "inception_5b",
    "googlenet-bvlc": "inception_5b + class:7",
    "inception_v1": "mixed5b",
    "inception_v3": "mixed3 + mixed10",
    "resnet50": "layer4 + class:3",
    "squeezenet1_0": "conv10",
    "vgg16": "relu5_3",
    "efficientnet_lite2": "block12 + class:7",
}


def double(name: str) -> Network:
    """A network with its own or random weights in float64; parts that no test reaches have none."""
    if name == "motif":
        network = zoo.load(name)
    elif name in ("alexnet", "vgg16", "vgg19"):
        with torch.device("meta"):  # a hundred million weights behind the layers in question
            network = zoo.architecture(name)
        features = network.module.get_submodule("features").to_empty(device="cpu")
        for at, part in enumerate(features.modules()):
            if isinstance(part, nn.Conv2d):
                deviation = (2 / part.weight[0].numel()) ** 0.5
                part.weight.copy_(torch.randn(part.weight.shape, generator=seeded(at)) * deviation)
                assert part.bias is not None
                part.bias.fill_(0.01)
    else:
        network = zoo.architecture(name)
    network.module.get_submodule("features" if name.startswith(("vgg", "alex")) else "").double()
    return network


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("mode", ["exact", "shifted"])
def test_a_weighted_sum_is_stitched_in_one_pass(mode: str) -> None:
    network, image = double("motif"), noise(2, 3, 101, 174, dtype=torch.float64)
    weights = torch.tensor([[2.0, 1.0], [-0.5, 0.5], [3.0, 0.0]], dtype=torch.float64)
    # One that adds up over places, one that does not, one that reads the picture itself.
    objective = layer("stage1") + norm("stage2") + mean("image")
    look = Tiles(64, mode)  # type: ignore[arg-type]
    scores, gradients = look(network, objective, image, seeded())
    own, (found,) = look(network, objective, image, seeded(), weights)
    assert torch.equal(own, scores)
    assert error(found, torch.einsum("tb,tb...->b...", weights, gradients)) < 1e-9


@pytest.mark.parametrize("name", MIDDLE)
def test_stitched_is_whole_for_every_architecture(name: str) -> None:
    network = double(name)
    image = noise(1, 3, 101, 174, dtype=torch.float64)
    if name[0] in "av":  # its trace would run the classifier, which is not there
        network = replace(network, module=nn.Sequential(OrderedDict(features=network.module.features[:17])))
    assert agrees(network, resolve(network, MIDDLE[name]), image, 64) >= 4


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in DEEP if name != "vgg16"])
def test_stitched_is_whole_for_deep_layers_and_classes(name: str) -> None:
    network = double(name)
    for size in ((301, 402), (256, 350)):
        assert agrees(network, resolve(network, DEEP[name]), noise(1, 3, *size, dtype=torch.float64), 128) >= 6


def test_in_single_precision_the_direction_is_the_same() -> None:
    network = zoo.load("motif")
    objective, image = resolve(network, "stage3 + owl|rose"), noise(1, 3, 120, 200)
    for one, other in zip(Tiles(64)(network, objective, image)[1], image_gradient(network, objective, image)[1],
                          strict=True):
        assert torch.nn.functional.cosine_similarity(one.flatten(), other.flatten(), dim=0) >= 0.9999


def row(seed: int, kinds: list[int]) -> Network:
    """A network out of whatever stands in the books: strides, dilation, pools that round up or count padding."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        parts: list[nn.Module] = [
            nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 5, 2, 1), nn.Conv2d(4, 4, (1, 7), padding=(0, 3)),
            nn.MaxPool2d(3, 2, ceil_mode=True), nn.AvgPool2d(3, 1, 1), nn.Conv2d(4, 4, 3, dilation=2),
            nn.Conv2d(4, 4, 4, 2, 1), nn.Softplus(), nn.MaxPool2d(2), nn.AvgPool2d(3, 3, 1, ceil_mode=True),
        ]  # fmt: skip
        chosen = [("in", nn.Conv2d(3, 4, 3, padding=1)), *((f"l{at}", parts[kind]) for at, kind in enumerate(kinds))]
        module = nn.Sequential(OrderedDict(chosen)).double()
    return Network("row", module, (0.5, 0.4, 0.3), (0.2, 0.2, 0.2), smallest=64)


@given(
    st.integers(0, 99), st.lists(st.integers(0, 9), min_size=1, max_size=4, unique=True),
    st.integers(64, 150), st.integers(64, 150), st.integers(1, 90), st.data(),
)  # fmt: skip
def test_any_row_of_layers_any_size_any_tile(
    seed: int, kinds: list[int], height: int, width: int, side: int, data: Any
) -> None:
    network = row(seed, kinds)
    names = ["in", *(f"l{at}" for at in range(len(kinds)))]
    one, other = data.draw(st.sampled_from(names)), data.draw(st.sampled_from(names))
    image = noise(2, 3, height, width, seed=seed, dtype=torch.float64)
    agrees(network, layer(one) - 0.3 * channel(other, 1), image, max(side, 12))


def term(score: Any, *layers: str, additive: bool = True) -> Objective:
    return Objective((Term(frozenset(layers), score, additive=additive),))


AWKWARD = {
    "a norm": term(lambda seen: seen["relu2"].flatten(1).norm(dim=1)),
    "a sum": term(lambda seen: seen["relu2"].square().sum((1, 2, 3))),
    "the largest": term(lambda seen: seen["conv2"].flatten(1).amax(1), additive=False),
    "one place": term(lambda seen: seen["conv2"][:, 3, 20, 30]),
    "a mask": term(lambda seen: (seen["relu1"] * torch.linspace(0, 1, 80)).mean((1, 2, 3))),
    "two layers": term(lambda seen: seen["relu1"].mean((1, 2, 3)) * seen["relu2"].mean((1, 2, 3)), "relu1", "relu2"),
    "variation": term(lambda seen: -seen["image"].diff(dim=-1).abs().mean((1, 2, 3)), "image"),
    "brightness": term(lambda seen: seen["image"].square().mean((1, 2, 3)), "image"),
    "mixed": term(lambda seen: seen["relu2"].flatten(1).norm(dim=1)) + layer("relu1") + channel("logits", 2),
    "classes by place": logit("logits", 0, 2) + log_probability("logits", 0, 2),
}


@pytest.mark.parametrize("objective", AWKWARD.values(), ids=AWKWARD)
def test_what_does_not_add_is_scored_on_the_stitched_whole(objective: Objective) -> None:
    objective = Objective(tuple(
        each if each.layers else replace(each, layers=frozenset({"relu2", "relu1", "conv2"}))
        for each in objective.terms
    ))  # fmt: skip
    network = tiny_network(torch.float64, nn.Softplus)
    assert agrees(network, objective, noise(2, 3, 61, 80, dtype=torch.float64), 24) > 4


def pooled() -> Network:
    """The tiny network with its map of logits pooled to one row of them."""
    tiny = tiny_network(torch.float64, nn.Softplus)
    head = OrderedDict(pool=nn.AdaptiveAvgPool2d(1), flat=nn.Flatten(), fc=nn.Linear(5, 5).double())
    module = nn.Sequential(OrderedDict(**dict(tiny.module.named_children()), **head))
    return replace(tiny, module=module, logits="fc", by_place=False)


def test_a_class_behind_a_global_pool_is_fed_with_the_stitched_map() -> None:
    image = noise(2, 3, 50, 70, dtype=torch.float64)
    assert agrees(pooled(), logit("fc", 2) + layer("relu1") + layer("pool"), image, 20) > 4


class Attention(nn.Module):
    """Every place looks at all others."""

    def forward(self, x: Tensor) -> Tensor:
        flat = x.flatten(2)
        return (flat @ (flat.mT @ flat).softmax(-1)).view(x.shape)


def test_what_sees_all_everywhere_is_refused_with_a_remedy() -> None:
    module = nn.Sequential(OrderedDict(conv=nn.Conv2d(3, 4, 3, 2, 1), look=Attention(), last=nn.Conv2d(4, 4, 1)))
    network = Network("all", module, (0, 0, 0), (1, 1, 1))
    with pytest.raises(UsageError, match=r"'last' of all .*use tile='none' or tile_mode='shifted'"):
        Tiles(16)(network, layer("last"), noise(1, 3, 64, 64))
    assert Tiles(32, "shifted")(network, layer("last"), noise(1, 3, 64, 64), seeded())[1].abs().sum() > 0


def test_an_instance_norm_sees_the_whole_picture() -> None:
    module = nn.Sequential(OrderedDict(conv=nn.Conv2d(3, 4, 3), norm=nn.InstanceNorm2d(4), last=nn.Conv2d(4, 4, 1)))
    group = nn.Sequential(OrderedDict(conv=nn.Conv2d(3, 4, 3), norm=nn.GroupNorm(2, 4), last=nn.Conv2d(4, 4, 1)))
    for each in (module, group):
        with pytest.raises(UsageError, match="sees the whole picture"):
            Tiles(16)(Network("norm", each, (0, 0, 0), (1, 1, 1)), layer("last"), noise(1, 3, 64, 64))


@given(st.integers(16, 90), st.integers(16, 90), st.integers(1, 60))
def test_every_unit_belongs_to_one_tile(height: int, width: int, side: int) -> None:
    network = tiny_network()
    grids = {name: grid for name, grid in units(network, ["relu1", "logits", "image"], (height, width)).items() if grid}
    for name, grid in grids.items():
        owned = torch.zeros(grid.count)
        for tile in tiles(grids, (height, width), side, 16):
            owned[tile.owned(name)] += 1
            assert tile.rows.end - tile.rows.begin >= min(16, height)
        assert bool((owned == 1).all())


@given(st.integers(20, 200), st.integers(20, 200), st.integers(8, 300), st.integers(0, 99))
def test_scattered_tiles_cover_every_pixel_once(height: int, width: int, side: int, phase: int) -> None:
    covered = torch.zeros(height, width)
    for rows, columns in scattered((height, width), side, 20, (phase % side, 7 * phase % side)):
        covered[rows, columns] += 1
        assert rows.stop - rows.start >= 20 and columns.stop - columns.start >= 20
    assert bool((covered == 1).all())


def test_shifted_tiles_are_dreamt_by_themselves_and_cut_elsewhere_each_time() -> None:
    network, image = tiny_network(torch.float64), noise(1, 3, 64, 64, dtype=torch.float64)
    look = Tiles(32, "shifted")
    first, second = (look(network, layer("relu2"), image, seeded(at))[1] for at in range(2))
    whole = image_gradient(network, layer("relu2"), image)[1]
    assert 1e-3 < error(first[0], whole[0]) < 0.9  # the seams
    assert not torch.equal(first, second)
    assert torch.equal(first, look(network, layer("relu2"), image, seeded(0))[1])


@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))
def test_a_view_gathers_and_adds_like_indexing(h: int, w: int, margin: int, y: int, x: int) -> None:
    image = torch.arange(3.0 * h * w).view(1, 3, h, w)
    seen = wander(margin, 0)(image, seeded())
    rows, columns = (wander(margin, 0)(torch.arange(side).float().view(1, 1, *shape), seeded()).long().flatten()
                     for side, shape in ((h, (h, 1)), (w, (1, w))))  # fmt: skip
    rows, columns = rows.view(h + 2 * margin, -1)[:, 0], columns.view(-1, w + 2 * margin)[0]
    view = View(image, rows.roll(y), columns.roll(x))
    seen = seen.roll((y, x), (-2, -1))
    place = (slice(min(y // 2, h + margin - 1), h + margin), slice(0, w + x % (margin + 1)))
    assert torch.equal(view.crop(place), seen[..., place[0], place[1]])
    total, twin = torch.zeros_like(image), image.clone().requires_grad_(True)
    view.add(total, place, seen[..., place[0], place[1]])
    picked = twin[..., view.rows, :][..., view.columns][..., place[0], place[1]]
    (expected,) = torch.autograd.grad(picked, twin, seen[..., place[0], place[1]])
    torch.testing.assert_close(total, expected)


def test_measured_objectives_are_measured_on_the_stitched_layers() -> None:
    network = tiny_network()
    look, image = Tiles(24), noise(1, 3, 64, 80)
    for layers in (["relu2", "image"], ["logits"]):
        found, expected = look.capture(network, image, layers), network.capture(image, layers)
        for name in layers:
            torch.testing.assert_close(found[name], expected[name])


@pytest.mark.parametrize("pad", [0, 8])
def test_a_tiled_dream_is_the_whole_dream(pad: int) -> None:
    recipe = Recipe.of({"objective": "relu2 + relu1", "octaves": 2, "steps": 2, "focus": 1.0, "pad": pad, "jitter": 5})
    plan = prepare(tiny_network(), recipe, (70, 90))
    source = noise(1, 3, 70, 90)
    whole, tiled = (list(render(replace(plan, look=look), source))[-1].image for look in (image_gradient, Tiles(24)))
    assert float((whole - tiled).abs().max()) < 1e-3


def test_a_network_that_sees_nothing_gives_nothing() -> None:
    assert not Tiles(16)(blind_network(), layer("blind"), noise(1, 3, 40, 40))[1].any()
    assert len(LABELS) == 5
