"""Class and feature visualization: presets, batches, photos, the command, what a real network says of its pictures."""

from __future__ import annotations

import io
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import reverie
from reverie import Recipe, UsageError, api, zoo
from reverie.cli import main
from reverie.cli.visualize import _weight
from reverie.loop import assemble
from reverie.loop.plan import prepare
from reverie.loop.render import render
from reverie.objective import Sight, penalty
from reverie.objective.resolve import resolve
from reverie.recipe.grammar import named
from tests.oracle.networks import around, convolution, noise, tiny_network
from tests.support.recipes import SEEN

QUICK = ["--steps", "3", "--size", "72x64", "--octaves", "1", "--precision", "fp32"]
METHODS = ["visualize", "accentuate", "lucid", "maco", "classic"]


def pixels(path: Path) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(path))


@pytest.mark.parametrize("method", METHODS)
def test_every_method_makes_a_picture_that_scores_higher_than_its_start(method: str) -> None:
    scores: list[float] = []
    made = reverie.visualize(
        "channel:relu2:3", network=tiny_network(), preset=method, size="48x48", steps=12, octaves=1, precision="fp32",
        likeness=0,  # nothing but the channel is scored
        on_frame=lambda frame: scores.append(float(frame.score.mean())),
    )
    assert made.pixels.shape == (1, 3, 48, 48)
    assert float(made.pixels.min()) >= 0 and float(made.pixels.max()) <= 1
    assert sum(scores[-3:]) > sum(scores[:3])


def test_contrast_holds_the_light_of_a_picture_that_is_driven_far() -> None:
    def made(contrast: float) -> torch.Tensor:
        return reverie.visualize(
            "channel:relu2:3", network=tiny_network(), size="48x48", steps=60, step_size=0.5, octaves=1,
            precision="fp32", contrast=contrast,
        ).pixels.clamp(1e-6, 1 - 1e-6).logit()

    held, free = made(0.8), made(0.0)
    start = torch.tensor(tiny_network().mean).logit()
    torch.testing.assert_close(held.mean((0, 2, 3)), start, atol=0.05, rtol=0)
    assert 0.4 < float((held - held.mean((2, 3), keepdim=True)).square().mean().sqrt()) < 0.81
    assert float((free - free.mean((2, 3), keepdim=True)).square().mean().sqrt()) > 1


def test_a_picture_replays_to_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["visualize", "owl", "-o", "owl.png", *QUICK]) == 0
    assert main(["replay", "owl.png", "-o", "again.png"]) == 0
    assert (tmp_path / "owl.png").read_bytes() == (tmp_path / "again.png").read_bytes()


def test_a_batch_is_several_pictures_each_with_its_own_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["visualize", "owl", "--count", "3", *QUICK]) == 0
    files = sorted(tmp_path.glob("*.png"))
    assert [file.name for file in files] == [f"noise-motif-owl-{at}.png" for at in (1, 2, 3)]
    assert len({file.read_bytes() for file in files}) == 3
    assert main(["replay", files[1].name, "-o", "again.png"]) == 0
    assert (tmp_path / "again.png").read_bytes() == files[1].read_bytes()
    assert main(["visualize", "owl", "--count", "3", *QUICK]) == 0  # overwrites nothing
    assert (tmp_path / "noise-motif-owl-2-1.png").exists()


def test_a_picture_of_a_batch_is_the_same_as_without_the_others() -> None:
    options: dict[str, Any] = {"network": tiny_network(), "preset": "visualize", "objective": "relu2", "size": "32x32",
                               "steps": 4, "octaves": 1, "precision": "fp32"}
    alone = api.dream(None, **options)
    work = api.job(None, count=2, **options)
    *_, last = work.frames()
    torch.testing.assert_close(work.pictures(last)[0].pixels, alone.pixels, atol=2e-3, rtol=0)


def test_several_texts_and_classes_make_a_picture_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["visualize", "owl", "stage3:5", "--class", "sunflower", "--class", "3", *QUICK]) == 0
    names = {file.name for file in tmp_path.glob("*.png")}
    assert names == {f"noise-motif-{what}.png" for what in ("owl", "stage3-5", "class-sunflower", "class-3")}


