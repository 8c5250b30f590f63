"""The loop in JavaScript, run by node, against Python: plans, random draws, and the pictures of six recipes."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import reverie
from reverie import zoo
from reverie.export import export
from reverie.loop.plan import prepare
from reverie.pixels.ops import cropped, resize
from reverie.recipe.model import Recipe
from tests.web.conftest import WEB, absent

LAYERS = ("stage1", "stage2", "stage3", "stage4", "classes")
SHORT = {"size": "96", "smallest": 64, "steps": 6}

RECIPES: dict[str, dict[str, Any]] = {
    "default": {"size": "144", "smallest": 64},
    "classes": {
        "size": "144",
        "smallest": 64,
        "objective": "owl|rose",
        "certainty": 0.3,
        "seed": 7,
        "detail": "carry",
    },
    "classic": {
        "size": "144",
        "objective": "0.3*stage3 + butterfly",
        "octaves": 3,
        "octave_scale": 1.4,
        "detail": "lost",
        "color": "source",
        "schedule": "even",
        "steps": 8,
    },
    "negative": {
        "size": "144",
        "objective": "stage2; 0.4*stage4 - 0.2*stage1",
        "smallest": 64,
        "color": "locked",
        "headroom": 0.0,
        "bands": 3,
        "spread": 0.0,
        "pad": 0,
    },
    "above": {
        "size": "128x128",
        "objective": "stage3",
        "balance": "raw",
        "normalize": "std",
        "momentum": 0.0,
        "jitter": 40,
        "steps": [10, 6],
        "step_size": [0.01, 0.006],
        "octaves": 3,
        "above": 1,
        "blend": 0.2,
    },
    "masked": {
        "size": "144",
        "objective": "0.3*stage3 + octopus|jellyfish",
        "smallest": 64,
        "mask": "mask.png",
        "step_size": 0.008,
        "momentum": 0.5,
    },
}


def node(*arguments: str, source: str = "") -> str:
    if shutil.which("node") is None or not (WEB / "node_modules" / "onnxruntime-web").is_dir():
        absent("node or onnxruntime-web is not installed (npm ci --prefix web), so the page's loop is not tried out")
    ran = subprocess.run(
        ["node", *arguments], cwd=WEB, input=source, capture_output=True, text=True, check=False, timeout=600
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def script(text: str) -> Any:
    """What a module in the page's folder prints, as JSON."""
    return json.loads(node("--input-type=module", source=text))


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("onnx")
    folder = tmp_path_factory.mktemp("graphs")
    export(zoo.load("motif"), LAYERS, folder)
    return folder


def full(values: dict[str, Any]) -> dict[str, Any]:
    """All fields of a recipe as the page has them."""
    return Recipe.of({"network": "motif", **values}).model_dump(mode="json")


def test_random_draws_are_those_of_torch():
    found = script("""
        import { Generator, ofOctave } from "./src/dream/random.js";
        const one = new Generator(12345n), large = ofOctave(9007199254740991n, 3);
        console.log(JSON.stringify([one.integers(-20, 21, 2000), large.integers(0, 1000, 50)]));
    """)
    one = torch.Generator().manual_seed(12345)
    large = torch.Generator().manual_seed((9007199254740991 * 1_000_003 + 3) % 2**63)
    assert found[0] == torch.randint(-20, 21, (2000,), generator=one).tolist()
    assert found[1] == torch.randint(0, 1000, (50,), generator=large).tolist()
    # The loop draws two numbers at a time.
    again = torch.Generator().manual_seed(12345)
    pairs = [torch.randint(-20, 21, (2,), generator=again).tolist() for _ in range(1000)]
    assert found[0] == [number for pair in pairs for number in pair]


def test_normal_draws_are_those_of_torch():
    found = script("""
        import { ofVariation } from "./src/dream/random.js";
        console.log(JSON.stringify([231, 240, 16].map((count) => [...ofVariation(3n).normals(count)])));
    """)
    for drawn in found:
        generator = torch.Generator().manual_seed((3 * 1_000_003 + 999_983) % 2**63)
        assert np.allclose(drawn, torch.randn(len(drawn), generator=generator).numpy(), atol=1e-5)


@pytest.mark.parametrize("size", [(30, 50), (97, 41), (13, 200), (64, 48)])
def test_resizing_is_that_of_torch(size, tmp_path):
    image = torch.rand(1, 3, 48, 64, generator=torch.Generator().manual_seed(5))
    found = script(f"""
        import {{ planes }} from "./src/dream/planes.js";
        import {{ fittedMask, resize }} from "./src/dream/resize.js";
        const image = planes(3, 48, 64, Float32Array.from({json.dumps(image.flatten().tolist())}));
        const made = [resize, fittedMask].map((each) => [...each(image, [{size[0]}, {size[1]}]).data]);
        console.log(JSON.stringify(made));
    """)
    linear = torch.nn.functional.interpolate(
        image, size, mode="bilinear", antialias=True, align_corners=False
    )
    for got, wanted in zip(found, (resize(image, size), linear), strict=True):
        assert np.allclose(got, wanted.flatten().numpy(), atol=2e-6)


