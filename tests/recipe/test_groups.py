"""Groups of classes as data and as text."""

from __future__ import annotations

from pathlib import Path

import pytest

from reverie.errors import UsageError
from reverie.recipe import Recipe
from reverie.recipe.grammar import parse_objective
from reverie.recipe.groups import class_groups, parse_groups
from reverie.zoo.catalog import synsets
from reverie.zoo.labels import imagenet

NAMES = [label.split(",")[0] for label in imagenet()]


def members(group: str) -> list[str]:
    return [name for name, synset in zip(NAMES, synsets(1000), strict=True) if class_groups()[group].holds(synset)]


def test_ids_stand_in_the_order_that_ranges_rely_on(shared: Path) -> None:
    listed = (shared / "reference" / "imagenet-synsets.txt").read_text("utf-8").replace("'", "").splitlines()
    assert [line.split()[0] for line in listed if line.strip()] == list(synsets(1000)) == sorted(synsets(1000))


@pytest.mark.parametrize(
    ("group", "count", "within", "without"),
    [
        ("dogs", 118, ("Chihuahua", "golden retriever", "Mexican hairless"), ("timber wolf", "tabby")),
        ("cats", 5, ("tabby", "Egyptian cat"), ("lynx", "cougar")),
        ("big-cats", 8, ("cougar", "cheetah"), ("Egyptian cat", "brown bear")),
        ("birds", 59, ("cock", "great grey owl", "peacock", "albatross"), ("tusker", "grey whale")),
        ("snakes", 17, ("thunder snake", "sidewinder"), ("triceratops", "trilobite")),
        ("turtles", 5, ("loggerhead", "box turtle"), ("banded gecko",)),
        ("lizards", 11, ("banded gecko", "Komodo dragon"), ("African crocodile",)),
        ("frogs", 3, ("bullfrog", "tailed frog"), ("axolotl",)),
        ("insects", 27, ("tiger beetle", "monarch", "lycaenid"), ("starfish", "centipede")),
        ("butterflies", 6, ("admiral", "lycaenid"), ("damselfly",)),
        ("spiders", 7, ("tarantula", "harvestman"), ("scorpion", "tick")),
        ("fish", 16, ("tench", "stingray", "puffer"), ("cock", "giant panda")),
        ("primates", 20, ("orangutan", "indri"), ("Indian elephant", "three-toed sloth")),
        ("bears", 5, ("brown bear", "giant panda"), ("lesser panda", "mongoose")),
        ("hoofed", 17, ("sorrel", "llama"), ("weasel", "guinea pig")),
        ("mushrooms", 8, ("mushroom", "bolete"), ("ear", "buckeye")),
        ("flowers-and-fruit", 16, ("daisy", "strawberry", "acorn"), ("corn", "hay", "bell pepper")),
        ("ships", 15, ("gondola", "yawl"), ("space shuttle",)),
        ("instruments", 26, ("accordion", "violin"), ("microphone", "loudspeaker")),
        ("buildings", 31, ("castle", "yurt", "palace"), ("dock", "bakery")),
        ("sea", 35, ("jellyfish", "coral reef", "starfish", "lionfish"), ("tench", "goldfish", "snail")),
    ],
)
def test_a_group_is_what_its_name_says(
    group: str, count: int, within: tuple[str, ...], without: tuple[str, ...]
) -> None:
    found = members(group)
    assert len(found) == count
    assert set(within) <= set(found) and not set(without) & set(found)


def test_every_group_has_classes_a_line_for_people_and_whole_ids() -> None:
    known = set(synsets(1000))
    for name, group in class_groups().items():
        assert group.about and members(name) and name == name.lower()
        assert all({first, last} <= known and first <= last for first, last in group.spans)
        assert not group.holds("")
    assert {"food", "vehicles", "sea", "landscapes", "temples"} < set(class_groups())
    assert set(members("dogs")) | set(members("birds")) < set(members("animals"))
    assert set(members("cars")) | set(members("ships")) - {"wreck", "trimaran"} < set(members("vehicles")) | {"wreck"}


@pytest.mark.parametrize(
    "text", ["group:dogs", "0.5*group:big-cats + stage3", "group:dogs|group:cats|owl", "owl|group:dogs|left.png",
             "group:big-cats", "owl|group:flowers-and-fruit - stage3",
             "logit(group:big-cats|owl)", "logit(group:dogs)", "logprob(group:dogs|owl)", "-group:'odd name'"],
)  # fmt: skip
def test_groups_are_read_and_written(text: str) -> None:
    targets = parse_objective(text)
    assert parse_objective(" ".join(each.text() for each in targets)) == targets


def test_a_group_is_a_class_of_which_each_place_may_choose() -> None:
    (target,) = parse_objective("group:dogs|owl|group:cats|left.png")
    assert (target.kind, target.name, target.others) == ("class", "group:dogs", ("owl", "group:cats"))
    assert target.mask == "left.png"


def test_a_hyphen_is_part_of_a_groups_name_and_a_minus_stands_apart() -> None:
    first, second = parse_objective("group:big-cats - group:flowers-and-fruit|owl")
    assert (first.name, second.name, second.others, second.weight) == (
        "group:big-cats", "group:flowers-and-fruit", ("owl",), -1.0
    )  # fmt: skip
    assert [each.name for each in parse_objective("group:cats -stage3")] == ["group:cats", "stage3"]
    assert parse_groups(["pets = group:small-mammals|group:'cats'"]) == {"pets": ("group:small-mammals", "group:cats")}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("group:", "it ends where a name should stand"),
        ("group:+", "after 'group:' the name of a group must stand, not '\\+'"),
        ("group:dogs:3", "has no channels"),
        ("group:3", "the name of a group must stand, not '3'"),
        ("owl|group:", "it ends where a name should stand"),
        ("mean(group:dogs)", "mean"),
    ],
)
def test_what_is_no_group_is_refused(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parse_objective(text)


def test_a_recipe_has_groups_of_its_parse_groups() -> None:
    texts = ("pets=tabby|'golden retriever'|group:birds", "shiny = group:armor")
    recipe = Recipe.of({"groups": texts})
    assert recipe.groups == texts and Recipe.model_validate(recipe.model_dump()) == recipe
    assert parse_groups(recipe.groups) == {
        "pets": ("tabby", "golden retriever", "group:birds"),
        "shiny": ("group:armor",),
    }
    mapped = Recipe.of({"groups": {"pets": ["tabby", "golden retriever", "group:birds"], "two": "owl|rose"}})
    assert parse_groups(mapped.groups) == {"pets": ("tabby", "golden retriever", "group:birds"), "two": ("owl", "rose")}


@pytest.mark.parametrize(
    "bad", ["pets", "=owl", "pets=", "pets=0.5*owl", "pets=stage3:4", "pets=owl+rose", "3=owl", "pets=mean(owl)",
            "pets=owl|left.png", 5, {"pets": 3}, [3]],
)  # fmt: skip
def test_a_text_that_is_no_group_is_one_sentence(bad: object) -> None:
    with pytest.raises(UsageError, match=r"groups must .*(NAME=CLASS\|CLASS|name classes)"):
        Recipe.of({"groups": bad})
