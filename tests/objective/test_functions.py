"""Functions, places, masks and guides in the text of objectives: read, written back, refused."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverie.errors import UnknownName, UsageError
from reverie.recipe.functions import FUNCTIONS
from reverie.recipe.grammar import Guide, Target, files, parse_guide, parse_objective

NAME = st.text(st.characters(exclude_characters='"', exclude_categories=("Cs",)), min_size=1, max_size=12)
FILE = NAME.map(lambda name: f"{name}.png")
WEIGHT = st.floats(1e-6, 1e6) | st.floats(-1e6, -1e-6)
FRACTION = st.floats(0, 1).map(lambda f: round(f, 6))


CALLED = [name for name, row in FUNCTIONS.items() if row.of != "image"]


@st.composite
def targets(draw: st.DrawFn) -> Target:
    """Any term that the grammar can say."""
    made = Target(draw(WEIGHT), "", draw(NAME))
    form = draw(st.sampled_from(["layer", "channel", "neuron", "class", "classes", "range", *CALLED]))
    values: dict[str, object] = {}
    if form in ("layer", "class"):
        values["kind"] = form
    elif form in ("channel", "neuron"):
        values["channel"] = draw(st.integers(0, 4096))
        values["function"] = "neuron" if form == "neuron" else ""
        if form == "channel" and draw(st.booleans()):
            values["place"] = (draw(FRACTION), draw(FRACTION))
    elif form == "classes":
        # A name that ends like a file would be a mask.
        others = draw(st.lists(NAME.map(lambda name: f"{name}_"), min_size=1, max_size=3))
        values |= {"kind": "class", "others": tuple(others)}
    elif form == "range":
        first = draw(st.integers(0, 50))
        values |= {"name": f"features.{first}", "last": first + draw(st.integers(0, 9))}
    else:
        values["function"] = form
        if form in ("top", "bottom"):
            values["arguments"] = (float(draw(st.integers(1, 999))),)
        elif form == "direction":
            values["arguments"] = (draw(FILE), *draw(st.lists(st.sampled_from([0.5, 2.0]), max_size=1)))
        elif form == "caricature":
            values["arguments"] = tuple(draw(st.lists(st.sampled_from([0.5, 2.0]), max_size=1)))
    if draw(st.booleans()):
        values["mask"] = draw(FILE)
    return Target(**{**vars(made), **values})  # type: ignore[arg-type]


@settings(max_examples=300)
@given(st.lists(targets(), min_size=1, max_size=4))
def test_what_is_written_back_is_read_again(terms: list[Target]) -> None:
    assert parse_objective(" ".join(term.text() for term in terms)) == tuple(terms)


@settings(max_examples=200)
@given(FILE, st.just("") | st.sampled_from(["stage3", "a/b", "x+y", "5"]), WEIGHT, st.just("") | FILE)
def test_a_guide_written_back_is_read_again(file: str, layer: str, weight: float, mask: str) -> None:
    made = Guide(file, layer, weight, mask)
    assert parse_guide(made.text()) == made


@pytest.mark.parametrize(("text", "meant"), [
    ("stage3:42@0.25,.75", Target(1, "", "stage3", 42, place=(0.25, 0.75))),
    ("layer:stage3:42 @ 0, 1", Target(1, "layer", "stage3", 42, place=(0, 1))),
    ("top(stage3, 5)", Target(1, "", "stage3", function="top", arguments=(5.0,))),
    ("-0.5*mean(layer:5..7)", Target(-0.5, "layer", "5", last=7, function="mean")),
    ("direction(stage3, 'my flowers.jpg', 2)",
     Target(1, "", "stage3", function="direction", arguments=("my flowers.jpg", 2.0))),
    ("logprob(owl|rose)", Target(1, "", "owl", others=("rose",), function="logprob")),
    ("neuron(stage3:42)", Target(1, "", "stage3", 42, function="neuron")),
    ("stage3|left.png", Target(1, "", "stage3", mask="left.png")),
    ("stage3|../masks/left.PNG", Target(1, "", "stage3", mask="../masks/left.PNG")),
    ("owl|rose|'le ft.jpg'", Target(1, "class", "owl", others=("rose",), mask="le ft.jpg")),
    ("caricature(stage3)|left.png", Target(1, "", "stage3", function="caricature", mask="left.png")),
    ("mean", Target(1, "", "mean")),
])
def test_each_form_means_what_the_grammar_says(text: str, meant: Target) -> None:
    assert parse_objective(text) == (meant,)


@pytest.mark.parametrize(("text", "meant"), [
    ("flowers.jpg", Guide("flowers.jpg")),
    ("flowers.jpg@stage3", Guide("flowers.jpg", "stage3")),
    ("flowers.jpg*0.5", Guide("flowers.jpg", "", 0.5)),
    ("flowers.jpg@stage3|left.png", Guide("flowers.jpg", "stage3", 1, "left.png")),
    (" my flowers.jpg @ a/b * -2 | le ft.png ", Guide("my flowers.jpg", "a/b", -2, "le ft.png")),
    ("'a@b*2.jpg'@stage3+stage4", Guide("a@b*2.jpg", "stage3+stage4")),
    ("folder/", Guide("folder/")),
    ("C:\\a.jpg@x", Guide("C:\\a.jpg", "x")),
])
def test_each_form_of_a_guide(text: str, meant: Guide) -> None:
    assert parse_guide(text) == meant


@pytest.mark.parametrize("text", ["", " ", "@stage3", "a.jpg@", "a.jpg*0", "a.jpg*1e999", "'a.jpg", "a.jpg|"])
def test_a_bad_guide_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_guide(text)
    assert str(caught.value).startswith("The guide ") and str(caught.value).endswith(".")


BAD = {
    "top(stage3)": "written like top(stage3, 5)",
    "top(stage3, 0)": "written like top",
    "top(stage3, 1.5)": "written like top",
    "top(stage3, five)": "written like top",
    "top(stage3, 5": "top( is not closed",
    "mean()": "before ')'",
    "mean(stage3, 2)": "written like mean",
    "mean(stage3:4)": "written like mean",
    "mean(class:owl)": "written like mean",
    "neuron(stage3)": "written like neuron",
    "logit(stage3:4)": "written like logit",
    "direction(stage3)": "written like direction",
    "direction(stage3, 2, a.jpg)": "written like direction",
    "direction(stage3, )": "argument of direction(...) is missing",
    "mean(stage3|left.png)": "must stand behind mean(...)",
    "mean(stage3)|owl": "only a mask",
    "stage3|a.png|b.png": "nothing more",
    "stage3|a.png|owl": "nothing more",
    "stage3@0.5,0.5": "belongs to a channel",
    "stage3:4@0.5": "two fractions",
    "stage3:4@12,20": "two fractions",
    "stage3:4@x,y": "two fractions",
    "neuron(stage3:4@0.5,0.5)": "takes no place",
    "stage3)": "missing before ')'",
    "(stage3)": "before '('",
}


@pytest.mark.parametrize("text", BAD)
def test_bad_text_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_objective(text)
    assert BAD[text] in str(caught.value) and str(caught.value).endswith(".")


def test_an_unknown_function_gets_the_nearest_known() -> None:
    with pytest.raises(UnknownName, match="no function 'caricatur'; did you mean 'caricature'"):
        parse_objective("caricatur(stage3)")


@settings(max_examples=300)
@given(st.text("atop05 .,:*+-|()@'\"png", max_size=16))
def test_any_text_is_either_read_or_a_usage_error(text: str) -> None:
    try:
        terms = parse_objective(text)
    except UsageError:
        return
    for term in terms:
        assert math.isfinite(term.weight)
        assert parse_objective(term.text()) == (term,)


def test_every_function_has_an_example_that_is_read() -> None:
    for name, row in FUNCTIONS.items():
        (term,) = parse_objective(row.example)
        assert (term.function or term.name) == name


def test_the_files_of_an_objective_are_told_once() -> None:
    terms = parse_objective("stage3|a.png + direction(stage3, b.jpg)|a.png")
    assert files(terms, [Guide("b.jpg", mask="c.png")]) == (("mask", "a.png"), ("guide", "b.jpg"), ("mask", "c.png"))
