"""The text forms of lists, objectives by octave and optimizers."""

from __future__ import annotations

import math

import pytest

from reverie.recipe import schedule


@pytest.mark.parametrize(
    "value", ["20,10,5", " 20, 10 ,5", "(20, 10, 5)", "[20,10,5,]", [20, 10, 5], (20, 10, 5), ["20,10", "5"]]
)
def test_numbers_are_read_from_text_and_lists(value: object) -> None:
    assert schedule.values(value, int, 1, 100, "numbers") == (20, 10, 5)


@pytest.mark.parametrize("value", ["", "a", "1,,2", "0", "101", "1;2", [], ["x"], None, "1,nan", [1] * 65])
def test_what_is_no_list_of_numbers_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="must be numbers, not"):
        schedule.values(value, float, 1, 100, "numbers")


def test_the_last_value_holds_for_all_octaves_that_follow() -> None:
    assert [schedule.at_octave((20, 10, 5), at) for at in range(5)] == [20, 10, 5, 5, 5]
    assert schedule.at_octave(7, 3) == 7


@pytest.mark.parametrize("steps", [1, 7, 10])
def test_adaptive_is_the_formula_of_its_system(steps: int) -> None:
    for k in range(1, 12):
        made, factor = schedule.adaptive(steps, k)
        assert made == max(steps, int(steps * math.log(k, 2) + 1e-9))
        assert factor == pytest.approx((1 / 1.2) ** (k - 1))


@pytest.mark.parametrize(
    ("steps", "decay", "expected"),
    [(16, 0.75, [16, 12, 9, 7, 6, 6]), (4, 0.5, [4, 4, 4]), (10, 1.0, [10, 10]), (10, 2.0, [10, 10, 10])],
)
def test_a_tapered_octave_takes_fewer_steps_the_less_far_it_goes(
    steps: int, decay: float, expected: list[int]
) -> None:
    assert [schedule.tapered(steps, decay**at) for at in range(len(expected))] == expected


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("owl", ("owl",)),
        ("owl; stage2", ("owl", "stage2")),
        ("'a;b' + \"c;'d\"; e", ("'a;b' + \"c;'d\"", "e")),
        (";", ("", "")),
    ],
)
def test_objectives_are_cut_at_semicolons_outside_quotes(text: str, parts: tuple[str, ...]) -> None:
    assert schedule.objectives(text) == parts


def test_optimizers_are_a_name_and_options() -> None:
    text = "AdamW betas=0.9,0.99 amsgrad=True eps=1e-6"
    assert schedule.optimizer(text) == ("AdamW", {"betas": (0.9, 0.99), "amsgrad": True, "eps": 1e-6})
    assert schedule.optimizer("ascent") == ("ascent", {})


@pytest.mark.parametrize("text", ["", "3", "adam 0.9", "adam eps", "adam eps=", "adam eps=inf", "adam eps=a", "a-b"])
def test_other_texts_are_no_optimizers(text: str) -> None:
    with pytest.raises(ValueError, match=r"^must "):
        schedule.optimizer(text)
