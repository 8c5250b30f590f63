"""What Python hands in: objectives, transforms, rules and params as values, and pictures as arrays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import reverie
from reverie import objective as ob
from reverie.errors import InputError, UnknownName, UsageError
from reverie.files import read_text
from reverie.jobs.options import JobKeywords
from reverie.network import Network
from reverie.pixels.param import Pixels
from reverie.pixels.transform import jitter
from reverie.recipe.functions import FUNCTIONS
from tests.oracle.motion import texture
from tests.oracle.networks import noise

QUICK: dict[str, Any] = {"steps": 2, "octaves": 1, "size": "48x40", "precision": "fp32", "realism": 0, "variation": 0}


def darkness() -> Any:
    """An objective of the user's own: a dark picture."""
    term = ob.Term(frozenset(["image"]), lambda seen: -seen["image"].mean((1, 2, 3)), name="darkness")
    return ob.Objective((term,))


def test_an_objective_of_ones_own_is_dreamt_and_recorded(tmp_path):
    source = noise(1, 3, 40, 48)
    picture = reverie.dream(source, objective=darkness(), **QUICK)
    assert picture.pixels.mean() < source.mean() - 0.005
    path = picture.save(tmp_path / "dark.png")
    told = json.loads(read_text(path) or "")
    assert told["values"] == {"objective": "python:darkness"}
    assert told["recipe"]["objective"] == "python:darkness"


def test_its_replay_says_what_it_needs_and_takes_it(tmp_path):
    source = Path(tmp_path / "source.png")
    Image.effect_noise((48, 40), 60).convert("RGB").save(source)
    path = reverie.dream(source, objective=darkness(), **QUICK).save(tmp_path / "dark.png")
    with pytest.raises(UsageError, match="objective python:darkness, made in Python; hand it in again as objective="):
        reverie.replay(path)
    job = reverie.replay(path, objective=darkness())
    *_, frame = job.frames()
    assert job.picture(frame).save(tmp_path / "again.png").read_bytes() == path.read_bytes()
    job = reverie.replay(path, objective="owl")  # something else instead
    assert job.record.values == {} and job.record.recipe.objective == "owl"


def test_a_recipe_cannot_name_a_value():
    with pytest.raises(UsageError, match="hand it in again as objective="):
        reverie.job(None, objective="python:darkness", **QUICK)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (ob.layer("stage3"), "stage3"),
        (ob.layer("stage3") - 0.5 * ob.channel("stage2", 3), "stage3 - 0.5*stage2:3"),
        (ob.mean("stage2") - 0.2 * ob.tv(), "mean(stage2) - 0.2*tv"),
        ({"stage3": 1, "stage2:3": -0.5}, "stage3 - 0.5*stage2:3"),
        (ob.logit("logits", 0), "class:0"),
    ],
)
def test_a_value_dreams_what_its_text_dreams(value, text):
    source = noise(1, 3, 40, 48)
    by_value = reverie.dream(source, objective=value, **QUICK)
    by_text = reverie.dream(source, objective=text, **QUICK)
    torch.testing.assert_close(by_value.pixels, by_text.pixels, rtol=0, atol=1e-6)
    assert not torch.equal(by_text.pixels, source)


def test_layers_of_a_value_go_by_their_aliases_and_are_checked(tiny: Network):
    options = QUICK | {"network": tiny}
    alias = next(iter(tiny.aliases))
    picture = reverie.dream(noise(1, 3, 40, 48), objective=ob.layer(alias), **options)
    same = reverie.dream(noise(1, 3, 40, 48), objective=ob.layer(tiny.aliases[alias]), **options)
    assert torch.equal(picture.pixels, same.pixels)
    with pytest.raises(UnknownName, match="no layer 'relu9'"):
        reverie.dream(None, objective=ob.layer("relu9"), **options)