def test_from_a_photo_it_starts_at_the_photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Image.effect_noise((80, 60), 90).convert("RGB").save("photo.png")
    options = ["--octaves", "1", "--precision", "fp32", "--step-size", "0.000001", "--steps", "1"]
    assert main(["visualize", "owl", "--from", "photo.png", *options]) == 0
    made, photo = (pixels(tmp_path / name).astype(int) for name in ("photo-motif-owl.png", "photo.png"))
    assert abs(made - photo).max() <= 1


def test_what_answers_to_nothing_is_said(capsys: pytest.CaptureFixture[str], tmp_path: Path,
                                         monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("reverie.pixels.param.Fourier.moved", lambda param, change: param)
    assert main(["visualize", "owl", *QUICK]) == 0
    assert "Nothing changed" in capsys.readouterr().err


@pytest.mark.parametrize(("arguments", "said"), [
    ([], "Say what to show"),
    (["owll"], "'owl'"),
    (["--class", "owll"], "'owl'"),
    (["owl", "--preset", "macoo"], "'maco'"),
    (["owl", "--count", "0"], "--count must"),
    (["owl", "--param", "wavelets"], "fourier-rgb"),
    (["owl", "--optimizer", "ascent"], "--optimizer adam"),
    (["owl", "--tv", "-1"], "--tv must begin"),
    (["owl", "--diversity", "0.5"], "--count"),
    (["owl", "--diversity", "much@stage3", "--count", "2"], "--diversity must begin"),
    (["owl", "--diversity", "1@stage9", "--count", "2"], "'stage"),
])
def test_mistakes_get_one_sentence(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str],
                                   tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code = main(["visualize", *arguments])
    err = capsys.readouterr().err
    assert code == 2 and said in err and "Traceback" not in err and err.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("above", [0, 1])
def test_opacity_is_how_strongly_each_pixel_was_sought(above: int) -> None:
    recipe = Recipe.of({"objective": "relu2", "steps": 3, "octaves": 2, "above": above, "opacity": 0.3})
    plan = prepare(tiny_network(), recipe, (48, 60))
    frames = list(render(plan, noise(1, 3, 48, 60), gradients=True))
    assert [frame.opacity is not None for frame in frames] == [False] * 5 + [True]
    felt = sum(frame.gradient.abs().mean(1, keepdim=True) for frame in frames[3:]).double().numpy()  # the last octave's
    enough = np.sort(felt.ravel())[round(0.7 * felt.size) - 1]
    twin = torch.from_numpy(np.minimum(felt / enough, 1)).float()
    opacity = frames[-1].opacity
    assert opacity is not None and opacity.shape == (1, 1, 48, 60)
    if not above:
        torch.testing.assert_close(opacity, twin, atol=1e-5, rtol=0)
        assert 0.29 < float((opacity == 1).float().mean()) < 0.32


def test_what_was_not_sought_is_transparent_in_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    photo = Image.effect_noise((72, 64), 90).convert("RGB")
    photo.putalpha(128)
    photo.save("a.png")
    quick = ["--steps", "2", "--octaves", "1", "--precision", "fp32"]
    assert main(["visualize", "owl", "--from", "a.png", "--opacity", "0.25", "-o", "x.png", *quick]) == 0
    with Image.open("x.png") as made:
        alpha = np.asarray(made.getchannel("A"))
        assert alpha.max() == 128 and 0.2 < (alpha == 128).mean() < 0.3  # the source's own on top
    assert main(["replay", "x.png", "-o", "again.png"]) == 0
    assert Path("again.png").read_bytes() == Path("x.png").read_bytes()
    assert main(["visualize", "owl", "-o", "y.png", *quick, "--size", "48x48"]) == 0
    with Image.open("y.png") as made:
        assert made.mode == "RGB"


def test_json_tells_every_frame_and_every_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                               capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["visualize", "owl", "--count", "2", "--json", *QUICK]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line.get("step") for line in lines] == [0, 1, 2, None, None]
    assert [line["out"] for line in lines[-2:]] == ["noise-motif-owl-1.png", "noise-motif-owl-2.png"]


