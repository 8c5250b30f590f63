"""The text form of objectives: what is written is what is meant, and bad text is refused in a sentence."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverie.errors import UsageError
from reverie.recipe.grammar import Guide, Target, TargetKind, parse_guide, parse_objective
from reverie.recipe.schedule import objectives

WORD = st.from_regex(r"[A-Za-z_/é][\w./]{0,12}", fullmatch=True).filter(
    lambda name: ".." not in name and name not in ("layer", "class", "channel")
)
NUMBER = st.integers(0, 9999).map(str)
SPACE = st.sampled_from(["", " ", "\t ", "\n"])


@st.composite
def written(draw: st.DrawFn) -> tuple[str, Target]:
    """A term without its sign, and what it means."""
    kind: TargetKind = draw(st.sampled_from(["", "layer", "class", "channel"]))
    name, last = draw(WORD | NUMBER), None
    form = draw(st.sampled_from(["bare", "double", "single", "range"]))
    text = name
    if form == "range" and kind != "class":
        first, last = draw(st.integers(0, 50)), draw(st.integers(50, 99))
        stem = draw(st.sampled_from(["", "features.", "a.b3."]))
        name = f"{stem}{first}"
        text = f"{name}..{last}"
    elif form in ("double", "single"):
        quote = '"' if form == "double" else "'"
        name = draw(st.text(max_size=12)).replace(quote, "")
        text = f"{quote}{name}{quote}"
    needed = kind == "channel"
    channel = draw(st.integers(0, 4096)) if needed or (kind != "class" and draw(st.booleans())) else None
    weight = draw(st.none() | st.integers(1, 99) | st.floats(1e-12, 1e12))
    pieces = [f"{weight}", "*"] if weight is not None else []
    pieces += [kind, ":"] if kind else []
    pieces += [text]
    pieces += [":", str(channel)] if channel is not None else []
    joined = "".join(piece + draw(SPACE) for piece in pieces)
    return joined, Target(1.0 if weight is None else float(weight), kind, name, channel, last)


@settings(max_examples=200)
@given(st.lists(st.tuples(st.sampled_from("+-"), SPACE, written()), min_size=1, max_size=4), st.booleans())
def test_what_is_written_is_what_is_meant(
    terms: list[tuple[str, str, tuple[str, Target]]], bare: bool
) -> None:
    text, meant = "", []
    for at, (sign, space, (piece, target)) in enumerate(terms):
        hidden = bare and at == 0
        text += ("" if hidden else sign) + space + piece
        factor = -1 if sign == "-" and not hidden else 1
        meant.append(Target(factor * target.weight, target.kind, target.name, target.channel, target.last))
    assert parse_objective(text) == tuple(meant)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("owl", Target(1, "", "owl")),
        ("0.7*owl", Target(0.7, "", "owl")),
        (".5 * owl", Target(0.5, "", "owl")),
        ("2.*owl", Target(2, "", "owl")),
        ("1e-3*owl", Target(0.001, "", "owl")),
        ("-owl", Target(-1, "", "owl")),
        ("+ 3*owl", Target(3, "", "owl")),
        ("layer:fire4", Target(1, "layer", "fire4")),
        ("class:281", Target(1, "class", "281")),
        ("5", Target(1, "", "5")),
        ("3*5", Target(3, "", "5")),
        ('class:"great grey owl"', Target(1, "class", "great grey owl")),
        ("'black-footed ferret'", Target(1, "", "black-footed ferret")),
        ("'0.5*owl + x'", Target(1, "", "0.5*owl + x")),
        ("channel:fire4:17", Target(1, "channel", "fire4", 17)),
        ("fire4:17", Target(1, "", "fire4", 17)),
        ("features.3.expand1x1:5", Target(1, "", "features.3.expand1x1", 5)),
        ("features.5..12", Target(1, "", "features.5", None, 12)),
        ("layer:5..12:3", Target(1, "layer", "5", 3, 12)),
        ("'features.5..12'", Target(1, "", "features.5..12")),
        ("class", Target(1, "", "class")),
        ("layer:layer", Target(1, "layer", "layer")),
        ("3d_shapes", Target(1, "", "3d_shapes")),
        ("owl|rose", Target(1, "class", "owl", None, None, ("rose",))),
        ("-2*class:owl | class:5|'sea lion'", Target(-2, "class", "owl", None, None, ("5", "sea lion"))),
        ("'owl|rose'", Target(1, "", "owl|rose")),
    ],
)
def test_each_form_means_what_the_grammar_says(text: str, meant: Target) -> None:
    assert parse_objective(text) == (meant,)


def test_signs_belong_to_the_term_behind_them() -> None:
    assert [target.weight for target in parse_objective("0.5*a - 2*b + c - d")] == [0.5, -2, 1, -1]


def test_a_range_names_both_its_ends_and_all_between() -> None:
    (target,) = parse_objective("features.9..12")
    assert target.names() == ("features.9", "features.10", "features.11", "features.12")
    assert parse_objective("3..3")[0].names() == ("3",)
    assert parse_objective("3..5")[0].names() == ("3", "4", "5")


def test_a_plain_target_names_itself() -> None:
    assert parse_objective("features.9")[0].names() == ("features.9",)


BAD = {
    "": "empty",
    " \n": "empty",
    "owl 3*rose": "+ or -",
    "owl +": "ends",
    "3*": "ends",
    "layer:": "ends",
    "owl:": "ends",
    "owl**rose": "'*'",
    "*owl": "before '*'",
    "--owl": "before '-'",
    "owl ++ rose": "before '+'",
    "owl - - rose": "before '-'",
    "layer:*": "before '*'",
    ":3": "before ':'",
    "owl:rose": "number of a channel",
    "owl:1.5": "number of a channel",
    "owl:-1": "number of a channel",
    "owl:'3'": "number of a channel",
    "owl:3:4": "+ or -",
    "channel:fire4": "'channel:fire4:42'",
    "class:owl:3": "no channels",
    "owl|": "ends",
    "|owl": "before '|'",
    "owl||rose": "not '|'",
    "owl|rose:3": "+ or -",
    "owl|1..3": "name of a class",
    "owl|layer:rose": "+ or -",
    "owl:3|rose": "only classes",
    "layer:a|b": "only classes",
    "1..3|rose": "only classes",
    "channel:a:3|b": "only classes",
    "0*owl": "from 1e-12 to 1e+12",
    "1e999*owl": "from 1e-12 to 1e+12",
    "1e-999*owl": "from 1e-12 to 1e+12",
    "'great grey owl": "open quote",
    'class:"owl': "open quote",
    "features.12..5": "range",
    "features.5..x": "range",
    "features.5..": "range",
    "a..b": "range",
    "a..3": "range",
    "0..99999999": "range",
    "1..2..3": "range",
}


@pytest.mark.parametrize("text", BAD)
def test_bad_text_is_refused_in_one_sentence_that_points_at_the_fault(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_objective(text)
    said = str(caught.value)
    assert BAD[text] in said
    assert said.endswith(".")
    assert text.strip() == "" or repr(text) in said


@settings(max_examples=300)
@given(st.text("ab09 .:*+-|'\"e\n٣é", max_size=14))
def test_any_text_is_either_read_or_a_usage_error(text: str) -> None:
    try:
        targets = parse_objective(text)
    except UsageError as error:
        assert repr(text) in str(error) or not text.strip()  # noqa: PT017
        return
    assert targets
    for target in targets:
        assert math.isfinite(target.weight)
        assert target.weight != 0
        assert target.channel is None or (target.channel >= 0 and target.kind != "class")
        assert (target.channel is not None) or target.kind != "channel"
        assert 1 <= len(target.names()) <= 1000


@pytest.mark.parametrize("text", ["a.²..3", "²..³", "owl:" + 5000 * "9", "a.1.." + 5000 * "9"])
def test_digits_that_are_no_number_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_objective(text)


def test_two_dots_alone_are_no_name() -> None:
    with pytest.raises(UsageError):
        parse_objective("..")


def test_reading_objectives_and_recipes_does_not_import_torch() -> None:
    modules = "reverie, reverie.recipe.grammar, reverie.recipe, reverie.recipe.record"
    code = f"import sys, {modules}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("name", ["a\"b'c.jpg", "'\".png", "\"\"x''.jpg", "it's.jpg", 'say "owl".jpg', "a;b\"'.jpg"])
def test_a_name_may_have_both_kinds_of_quotes(name: str) -> None:
    made = Guide(name, layer="stage3", weight=0.5, mask=name)
    assert parse_guide(made.text()) == made
    term = Target(1.0, "layer", name, mask=name.rpartition(".")[0] + ".png")
    (read,) = parse_objective(term.text())
    assert (read.name, read.mask) == (term.name, term.mask)
    assert len(objectives(f"{term.text()}; owl")) == 2


def test_quotes_in_quotes_are_doubled() -> None:
    assert parse_guide("\"a\"\"b'c.jpg\"@stage3").file == "a\"b'c.jpg"
    assert parse_guide("'it''s.jpg'*2") == Guide("it's.jpg", weight=2.0)
    with pytest.raises(UsageError, match="cannot be read"):
        parse_guide('"a"b.jpg"')


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("green snake", [(1.0, "class", "green snake", "")]),
        ("0.5*green snake - stage3", [(0.5, "class", "green snake", ""), (-1.0, "", "stage3", "")]),
        ("class:great white shark|left.png", [(1.0, "class", "great white shark", "left.png")]),
        ("stage3 + logprob(green snake)", [(1.0, "", "stage3", ""), (1.0, "class", "green snake", "")]),
    ],
)
def test_several_words_are_a_class(text: str, meant: list[tuple[float, str, str, str]]) -> None:
    found = parse_objective(text)
    assert [(each.weight, each.kind, each.name, each.mask) for each in found] == meant
    written = parse_objective(" ".join(each.text() for each in found))
    assert written == found


@pytest.mark.parametrize("text", ["owl|my-mask.png", "style(stage3, my-photo.jpg)", "guide(stage3,a-b-c.JPEG) + owl"])
def test_a_file_with_a_hyphen_is_told_to_stand_in_quotes(text: str) -> None:
    with pytest.raises(UsageError, match=r'put the file name in quotes, "(my-mask\.png|my-photo\.jpg|a-b-c\.JPEG)"'):
        parse_objective(text)


def test_a_minus_between_terms_is_no_hyphen() -> None:
    assert [each.name for each in parse_objective('owl|"a-b.png"-stage3|c.png')] == ["owl", "stage3"]


def test_a_hyphen_within_the_name_of_a_group_is_no_minus() -> None:
    assert [each.name for each in parse_objective("group:cats|group:big-cats")] == [
        each.name for each in parse_objective('group:cats|group:"big-cats"')
    ]
    plain, minus = parse_objective("group:flowers-and-fruit - 0.5*stage3")
    assert plain.name == "group:flowers-and-fruit"
    assert (minus.name, minus.weight) == ("stage3", -0.5)