def test_a_term_that_gives_one_number_is_told_the_shape_that_is_wanted():
    term = ob.Term(frozenset(["image"]), lambda seen: seen["image"].mean(), name="brightness")
    with pytest.raises(UsageError, match=r"brightness gives a score of the shape \[\]; .* the shape \[1\]"):
        reverie.dream(noise(1, 3, 40, 48), objective=ob.Objective((term,)), **QUICK)


@pytest.mark.parametrize("weight", [0, float("nan"), 1e20, "much"])
def test_a_mapping_with_a_weight_that_cannot_be_is_refused(weight):
    with pytest.raises(UsageError, match="stage3"):
        reverie.job(None, objective={"stage3": weight}, **QUICK)


class Sideways:
    """A step rule of the user's own: every pixel goes by the sign of its gradient."""

    def step(self, param: Any, gradient: Tensor, state: Any) -> tuple[Any, Any]:
        return param.moved(0.01 * gradient.sign()), (state or 0) + 1


def test_a_rule_of_ones_own_takes_the_steps():
    source = noise(1, 3, 40, 48).clamp(0.2, 0.8)
    picture = reverie.dream(source, rule=Sideways(), param=Pixels, **QUICK)
    change = (picture.pixels - source).abs()
    assert change.max() <= 0.02 + 1e-6 and change.mean() > 0.005
    assert picture.record is not None
    assert picture.record.values == {"rule": "python:Sideways", "param": "python:Pixels"}


def test_a_transform_of_ones_own_is_what_the_network_sees():
    shown: list[tuple[int, ...]] = []

    def upside_down(image: Tensor, generator: torch.Generator) -> Tensor:
        shown.append(tuple(image.shape))
        return jitter(3)(image, generator).flip(2)

    picture = reverie.dream(noise(1, 3, 40, 48), transform=upside_down, **QUICK)
    assert (1, 3, 40, 48) in shown and picture.record is not None
    assert picture.record.values == {"transform": "python:upside_down"}


@pytest.mark.parametrize(("name", "value"), [("transform", 3), ("rule", 3), ("rule", lambda: None)])
def test_what_is_no_value_is_refused(name, value):
    with pytest.raises(UsageError, match=f"^{name} must"):
        reverie.job(None, **{name: value}, **QUICK)


def test_a_film_takes_values_and_its_replay_needs_them(tmp_path, tiny: Network):
    options: dict[str, Any] = {"steps": 1, "octaves": 1, "precision": "fp32", "network": tiny}
    source = texture(0)[0, :, :40, :48]
    made = reverie.film.steps(source, objective=darkness(), hold=0, **options)
    assert repr(made).startswith("<Film steps 48x40") and len(list(made)) == made.total
    made.save(tmp_path / "dark.gif")
    with pytest.raises((InputError, UsageError)):
        reverie.film.replay(tmp_path / "dark.gif", network=tiny)
    again = reverie.film.replay(tmp_path / "dark.gif", network=tiny, source=source, objective=darkness())
    again.save(tmp_path / "again.gif")
    assert (tmp_path / "again.gif").read_bytes() == (tmp_path / "dark.gif").read_bytes()


def test_a_picture_is_an_array_an_image_and_a_short_line():
    picture = reverie.dream(noise(1, 3, 40, 48), **QUICK)
    assert picture.size == (40, 48)
    assert np.array_equal(np.asarray(picture), picture.numpy()) and np.asarray(picture).shape == (40, 48, 3)
    assert picture.image.mode == "RGB" and picture.image.size == (48, 40)
    assert len(repr(picture)) < 100 and "48x40" in repr(picture)
    assert len(repr(reverie.job(None, **QUICK))) < 120
    assert len(repr(reverie.load("motif"))) < 100


def test_alpha_is_part_of_the_array():
    photo = Image.new("RGBA", (48, 40), (200, 100, 50, 128))
    picture = reverie.dream(photo, **QUICK)
    assert np.asarray(picture).shape == (40, 48, 4) and picture.image.mode == "RGBA"
    assert set(np.unique(np.asarray(picture)[..., 3])) == {128}


