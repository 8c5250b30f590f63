"""The atlas by numbers: sheets, the choice of layers, what feeds a class, what a picture excites."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

import reverie
from reverie import atlas, objective, zoo
from reverie.errors import UnknownName, UsageError
from reverie.loop.plan import prepare
from reverie.loop.render import render
from reverie.network import Network
from reverie.pixels.ops import resize
from reverie.recipe import Recipe
from tests.oracle.networks import LABELS, Watching, around, blind_network, hooks, noise, tiny_network

RECIPE = Recipe(octaves=1, steps=2, pad=0, jitter=2)


def pointwise(rows: list[list[float]], bias: list[float] | None = None) -> nn.Conv2d:
    """A 1x1 convolution with these weights [out][in]."""
    made = nn.Conv2d(len(rows[0]), len(rows), 1)
    made.weight = nn.Parameter(torch.tensor(rows)[:, :, None, None])
    made.bias = nn.Parameter(torch.tensor(bias or [0.0] * len(rows)))
    return made


def classifier(*layers: tuple[str, nn.Module], labels: tuple[str, ...]) -> Network:
    """A network of the named modules in a row; the last gives the classes."""
    return replace(around(*layers), labels=labels, logits=layers[-1][0])


# Red, green and blue through a ReLU, mixed by a second layer, and weighed by two classes.
MIX = [[1.0, 0.5, 0.0], [0.0, 2.0, 1.0]]
HEAD = [[3.0, -1.0], [0.5, 2.0]]


def colors() -> Network:
    return classifier(
        ("see", pointwise([[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0]])), ("relu1", nn.ReLU()),
        ("mix", pointwise(MIX)), ("relu2", nn.ReLU()), ("head", pointwise(HEAD)), labels=("warm", "cold"),
    )


# --- sheets ---


def cells(*names: str) -> list[tuple[str, Tensor]]:
    return [(name, noise(1, 3, 20, 90, seed=at)) for at, name in enumerate(names)]


def test_a_sheet_holds_its_pictures_in_rows_and_its_captions_below_them():
    given = cells("one", "two", "three")
    made = atlas.sheet(given, columns=2)
    assert tuple(made.shape[-2:]) == atlas.sheet_size(3, (20, 90), 2) == (2 * 48 + 6, 2 * 96 + 6)
    for (y, x), (_, picture) in zip(((6, 6), (6, 102), (54, 6)), given, strict=True):
        assert torch.equal(made[..., y : y + 20, x : x + 90].mul(255).round(), picture.mul(255).round())
    assert made[..., 54:, 102:].unique().numel() <= 3  # the place of a fourth is blank paper
    other = atlas.sheet([("uno", given[0][1]), *given[1:]], columns=2)
    changed = (made != other).any(1)[0].nonzero()
    assert len(changed)
    assert changed[:, 0].min() >= 26 and changed[:, 0].max() < 48 and changed[:, 1].max() < 96


def test_a_title_is_a_band_above_and_long_captions_stay_in_their_cell():
    plain, titled = atlas.sheet(cells("a", "b"), 2), atlas.sheet(cells("a", "b"), 2, "motif")
    assert tuple(titled.shape[-2:]) == atlas.sheet_size(2, (20, 90), 2, "motif")
    assert torch.equal(titled[..., 36:, :], plain[..., 6:, :])
    assert titled[..., :34, :].max() > 0.5
    long = atlas.sheet(cells("a name " * 20, "b"), 2)
    assert torch.equal(long[..., 96:], plain[..., 96:])
    with pytest.raises(ValueError, match="at least one"):
        atlas.sheet([])


def test_each_cell_is_the_dream_of_its_objective_alone(tiny):
    plan = prepare(tiny, RECIPE, (24, 32))
    source = noise(1, 3, 24, 32)
    wanted = [objective.channel("relu1", 0), objective.layer("relu2")]
    made = list(atlas.dreams(plan, wanted, source))
    for each, dream in zip(wanted, made, strict=True):
        *_, last = render(plan.dreaming(each), source)
        assert torch.equal(dream.picture, last.image) and not dream.silent
    assert not torch.equal(made[0].picture, made[1].picture)


def test_what_has_no_gradient_is_silent_and_the_work_is_done_one_by_one():
    plan = prepare(blind_network(), RECIPE.model_copy(update={"blend": 0.5}), (24, 32))
    source = noise(1, 3, 48, 64)
    running = atlas.dreams(plan, [objective.layer("blind"), objective.layer("nowhere")], source)
    dream = next(running)
    assert dream.silent and torch.equal(dream.picture, resize(source, (24, 32)).clamp(0, 1))
    running.close()  # the second, which would fail, is never begun


# --- which layers ---


def names(network: Network, kind: str | None = None) -> list[str]:
    return [atlas.layer_label(each) for each in atlas.worthwhile(network, kind)]


def test_the_layers_worth_a_look_are_each_there_once():
    assert names(zoo.load("motif")) == [
        "stage1", "stage2.0", "stage2.1", "stage2", "stage3.0", "stage3.1", "stage3", "stage4.0", "stage4.1",
        "stage4", "logits",
    ]
    fires = [f"fire{number}" for number in range(2, 10)]
    assert names(zoo.architecture("squeezenet1_0")) == ["relu_conv1", *fires, "conv10"]
    assert names(tiny_network()) == ["first", "mixed2", "logits"]


def test_of_nested_blocks_only_as_many_levels_as_fit_on_a_sheet():
    found = names(zoo.architecture("googlenet"))
    assert found[-3:] == ["inception_5a", "inception_5b", "loss3/classifier"] and len(found) == 13
    assert names(zoo.architecture("resnet18"))[:3] == ["conv1_relu", "res2a", "conv2_x"]


def test_a_kind_asks_for_all_of_that_kind(tiny):
    assert names(tiny, "conv") == ["conv1", "conv2", "logits"]
    assert len(names(tiny, "all")) == len(tiny.layers)
    with pytest.raises(UnknownName, match="kind of layer 'cnv'; did you mean 'conv2d'"):
        atlas.worthwhile(tiny, "cnv")


class Add(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + 0.1


class Detached(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.detach()


def test_a_network_without_blocks_is_thinned_and_its_joins_stand_for_its_blocks():
    torch.manual_seed(0)
    plain = around(*((f"c{at}", nn.Conv2d(3, 3, 1)) for at in range(60)))
    found = names(plain)
    assert len(found) <= 24 and found[-1] == "c59"
    classed = replace(plain, labels=("a", "b", "c"), logits="c59")
    assert atlas.feeder(classed).name == "c58"
    joined = around(*((f"{'add' if at % 10 == 9 else 'c'}{at}", Add() if at % 10 == 9 else nn.Conv2d(3, 3, 1))
                      for at in range(62)))
    assert names(joined) == ["add9", "add19", "add29", "add39", "add49", "add59", "c60", "c61"]


def test_what_passes_no_gradient_back_is_left_out():
    network = around(("c", nn.Conv2d(3, 4, 1)), ("cut", Detached()), ("d", nn.Conv2d(4, 4, 1)))
    assert names(network, "all") == ["c"]
    assert names(network) == ["c"]


class Fork(nn.Module):
    """Two ReLUs side by side, as in a Fire or an Inception block."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.ra, self.b, self.rb = nn.Conv2d(3, 2, 1), nn.ReLU(), nn.Conv2d(3, 3, 1), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.ra(self.a(x)), self.rb(self.b(x))], 1)