def test_added_terms_stand_in_the_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    terms = ["--l2", "0.001", "--tv", "1e-7", "--blur", "2", "--diversity", "0.5", "--count", "2"]
    assert main(["visualize", "owl", *terms, "-o", "x.png", *QUICK]) == 0
    with Image.open("x-2.png") as made:
        text = made.info["reverie"]
    wanted = 'owl - 0.001*energy - 1e-07*tv - 2*blur + 0.5*diversity("default")'
    assert json.loads(text)["recipe"]["objective"] == wanted
    assert main(["visualize", "stage3; owl", "--tv", "1", "-o", "y.png", *QUICK]) == 0
    with Image.open("y.png") as made:
        assert json.loads(made.info["reverie"])["recipe"]["objective"] == "stage3 - 1*tv; owl - 1*tv"


def test_words_are_the_name_of_a_class() -> None:
    assert named("stained glass") == "stained glass"  # several words are a class in every objective
    assert named("0.5*owl + rose") == "0.5*owl + rose"
    assert named("stage3; owl") == "stage3; owl"
    with pytest.raises(UsageError):
        named("owl +")


@pytest.mark.parametrize("term", ["energy", "tv", "blur", "distance"])
def test_what_is_taken_away_gets_less(term: str) -> None:
    options: dict[str, Any] = {"network": tiny_network(), "preset": "classic", "size": "32x32", "steps": 12}
    measured = resolve(tiny_network(), term)
    source = noise(1, 3, 32, 32) if term == "distance" else None

    def value(weight: float) -> float:
        made = reverie.visualize(f"relu2 - {weight}*{term}" if weight else "relu2", source, **options).pixels
        if source is not None:
            return float((made - source).square().sum())
        return float(measured.score({"image": made}))

    strength = 5e4 if term == "distance" else 5.0  # a mean, not a sum
    assert value(strength) < 0.8 * value(0.0)


def test_the_energy_and_the_distance_are_their_formulas() -> None:
    image, source = noise(2, 3, 6, 7), noise(2, 3, 6, 7, seed=1)
    np.testing.assert_allclose(penalty.energy().score({"image": image}).numpy(),
                               ((image.numpy() - 0.5) ** 2).sum((1, 2, 3)), rtol=1e-5)
    sight = Sight(image, source, lambda x: x.flip(-1), lambda x, layers: {})
    away = penalty.distance().following(sight).score({"image": image})
    np.testing.assert_allclose(away.numpy(), ((image - source.flip(-1)).numpy() ** 2).mean((1, 2, 3)), rtol=1e-5)


def test_a_silent_network_is_woken_by_redirected_relus() -> None:
    network = around(("conv", convolution(3, 2, 3, -1.0)), ("relu", torch.nn.ReLU()), smallest=4)
    image = noise(1, 3, 8, 8).requires_grad_(True)
    plain, woken = (
        torch.autograd.grad(each.capture(image, ["relu"])["relu"].sum(), image)[0]
        for each in (network, network.redirected())
    )
    assert not plain.any()
    assert (woken < 0).any() and not (woken > 0).any()  # darker is less negative here
    assert torch.equal(network.redirected().capture(image, ["relu"])["relu"], network.capture(image, ["relu"])["relu"])


def test_redirection_leaves_a_relu_alone_that_is_not_all_silent() -> None:
    network = tiny_network()
    image = noise(1, 3, 16, 16).requires_grad_(True)
    one, other = (
        torch.autograd.grad(each.capture(image, ["logits"])["logits"].sum(), image)[0]
        for each in (network, network.redirected())
    )
    torch.testing.assert_close(one, other)


@pytest.mark.parametrize("redirect", [0, 4])
def test_redirection_ends_a_dead_start(redirect: int) -> None:
    network = around(("conv", convolution(3, 2, 3, -1.0)), ("relu", torch.nn.ReLU()), smallest=4)
    made = reverie.visualize("channel:relu:0", noise(1, 3, 16, 16), network=network, preset="accentuate", steps=4,
                             likeness=0, redirect=redirect, precision="fp32").pixels
    assert (float((made - noise(1, 3, 16, 16)).abs().max()) > 0.01) == bool(redirect)


