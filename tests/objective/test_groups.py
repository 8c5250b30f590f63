"""Groups in a network: which classes they are, and the nearest of them at each place."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import reverie
from reverie import zoo
from reverie.ascent.gradient import image_gradient
from reverie.cli import main
from reverie.errors import UnknownName, UsageError
from reverie.network import Network
from reverie.network.fast import optimized
from reverie.objective.resolve import SHARP, resolve
from reverie.zoo.adopt.modules import imagenet_names, imagenet_synsets
from reverie.zoo.catalog import synsets
from reverie.zoo.labels import imagenet
from tests.oracle.networks import noise, tiny_network
from tests.support.tiles import agrees

CATS = range(281, 286)


def pooled(classes: int = 1000, labels: tuple[str, ...] = (), ids: tuple[str, ...] = ()) -> Network:
    """A convolution, the mean over places, and a classifier, in double precision."""
    torch.manual_seed(0)
    module = nn.Sequential()
    module.add_module("conv", nn.Conv2d(3, 12, 5, 4, 2))
    module.add_module("relu", nn.ReLU())
    module.add_module("pool", nn.AdaptiveAvgPool2d(1))
    module.add_module("flat", nn.Flatten())
    module.add_module("fc", nn.Linear(12, classes))
    nn.init.normal_(module.fc.weight)
    labels, ids = labels or imagenet(), ids or synsets(1000)
    return Network(
        "pooled", module.double(), (0.5,) * 3, (0.5,) * 3, labels=labels, synsets=ids, logits="fc", objective="relu"
    )


def by_place(network: Network, image: Tensor) -> np.ndarray:
    """The logits at every place [K, h, w], in numpy."""
    relu = network.capture(image, ["relu"])["relu"][0].detach().numpy()
    fc = network.module.get_submodule("fc")
    return np.einsum("kc,cyx->kyx", fc.weight.detach().numpy(), relu) + fc.bias.detach().numpy()[:, None, None]


def test_each_place_takes_the_nearest_of_a_group() -> None:
    network, image = pooled(), noise(1, 3, 40, 52, dtype=torch.float64)
    scores = by_place(network, image)[list(CATS)]
    expected = (SHARP * np.log(np.exp(scores / SHARP).sum(0))).mean()
    (score,) = resolve(network, "group:cats").scores(network.capture(image, ["relu"]))
    assert float(score) == pytest.approx(expected, rel=1e-9)
    assert resolve(network, "group:cats").layers == {"relu"}
    (term,) = resolve(network, "group:cats").terms
    assert term.name == "group:cats" and term.additive


def test_a_few_classes_are_chosen_by_place_too_and_one_is_the_logit() -> None:
    network, image = pooled(), noise(1, 3, 40, 52, dtype=torch.float64)
    seen = network.capture(image, ["relu", "fc"])
    scores = by_place(network, image)
    two = 2 * np.logaddexp(scores[281] / 2, scores[207] / 2).mean()
    assert float(resolve(network, "tabby|'golden retriever'").scores(seen)[0]) == pytest.approx(two, rel=1e-9)
    assert resolve(network, "tabby").layers == {"fc"}
    assert float(resolve(network, "tabby").scores(seen)[0]) == pytest.approx(scores[281].mean(), rel=1e-9)


def test_certainty_asks_for_the_group_against_all_others() -> None:
    network, image = pooled(), noise(1, 3, 40, 52, dtype=torch.float64)
    scores = by_place(network, image) / 2
    chance = np.exp(scores)[list(CATS)].sum(0) / np.exp(scores).sum(0)
    found = resolve(network, "group:cats", certainty=0.7)
    assert [term.weight for term in found.terms] == [1.0, 0.7]
    seen = network.capture(image, ["relu"])
    assert float(found.scores(seen)[1]) == pytest.approx(np.log(chance).mean(), rel=1e-9)
    assert float(resolve(network, "logprob(group:cats)").scores(seen)[0]) == pytest.approx(np.log(chance).mean())


def test_a_group_means_the_same_classes_in_every_order() -> None:
    background = pooled(1001, imagenet_names(1001), imagenet_synsets(imagenet_names(1001)))
    for network in (pooled(), background, zoo.architecture("inception_v1"), zoo.architecture("squeezenet1_1")):
        from reverie.recipe.groups import class_groups

        found = network.class_group(class_groups()["cats"].holds)
        names = {network.labels[index].split(",")[0] for index in found}
        assert names == {"tabby", "tiger cat", "Persian cat", "Siamese cat", "Egyptian cat"}
        assert resolve(network, "group:cats").terms


def test_groups_join_and_own_groups_name_classes_and_groups() -> None:
    network, image = pooled(), noise(1, 3, 24, 24, dtype=torch.float64)
    seen = network.capture(image, ["relu"])

    def score(text: str, *groups: str) -> float:
        return float(resolve(network, text, groups=groups).scores(seen)[0])

    assert score("group:pets", "pets=group:cats|beagle") == score("group:cats|beagle")
    assert score("group:all", "all=group:pets", "pets=group:cats|beagle") == score("beagle|group:cats")
    assert score("group:cats|tabby") == score("group:cats")  # counted once
    assert score("group:cats", "cats=group:dogs") == score("group:dogs")  # one's own goes first


def test_what_there_is_no_group_of_is_said() -> None:
    network = pooled()
    with pytest.raises(UnknownName, match=r"no group 'dogz'; did you mean 'dogs'"):
        resolve(network, "group:dogz")
    with pytest.raises(UnknownName, match=r"did you mean 'mypets'"):
        resolve(network, "group:mypet", groups=["mypets=tabby"])
    with pytest.raises(UnknownName, match=r"did you mean .*group:dogs"):
        resolve(network, "dogs")
    with pytest.raises(UsageError, match="The group 'a' is made of itself"):
        resolve(network, "group:a", groups=["a=group:b", "b=group:a"])
    with pytest.raises(UsageError, match="tiny knows none of the ImageNet classes of group:dogs"):
        resolve(tiny_network(), "group:dogs")
    assert resolve(tiny_network(), "group:mine", groups=["mine=owl|rose"]).terms


@pytest.mark.parametrize("name", ["efficientnet_lite0", "resnet18", "googlenet", "inception_v3", "inception_v1"])
def test_the_mean_of_the_class_map_is_the_logits(name: str) -> None:
    network = zoo.architecture(name)
    found = network.class_map
    assert found is not None
    image = noise(2, 3, 96, 128)
    seen = network.capture(image, [found.layer, network.logits])
    logits = seen[network.logits]
    error = (found.logits(seen[found.layer]).mean((2, 3)) - logits).norm() / logits.norm()
    assert float(error) < 1e-3
    assert optimized(network, torch.device("cpu"), "bf16").class_map is found


@pytest.mark.parametrize("name", ["motif", "squeezenet1_1"])
def test_a_network_with_a_map_of_logits_needs_no_other(name: str) -> None:
    network = zoo.architecture(name)
    assert network.class_map is None
    assert network.require_layer(network.logits).stride


def test_a_classifier_that_is_not_linear_in_places_has_no_map() -> None:
    network = pooled()
    module = nn.Sequential(*network.module.children())
    named = nn.Sequential()
    parts = [*module[:4], nn.Softmax(1), module[4]]
    for name, part in zip(("conv", "relu", "pool", "flat", "act", "fc"), parts, strict=True):
        named.add_module(name, part)
    assert replace(network, module=named).class_map is None


def test_a_group_adds_over_tiles() -> None:
    network = pooled()
    image = noise(1, 3, 61, 80, dtype=torch.float64)
    assert agrees(network, resolve(network, "group:dogs"), image, 24) >= 6


def test_the_gradient_of_a_group_raises_its_nearest_class() -> None:
    network = pooled()
    image = noise(1, 3, 32, 32, dtype=torch.float64)
    objective = resolve(network, "group:cats")
    score, gradients = image_gradient(network, objective, image)
    step = image + 1e-4 * gradients[0]
    (after,) = objective.scores(network.capture(step, ["relu"]))
    expected = float(score[0]) + 1e-4 * float(gradients[0].square().sum())
    assert float(after) == pytest.approx(expected, rel=1e-6)


def test_the_command_lists_groups(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["layers", "squeezenet1_1", "--kind", "group"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "group:dogs\t118\t118 breeds, from Chihuahua to Mexican hairless" in lines
    assert main(["layers", "squeezenet1_1", "--kind", "group", "--json"]) == 0
    rows = {each["name"]: each for each in json.loads(capsys.readouterr().out)}
    assert rows["group:cats"]["classes"][0] == "tabby, tabby cat"
    assert main(["layers", "motif", "--kind", "group"]) == 2
    assert "The network motif has no ImageNet classes" in capsys.readouterr().err


def test_a_dream_of_a_group_of_ones_own_is_replayed(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(str(tmp_path))
    picture = reverie.dream(
        size="48x48", steps=1, octaves=1, network="motif", objective="group:mine", groups={"mine": ["owl", "rose"]}
    )
    picture.save("a.png")
    assert picture.record is not None and picture.record.recipe.groups == ('mine="owl"|"rose"',)
    assert reverie.replay("a.png").record.recipe.groups == picture.record.recipe.groups