def test_the_way_before_a_relu_is_found_also_through_joined_branches(tiny):
    torch.manual_seed(2)
    network = around(("fork", Fork()))
    found = atlas.before_relu(network, network.require_layer("fork"))
    assert found == {0: ("fork.a", 0), 1: ("fork.a", 1), 2: ("fork.b", 0), 3: ("fork.b", 1), 4: ("fork.b", 2)}
    assert atlas.before_relu(tiny, tiny.require_layer("relu2"))[7] == ("conv2", 7)
    assert atlas.before_relu(tiny, tiny.require_layer("conv2")) == {}


# --- what feeds a class ---


def test_where_a_layer_feeds_the_scores_linearly_its_weights_are_found(tiny):
    weights = tiny.module.logits.weight[:, :, 0, 0]
    assert torch.allclose(atlas.direct(tiny, "relu2"), weights, atol=1e-5)
    assert torch.allclose(atlas.direct(tiny, "mixed2", [3]), weights[3:4], atol=1e-5)
    assert torch.allclose(torch.stack([*atlas.reach(tiny, "relu2")]), weights, atol=1e-5)
    assert atlas.direct(tiny, "relu1") is None
    assert atlas.feeder(tiny).name == "relu2"
    (found,) = atlas.feeding(tiny, [3], ["relu2"])
    order = weights[3].argsort(descending=True).tolist()
    assert found.method == "weights" and [each.channel for each in found.feeds] == order
    assert found.feeds[0].value == pytest.approx(weights[3].max().item(), abs=1e-5)
    assert sum(abs(each.share) for each in found.feeds) == pytest.approx(1)
    with pytest.raises(UsageError, match="not feed the classes linearly"):
        atlas.feeding(tiny, [3], ["relu1"])


