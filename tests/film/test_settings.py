"""Settings of the three films: times, keyframes, TOML files, one sentence for what cannot be; torch-free."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reverie.errors import ReverieError, UnknownName, UsageError
from reverie.film.making.keyframes import Curve
from reverie.film.settings import Steps, Video, Zoom, legs, seconds


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("4s", 4),
        ("4", 4),
        ("0.5s", Fraction(1, 2)),
        (".5", Fraction(1, 2)),
        ("250ms", Fraction(1, 4)),
        ("1m30s", 90),
        ("2m", 120),
        ("1h", 3600),
        ("1:30", 90),
        ("1:02:03.5", Fraction(7447, 2)),
        ("96f", 4),
    ],
)
def test_times_mean_what_people_mean(text: str, time: Fraction) -> None:
    assert seconds(text, Fraction(24)) == time


@pytest.mark.parametrize("text", ["", "s", "soon", "-1s", "1x", "4s5", "nan", "1:2:3:4", "96f"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be a time"):
        seconds(text)


def test_ranges_rates_and_legs() -> None:
    assert Video.of(range="10s..20s").span() == (10, 20)
    assert Video.of(range="10s..").span() == (10, None)
    assert Video.of(range="..0:20").span() == (0, 20)
    assert Video.of().span() == (0, None)
    assert legs("0.5*owl + stage3 for 36f", Fraction(24)) == ("0.5*owl + stage3", Fraction(3, 2))


@pytest.mark.parametrize(
    ("model", "values", "words"),
    [
        (Zoom, {"fps": "0"}, "fps must be frames per second"),
        (Zoom, {"fps": "1/0"}, "fps must be frames per second"),
        (Zoom, {"duration": "0s"}, "duration must be a time above 0"),
        (Zoom, {"zoom": 0}, "zoom must be"),
        (Zoom, {"zoom": float("nan")}, "zoom"),
        (Zoom, {"ease": "bouncy"}, "ease must be"),
        (Zoom, {"through": ["owl"]}, "through must be an objective and its time"),
        (Zoom, {"through": ["owl for 0s"]}, "through must be an objective and its time"),
        (Video, {"range": "20s..10s"}, "range must be a part of the clip"),
        (Video, {"range": "10"}, "range must be a part of the clip"),
        (Video, {"transport": "teleport"}, "transport must be"),
        (Video, {"decay": 1.5}, "decay must be"),
        (Steps, {"every": 0}, "every must be"),
    ],
)
def test_bad_values_are_one_sentence(model: type[Zoom], values: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError) as found:
        model.of(**values)
    assert str(found.value).startswith(words) and str(found.value).endswith(".")
    assert str(found.value).count(", not ") <= 1


def test_a_strange_setting_names_its_neighbor() -> None:
    with pytest.raises(UnknownName, match="rotate"):
        Zoom.of(rotat=3)


def test_keyframes_come_from_a_toml_file_too(tmp_path: Path) -> None:
    path = tmp_path / "moves.toml"
    path.write_text('ease = "sine"\n["0s"]\nzoom = 1.1\n["4s"]\nzoom = 2\nowl = 0.5\n', "utf-8")
    words = ("ease=sine", "0s", "zoom=1.1", "4s", "zoom=2", "owl=0.5")
    assert Zoom.of(at=str(path)).at == words
    assert Zoom.of(at=["0s", "rotate=3", str(path)]).at == ("0s", "rotate=3", *words)
    # What was read stays, so the Record holds it and the file may go.
    assert Zoom.model_validate_json(Zoom.of(at=str(path)).model_dump_json()).at == words


@pytest.mark.parametrize("text", ["zoom = 2", "= 3", ""])
def test_a_keyframe_file_that_cannot_be_is_said(tmp_path: Path, text: str) -> None:
    path = tmp_path / "moves.toml"
    if text:
        path.write_text(text, "utf-8")
    with pytest.raises(ReverieError, match=r"moves\.toml") as caught:
        Zoom.of(at=str(path))
    assert "recipe" not in str(caught.value)


@given(
    st.lists(st.tuples(st.floats(0, 100), st.floats(-10, 10)), min_size=1, max_size=5, unique_by=lambda each: each[0]),
    st.sampled_from(["linear", "cubic", "sine", "hold"]),
    st.floats(-5, 120),
)
def test_a_curve_goes_through_its_points_and_never_beyond_them(points, ease, time) -> None:  # type: ignore[no-untyped-def]
    curve = Curve(tuple((at, value, ease) for at, value in sorted(points)))
    values = [value for _, value in points]
    assert min(values) - 1e-9 <= curve.at(time) <= max(values) + 1e-9
    for at, value in points:
        assert curve.at(at) == pytest.approx(value)


def test_the_ways_between_two_points() -> None:
    def half(ease):  # type: ignore[no-untyped-def]
        curve = Curve(((0.0, 0.0, "linear"), (4.0, 1.0, ease)))
        return [round(curve.at(time), 3) for time in (0, 1, 2, 3, 4)]

    assert half("linear") == [0, 0.25, 0.5, 0.75, 1]
    assert half("cubic") == [0, 0.156, 0.5, 0.844, 1]
    assert half("sine") == [0, 0.146, 0.5, 0.854, 1]
    assert half("hold") == [0, 0, 0, 0, 1]


def test_settings_do_not_import_torch() -> None:
    modules = "reverie.film, reverie.film.settings, reverie.film.making.keyframes"
    code = f"import sys, {modules}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
