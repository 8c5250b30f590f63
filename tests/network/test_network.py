"""Network: what is captured, how deep it runs, what it leaves behind, and what its layers are called."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from reverie import zoo
from reverie.errors import UnknownName, UsageError
from reverie.network import Layer, Network
from tests.oracle.networks import Failing, Watching, around, hooks, noise, tiny_network

IMAGE = noise(2, 3, 16, 20)


def by_hand(network: Network, depth: int) -> Tensor:
    """The first ``depth`` modules on the normalized image."""
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (network.mean, network.std))
    x = (IMAGE - mean) / std
    for module in list(network.module.children())[:depth]:
        x = module(x)
    return x


def test_capture_returns_the_layers_asked_for_and_the_image(tiny: Network) -> None:
    found = tiny.capture(IMAGE, ["conv2", "relu1"])
    assert set(found) == {"image", "conv2", "relu1"}
    assert found["image"] is IMAGE
    torch.testing.assert_close(found["relu1"], by_hand(tiny, 2))
    torch.testing.assert_close(found["conv2"], by_hand(tiny, 3))


def test_asking_for_the_image_alone_runs_nothing() -> None:
    network = around(("fails", Failing()))
    assert network.capture(IMAGE, ["image"]) == {"image": IMAGE}
    assert network.capture(IMAGE, []) == {"image": IMAGE}


def test_capture_stops_at_the_deepest_layer() -> None:
    shallow, deep = Watching(), Watching()
    network = around(("a", shallow), ("b", deep), ("c", Failing()))
    assert set(network.capture(IMAGE, ["a", "b"])) == {"image", "a", "b"}
    assert len(deep.seen) == 1
    network.capture(IMAGE, ["a"])
    assert (len(shallow.seen), len(deep.seen)) == (2, 1)


def test_capture_leaves_no_hook(tiny: Network) -> None:
    tiny.capture(IMAGE, ["relu1", "logits"])
    assert hooks(tiny.module) == 0


def test_capture_leaves_no_hook_when_the_network_breaks() -> None:
    network = around(("a", Watching()), ("b", Failing()), ("c", Watching()))
    with pytest.raises(RuntimeError, match="reached"):
        network.capture(IMAGE, ["a", "c"])
    assert hooks(network.module) == 0


def test_capture_leaves_no_hook_when_a_layer_is_not_there(tiny: Network) -> None:
    asked: list[str] = []
    find = tiny.module.get_submodule

    def second_is_missing(name: str) -> nn.Module:
        asked.append(name)
        return find(name if len(asked) == 1 else "missing")

    tiny.module.get_submodule = second_is_missing  # type: ignore[method-assign]
    with pytest.raises((AttributeError, UsageError)):
        tiny.capture(IMAGE, ["relu1", "relu2"])
    assert hooks(tiny.module) == 0


def test_a_layer_that_takes_no_part_is_refused() -> None:
    class Ignoring(nn.Sequential):
        def forward(self, x: Tensor) -> Tensor:
            return self.used(x)  # type: ignore[no-any-return, operator]

    network = around(("both", Ignoring(OrderedDict(used=nn.Identity(), unused=nn.Identity()))))
    with pytest.raises(UsageError, match=r"'both\.unused' of row takes no part"):
        network.capture(IMAGE, ["both.used", "both.unused"])
    assert hooks(network.module) == 0


def test_an_in_place_relu_does_not_rewrite_the_layer_before_it(tiny: Network) -> None:
    found = tiny.capture(IMAGE, ["conv1", "relu1"])
    assert float(found["conv1"].min()) < 0
    torch.testing.assert_close(found["conv1"], by_hand(tiny, 1))
    torch.testing.assert_close(found["relu1"], found["conv1"].clamp_min(0))


def test_a_module_used_twice_gives_its_first_output() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cut, self.end = nn.Threshold(0.5, -1), nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            return self.end(self.cut(self.cut(x) * 10))  # type: ignore[no-any-return]

    found = around(("twice", Twice())).capture(IMAGE, ["twice.cut", "twice.end"])
    torch.testing.assert_close(found["twice.cut"], nn.functional.threshold(IMAGE, 0.5, -1))


def test_the_network_is_frozen_and_in_evaluation() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Dropout(), nn.BatchNorm2d(4))
    network = Network("n", module.train(), (0, 0, 0), (1, 1, 1))
    assert not any(part.training for part in network.module.modules())
    assert not any(parameter.requires_grad for parameter in network.module.parameters())


def test_activations_of_a_half_precision_network_are_float() -> None:
    found = tiny_network(torch.bfloat16).capture(IMAGE, ["relu2"])
    assert found["relu2"].dtype == torch.float32


def test_a_double_network_stays_double() -> None:
    found = tiny_network(torch.float64).capture(IMAGE.double(), ["relu2"])
    assert found["relu2"].dtype == torch.float64


def test_a_double_image_can_be_given_to_a_float_network(tiny: Network) -> None:
    found = tiny.capture(IMAGE.double(), ["relu2"])
    torch.testing.assert_close(found["relu2"].float(), tiny.capture(IMAGE, ["relu2"])["relu2"])


def test_layers_are_listed_in_the_order_of_the_forward_pass(tiny: Network) -> None:
    assert tiny.layers == (
        Layer("conv1", (), "conv2d", 6, 1, 3, ("image",)),
        Layer("relu1", ("first",), "relu", 6, 1, 3, ("conv1",)),
        Layer("conv2", (), "conv2d", 8, 2, 5, ("relu1",)),
        Layer("relu2", ("mixed2",), "relu", 8, 2, 5, ("conv2",)),
        Layer("logits", (), "conv2d", 5, 2, 5, ("relu2",)),
    )
    assert hooks(tiny.module) == 0


def test_blocks_are_layers_too() -> None:
    network = around(("stage", nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU())))
    assert [(each.name, each.kind) for each in network.layers] == [
        ("stage.0", "conv2d"),
        ("stage.1", "relu"),
        ("stage", "block"),
    ]


def test_a_network_without_parameters_lists_its_layers() -> None:
    assert [each.name for each in around(("pool", nn.MaxPool2d(2))).layers] == ["pool"]


def test_a_layer_is_found_by_path_alias_and_number_in_the_trunk() -> None:
    module = nn.Sequential()
    module.features = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU())
    network = Network(
        "n", module, (0, 0, 0), (1, 1, 1), trunk="features", aliases={"start": "features.0", "odd": "1"}
    )
    for name, path in {"features.1": "features.1", "start": "features.0", "1": "features.1"}.items():
        assert network.require_layer(name).name == path
    assert network.require_layer("odd").name == "features.1"
    assert network.layer("2") is None


def test_numbers_mean_nothing_without_a_trunk(tiny: Network) -> None:
    assert tiny.layer("1") is None


def test_an_unknown_layer_offers_the_nearest(tiny: Network) -> None:
    with pytest.raises(UnknownName, match="no layer 'rellu2'; did you mean 'relu2'"):
        tiny.require_layer("rellu2")
    with pytest.raises(UnknownName, match="'reverie layers tiny' lists them"):
        tiny.require_layer("zzzz")
    assert set(tiny.layer_names()) == {"conv1", "relu1", "conv2", "relu2", "logits", "first", "mixed2"}


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("owl", 0),
        ("OWL", 0),
        ("1", 1),
        ("reptile_eye", 2),
        ("reptile eye", 2),
        ("Lizard  Eye", 2),
        ("machine", 3),
        ("4", 4),
        ("5", None),
        ("eye", 2),
        ("liz", None),
        ("n00000002", 1),
        ("N00000002", 1),
        ("", None),
    ],
)
def test_a_class_is_found_by_name_synonym_part_number_and_synset(
    tiny: Network, name: str, index: int | None
) -> None:
    known = replace(tiny, synsets=("n00000001", "n00000002", "", "", ""))
    assert known.class_index(name) == index


def test_a_part_that_many_names_have_lists_some_of_them(tiny: Network) -> None:
    many = replace(tiny, labels=tuple(f"{each} snake" for each in "abcdefgh"))
    with pytest.raises(UsageError, match=r"say class:0 \(a snake\), class:1 .*class:5 \(f snake\) or one of 2 more"):
        many.class_index("snake")
    assert many.class_index("c_snake") == 2


def test_a_misspelt_synset_offers_the_nearest_synset(tiny: Network) -> None:
    known = replace(tiny, synsets=("n01729977", "n02123045", "", "", ""))
    with pytest.raises(UnknownName, match="no class 'n01729978'; did you mean 'n01729977'"):
        known.require_class("n01729978")


def test_two_classes_of_one_name_are_told_apart_by_number(tiny: Network) -> None:
    with pytest.raises(UsageError, match=r"ambiguous in tiny; say class:3 \(crane, machine\) or class:4"):
        tiny.class_index("crane")


def test_an_unknown_class_offers_the_nearest(tiny: Network) -> None:
    with pytest.raises(UnknownName, match="no class 'lizzard eye'; did you mean 'lizard eye'"):
        tiny.require_class("lizzard eye")
    with pytest.raises(UnknownName):
        tiny.require_class("5")


def test_a_network_without_labels_says_so() -> None:
    with pytest.raises(UsageError, match="has no classes; name one of its layers"):
        around(("a", nn.Conv2d(3, 1, 1))).require_class("owl")


@pytest.mark.parametrize("name", ["²", 5000 * "9"])
def test_digits_that_are_no_number_are_no_class(tiny: Network, name: str) -> None:
    assert tiny.class_index(name) is None


def test_the_same_network_around_another_module_keeps_what_it_knows(tiny: Network) -> None:
    other = tiny_network(seed=1).module
    changed = tiny.with_module(other)
    assert changed.module is other
    assert (changed.labels, changed.aliases, changed.name) == (tiny.labels, tiny.aliases, "tiny")


def test_a_layer_is_found_as_python_writes_its_path() -> None:
    network = zoo.architecture("squeezenet1_0")
    assert network.require_layer("features[3].expand1x1").name == "features.3.expand1x1"