def test_a_count_gives_all_pictures_and_several_sources_each_their_own(tmp_path):
    several = reverie.dream(None, count=3, **QUICK)
    assert len(several) == 3 and not torch.equal(several[0].pixels, several[1].pixels)
    assert [each.record.part for each in several if each.record] == [0, 1, 2]
    batch = torch.cat([noise(1, 3, 40, 48), 0.5 * noise(1, 3, 40, 48)])
    each = reverie.dream(batch, **QUICK)
    alone = reverie.dream(batch[1], **QUICK)
    assert isinstance(each, list) and len(each) == 2
    assert torch.equal(each[1].pixels, alone.pixels)
    assert len(reverie.dream([batch[0], batch[1].permute(1, 2, 0).numpy()], **QUICK)) == 2
    with pytest.raises(UsageError, match="several sources"):
        reverie.dream([batch[0]], resume=tmp_path / "x", **QUICK)


def test_the_callers_threads_stay_as_they_were():
    seen = set()
    reverie.dream(noise(1, 3, 40, 48), threads=2, on_frame=lambda _: seen.add(torch.get_num_threads()), **QUICK)
    assert torch.get_num_threads() == 1 and seen == {1}
    job = reverie.job(noise(1, 3, 40, 48), threads=2, **QUICK)
    assert job.record.threads == 2 and torch.get_num_threads() == 1


def test_the_typed_options_are_the_fields_of_recipe_and_run():
    fields = reverie.Recipe.model_fields.keys() | reverie.Run.model_fields.keys()
    own = {"preset", "recipe", "preview", "network", "transform", "rule", "pictures"}
    assert JobKeywords.__annotations__.keys() == fields | own


def test_presets_are_a_copy():
    looks = reverie.presets()
    assert looks["owls"]["about"]
    looks["owls"].clear()
    assert reverie.presets()["owls"]


@pytest.fixture
def words():
    """The table of the language, as it was before the test."""
    before = dict(FUNCTIONS)
    yield
    FUNCTIONS.clear()
    FUNCTIONS.update(before)


def test_a_registered_objective_is_a_word_of_the_language(tmp_path, words):
    reverie.register_objective("darkness", darkness)
    reverie.register_objective("loud", lambda layer, power=2.0: power * ob.layer(layer), of="layer", numbers=(0, 1))
    source = Path(tmp_path / "source.png")
    Image.effect_noise((48, 40), 60).convert("RGB").save(source)
    picture = reverie.dream(source, objective="0.5*darkness + loud(stage3, 3)", **QUICK)
    same = reverie.dream(source, objective=0.5 * darkness() + 3 * ob.layer("stage3"), **QUICK)
    assert torch.equal(picture.pixels, same.pixels)
    path = picture.save(tmp_path / "dark.png")
    assert picture.record.values == {"darkness": "python:darkness", "loud": "python:loud"}
    *_, frame = (job := reverie.replay(path)).frames()
    assert job.picture(frame).save(tmp_path / "again.png").read_bytes() == path.read_bytes()
    del FUNCTIONS["loud"]
    with pytest.raises(UsageError, match=r"word 'loud', made in Python; register it again"):
        reverie.replay(path)


def test_a_word_that_cannot_be_registered_is_refused(words):
    bad = [("tv", darkness, "image"), ("a b", darkness, "image"), ("x", 3, "image"), ("x", darkness, "picture")]
    for name, factory, of in bad:
        with pytest.raises(UsageError):
            reverie.register_objective(name, factory, of=of)
    reverie.register_objective("nothing", lambda: 3)
    with pytest.raises(UsageError, match="must make an Objective"):
        reverie.job(None, objective="nothing", **QUICK)
    reverie.register_objective("loud", ob.layer, of="layer")
    with pytest.raises(UsageError, match="written like"):
        reverie.job(None, objective="loud(stage3, 7)", **QUICK)
