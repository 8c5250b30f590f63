"""Views: what is drawn of a dream, and that nothing is drawn, and nothing kept, where nobody asks."""

from __future__ import annotations

import json
import math
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from reverie import atlas, plot
from reverie.cli import main
from reverie.errors import MissingError
from reverie.loop.plan import prepare
from reverie.loop.quality import gains, lab, quality
from reverie.loop.render import Frame, render
from reverie.objective.resolve import resolve
from reverie.recipe import Recipe
from tests.oracle.networks import noise

IMAGE = noise(1, 3, 32, 40)
QUICK = ["--steps", "2", "--octaves", "1", "--size", "80", "--objective", "stage2 - 0.1*tv"]


@pytest.fixture
def photo(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def frames(network, gradients=True, **values):
    plain = {"steps": 3, "octaves": 2, "octave_scale": 1.2, "objective": "relu2 - 0.5*tv"}
    plan = prepare(network, Recipe.of(plain, values), (32, 40))
    return list(render(plan, IMAGE, gradients=gradients))


def test_frames_carry_the_scores_of_terms_and_gradients_only_where_asked(tiny):
    for plain, rich in zip(frames(tiny, False), frames(tiny), strict=True):
        assert plain.gradient is None and torch.equal(plain.terms, rich.terms)
        assert torch.equal(plain.image, rich.image)
        assert rich.gradient.shape == rich.image.shape
        torch.testing.assert_close(rich.terms[0] - 0.5 * rich.terms[1], rich.score)


def test_a_step_is_drawn_with_its_gradient(tiny):
    frame = frames(tiny)[-1]
    drawn = plot.step(frame)
    assert drawn.shape == (1, 3, 340, 1320)
    assert 0 <= drawn.min() < 0.1 and drawn.max() <= 1
    spectrum = frames(tiny, param="fourier", optimizer="adam", step_size=0.05)[-1]
    assert plot.step(spectrum).shape == (1, 3, 340, 880)
    with pytest.raises(ValueError, match="carries no gradient"):
        plot.step(frames(tiny, False)[-1])


def test_a_flat_gradient_is_drawn_too(tiny):
    frame = frames(tiny)[-1]
    flat = Frame(**{**vars(frame), "gradient": torch.zeros_like(frame.gradient)})
    assert torch.isfinite(plot.step(flat)).all()


def test_curves_have_a_panel_for_the_sum_and_for_each_of_several_terms(tiny):
    points = [plot.point(frame) for frame in frames(tiny)]
    assert [(each.octave, each.step) for each in points] == [(at, step) for at in (0, 1) for step in range(3)]
    assert plot.plot_curves(points, ["relu2", "tv"]).shape == (1, 3, 340, 1320)
    alone = [plot.point(frame) for frame in frames(tiny, objective="relu2")]
    assert plot.plot_curves(alone, ["relu2"]).shape == (1, 3, 340, 440)


def test_classes_are_drawn_below_their_pictures():
    columns = [("before", IMAGE, [("owl", 0.9), ("rose, flower", 0.1)]), ("after", IMAGE, [("rose", 1.0)])]
    drawn = plot.plot_classes(columns)
    assert drawn.shape == (1, 3, 680, 880)
    assert not torch.equal(drawn, plot.plot_classes(columns[::-1]))


def test_without_matplotlib_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingError, match=r"reverie\[plot\]"):
        plot.plot_curves([plot.Point(0, 0, 1.0)])


def test_lab_of_known_colors():
    for color, expected in (
        ((1, 1, 1), (100, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((1, 0, 0), (53.24, 80.09, 67.20)),
        ((0.5, 0.5, 0.5), (53.39, 0, 0)),
    ):
        found = lab(torch.tensor(color, dtype=torch.float64).view(1, 3, 1, 1)).flatten()
        np.testing.assert_allclose(found.numpy(), expected, atol=0.05)


def test_quality_of_the_same_the_inverse_and_a_tint():
    same = quality(IMAGE, IMAGE, 2.0)
    assert (same.gain, same.drift) == (2.0, 0.0) and same.structure == pytest.approx(1)
    assert str(same) == "objective +2, color drift 0.0, structure kept 100%"
    assert quality(IMAGE, 1 - IMAGE, 0.0).structure < -0.8
    white, black = torch.ones(1, 3, 8, 8), torch.zeros(1, 3, 8, 8)
    assert quality(black, white, 0).drift == pytest.approx(100, abs=0.1)
    assert math.isfinite(quality(white, white, 0).structure)
    assert quality(IMAGE, torch.nn.functional.interpolate(IMAGE, scale_factor=4, mode="bilinear"), 0).structure > 0.9


def test_the_gain_is_that_of_what_is_dreamt_and_penalties_stand_beside_it(tiny):
    objective = resolve(tiny, "relu2 + 2*relu1 - 0.5*tv - 3*l2")
    first, last = torch.tensor([[1.0], [2], [3], [4]]), torch.tensor([[2.0], [5], [13], [3]])
    gain, penalty = gains(objective, first, last)
    assert (gain, penalty) == (1 + 2 * 3, 0.5 * 10 - 3)
    assert gains(resolve(tiny, "relu2"), first[:1], last[:1]) == (1, None)
    assert str(quality(IMAGE, IMAGE, gain, penalty)).startswith("objective +7, penalties +2, color")


def test_energy_glows_where_a_layer_answers(tiny):
    picture = torch.full((1, 3, 32, 40), 0.5)
    picture[..., 20:] = noise(1, 3, 32, 20)
    heat = atlas.layer_energy(tiny, "relu1", picture)
    assert heat.shape == (32, 40) and float(heat.max()) <= 1
    assert heat[4:28, 24:36].mean() > 1.2 * heat[4:28, 4:16].mean()


def test_guesses_are_those_of_an_inspection(tiny):
    assert atlas.guessed(tiny, IMAGE, 3) == atlas.inspect(tiny, IMAGE).guesses[:3]


def test_the_command_draws_into_a_folder_and_says_the_quality(photo, tmp_path, capsys):
    folder = tmp_path / "plots"
    folder.mkdir()
    out = tmp_path / "out.png"
    options = ["--plots", str(folder), "--plots-every", "2", "--quality"]
    assert main(["dream", str(photo), *QUICK, *options, "-o", str(out)]) == 0
    assert sorted(each.name for each in folder.iterdir()) == [
        "out-classes.png", "out-gradient-1-0001.png", "out-heat-stage2.png", "out-scores.png"
    ]
    assert "structure kept" in capsys.readouterr().err
    plain = tmp_path / "plain.png"
    assert main(["dream", str(photo), *QUICK, "-o", str(plain)]) == 0
    assert "structure" not in capsys.readouterr().err
    assert plain.read_bytes() == out.read_bytes()


def test_json_tells_the_quality(photo, tmp_path, capsys):
    assert main(["dream", str(photo), *QUICK, "--json", "-o", str(tmp_path / "out.png")]) == 0
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert last["quality"].keys() == {"gain", "drift", "structure", "penalty"}
    assert last["quality"]["structure"] > 0.5


@pytest.mark.parametrize(("options", "code", "said"), [
    (["--plots", "nowhere"], 5, "no existing folder"),
    (["--plots-every", "0"], 2, "must be 1 or more"),
])
def test_bad_view_options_are_one_sentence(photo, options, code, said, capsys):
    assert main(["dream", str(photo), *QUICK, *options]) == code
    told = capsys.readouterr().err
    assert said in told and told.count("\n") == 1
