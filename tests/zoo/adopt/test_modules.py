"""Any other network: how it is shown a picture, what its layers mean, what is refused and in which words."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import reverie
from reverie import api
from reverie.ascent.gradient import image_gradient
from reverie.errors import InputError, UnknownName, UsageError
from reverie.loop.plan import prepare
from reverie.network import Network
from reverie.objective import layer
from reverie.objective.resolve import resolve
from reverie.recipe import Recipe
from reverie.zoo.adopt.modules import named_labels
from reverie.zoo.adopt.names import consent, foreign
from tests.oracle.networks import Failing, Watching, noise

IMAGE = noise(2, 3, 48, 64)


def small(channels: int = 3) -> nn.Module:
    """Two convolutions and a head of five."""
    torch.manual_seed(0)
    return nn.Sequential(OrderedDict(
        conv=nn.Conv2d(channels, 6, 3, padding=1), relu=nn.ReLU(inplace=True), down=nn.Conv2d(6, 8, 3, 2, 1),
        pool=nn.AdaptiveAvgPool2d(1), flat=nn.Flatten(), head=nn.Linear(8, 5),
    ))


def shown(network: Network, image: Tensor = IMAGE) -> Tensor:
    return network.adapter.enter(image)  # type: ignore[union-attr]


class Tokens(nn.Module):
    """A transformer without attention: patches of 8, ``extra`` tokens before them, positions for one size."""

    def __init__(self, extra: int = 1, side: int | None = 32, first: bool = False) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.side, self.first = side, first
        self.patches = nn.Conv2d(3, 12, 8, 8)
        self.extra = nn.Parameter(torch.randn(1, extra, 12))
        self.norm = nn.LayerNorm(12)
        self.mix = nn.Linear(12, 12)
        self.head = nn.Linear(12, 4)

    def forward(self, x: Tensor) -> Tensor:
        assert self.side is None or x.shape[-2:] == (self.side, self.side)
        assert x.shape[-1] % 8 == x.shape[-2] % 8 == 0
        t = self.patches(x).flatten(2).transpose(1, 2)
        t = torch.cat([self.extra.expand(len(t), -1, -1), t], 1)
        if self.first:
            t = t.transpose(0, 1)
        t = self.mix(self.norm(t))
        return self.head(t[0] if self.first else t[:, 0])  # type: ignore[no-any-return]


# Names


@pytest.mark.parametrize(("name", "kind", "what", "random"), [
    ("torchvision:convnext_tiny", "torchvision", "convnext_tiny", False),
    ("timm:vit_tiny_patch16_224.augreg@random", "timm", "vit_tiny_patch16_224.augreg", True),
    ("keras:applications.InceptionV3@random", "applications", "InceptionV3", True),
    ("keras:models/mine.h5", "keras", "models/mine.h5", False),
    ("../my net.py:make", "file", "../my net.py", False),
    ("python:ResNet", "python", "ResNet", False),
])
def test_a_foreign_name_is_taken_apart(name: str, kind: str, what: str, random: bool) -> None:
    found = foreign(name)
    assert found is not None
    assert (found.kind, found.what, found.random) == (kind, what, random)


@pytest.mark.parametrize("name", ["motif", "resnet50@places365", "torchvison:resnet50", "a:b"])
def test_other_names_are_not_foreign(name: str) -> None:
    assert foreign(name) is None


@pytest.mark.parametrize(("name", "said"), [
    ("net.py", "name its function too, like net.py:factory"), ("net.py:1", "names no function"),
    ("torchvision:", "half a name; write it like torchvision:convnext_tiny"),
    ("model.keras", "write keras:model.keras"), ("keras:model.h5@random", "leave @random out"),
])
def test_half_a_name_is_refused_in_a_sentence(name: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        foreign(name)


def test_a_file_may_not_name_code_unless_it_is_trusted() -> None:
    for name in ("./net.py:make", "keras:model.keras"):
        with pytest.raises(UsageError, match=r"picture\.png wants the network .* say trust=True"):
            consent(name, False, "picture.png")
        consent(name, True, "picture.png")
    for name in ("motif", "torchvision:resnet50", "keras:applications.VGG16"):
        consent(name, False, "picture.png")


# What it is shown


@pytest.mark.parametrize("range_", [(0, 1), (0, 255), (-1, 1)])
@pytest.mark.parametrize("order", ["rgb", "bgr"])
def test_numbers_say_what_a_network_takes(range_: tuple[float, float], order: Any) -> None:
    mean, std = (0.4, 0.5, 0.6), (0.2, 0.3, 0.4)
    network = reverie.adopt(small(), mean=mean, std=std, range=range_, order=order)
    x = IMAGE * (range_[1] - range_[0]) + range_[0]
    x = x.flip(1) if order == "bgr" else x
    m, s = (torch.tensor(each).view(1, 3, 1, 1) for each in (mean, std))
    torch.testing.assert_close(shown(network), (x - m) / s, rtol=1e-4, atol=1e-4)


def test_a_gray_network_is_shown_light_and_found_out_by_its_first_convolution() -> None:
    network = reverie.adopt(small(1), mean=0.5, std=0.25)
    gray = (IMAGE * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)
    torch.testing.assert_close(shown(network), (gray - 0.5) / 0.25)
    score, g = image_gradient(network, layer("down"), IMAGE)
    assert torch.isfinite(score).all() and g.abs().sum() > 0


CAFFE = torch.tensor([104.0, 117.0, 123.0]).view(1, 3, 1, 1)


def into(image: Tensor) -> Tensor:
    return image.flip(1) * 255 - CAFFE


def back(x: Tensor) -> Tensor:
    return ((x + CAFFE) / 255).flip(1).clamp(0, 1)


def numpy_into(image: Any) -> Any:
    return (np.asarray(image) * 255)[:, ::-1] - CAFFE.numpy()


def numpy_back(x: Any) -> Any:
    return np.round(np.clip(np.asarray(x) + CAFFE.numpy(), 0, 255))[:, ::-1] / 255


def test_functions_say_it_too() -> None:
    network = reverie.adopt(small(), preprocess=into, deprocess=back)
    torch.testing.assert_close(shown(network), into(IMAGE))
    numbers = reverie.adopt(small(), range=(0, 255), order="bgr", mean=(104, 117, 123))
    for seen, other in zip(image_gradient(network, layer("down"), IMAGE),
                           image_gradient(numbers, layer("down"), IMAGE), strict=True):
        torch.testing.assert_close(seen, other, rtol=1e-3, atol=1e-3)


def test_where_preprocess_passes_no_gradient_it_goes_the_way_of_deprocess() -> None:
    network = reverie.adopt(small(), preprocess=numpy_into, deprocess=numpy_back)
    torch.testing.assert_close(shown(network), into(IMAGE))
    (_, found), (_, known) = (image_gradient(each, layer("down"), IMAGE)
                              for each in (network, reverie.adopt(small(), preprocess=into)))
    assert float((found - known).norm() / known.norm()) < 0.02
    with pytest.raises(UsageError, match="passes no gradient; write it with torch's operations, or give deprocess"):
        reverie.adopt(small(), preprocess=numpy_into)


@pytest.mark.parametrize(("options", "said"), [
    ({"preprocess": into, "deprocess": lambda x: back(x).flip(1)}, "does not undo preprocess.*order of channels"),
    ({"preprocess": into, "deprocess": lambda x: back(x) * 255}, "does not undo preprocess"),
    ({"preprocess": into, "deprocess": lambda x: x[0]}, "deprocess must give RGB"),
    ({"preprocess": into, "deprocess": lambda x: 1 / 0}, "deprocess fails.*ZeroDivisionError"),
    ({"preprocess": lambda x: x[..., ::2, ::2]}, "same height and width"),
    ({"preprocess": lambda x: 1 / 0}, "preprocess fails.*ZeroDivisionError"),
    ({"preprocess": 3}, "preprocess must be a function, not int"),
    ({"deprocess": back}, "give that too"), ({"preprocess": into, "mean": 0.5}, "already says all that mean would"),
    ({"range": (1, 0)}, "range must be"), ({"order": "gbr"}, "order must be"), ({"channels": 4}, "channels must be"),
    ({"mean": (1, 2)}, "mean must be 3 finite numbers"), ({"std": 0}, "std must be above 0"),
    ({"size": "x"}, "size must"),
    ({"labels": ("a", "b")}, "2 labels were given for .*, which tells 5"), ({"logits": "heed"}, "did you mean 'head'"),
    ({"aliases": {"x": "con"}}, "no layer 'con'; did you mean 'conv'"),
])
def test_what_cannot_be_is_refused_in_a_sentence(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        reverie.adopt(small(), **options)


def test_what_is_no_network_is_refused() -> None:
    with pytest.raises(UsageError, match="A dict is no network; give a torch"):
        reverie.adopt({})
    with pytest.raises(InputError, match=r"fails on a picture of 224x224 pixels \(RuntimeError: .*size="):
        reverie.adopt(nn.Sequential(nn.Conv2d(5, 4, 3)))
    with pytest.raises(UsageError, match=r"A Linear is no network of Reverie; reverie\.adopt"):
        reverie.dream(network=nn.Linear(3, 3))


def test_yours_stays_as_it_is() -> None:
    module = small().train()
    network = reverie.adopt(module)
    assert module.training and module.relu.inplace  # type: ignore[union-attr]
    assert all(parameter.requires_grad for parameter in module.parameters())
    assert not network.module.training


# What its layers mean


@pytest.mark.parametrize(
    ("extra", "side", "first"), [(1, 32, False), (5, 32, False), (2, None, False), (1, None, True)]
)
def test_tokens_are_folded_back_into_their_grid(extra: int, side: int | None, first: bool) -> None:
    module = Tokens(extra, side, first)
    network = reverie.adopt(module)
    found = network.capture(IMAGE[:, :, :32, :32], ["mix", "patches"])
    expected = module.mix(module.norm(found["patches"].permute(0, 2, 3, 1))).permute(0, 3, 1, 2)
    torch.testing.assert_close(found["mix"], expected)
    assert network.require_layer("mix").stride == 8


def test_tokens_of_a_picture_that_is_not_square_lie_where_they_were_cut_out() -> None:
    network = reverie.adopt(Tokens(1, None))
    plain = network.capture(IMAGE, ["mix"])["mix"]
    assert plain.shape == (2, 12, 6, 8)
    lit = IMAGE.clone()
    lit[:, :, 16:24, 40:48] = 1.0
    changed = (network.capture(lit, ["mix"])["mix"] - plain).abs().sum((0, 1)) > 1e-6
    assert changed.nonzero().tolist() == [[2, 5]]
    assert shown(network, noise(1, 3, 45, 61)).shape == (1, 3, 48, 64)  # multiples of its patches


def test_a_network_of_one_size_looks_through_windows() -> None:
    module = Tokens(1, 32)
    network = reverie.adopt(module)
    image = noise(2, 3, 64, 96)
    found = network.capture(image, ["mix", "head"])
    assert (found["mix"].shape, found["head"].shape) == ((2, 12, 8, 12), (2, 4, 2, 3))
    for row in range(2):
        for column in range(3):
            window = image[:, :, 32 * row : 32 * row + 32, 32 * column : 32 * column + 32]
            alone = network.capture(window, ["mix", "head"])
            part = found["mix"][:, :, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4]
            torch.testing.assert_close(part, alone["mix"])
            torch.testing.assert_close(found["head"][:, :, row, column], alone["head"])
    _, g = image_gradient(network, layer("mix"), noise(1, 3, 50, 70))
    assert g.shape == (1, 1, 3, 50, 70) and g.abs().sum() > 0


class Odd(nn.Module):
    """Last channels, tuples, dictionaries, a sum in place, a part used twice, and parts never used."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.conv, self.twice, self.skipped = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 6, 1), nn.Linear(6, 6)
        self.last, self.pair, self.named = nn.LayerNorm(6), Pair(), Named()
        self.counting, self.frozen, self.weight_only = Counting(), Frozen(), nn.Linear(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        x += 1  # which would rewrite what conv gave
        x = self.twice(self.twice(x))
        x = self.last(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        x = self.named({"x": self.pair(x)[0]})["x"] * self.counting(x)
        x = nn.functional.linear(x.permute(0, 2, 3, 1), self.weight_only.weight).permute(0, 3, 1, 2)
        return x + self.frozen(x)  # type: ignore[no-any-return]


class Pair(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, int]:
        return x * 2, 3


class Named(nn.Module):
    def forward(self, x: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"x": x["x"] + 1}


class Counting(nn.Module):
    def forward(self, x: Tensor) -> int:
        return 1


class Frozen(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            return x * 3


def test_every_part_that_is_run_can_be_dreamt_and_the_others_are_refused_by_name() -> None:
    module = Odd()
    network = reverie.adopt(module)
    assert [each.name for each in network.layers] == ["conv", "twice", "last", "pair", "named", "frozen"]
    found = network.capture(IMAGE, ["conv", "twice", "last", "pair", "named"])
    conv = module.conv(IMAGE)
    torch.testing.assert_close(found["conv"], conv)
    torch.testing.assert_close(found["twice"], module.twice(conv + 1))  # the first time
    normed = module.last(module.twice(module.twice(conv + 1)).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    torch.testing.assert_close(found["last"], normed)
    torch.testing.assert_close(found["pair"], normed * 2)
    torch.testing.assert_close(found["named"], normed * 2 + 1)
    for name in ("skipped", "counting", "weight_only"):
        with pytest.raises(UsageError, match=f"The layer '{name}' of python:Odd takes no part"):
            resolve(network, name)
        with pytest.raises(UsageError, match=f"'{name}'.*takes no part"):
            resolve(network, f"layer:{name}")
    with pytest.raises(UsageError, match="'frozen' of python:Odd passes no gradient"):
        image_gradient(network, layer("frozen"), IMAGE)
    with pytest.raises(UnknownName, match="did you mean 'conv'"):
        resolve(network, "convv")


def test_nothing_behind_the_deepest_layer_is_run() -> None:
    watching = Watching()
    network = reverie.adopt(nn.Sequential(OrderedDict(a=nn.Conv2d(3, 4, 3), b=watching, c=nn.Conv2d(4, 4, 3))))
    network.module.c = Failing()  # type: ignore[assignment]
    network.capture(IMAGE, ["a", "b"])
    assert len(network.module.b.seen) > 0  # type: ignore[arg-type, union-attr]


def test_what_is_caught_inside_does_not_catch_the_early_stop() -> None:
    class Cautious(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Conv2d(3, 4, 3)

        def forward(self, x: Tensor) -> Tensor:
            try:
                return self.a(x)  # type: ignore[no-any-return]
            except Exception:
                return x

    assert reverie.adopt(Cautious()).capture(IMAGE, ["a"])["a"].shape[1] == 4


def test_classes_and_aliases_are_what_you_say() -> None:
    network = reverie.adopt(small(), labels=["owl", "rose", "eye", "crane", "fox"], aliases={"deep": "down"})
    assert (network.logits, network.require_class("fox")) == ("head", 4)
    assert network.require_layer("deep").name == "down"
    assert resolve(network, "fox + deep").layers == {"head", "down"}
    assert resolve(network, network.objective).layers <= {each.name for each in network.layers}


def test_a_module_that_cannot_be_copied_is_adopted_itself() -> None:
    module = small()
    module.cache = module.head.weight * 2  # type: ignore[assignment, operator, union-attr]
    network = reverie.adopt(module)
    plan = prepare(network, Recipe(objective="down"), (48, 48))
    assert plan.network.module is network.module is module


def test_half_precision_is_for_networks_that_say_so() -> None:
    with pytest.raises(UsageError, match="computes in fp32 alone"):
        prepare(reverie.adopt(small()), Recipe(), (48, 48), precision="bf16")
    assert prepare(reverie.adopt(small(), bf16=True), Recipe(), (48, 48), precision="bf16").precision == "bf16"
    assert prepare(reverie.adopt(small()), Recipe(), (48, 48), precision="auto").precision == "fp32"


# Dreaming and dreaming again


OPTIONS: dict[str, Any] = {"size": "48x40", "steps": 2, "octaves": 2, "precision": "fp32"}


def test_a_dream_of_a_network_of_yours_is_replayed_with_it_alone(tmp_path: Any) -> None:
    network = reverie.adopt(small(), name="mine")
    picture = reverie.dream(network=network, objective="down", **OPTIONS)
    assert picture.record is not None and picture.record.recipe.network == "python:mine"
    picture.save(tmp_path / "a.png")
    with pytest.raises(UsageError, match=r"handed in from Python; .* reverie\.replay\(\.\.\., network="):
        reverie.replay(tmp_path / "a.png")
    again = api.replay(tmp_path / "a.png", network=network)
    *_, last = again.frames()
    again.picture(last).save(tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    other = small()
    with torch.no_grad():
        other.head.bias.add_(1)  # type: ignore[operator, union-attr]
    with pytest.raises(InputError, match=r"python:mine is not what it was when .* was dreamt"):
        api.replay(tmp_path / "a.png", network=reverie.adopt(other, name="mine"))


def test_weights_do_not_go_with_a_network_of_yours() -> None:
    with pytest.raises(UsageError, match="leave weights out"):
        reverie.dream(network=reverie.adopt(small()), weights="w.pth", **OPTIONS)


def test_labels_may_be_the_name_of_a_list_and_no_other_text() -> None:
    assert len(named_labels("imagenet")) == 1000 and len(named_labels("places205")) == 205
    assert named_labels(["cat", "dog"]) == ("cat", "dog")
    with pytest.raises(UsageError, match=r"must be a list of names, or one of 'imagenet'.*not 'cats'"):
        reverie.adopt(nn.Sequential(nn.Conv2d(3, 4, 3)), labels="cats")