@pytest.mark.parametrize("native", [(427, 640), (96, 1500), (40, 30), (1000, 999)])
@pytest.mark.parametrize(
    "values",
    [
        {},
        *({key: value for key, value in each.items() if key != "mask"} for each in RECIPES.values()),
        {"octaves": 7, "octave_scale": 1.3, "above": 2, "schedule": "adaptive", "steps": 9},
        {"size": "333", "smallest": 50, "octave_scale": 1.21, "step_decay": 0.5, "steps": 31},
    ],
    ids=str,
)
def test_plans_have_the_numbers_of_python(graphs, native, values):
    network = zoo.load("motif")
    recipe = full(values)
    found = script(f"""
        import {{ readFileSync }} from "node:fs";
        import {{ planned }} from "./src/dream/plan.js";
        const manifest = JSON.parse(readFileSync({json.dumps(str(graphs / "motif.json"))}, "utf-8"));
        const plan = planned({json.dumps(recipe)}, manifest, [{native[0]}, {native[1]}]);
        console.log(JSON.stringify(plan, (_, value) => typeof value === "bigint" ? String(value) : value));
    """)
    size = tuple(found["size"])
    plan = prepare(network, Recipe.of(recipe), size)
    assert len(plan.octaves) == len(found["octaves"])
    for one, other in zip(plan.octaves, found["octaves"], strict=True):
        assert tuple(other["size"]) == one.size
        assert other["steps"] == one.steps
        assert other["rule"]["stepSize"] == pytest.approx(one.rule.step_size, rel=1e-12)
        shaping = one.rule.shaping
        assert other["rule"]["shaping"] == {
            "bands": shaping.bands,
            "fine": shaping.fine,
            "coarse": shaping.coarse,
            "spread": shaping.spread,
            "gray": shaping.gray,
            "fineGray": getattr(shaping, "fine_gray", 0),
            "normalize": shaping.normalize,
        }
        assert [each["weight"] for each in other["terms"]] == [term.weight for term in one.objective.terms]
        assert [bool(each["layer"]) for each in other["terms"]] == [
            "logits" not in term.layers for term in one.objective.terms
        ]


def correlations(graphs: Path, folder: Path, names: list[str], more: dict[str, Any]) -> dict[str, float]:
    """Of what Python and the page add to a photograph: their correlation for each recipe."""
    photo = Image.open(WEB.parent / "examples" / "cat.jpg").convert("RGB").resize((180, 135))
    pixels = np.asarray(photo).copy()
    ramp = np.zeros((135, 180), np.uint8)
    ramp[:, 50:] = np.linspace(0, 255, 130).astype(np.uint8)
    Image.fromarray(ramp).save(folder / "mask.png")

    def planes(name: str, values: Any) -> dict[str, Any]:
        values = np.ascontiguousarray(values, "<f4")
        values.tofile(folder / name)
        channels, height, width = values.shape
        return {"file": str(folder / name), "channels": channels, "height": height, "width": width}

    source = planes("source", pixels.transpose(2, 0, 1) / np.float32(255))
    mask = planes("mask", ramp[None] / np.float32(255))
    wanted = {name: {**RECIPES[name], **more} for name in names}
    dreams = [
        {
            "source": source,
            "mask": mask if "mask" in each else None,
            "recipe": full(each),
            "out": str(folder / name),
        }
        for name, each in wanted.items()
    ]
    job = {"graph": str(graphs / "motif.onnx"), "manifest": str(graphs / "motif.json"), "dreams": dreams}
    (folder / "job.json").write_text(json.dumps(job))
    node("check/dream.mjs", str(folder / "job.json"))
    found = {}
    for name, each in wanted.items():
        options = {**each, "mask": str(folder / "mask.png")} if "mask" in each else each
        python = (
            reverie.dream(pixels, network="motif", precision="fp32", threads=1, **options).pixels[0].numpy()
        )
        page = np.fromfile(folder / name, "<f4").reshape(python.shape)
        size = python.shape[1:]
        still = torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255
        still = resize(cropped(still, size), size).clamp(0, 1)[0].numpy()
        assert np.abs(python - still).mean() > 0.01
        found[name] = float(np.corrcoef((python - still).ravel(), (page - still).ravel())[0, 1])
    return found


def test_a_short_dream_is_that_of_python(graphs, tmp_path):
    for name, correlation in correlations(graphs, tmp_path, ["default", "masked"], SHORT).items():
        assert correlation >= 0.97, name


@pytest.mark.slow
def test_six_recipes_give_the_pictures_of_python(graphs, tmp_path):
    found = correlations(graphs, tmp_path, list(RECIPES), {})
    print(found)
    assert min(found.values()) >= 0.9, found
