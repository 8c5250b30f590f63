"""Recipe, Run and presets: defaults, JSON both ways, and a sentence for every value that cannot be."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from reverie import recipe as recipes
from reverie.errors import InputError, UnknownName, UsageError
from reverie.recipe import Recipe, Run
from reverie.recipe.presets import all_presets, preset
from reverie.recipe.validators import setting

WHOLE = st.integers(1, 100_000)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "network": st.text(),
    "objective": st.text(),
    "strength": st.floats(0.25, 4),
    "motif_size": st.sampled_from(["auto", "small", "medium", "large"]) | st.floats(2, 100),
    "realism": st.floats(0, 1),
    "variation": st.floats(0, 1),
    "fine_gray": st.floats(0, 1),
    "guide": st.lists(st.sampled_from(["a.jpg", "b@relu2*0.5|'m.png'"]), max_size=2).map(tuple),
    "match": st.sampled_from(["dot", "cosine"]),
    "mask": st.none() | st.text(min_size=1),
    "octaves": st.just("auto") | st.integers(1, 64),
    "octave_scale": st.floats(1.01, 16),
    "smallest": st.integers(16, 4096),
    "above": st.integers(0, 8),
    "steps": st.integers(1, 10_000) | st.lists(st.integers(1, 10_000), min_size=2, max_size=5).map(tuple),
    "step_size": st.floats(1e-6, 1000) | st.lists(st.floats(1e-6, 1), min_size=2, max_size=5).map(tuple),
    "schedule": st.sampled_from(["tapered", "even", "adaptive"]),
    "max_gain": st.none() | st.floats(-1e6, 1e6),
    "optimizer": st.sampled_from(["ascent", "adam", "sgd momentum=0.9 nesterov=true", "Adam betas=0.5,0.9"]),
    "pyramid": st.sampled_from(["undecimated", "decimated"]),
    "normalize": st.sampled_from(["mean", "std", "standard", "l2", "max", "sign", "none"]),
    "smooth": st.sampled_from(["none", "box", "gaussian", "growing", "cascade"]),
    "smooth_sigma": st.lists(st.floats(0.05, 32), min_size=1, max_size=4).map(tuple),
    "smooth_weights": st.lists(st.floats(0.01, 10), max_size=4).map(tuple),
    "smooth_kernel": st.just(0) | st.integers(1, 127).map(lambda k: 2 * k + 1),
    "smooth_border": st.sampled_from(["reflect", "constant", "replicate", "circular"]),
    "color": st.sampled_from(["dream", "source", "locked"]),
    "inset": st.integers(0, 64),
    "groups": st.sampled_from([(), ("pets=tabby|group:birds",)]),
    "momentum": st.floats(0, 0.99),
    "jitter": st.integers(0, 1024),
    "detail": st.sampled_from(["reinject", "lost", "carry"]),
    "blend": st.floats(0, 1),
    "size": st.none() | WHOLE.map(str) | st.tuples(WHOLE, WHOLE).map(lambda wh: f"{wh[0]}x{wh[1]}"),
    "seed": st.integers(0, 2**63 - 1),
    "bands": st.integers(0, 8),
    "fine": st.floats(0, 4),
    "step_decay": st.floats(0.01, 4),
    "headroom": st.floats(0, 1),
    "coarse": st.floats(0, 4),
    "spread": st.floats(0, 1),
    "gray": st.floats(0, 1),
    "focus": st.floats(0, 8),
    "certainty": st.floats(0, 8),
    "pad": st.integers(0, 512),
    "balance": st.sampled_from(["terms", "raw"]),
    "param": st.sampled_from(["pixels", "fourier", "fourier-rgb", "maco"]),
    "decay": st.floats(0, 4),
    "start": st.sampled_from(["auto", "clouds", "faint", "natural", "uniform"]),
    "cooldown": st.floats(0, 1),
    "border": st.sampled_from(["mirror", "gray"]),
    "rotate": st.floats(0, 180),
    "zoom": st.floats(0, 0.9),
    "resettle": st.integers(0, 1024),
    "grain": st.floats(0, 1),
    "crop": st.floats(0.001, 1),
    "last_crop": st.floats(0.001, 1),
    "crop_size": st.integers(16, 4096),
    "views": st.integers(1, 1024),
    "redirect": st.integers(0, 10_000),
    "likeness": st.floats(0, 100),
    "contrast": st.floats(0, 4),
    "opacity": st.floats(0.001, 1),
    "count": st.integers(1, 64),
}
RECIPES = st.fixed_dictionaries({}, optional=FIELDS)


def test_every_field_is_covered_by_these_tests() -> None:
    assert set(FIELDS) == set(Recipe.model_fields)


@settings(max_examples=100)
@given(RECIPES)
def test_a_recipe_survives_json_both_ways(values: dict[str, Any]) -> None:
    made = Recipe.of(values)
    assert Recipe.model_validate_json(made.model_dump_json()) == made
    assert Recipe.of(json.loads(json.dumps(made.model_dump(mode="json")))) == made


@settings(max_examples=100)
@given(RECIPES)
def test_a_recipe_reads_the_same_from_text_values(values: dict[str, Any]) -> None:
    lists = ("guide", "groups")
    texts = {name: str(value) for name, value in values.items() if value is not None and name not in lists}
    assert Recipe.of(texts) == Recipe.of({name: values[name] for name in texts})


def test_every_field_tells_people_what_it_is() -> None:
    for model in (Recipe, Run):
        for name, field in model.model_fields.items():
            assert (field.description or "").endswith("."), name


def test_the_default_recipe_is_valid_and_frozen() -> None:
    made = Recipe()
    assert Recipe.of(made.model_dump()) == made
    with pytest.raises(ValidationError):
        made.steps = 3


def test_later_layers_win() -> None:
    made = Recipe.of({"steps": 3, "jitter": 1}, {"steps": 4}, {"pad": 0})
    assert (made.steps, made.jitter, made.pad) == (4, 1, 0)


@pytest.mark.parametrize(
    ("size", "shape"),
    [(None, None), ("800", 800), (800, 800), ("1920x1080", (1080, 1920)), (" 8X6 ", (6, 8))],
)
def test_a_size_is_a_long_side_or_width_by_height(size: object, shape: object) -> None:
    assert Recipe.of({"size": size}).shape() == shape


@pytest.mark.parametrize(("octaves", "meant"), [("auto", "auto"), ("AUTO", "auto"), ("4", 4), (64, 64)])
def test_octaves_are_auto_or_a_number(octaves: object, meant: object) -> None:
    assert Recipe.of({"octaves": octaves}).octaves == meant


BAD = [
    *(("octaves", value) for value in (0, 65, -1, "many", 2.5, True, None, "")),
    *(("octave_scale", value) for value in (1, 0, -2, 17, "x", float("nan"), float("inf"))),
    *(("smallest", value) for value in (15, 4097, 20.5)),
    *(("steps", value) for value in (0, 10_001, 1.5, "abc", None, [3, 0], "", "3;4", True)),
    *(("step_size", value) for value in (0, -0.1, 1001, float("nan"), float("inf"), "big", [0.1, -1])),
    *(("jitter", value) for value in (-1, 1025)),
    *(("headroom", value) for value in (-0.1, 1.1, "much")),
    *(("detail", value) for value in ("keep", "", 1)),
    *(("blend", value) for value in (-0.1, 1.1)),
    *(
        ("size", value)
        for value in ("0", "x", "8x", "8x0", "8x8x8", "-5", "1.5", "100001", "big", "", [8, 6])
    ),
    *(("seed", value) for value in (-1, 2**63, 0.5)),
    *(("bands", value) for value in (-1, 9)),
    *(("fine", value) for value in (-0.1, 4.1)),
    *(("gray", value) for value in (-0.1, 1.1)),
    *(("spread", value) for value in (-0.1, 1.1)),
    *(("focus", value) for value in (-0.1, 8.1)),
    *(("certainty", value) for value in (-0.1, 8.1)),
    *(("above", value) for value in (-1, 9)),
    *(("schedule", value) for value in ("", "fast")),
    *(("optimizer", value) for value in ("", "sgd 0.9", "9", "adam eps=nan", "adam eps=")),
    *(("normalize", value) for value in ("L1", None)),
    *(("smooth", value) for value in ("blur",)),
    *(("smooth_sigma", value) for value in (0, 33, "a", [], None)),
    *(("smooth_weights", value) for value in (0, "-1", "a", None)),
    *(("smooth_kernel", value) for value in (1, 2, -3, 257, 2.5, "x")),
    *(("color", value) for value in ("gray",)),
    *(("inset", value) for value in (-1, 65)),
    *(("pad", value) for value in (-1, 513)),
    *(("balance", value) for value in ("equal",)),
    ("network", 3),
    ("objective", None),
]


def refused(name: str, value: object) -> str:
    with pytest.raises(UsageError) as caught:
        Recipe.of({name: value})
    return str(caught.value)


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_bad_value_is_refused_in_one_sentence(name: str, value: object) -> None:
    said = refused(name, value)
    assert said.startswith(f"{name} must ")
    assert said.endswith(f"not {value!r}.")
    assert said.count(", not ") == 1
    assert "\n" not in said


@pytest.mark.parametrize(("name", "value"), [("octaves", "²"), ("size", "²"), ("size", "8x²")])
def test_digits_that_are_no_number_are_refused_in_our_words(name: str, value: str) -> None:
    assert refused(name, value).startswith(f"{name} must ")


def test_an_octave_scale_that_would_take_forever_is_refused() -> None:
    refused("octave_scale", 1.0000001)


def test_an_unknown_option_offers_the_nearest() -> None:
    with pytest.raises(UnknownName, match="There is no option 'step'; did you mean 'steps'"):
        Recipe.of({"step": 3})


def test_run_takes_its_own_options_only() -> None:
    assert recipes.valid_run({}) == Run()
    made = recipes.valid_run({"device": "cuda:1", "threads": 2, "weights": "a.pth", "precision": "fp32"})
    assert (made.device, made.threads, made.weights) == ("cuda:1", 2, Path("a.pth"))
    with pytest.raises(UnknownName):
        recipes.valid_run({"steps": 3})


@pytest.mark.parametrize(
    ("name", "value"),
    [("device", "gpu"), ("device", "cuda:"), ("precision", "fp8"), ("threads", 0), ("max_pixels", 0)],
)
def test_bad_run_options_are_refused_in_one_sentence(name: str, value: object) -> None:
    with pytest.raises(UsageError, match=f"^{name} ") as caught:
        recipes.valid_run({name: value})
    assert str(caught.value).endswith(f"not {value!r}.")
    assert "pattern" not in str(caught.value)


def test_one_number_is_not_several() -> None:
    assert refused("smooth_kernel", [3, 5]) == "smooth_kernel must be 0 or an odd number from 3 to 255, not [3, 5]."


@pytest.mark.parametrize("name", sorted(all_presets()))
def test_every_preset_is_a_valid_recipe_with_a_line_for_people(name: str) -> None:
    Recipe.of(preset(name))
    about = all_presets()[name]["about"]
    assert about
    assert "\n" not in about
    assert "about" not in preset(name)


def test_an_unknown_preset_offers_the_nearest() -> None:
    name = sorted(all_presets())[0]
    with pytest.raises(UnknownName, match=f"no preset '{name}x'; did you mean '{name}'"):
        preset(name + "x")
    with pytest.raises(UnknownName, match="no preset 'zzzz'; 'reverie presets' lists them"):
        preset("zzzz")


def test_recipes_are_read_from_toml_and_json(tmp_path: Path) -> None:
    toml, text = tmp_path / "a.toml", tmp_path / "b"
    toml.write_text('objective = "0.5*owl"\nsteps = 3\n', "utf-8")
    text.write_text('\n {"objective": "0.5*owl", "steps": 3}', "utf-8")
    assert recipes.read_settings(toml) == recipes.read_settings(text) == {"objective": "0.5*owl", "steps": 3}
    for path in (toml, text):  # some editors begin a file with a byte order mark
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().strip())
        assert recipes.read_settings(path) == {"objective": "0.5*owl", "steps": 3}


def written(folder: Path, content: bytes) -> Path:
    path = folder / "recipe"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "content", [b"steps 3", b"{'steps': 3}", b"[1, 2", b"\xff\xfe\x00", b'{"a": 1} {', b"\x00"]
)
def test_a_file_that_is_no_recipe_is_refused_and_named(tmp_path: Path, content: bytes) -> None:
    path = written(tmp_path, content)
    with pytest.raises(InputError, match="recipe") as caught:
        recipes.read_settings(path)
    assert str(path) in str(caught.value)


def test_a_recipe_that_is_absent_or_a_folder_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(InputError, match="cannot be read"):
            recipes.read_settings(path)


@pytest.mark.parametrize(
    "content", [b'{"seed": %s}' % (b"9" * 5000), b'{"a": ' * 200_000], ids=["huge", "deep"]
)
def test_a_hostile_json_recipe_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InputError):
        recipes.read_settings(written(tmp_path, content))


@pytest.mark.parametrize(
    ("text", "value"),
    [("3", 3), ("0.5", 0.5), ("true", True), ("owl", "owl"), ("NaN", "NaN"), ("1e999", "1e999")],
)
def test_a_set_value_is_json_where_it_is_and_text_elsewhere(text: str, value: object) -> None:
    assert setting(text) == value


def test_the_presets_file_is_plain_toml() -> None:
    source = Path(recipes.__file__).with_name("presets.toml").read_text("utf-8")
    assert tomllib.loads(source) == all_presets()


def test_what_changes_from_octave_to_octave_is_a_list_in_text_in_toml_and_in_python() -> None:
    texts = Recipe.of({"steps": "20, 10,5", "step_size": "0.02,0.01", "objective": "owl; stage2"})
    lists = Recipe.of({"steps": [20, 10, 5], "step_size": [0.02, 0.01], "objective": ["owl", "stage2"]})
    assert texts == lists
    assert (texts.steps, texts.step_size, texts.objective) == ((20, 10, 5), (0.02, 0.01), "owl; stage2")
    assert Recipe.of({"steps": "[7]"}).steps == 7