def test_pooling_flattening_and_a_dense_layer_are_linear_too():
    torch.manual_seed(0)
    network = classifier(("see", nn.Conv2d(3, 4, 3)), ("relu", nn.ReLU()), ("pool", nn.AdaptiveAvgPool2d(1)),
                         ("flat", nn.Flatten()), ("head", nn.Linear(4, 6)), labels=tuple("abcdef"))
    assert torch.allclose(atlas.direct(network, "relu"), network.module.head.weight, atol=1e-5)


def test_gradient_times_activation_has_the_answer_worked_out_by_hand():
    network = colors()
    picture = torch.tensor([0.5, 0.25, 0.75])[None, :, None, None].expand(1, 3, 16, 16).contiguous()
    see, mix = atlas.feeding(network, [0], ["relu1", "relu2"], [picture])
    # All is positive, so the score is head @ mix @ color: 3 * (r + g/2) - (2 g + b).
    assert {each.channel: round(each.value, 5) for each in see.feeds} == {0: 1.5, 1: -0.125, 2: -0.75}
    assert {each.channel: round(each.value, 5) for each in mix.feeds} == {0: 1.875, 1: -1.25}
    assert [each.channel for each in see.feeds] == [0, 1, 2]
    assert see.method == "gradient" and see.feeds[0].share == pytest.approx(1.5 / 2.375)
    # Two classes together: the mean of their scores; two pictures: the mean over them.
    (both,) = atlas.feeding(network, [0, 1], ["relu2"], [picture, 0 * picture])
    assert {each.channel: round(each.value, 5) for each in both.feeds} == {
        0: round(1.75 * 0.625 / 2, 5), 1: round(0.5 * 1.25 / 2, 5),
    }
    assert hooks(network.module) == 0


class Overwriting(nn.Module):
    """The network of colors, with ReLUs that write over what they read."""

    def __init__(self) -> None:
        super().__init__()
        self.see, self.mix, self.head = (part for part in colors().module if isinstance(part, nn.Conv2d))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.mix(self.see(x - 0.5).relu_()).relu_())


def test_an_adopted_network_answers_by_hand_too_whatever_it_writes_over():
    network = reverie.adopt(Overwriting(), labels=["warm", "cold"], logits="head")
    picture = torch.tensor([0.75, 0.25, 0.625])[None, :, None, None].expand(1, 3, 32, 32).contiguous()
    see, mix = atlas.feeding(network, [0], ["see", "mix"], [picture])
    # Seen are 0.25, -0.25 and 0.125; green is cut off and gets nothing.
    assert {each.channel: round(each.value, 4) for each in see.feeds} == {0: 0.75, 1: 0.0, 2: -0.125}
    assert {each.channel: round(each.value, 4) for each in mix.feeds} == {0: 0.75, 1: -0.125}


def test_a_layer_behind_the_scores_feeds_nothing():
    network = classifier(("see", pointwise(MIX)), ("head", pointwise(HEAD)), labels=("a", "b"))
    network.module.append(nn.ReLU())
    with pytest.raises(UsageError, match="does not come before its class scores"):
        atlas.feeding(network, [0], ["2"], [noise(1, 3, 16, 16)])
    with pytest.raises(UsageError, match="has no classes"):
        atlas.feeder(around(("c", nn.Conv2d(3, 4, 1))))


