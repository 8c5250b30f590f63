"""The family of exceptions: one sentence each, an exit code each, the nearest good names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import reverie
from reverie import errors
from reverie.errors import InputError, MissingError, OutputError, ReverieError, UnknownName, UsageError

CODES = {ReverieError: 1, UsageError: 2, UnknownName: 2, InputError: 3, MissingError: 4, OutputError: 5}


@pytest.mark.parametrize("kind", CODES)
def test_each_exception_carries_its_exit_code(kind: type[ReverieError]) -> None:
    assert kind.exit_code == CODES[kind]
    assert issubclass(kind, ReverieError)


def test_the_drawing_at_the_top_names_every_exception_with_its_code() -> None:
    drawn = dict(
        line.replace("├", " ").replace("└", " ").replace("─", " ").replace("│", " ").split()[:2]
        for line in (errors.__doc__ or "").splitlines()
        if "Error " in line or "UnknownName " in line
    )
    assert drawn == {kind.__name__: str(code) for kind, code in CODES.items()}


def test_an_unknown_name_is_a_usage_error() -> None:
    assert issubclass(UnknownName, UsageError)


def test_an_unknown_name_offers_the_nearest_good_one() -> None:
    error = UnknownName("class", "owll", ["rose", "owl", "castle"])
    assert str(error) == "There is no class 'owll'; did you mean 'owl'?"
    assert (error.kind, error.name, error.near) == ("class", "owll", ["owl"])


def test_case_does_not_hide_the_nearest_name() -> None:
    assert UnknownName("layer", "MIXED4D", ["Mixed4c", "conv1"]).near == ["Mixed4c"]


def test_a_part_of_a_long_name_finds_it() -> None:
    assert UnknownName("class", "eye", ["reptile_eye_of_some_kind", "rose"]).near == [
        "reptile_eye_of_some_kind"
    ]


def test_without_a_near_name_the_listing_is_named() -> None:
    error = UnknownName("network", "zzz", ["motif"], "'reverie networks'")
    assert str(error) == "There is no network 'zzz'; 'reverie networks' lists them."


def test_without_near_name_or_listing_the_sentence_just_ends() -> None:
    assert str(UnknownName("preset", "zzz", [])) == "There is no preset 'zzz'."


@given(st.text(), st.lists(st.text()), st.sampled_from(["", "'reverie layers'"]))
def test_any_name_makes_one_sentence_with_at_most_three_known_names(
    name: str, known: list[str], listing: str
) -> None:
    error = UnknownName("layer", name, known, listing)
    assert str(error).startswith(f"There is no layer {name!r}")
    assert str(error)[-1] in ".?"
    assert len(error.near) <= 3
    assert set(error.near) <= set(known)


def test_an_option_is_named_for_python_and_for_the_command_line():
    said = "[[smooth_kernel]] must be odd; take [[precision=fp32]], [[overwrite=True]] or [[weights=FILE]]."
    error = UsageError(said)
    assert str(error) == "smooth_kernel must be odd; take precision='fp32', overwrite=True or weights=FILE."
    assert error.flags == "--smooth-kernel must be odd; take --precision fp32, --overwrite or --weights FILE."
    note = errors.Sentence("[[size=800]] or [[metadata=False]] or [[path]]")
    assert note == "size=800 or metadata=False or path" and note.flags == "--size 800 or --no-metadata or --out"
    assert InputError("[[no] such [[mark]").flags == "[[no] such [[mark]"


@pytest.mark.parametrize(
    ("options", "said"),
    [({"steps": 0}, "steps must be"), ({"octave_scale": 1}, "octave_scale must be"), ({"tile": 3}, "tile must be")],
)
def test_a_python_caller_reads_the_names_of_fields(options, said):
    with pytest.raises(UsageError) as caught:
        reverie.job(None, **options)
    assert str(caught.value).startswith(said) and "--" not in str(caught.value)