OPTIONS = st.fixed_dictionaries({}, optional=SEEN)


@settings(max_examples=60)
@given(OPTIONS, st.integers(16, 40), st.integers(16, 40), st.booleans())
def test_every_combination_renders_or_is_refused_with_a_sentence(values: dict[str, Any], h: int, w: int,
                                                                  photo: bool) -> None:
    recipe = Recipe.of({"objective": "relu2 - owl", "steps": 2, **values})
    network = tiny_network()
    try:
        plan = prepare(network, recipe, (h, w))
    except UsageError as error:
        said = str(error)
    else:
        said = ""
    assert ("optimizer='adam'" in said) == (recipe.param != "pixels" and recipe.optimizer == "ascent")
    if said:
        return
    source = noise(recipe.count, 3, h, w) if photo else torch.cat(
        [assemble.noise(recipe, (h, w), network.mean, torch.Generator().manual_seed(at)) for at in range(recipe.count)])
    frames = 0
    for frame in render(plan, source):
        frames += 1
        assert torch.isfinite(frame.image).all() and torch.isfinite(frame.score).all()
        assert float(frame.image.min()) >= 0 and float(frame.image.max()) <= 1
    assert frames == plan.total and frame.image.shape == (recipe.count, 3, h, w)


# What a network that knows ImageNet says of its pictures.


def lab(image: torch.Tensor) -> torch.Tensor:
    """CIE Lab (D65) of sRGB [1, 3, H, W] in 0..1, as [H, W, 3]."""
    c = image[0].double().permute(1, 2, 0)
    linear = torch.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    matrix = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    x = linear @ torch.tensor(matrix, dtype=torch.float64).T / torch.tensor([0.95047, 1, 1.08883], dtype=torch.float64)
    f = torch.where(x > (6 / 29) ** 3, x.clamp_min(1e-9) ** (1 / 3), x / (3 * (6 / 29) ** 2) + 4 / 29)
    return torch.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1)


def harmed(picture: reverie.Picture) -> torch.Tensor:
    """The picture after a turn by 10 degrees, a crop to nine tenths, and JPEG at 75."""
    image = Image.fromarray(picture.numpy())
    edge = round(0.05 * image.width)
    image = image.rotate(10, resample=Image.Resampling.BICUBIC, fillcolor=(128, 128, 128))
    buffer = io.BytesIO()
    image.crop((edge, edge, image.width - edge, image.height - edge)).save(buffer, "JPEG", quality=75)
    return torch.from_numpy(np.asarray(Image.open(buffer), np.float32) / 255).permute(2, 0, 1)[None]


@pytest.mark.slow
def test_squeezenet_names_its_own_class_images(shared: Path) -> None:
    weights = shared / "weights" / "squeezenet1_0-imagenet-fp16.safetensors"
    if not weights.exists():
        pytest.skip("no weights of SqueezeNet beside the repository")
    network = zoo.load("squeezenet1_0", weights)
    named, tones = 0, []
    for at in random.Random(2015).sample(range(1000), 20):
        picture = reverie.visualize(f"class:{at}", network=network)
        with torch.no_grad():
            scores = network.capture(harmed(picture), [network.logits])[network.logits].mean((2, 3))
        named += int(scores.argmax()) == at
        tones.append(lab(picture.pixels).mean((0, 1)))
        print(network.labels[at], int(scores.argmax()) == at, [round(float(each), 1) for each in tones[-1]])
    tone = torch.stack(tones).mean(0)
    print(f"{named} of 20 named, L a b {tone.tolist()}")
    assert named >= 19
    assert abs(float(tone[1])) < 8 and abs(float(tone[2])) < 8


def test_a_small_weight_stays_one() -> None:
    assert float(_weight("l2", "1e-11")) == 1e-11
    assert _weight("tv", "0.1") == "0.1"