class Aside(nn.Module):
    """What ``aside`` sees goes nowhere, as the places of a transformer's last block."""

    def __init__(self) -> None:
        super().__init__()
        self.see, self.aside, self.head = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1), nn.Conv2d(4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.see(x)
        return self.head(x + 0 * self.aside(x))


def test_a_layer_whose_places_feed_nothing_is_not_the_feeder():
    network = Network("row", Aside(), (0.0,) * 3, (1.0,) * 3, labels=("a", "b"), logits="head", smallest=16)
    assert [each.name for each in atlas.distinct(network)] == ["see", "aside", "head"]
    assert atlas.feeder(network).name == "see"


def test_examples_excite_their_class_and_are_always_the_same(tiny, monkeypatch):
    monkeypatch.setattr("reverie.atlas.attribution.EXAMPLE_SIDE", 32)
    made, again = ([*atlas.examples(tiny, [1], 2)] for _ in range(2))
    assert all(torch.equal(*pair) for pair in zip(made, again, strict=True)) and not torch.equal(*made)

    def score(picture: Tensor) -> float:
        return tiny.capture(picture, ["logits"])["logits"][0, 1].mean().item()

    assert min(map(score, made)) > max(score(each) for each in atlas.references(tiny, (32, 32)))


def test_classes_are_matched_by_every_name_they_have(tiny):
    assert atlas.matching(tiny, "owl") == atlas.matching(tiny, "class:0") == (0,)
    assert atlas.matching(tiny, "eye") == (2,)
    assert atlas.matching(tiny, "crane") == (3, 4)
    assert atlas.matching(tiny, "rose | class:owl|rose") == (1, 0)
    snakes = replace(tiny, labels=("snake fence", "sea snake", "adder, puff snake", "rose", "owl"))
    assert atlas.matching(snakes, "snake") == (1, 2)
    with pytest.raises(UnknownName, match="did you mean 'owl'"):
        atlas.matching(tiny, "owll")


def test_a_survey_tells_mean_share_and_classes():
    network = colors()
    half = torch.zeros(1, 3, 16, 16)
    half[:, 0, :, :4], half[:, 1] = 1.0, 0.5
    found = atlas.survey_channels(network, "relu1", [half, half], atlas.direct(network, "relu2")[:, [0, 1, 1]], top=1)
    assert [(each.channel, each.mean, each.active) for each in found] == [(0, 0.25, 0.25), (1, 0.5, 1.0), (2, 0.0, 0.0)]
    assert [each.classes for each in found] == [(0,), (1,), (1,)]
    assert atlas.survey_channels(network, "relu1")[0].classes == ()


# --- what a picture excites ---


def sighted() -> Network:
    """Channel 0 sees light above 0.9, 1 is always on, 2 sees blue, 3 sleeps; light is 'lamp', blue is 'sky'."""
    third = 1 / 3
    seeing = pointwise([[third] * 3, [0.0] * 3, [0, 0, 1.0], [-1.0] * 3], [-0.9, 50.0, 0.0, -9.0])
    return classifier(("see", seeing), ("on", nn.ReLU()), ("head", pointwise([[18.0, 0, 0, 0], [0, 0, 0.1, 0]])),
                      labels=("lamp, light", "sky"))


def with_a_lamp() -> Tensor:
    picture = torch.full((1, 3, 40, 64), 0.4)
    picture[..., 10:16, 44:52] = 1.0
    return picture


def test_heat_lies_where_the_bright_patch_is_and_what_is_always_on_does_not_count():
    seen = atlas.inspect(sighted(), with_a_lamp(), ["on"], top=4)
    (on,) = seen.layers
    assert on.units[0].channel == 0 and on.units[-1].channel != 0
    assert on.units[0].noise < on.units[0].mean
    assert next(each for each in on.units if each.channel == 1).excess == pytest.approx(0, abs=1e-3)
    assert next(each for each in on.units if each.channel == 3).mean == 0
    heat, lamp = seen.spread(on.heat), seen.spread(on.maps[0])
    for found in (heat, lamp):
        assert found.shape == (40, 64) and found.min() >= 0 and found.max() == 1
        y, x = divmod(found.argmax().item(), 64)
        assert 10 <= y < 16 and 44 <= x < 52
    assert lamp[:, :32].max() == 0 and lamp[11:15, 45:51].min() == 1


def test_an_inspection_guesses_and_takes_one_pass_a_picture_and_leaves_no_hooks():
    watch = Watching()
    base = sighted()
    network = classifier(("watch", watch), *base.module.named_children(), labels=base.labels)
    seen = atlas.inspect(network, with_a_lamp())
    # The listing, the choice of layers, four noises, the picture's layers, its classes.
    assert len(watch.seen) == 1 + 1 + 4 + 1 + 1
    assert [atlas.layer_label(each.layer) for each in seen.layers] == ["watch", "on", "head"]
    assert seen.guesses[0].label in base.labels
    assert sum(each.probability for each in seen.guesses) == pytest.approx(1)
    assert hooks(network.module) == 0
    bright = atlas.inspect(network, torch.ones(1, 3, 32, 32)).guesses[0]
    likely = torch.tensor([1.8, 0.1]).softmax(0)[0].item()
    assert (bright.label, bright.probability) == ("lamp, light", pytest.approx(likely))


def test_a_map_of_scores_is_decided_place_by_place():
    network = replace(sighted(), by_place=True)
    scores = network.capture(with_a_lamp(), ["head"])["head"]
    seen = atlas.inspect(network, with_a_lamp())
    assert seen.guesses[0].label == "sky"
    assert seen.guesses[1].probability == pytest.approx(scores.softmax(1).mean((2, 3))[0, 0].item())


def test_pictures_smaller_than_the_network_takes_and_layers_without_places():
    network = classifier(("see", nn.Conv2d(3, 4, 3)), ("pool", nn.AdaptiveAvgPool2d(1)), ("flat", nn.Flatten()),
                         ("head", nn.Linear(4, 6)), labels=tuple("abcdef"))
    network = replace(network, smallest=64)
    seen = atlas.inspect(network, noise(1, 3, 9, 200), ["see", "head"])
    assert seen.spread(seen.layers[0].heat).shape == (9, 200)
    assert seen.layers[1].heat is None and seen.layers[1].maps is None
    assert len(seen.guesses) == 6
    assert atlas.inspect(around(("c", nn.Conv2d(3, 4, 1))), noise(1, 3, 20, 20)).guesses == ()


def test_what_cannot_be_inspected_is_said(tiny):
    with pytest.raises(UsageError, match=r"\[1, 3, H, W\]"):
        atlas.inspect(tiny, noise(3, 20, 20))
    with pytest.raises(UsageError, match="1 or more, not 0"):
        atlas.inspect(tiny, noise(1, 3, 20, 20), top=0)
    with pytest.raises(UnknownName, match="relu1"):
        atlas.inspect(tiny, noise(1, 3, 20, 20), ["rellu1"])


def test_colors_of_heat_rise_in_light_and_heat_shows_on_the_picture():
    steps = torch.linspace(0, 1, 101)[None]
    made = atlas.ramp(steps)
    assert made.shape == (3, 1, 101) and made.min() >= 0 and made.max() <= 1
    linear = torch.where(made <= 0.04045, made / 12.92, ((made + 0.055) / 1.055) ** 2.4)
    light = torch.einsum("c,chw->hw", torch.tensor([0.2126, 0.7152, 0.0722]), linear)[0]
    assert (light.diff() > 0).all()
    heat = torch.zeros(8, 8)
    heat[2, 3] = 1
    warm = atlas.heated(torch.full((1, 3, 8, 8), 0.5), heat)[0].mean(0)
    assert warm.argmax() == 2 * 8 + 3 and warm.shape == (8, 8)


def test_the_labels_of_the_tiny_network_are_those_that_these_tests_speak_of():
    assert LABELS[3:] == ("crane, machine", "crane, bird")
