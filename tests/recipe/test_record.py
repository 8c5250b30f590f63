"""Record: text that travels inside pictures, read back whole or refused."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from reverie.errors import InputError
from reverie.recipe import Recipe, record
from reverie.recipe.record import Asset, Record, parse_record, versions

HERE = Path("dream.png")
ASSETS = st.lists(
    st.builds(Asset, role=st.text(), path=st.text(), sha256=st.text("0123456789abcdef")), max_size=3
)
RECORDS = st.builds(
    Record,
    recipe=st.builds(
        Recipe, objective=st.text(), seed=st.integers(0, 2**63 - 1), step_size=st.floats(1e-9, 1)
    ),
    assets=ASSETS.map(tuple),
    device=st.sampled_from(["cpu", "cuda:1"]),
    precision=st.sampled_from(["fp32", "bf16", "fp16"]),
    threads=st.integers(1, 1024),
    versions=st.dictionaries(st.text(), st.text(), max_size=3),
)


def example(**changes: Any) -> Record:
    values: dict[str, Any] = {"recipe": Recipe(), "device": "cpu", "precision": "fp32", "threads": 1}
    return Record(**values | {"versions": {"torch": "2"}} | changes)


@given(RECORDS)
def test_a_record_survives_its_text(made: Record) -> None:
    again = parse_record(made.text(), HERE)
    assert again == made
    assert again.text() == made.text()


@given(RECORDS)
def test_the_text_is_plain_ascii_on_one_line(made: Record) -> None:
    text = made.text()
    assert text.isascii()
    assert "\n" not in text
    assert json.loads(text)["reverie"] == record.SCHEMA


def test_equal_records_give_equal_text() -> None:
    one, other = example(versions={"a": "1", "b": "2"}), example(versions={"b": "2", "a": "1"})
    assert one.text() == other.text()


def test_a_record_says_every_value_of_its_recipe_also_the_defaults() -> None:
    assert set(json.loads(example().text())["recipe"]) == set(Recipe.model_fields)


def test_an_asset_is_found_by_its_role() -> None:
    source = Asset(role="source", path="a.jpg", sha256="00")
    made = example(assets=(Asset(role="weights", path="", sha256="11"), source))
    assert made.asset("source") == source
    assert made.asset("guide") is None


def test_a_record_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        example().threads = 2


def test_a_file_name_that_is_no_unicode_can_be_recorded() -> None:
    made = example(assets=(Asset(role="source", path=os.fsdecode(b"a\xff.png"), sha256="00"),))
    assert parse_record(made.text(), HERE) == made


def test_a_picture_without_a_record_is_refused() -> None:
    with pytest.raises(InputError, match=r"dream\.png carries no record of Reverie"):
        parse_record(None, HERE)


def changed(**changes: Any) -> str:
    return json.dumps(json.loads(example().text()) | changes)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no json",
        "[]",
        "null",
        "{}",
        "3",
        example().text()[:-9],
        changed(recipe={"steps": 0}),
        changed(recipe={"unknown": 1}),
        changed(recipe={"step_size": float("nan")}),
        changed(reverie=0),
        changed(reverie="1.0"),
        changed(threads="many"),
        changed(assets=[{"role": "source"}]),
    ],
)
def test_a_damaged_record_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"The record in dream\.png cannot be read"):
        parse_record(text, HERE)


def test_a_record_of_a_newer_reverie_says_so() -> None:
    with pytest.raises(InputError, match="newer Reverie; update"):
        parse_record(changed(reverie=record.SCHEMA + 1), HERE)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_record(text, HERE)


@pytest.mark.parametrize("text", ["[" * 200_000, "9" * 5000], ids=["deep", "huge"])
def test_a_hostile_record_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_record(text, HERE)


def test_versions_name_what_decides_the_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    found = versions()
    assert set(found) == {"python", "reverie", "torch", "pillow", "numpy"}
    assert all(found.values())

    def absent(name: str) -> str:
        raise record.PackageNotFoundError(name)

    monkeypatch.setattr(record, "version", absent)
    assert versions()["torch"] == "unknown"


def test_a_picture_of_a_batch_has_a_number_from_zero() -> None:
    text = example().text().replace('"part":0', '"part":-1')
    with pytest.raises(InputError, match="damaged or edited"):
        parse_record(text, HERE)



def test_a_record_from_before_a_field_existed_says_what_was_done_then() -> None:
    values = json.loads(example().text())
    for name in ("strength", "motif_size", "realism", "variation", "fine_gray"):
        del values["recipe"][name]
    recipe = parse_record(json.dumps(values), HERE).recipe
    assert (recipe.strength, recipe.motif_size) == (1, "auto")
    assert (recipe.realism, recipe.variation, recipe.fine_gray) == (0, 0, 0)
